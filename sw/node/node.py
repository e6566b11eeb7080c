"""One device with the stack on it, and its open files (software.md 1, 5); sw/node/answer.py answers requests.

Device time passes only while a request is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sw.control.plane import ControlStream
from sw.driver import Driver
from sw.driver.binding import Bindings
from sw.driver.ioctl import Ioctl, Tally
from sw.llm.system import System
from sw.node.events import Events
from sw.node.home import Home
from sw.signing import PublicKey
from sw.transport.base import Transport

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
        bindings: of files that have none of their own.
        events: delivers what the device reports.
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
        self.bindings = Bindings(system.driver.caps.block_tokens)
        self.events = Events(system.driver)
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
        file = File(Ioctl(self.driver, self.total, self.bindings), self.system.plane.open_stream(), pid)
        self.files.append(file)
        return file

    def close(self, file: File) -> None:
        """The last holder of a file has closed it."""
        self.files.remove(file)

    def end(self) -> None:
        """The node is served no more: its tokens and its audit log are put away."""
        self.home.forget_tokens()
        self.system.audit.close()

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
