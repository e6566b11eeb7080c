"""One device with the stack on it, and its open files (software.md 1, 5); sw/node/answer.py answers requests.

Device time passes only while a request is answered.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sw.codes import Refusal
from sw.driver import Driver
from sw.driver.binding import Bindings
from sw.driver.ioctl import Ioctl, Tally
from sw.llm.system import System
from sw.node.events import Events
from sw.node.file import File
from sw.node.home import Home
from sw.node.owners import Owners
from sw.node.served import ServedTransport
from sw.signing import PublicKey
from sw.slices import Between, uninterrupted

SLICE_S = 0.02  # of wall time between two looks at who else asks
FIRST_SLICE, LAST_SLICE = 10_000, 10_000_000  # cycles: a simulator does some ten thousand a second, a model millions


@dataclass(slots=True)
class Ending:
    """Whether a node is ending: what runs ends early, and nothing more is begun."""

    now: bool = False


class Node:
    """The device node of one device.

    Attributes:
        system: the stack.
        transport: who answers its driver.
        owners: whose its blocks are.
        home: its files.
        service_key: verifies the head record of its audit log.
        total: accepted calls of all open files, closed ones included.
        files: those that are open.
        bindings: of files that have none of their own.
        events: delivers what the device reports.
        about: what `info` reports in addition to the device's own sizes.
        ending: set from outside, at any time.
        aside: held while a thread does what needs no device.
    """

    def __init__(
        self,
        system: System,
        transport: ServedTransport,
        owners: Owners,
        home: Home,
        service_key: PublicKey,
        ending: Ending,
        about: dict[str, Any],
    ) -> None:
        self.system = system
        self.transport = transport
        self.owners = owners
        self.home = home
        self.service_key = service_key
        self.ending = ending
        self.total = Tally()
        self.files: list[File] = []
        self.bindings = Bindings(system.driver.caps.block_tokens)
        self.events = Events(system.driver)
        self.about = about
        self.aside = threading.Lock()

    @property
    def driver(self) -> Driver:
        """The device."""
        return self.system.driver

    def open(self, pid: int = 0) -> File:
        """A new open file."""
        file = File(Ioctl(self.driver, self.total, self.bindings), self.system.plane.open_stream(), pid)
        self.files.append(file)
        return file

    def close(self, file: File) -> None:
        """The last holder of a file has closed it."""
        self.files.remove(file)

    async def end_work(self, file: File) -> None:
        """End what a file that is closed has left: no other file owns its inferences, buffers and blocks.

        Raises:
            AuditUnavailable: a decision could not be recorded; the node must end.
            DriverError, TransportError: the device does not do its part.
        """
        for handle, cap in file.buffers.items():
            with suppress(Refusal):
                self.system.buffers.release(cap, handle)
        service = self.system.service
        for infer_id in sorted(file.inferences):
            if service and (inference := service.book.live.get(infer_id)):
                await service.cancel(inference.cap, infer_id)
        for request_id in sorted(file.requests):
            freed = await self.driver.free_request(request_id)
            if freed.stayed:
                self.owners.leaves(file, request_id)
            else:
                self.owners.freed(request_id)

    def reads(self, file: File, infer_id: int) -> None:
        """A file has started an inference or polls it: it ends with this file, and with no other."""
        for other in self.files:
            other.inferences.discard(infer_id)
        file.inferences.add(infer_id)

    def end(self) -> None:
        """The node is served no more: its tokens and its audit log are put away."""
        self.home.forget_tokens()
        self.system.audit.close()

    async def run(self, cycles: int, between: Between) -> int:
        """Let device time pass, in slices of about SLICE_S of wall time; ends early when it is not wanted any more.

        Returns:
            Cycles that have passed.
        """
        done, some = 0, FIRST_SLICE
        while done < cycles and await between():
            some = min(some, cycles - done)
            begun = time.monotonic()
            await self.transport.simulate(-(-some * 1000 // self.driver.caps.clock_mhz))
            done += some
            took = time.monotonic() - begun
            some = min(some * 2, LAST_SLICE) if took < SLICE_S / 2 else max(1, some // 2) if took > SLICE_S else some
        return done

    async def free_run(self) -> None:
        """A short while of device time that no client has asked for: a chunk of the service, or only time."""
        if not await self.system.run_one():
            await self.run(FIRST_SLICE, uninterrupted)
