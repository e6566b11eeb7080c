"""One device and its open files: answers packets, whoever carries them (software.md 1, 5).

Device time passes only while a packet is answered.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sw.driver import Driver, DriverError
from sw.driver.ioctl import Ioctl, Tally
from sw.node.calls import CallError, dispatch
from sw.node.wire import Answer, Kind, Request
from sw.transport.base import Transport, TransportError
from sw.uapi.description import DIRECTION_SHIFT, SIZE_MASK, SIZE_SHIFT, Direction

SLICE_CYCLES = 100_000  # between two looks at whether a run is still wanted


@dataclass(slots=True)
class File:
    """One open file: its calls, and the process that opened it."""

    ioctl: Ioctl
    pid: int = 0


class Node:
    """The device node of one device.

    Attributes:
        driver: the device.
        total: accepted calls of all open files, closed ones included.
        files: those that are open.
        about: what `info` says beside the device's own sizes.
    """

    def __init__(self, driver: Driver, about: dict[str, Any] | None = None) -> None:
        self.driver = driver
        self.total = Tally()
        self.files: list[File] = []
        self.about = about or {}
        self.stopping = False

    @property
    def transport(self) -> Transport:
        """Who answers the driver."""
        return self.driver.registers.transport

    def open(self, pid: int = 0) -> File:
        """A new open file."""
        file = File(Ioctl(self.driver, self.total), pid)
        self.files.append(file)
        return file

    def close(self, file: File) -> None:
        """The last holder of a file has closed it."""
        self.files.remove(file)

    async def answer(self, file: File, request: Request) -> Answer:
        """Do what a request asks for, to its end."""
        try:
            match request.kind:
                case Kind.IOCTL:
                    return Answer(request.kind, 0, await self._ioctl(file, request))
                case Kind.CALL:
                    return _said(0, await dispatch(self, file, request))
                case _:
                    return Answer(request.kind, errno.EPROTO)
        except OSError as error:
            return Answer(request.kind, error.errno or errno.EIO)
        except CallError as error:
            return _said(error.errno, {"error": str(error)})
        except (DriverError, TransportError) as error:
            if request.kind == Kind.CALL:
                return _said(errno.EIO, {"error": str(error)})
            return Answer(request.kind, errno.EIO)

    async def _ioctl(self, file: File, request: Request) -> bytes:
        # Where the device writes, the client's memory stays with the client: the kernel checks its pointer.
        reads = request.value >> DIRECTION_SHIFT == Direction.READ
        room = bytes(request.value >> SIZE_SHIFT & SIZE_MASK) if reads else request.payload
        return await file.ioctl.ioctl(request.value, room)

    async def run(self, cycles: int, abandoned: Callable[[], bool]) -> int:
        """Let device time pass; ends early when nobody waits for it any more, or the node stops.

        Returns:
            Cycles that have passed.
        """
        done = 0
        while done < cycles and not (self.stopping or abandoned()):
            some = min(SLICE_CYCLES, cycles - done)
            await self.transport.sleep(-(-some * 1000 // self.driver.caps.clock_mhz))
            done += some
        return done

    async def free_run(self) -> None:
        """A short while of device time that nobody has asked for."""
        await self.run(SLICE_CYCLES // 10, lambda: False)


def _said(number: int, result: dict[str, Any]) -> Answer:
    return Answer(Kind.CALL, number, json.dumps(result, separators=(",", ":")).encode())
