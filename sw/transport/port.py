"""A serial port of the host as the link of a `SerialTransport`."""

from __future__ import annotations

import fcntl
import os
import select
import termios
import time
from pathlib import Path

from sw.transport.base import TransportError

BAUD = 3_000_000
_CHUNK = 4096


class PortError(TransportError):
    """The port cannot be opened or used."""


class SerialPort:
    """A port of this machine: 8 data bits, no parity, 1 stop bit, no flow control; ours alone while open."""

    def __init__(self, path: Path, baud: int = BAUD) -> None:
        """Open `path`.

        Raises:
            PortError: no such port, in use, not permitted, no serial port, or no such baud rate.
        """
        self._path = path
        speed = getattr(termios, f"B{baud}", None)
        if speed is None:
            raise PortError(f"{path}: this system has no {baud:,} baud")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise PortError(f"{path}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._configure(speed)
        except BlockingIOError:
            self.close()
            raise PortError(f"{path}: another program uses it") from None
        except (OSError, termios.error):
            self.close()
            raise PortError(f"{path}: not a serial port") from None

    def _configure(self, speed: int) -> None:
        control = termios.CS8 | termios.CREAD | termios.CLOCAL
        attributes = termios.tcgetattr(self._file)
        attributes[:6] = [0, 0, control, 0, speed, speed]
        attributes[6][termios.VMIN] = 0
        attributes[6][termios.VTIME] = 0
        termios.tcsetattr(self._file, termios.TCSANOW, attributes)
        termios.tcflush(self._file, termios.TCIOFLUSH)

    def close(self) -> None:
        """Give the port back."""
        os.close(self._file)

    def now(self) -> int:
        """The host's time in ns."""
        return time.monotonic_ns()

    async def sleep(self, ns: int) -> None:
        """Let `ns` of the host's time pass."""
        time.sleep(ns / 1e9)

    async def send(self, data: bytes) -> None:
        """Write all of `data`."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._file, view) :]
            except BlockingIOError:
                select.select([], [self._file], [])
            except OSError as error:
                raise PortError(f"{self._path}: {error.strerror}") from None

    async def receive(self, timeout_ns: int) -> bytes:
        """Bytes that are there, or the first to come within `timeout_ns`."""
        ready, _, _ = select.select([self._file], [], [], timeout_ns / 1e9)
        if not ready:
            return b""
        try:
            data = os.read(self._file, _CHUNK)
        except OSError as error:
            raise PortError(f"{self._path}: {error.strerror}") from None
        if not data:
            raise PortError(f"{self._path}: the other end has closed")
        return data
