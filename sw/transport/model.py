"""The transports over the golden models of the device and of the coprocessor: every await ends at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from model.coprocessor import Coprocessor, QueueRefused
from model.device import DeviceModel
from model.errors import PortNotReady, Slverr
from sw.transport.base import (
    AccessRefused,
    Lookup,
    LookupAnswer,
    Read,
    Transport,
    TransportError,
    WaitTimeout,
    Write,
)


class ModelTransport(Transport):
    """Registers, interrupt and memory of a `DeviceModel`."""

    def __init__(self, device: DeviceModel | None = None) -> None:
        """Use `device`, or a full-size one of its own."""
        self.device = device or DeviceModel()

    def now(self) -> int:
        """Device time in ns."""
        return self.device.now_ns

    async def sleep(self, ns: int) -> None:
        """Let device time pass."""
        self.device.advance(max(0, -(-ns * self.device.timing.clock_mhz // 1000)))

    async def read(self, offset: int) -> int:
        """Read a register of BAR0."""
        try:
            return self.device.read(offset)
        except Slverr:
            raise AccessRefused(Read(offset)) from None

    async def write(self, offset: int, value: int) -> None:
        """Write a register of BAR0."""
        try:
            self.device.write(offset, value)
        except Slverr:
            raise AccessRefused(Write(offset, value)) from None

    async def wait_irq(self, timeout_ns: int) -> None:
        """Let device time pass until the interrupt level is 1."""
        if not self.device.wait_irq(timeout_ns * self.device.timing.clock_mhz // 1000):
            raise WaitTimeout(timeout_ns)

    async def read_window(self, offset: int) -> int:
        """Read 64 bits of BAR2."""
        try:
            return self.device.read_bar2(offset)
        except Slverr:
            raise AccessRefused(Read(offset)) from None

    async def lookup(self, port: int, kv_addr: int, write: bool) -> LookupAnswer:
        """One lookup through a port."""
        return (await self.lookups([Lookup(port, kv_addr, write)]))[0]

    async def lookups(self, requests: Sequence[Lookup]) -> list[LookupAnswer]:
        """Lookups, back to back within each run of one port."""
        answers: list[LookupAnswer] = []
        try:
            for port, run in groupby(requests, key=lambda request: request.port):
                responses = self.device.lookups(port, [(r.kv_addr, r.write) for r in run])
                answers.extend(
                    LookupAnswer(bool(r.hit), bool(r.denied), int(r.tier), r.phys_addr, r.index) for r in responses
                )
        except PortNotReady as error:
            raise TransportError(str(error)) from None
        except ValueError as error:
            raise TransportError(f"no such lookup port: {error}") from None
        return answers

    async def mem_read(self, tier: int, phys_addr: int, count: int) -> bytes:
        """Bytes of a tier's memory."""
        return bytes(self.device.mem_read(tier, phys_addr, count))

    async def mem_write(self, tier: int, phys_addr: int, data: bytes) -> None:
        """Write bytes of a tier's memory."""
        self.device.mem_write(tier, phys_addr, data)


class CoprocessorTransport:
    """Registers, memory and interrupt of a `Coprocessor` that lives in the time of another transport.

    An access takes time there, and a wait lets time pass there: with the device model, the RTL, or on
    counted time alike.
    """

    def __init__(self, device: Coprocessor, timebase: Transport, *, access_ns: int = 28) -> None:
        """`device` runs in the time of `timebase`; an access takes `access_ns`."""
        self.device = device
        self._timebase = timebase
        self._access_ns = access_ns
        device.advance_to(timebase.now())

    def now(self) -> int:
        """Device time in ns."""
        return self._timebase.now()

    async def read(self, offset: int) -> int:
        """Read a register."""
        await self._pass(self._access_ns)
        try:
            return self.device.read(offset)
        except QueueRefused:
            raise AccessRefused(Read(offset)) from None

    async def write(self, offset: int, value: int) -> None:
        """Write a register."""
        await self._pass(self._access_ns)
        try:
            self.device.write(offset, value)
        except QueueRefused:
            raise AccessRefused(Write(offset, value)) from None

    async def wait_irq(self, timeout_ns: int) -> None:
        """Let time pass until the interrupt level is 1."""
        self.device.advance_to(self.now())
        end = self.now() + timeout_ns
        while not self.device.irq:
            left = end - self.now()
            if left <= 0:
                raise WaitTimeout(timeout_ns)
            due = self.device.due_ns
            await self._pass(left if due is None else max(1, min(left, due - self.now())))

    async def mem_read(self, address: int, count: int) -> bytes:
        """Bytes of the coprocessor's memory."""
        await self._pass(self._access_ns)
        try:
            return self.device.mem_read(address, count)
        except IndexError as error:
            raise TransportError(str(error)) from None

    async def mem_write(self, address: int, data: bytes) -> None:
        """Write bytes of the coprocessor's memory."""
        await self._pass(self._access_ns)
        try:
            self.device.mem_write(address, data)
        except IndexError as error:
            raise TransportError(str(error)) from None

    async def _pass(self, ns: int) -> None:
        await self._timebase.sleep(ns)
        self.device.advance_to(self.now())
