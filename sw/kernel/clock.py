"""Time of the kernel: one absolute clock in device ns; wall time never enters (software.md 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sw.transport.base import (
    ENTRY_BYTES,
    AccessRefused,
    Lookup,
    LookupAnswer,
    Operation,
    Transport,
    WaitIrq,
    WaitTimeout,
)


class Clock(Protocol):
    """The absolute clock that the scheduler and the services share."""

    def now(self) -> int:
        """Absolute time in ns."""
        ...

    async def spend(self, ns: int) -> None:
        """Let `ns` of compute time pass; the device goes on meanwhile."""
        ...

    async def wait_until(self, ns: int) -> None:
        """Idle until the absolute time `ns`; returns at once if it has passed."""
        ...


class DeviceClock:
    """Time as a transport tells it; over a `CountingTransport`, counted time."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def now(self) -> int:
        """Absolute device time in ns."""
        return self._transport.now()

    async def spend(self, ns: int) -> None:
        """Let at least `ns` of device time pass (whole device cycles)."""
        if ns > 0:
            await self._transport.sleep(ns)

    async def wait_until(self, ns: int) -> None:
        """Idle until the absolute time `ns`; returns at once if it has passed."""
        while (left := ns - self.now()) > 0:
            await self._transport.sleep(left)


class CountedClock:
    """Time that is counted and not measured: the same whoever answers, a model or the RTL."""

    def __init__(self, access_ns: int = 100) -> None:
        """`access_ns`: what one access to the device costs."""
        self.access_ns = access_ns
        self._now = 0

    def now(self) -> int:
        """Counted time in ns."""
        return self._now

    def charge(self, accesses: int) -> None:
        """Count accesses to the device."""
        self._now += accesses * self.access_ns

    async def spend(self, ns: int) -> None:
        """Count `ns` of compute time."""
        self._now += max(0, ns)

    async def wait_until(self, ns: int) -> None:
        """Go to the absolute time `ns`; stays if it has passed."""
        self._now = max(self._now, ns)


class CountingTransport(Transport):
    """A transport on counted time: every access costs the same, whatever `inner` needs for it.

    With it the stack decides alike on every transport ("timing is taken from the same source").
    A wait for the interrupt is one access; `sleep` counts its ns and lets `inner`'s time pass too.
    """

    def __init__(self, inner: Transport, clock: CountedClock) -> None:
        self.inner = inner
        self.clock = clock

    @property
    def has_window(self) -> bool:
        """Whether `inner` has the directory window."""
        return self.inner.has_window

    def now(self) -> int:
        """Counted time in ns."""
        return self.clock.now()

    async def sleep(self, ns: int) -> None:
        """Count `ns`; the device goes on for as long."""
        await self.clock.spend(ns)
        await self.inner.sleep(ns)

    async def read(self, offset: int) -> int:
        """Read a register of BAR0: one access."""
        self.clock.charge(1)
        return await self.inner.read(offset)

    async def write(self, offset: int, value: int) -> None:
        """Write a register of BAR0: one access."""
        self.clock.charge(1)
        await self.inner.write(offset, value)

    async def wait_irq(self, timeout_ns: int) -> None:
        """Wait for the interrupt: one access, however long it takes; the limit is in `inner`'s time."""
        self.clock.charge(1)
        await self.inner.wait_irq(timeout_ns)

    async def batch(self, operations: Sequence[Operation]) -> list[int]:
        """Operations in order, one access each; a wait's time is the counted one."""
        before = self.now()
        try:
            results = await self.inner.batch(operations)
        except AccessRefused as refused:
            self.clock.charge(refused.index + 1)
            done = self._on_counted_time(before, operations, refused.results)
            raise AccessRefused(refused.operation, refused.index, done) from None
        except WaitTimeout as timeout:
            self.clock.charge(timeout.index + 1)
            done = self._on_counted_time(before, operations, timeout.results)
            raise WaitTimeout(timeout.timeout_ns, timeout.index, done) from None
        self.clock.charge(len(results))
        return self._on_counted_time(before, operations, results)

    def _on_counted_time(self, before: int, operations: Sequence[Operation], results: Sequence[int]) -> list[int]:
        return [
            before + (index + 1) * self.clock.access_ns if isinstance(operation, WaitIrq) else result
            for index, (operation, result) in enumerate(zip(operations, results, strict=False))
        ]

    async def read_window(self, offset: int) -> int:
        """Read 64 bits of BAR2: one access."""
        self.clock.charge(1)
        return await self.inner.read_window(offset)

    async def window(self, first: int, count: int) -> bytes:
        """Directory entries: one access for each of their words, done or refused."""
        self.clock.charge(count * (ENTRY_BYTES // 8))
        return await self.inner.window(first, count)

    async def lookups(self, requests: Sequence[Lookup]) -> list[LookupAnswer]:
        """Lookups: one access each."""
        self.clock.charge(len(requests))
        return await self.inner.lookups(requests)

    async def lookup(self, port: int, kv_addr: int, write: bool) -> LookupAnswer:
        """One lookup: one access."""
        self.clock.charge(1)
        return await self.inner.lookup(port, kv_addr, write)

    async def mem_read(self, tier: int, phys_addr: int, count: int) -> bytes:
        """Read tier memory: one access."""
        self.clock.charge(1)
        return await self.inner.mem_read(tier, phys_addr, count)

    async def mem_write(self, tier: int, phys_addr: int, data: bytes) -> None:
        """Write tier memory: one access."""
        self.clock.charge(1)
        await self.inner.mem_write(tier, phys_addr, data)


def cycles_to_ns(cycles: int, clock_hz: int) -> int:
    """Device cycles as ns, rounded up (software.md 2)."""
    return -(-cycles * 1_000_000_000 // clock_hz)
