"""One device with the stack on it, and its open files: answers requests, whoever carries them (software.md 1, 5).

Device time passes only while a request is answered.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sw.control.plane import ControlStream
from sw.driver import Driver, DriverError
from sw.driver.ioctl import Ioctl, Tally
from sw.llm.system import System
from sw.node import device_calls, frames, service_calls
from sw.node.calls import CallError, dispatch
from sw.node.home import Home
from sw.signing import PublicKey
from sw.transport.base import Transport, TransportError
from sw.uapi.description import DIRECTION_SHIFT, SIZE_MASK, SIZE_SHIFT, Direction
from sw.uapi.wire import Answer, Kind, Request

CALLS = (device_calls, service_calls)  # importing them registers what they offer
SLICE_CYCLES = 100_000  # between two looks at whether a run is still wanted


@dataclass(slots=True)
class File:
    """One open file: its calls, its stream of frames, the process that opened it."""

    ioctl: Ioctl
    stream: ControlStream
    pid: int = 0


@dataclass(slots=True)
class Ending:
    """Whether a node is ending: what runs ends early, and nothing more is begun."""

    now: bool = False


class Node:
    """The device node of one device.

    Attributes:
        system: the stack.
        home: its files.
        service_key: verifies the head record of its audit log.
        total: accepted calls of all open files, closed ones included.
        files: those that are open.
        about: what `info` says beside the device's own sizes.
        ending: set from outside, at any time.
    """

    def __init__(
        self, system: System, home: Home, service_key: PublicKey, ending: Ending, about: dict[str, Any]
    ) -> None:
        self.system = system
        self.home = home
        self.service_key = service_key
        self.ending = ending
        self.total = Tally()
        self.files: list[File] = []
        self.about = about

    @property
    def driver(self) -> Driver:
        """The device."""
        return self.system.driver

    @property
    def transport(self) -> Transport:
        """Who answers the driver."""
        return self.system.transport

    def open(self, pid: int = 0) -> File:
        """A new open file."""
        file = File(Ioctl(self.driver, self.total), self.system.plane.open_stream(), pid)
        self.files.append(file)
        return file

    def close(self, file: File) -> None:
        """The last holder of a file has closed it."""
        self.files.remove(file)

    def end(self) -> None:
        """The node is served no more: its tokens and its audit log are put away."""
        self.home.forget_tokens()
        self.system.audit.close()

    async def answer(self, file: File, request: Request) -> Answer:
        """Do what a request asks for, to its end.

        Raises:
            AuditError: a decision could not be recorded; the node must end.
        """
        try:
            return Answer(request.kind, 0, await self._do(file, request))
        except OSError as error:
            return Answer(request.kind, error.errno or errno.EIO)
        except CallError as error:
            return Answer(request.kind, error.errno, _json({"error": str(error)}))
        except (DriverError, TransportError) as error:
            return Answer(request.kind, errno.EIO, _json({"error": str(error)}))

    async def _do(self, file: File, request: Request) -> bytes:
        match request.kind:
            case Kind.IOCTL:
                return await self._ioctl(file, request)
            case Kind.CALL:
                return _json(await dispatch(self, file, request))
            case Kind.FRAME:
                return await frames.feed(self.system, file.stream, request.payload, self._unwanted(request))
            case Kind.BUFFER:
                return frames.buffer(self.system, request.value, request.payload)
        raise OSError(errno.EPROTO, "no such kind of request")

    async def _ioctl(self, file: File, request: Request) -> bytes:
        # Where the device writes, the client's memory stays with the client: the kernel checks its pointer.
        reads = request.value >> DIRECTION_SHIFT == Direction.READ
        room = bytes(request.value >> SIZE_SHIFT & SIZE_MASK) if reads else request.payload
        return await file.ioctl.ioctl(request.value, room)

    def _unwanted(self, request: Request) -> Callable[[], bool]:
        return lambda: self.ending.now or request.abandoned()

    async def run(self, cycles: int, abandoned: Callable[[], bool]) -> int:
        """Let device time pass; ends early when nobody waits for it any more, or the node stops.

        Returns:
            Cycles that have passed.
        """
        done = 0
        while done < cycles and not (self.ending.now or abandoned()):
            some = min(SLICE_CYCLES, cycles - done)
            await self.transport.sleep(-(-some * 1000 // self.driver.caps.clock_mhz))
            done += some
        return done

    async def free_run(self) -> None:
        """A short while of device time that nobody has asked for: a chunk of the service, or only time."""
        if not await self.system.run_one():
            await self.run(SLICE_CYCLES // 10, lambda: False)


def _json(result: dict[str, Any]) -> bytes:
    return json.dumps(result, separators=(",", ":")).encode()
