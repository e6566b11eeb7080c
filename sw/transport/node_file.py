"""One open file of /dev/kvcpu0 as the Linux driver offers it, and the driver's files in sysfs."""

from __future__ import annotations

import fcntl
import os
import select
from pathlib import Path

from sw.transport.base import TransportError
from sw.uapi import description as uapi

CLASS = Path("/sys/class/kv_cpu")
_REQUESTS = {call.name: call.request for call in (*uapi.CALLS, *uapi.LINUX_CALLS)}
_RECORDS = 64  # of one read
_SHOWN = 64  # bytes of a number in sysfs


class NodeFile:
    """Requests, records, and numbers of sysfs by their file's name.

    Attributes:
        path: of the node.
    """

    def __init__(self, path: Path = Path(uapi.DEVICE)) -> None:
        """Open the node.

        Raises:
            TransportError: there is none, or it is not permitted.
        """
        self.path = path
        self._folder = CLASS / path.name
        self._attributes: dict[tuple[str, int], int] = {}
        try:
            self._file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise TransportError(f"{path}: {error.strerror}") from None

    @property
    def config(self) -> Path:
        """Configuration space of the PCI function behind the node."""
        return self._folder / "device" / "config"

    def close(self) -> None:
        """Close the node; the driver gives back what this file has shared and bound."""
        os.close(self._file)
        for file in self._attributes.values():
            os.close(file)
        self._attributes.clear()

    def call(self, name: str, argument: bytes) -> bytes:
        """A request by its name; its argument afterwards. Raises OSError, as the driver does."""
        return fcntl.ioctl(self._file, _REQUESTS[name], argument)

    def _attribute(self, name: str, mode: int) -> int:
        if (name, mode) not in self._attributes:
            self._attributes[name, mode] = os.open(self._folder / name, mode | os.O_CLOEXEC)
        return self._attributes[name, mode]

    def attribute(self, name: str) -> int:
        """A number of sysfs.

        Raises:
            TransportError: the driver has no such file, or the device is lost.
        """
        try:
            return int(os.pread(self._attribute(name, os.O_RDONLY), _SHOWN, 0))
        except OSError as error:
            raise TransportError(f"{self._folder / name}: {error.strerror}") from None

    def set_attribute(self, name: str, value: int) -> None:
        """Write a number. Raises OSError: the device, or the driver, refuses it."""
        os.pwrite(self._attribute(name, os.O_WRONLY), str(value).encode(), 0)

    def records(self) -> list[tuple[int, ...]]:
        """Records that wait to be read, oldest first. Raises TransportError: the device is lost."""
        records: list[tuple[int, ...]] = []
        while True:
            try:
                data = os.read(self._file, _RECORDS * uapi.EVENT.layout.size)
            except BlockingIOError:
                return records
            except OSError as error:
                raise TransportError(f"{self.path}: {error.strerror}") from None
            records += uapi.EVENT.layout.iter_unpack(data)

    def wait(self, timeout_ns: int) -> None:
        """Wait for a record, at most so long."""
        select.select([self._file], [], [], timeout_ns / 1e9)
