"""A served device's transport: long waits do not delay the server, and a device at rest is not waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sw.regs import registers as regs
from sw.transport.base import (
    AccessRefused,
    Lookup,
    LookupAnswer,
    Operation,
    Transport,
    TransportError,
    WaitIrq,
    WaitTimeout,
)

SLICE_NS = 1_000_000  # of device time; what waits longer than this waits for time, not for the device


class Stopping(TransportError):
    """The node is ending: what would take long is not finished."""


class ServedTransport(Transport):
    """Passes everything on to `inner`; a sleep over SLICE_NS is cut into slices, and ends early by an error.

    While the device is at rest nothing in it changes with time: the rest of such a sleep is skipped, that is added to
    the clock without a cycle of the device. A simulator would need minutes for a tenth of a second in which a class of
    the LLM service waits for its budget.

    Attributes:
        skipped_ns: of this clock, in which the device was not simulated.
    """

    def __init__(self, inner: Transport, stopping: Callable[[], bool]) -> None:
        self.inner = inner
        self.skipped_ns = 0
        self._stopping = stopping

    async def sleep(self, ns: int) -> None:
        """Let at least `ns` pass.

        Raises:
            Stopping: the node is ending and more than a slice is left.
        """
        end = self.now() + ns
        while (left := end - self.now()) > SLICE_NS:
            if self._stopping():
                raise Stopping("the node is ending")
            if regs.STATUS["IDLE"].get(await self.inner.read(regs.STATUS.offset)):
                self.skipped_ns += max(0, end - self.now())
            else:
                await self.inner.sleep(SLICE_NS)
        if left > 0:
            await self.inner.sleep(left)

    async def simulate(self, ns: int) -> None:
        """Let the device itself run for `ns`."""
        await self.inner.sleep(ns)

    @property
    def has_window(self) -> bool:
        """Whether `inner` has the directory window."""
        return self.inner.has_window

    def now(self) -> int:
        """Device time in ns, and what was skipped."""
        return self.inner.now() + self.skipped_ns

    async def read(self, offset: int) -> int:
        """Read a register of BAR0."""
        return await self.inner.read(offset)

    async def write(self, offset: int, value: int) -> None:
        """Write a register of BAR0."""
        await self.inner.write(offset, value)

    async def wait_irq(self, timeout_ns: int) -> None:
        """Wait for the interrupt."""
        await self.inner.wait_irq(timeout_ns)

    async def batch(self, operations: Sequence[Operation]) -> list[int]:
        """Operations in order; the time of a wait is this clock's."""
        try:
            return self._on_this_clock(operations, await self.inner.batch(operations))
        except AccessRefused as refused:
            done = self._on_this_clock(operations, refused.results)
            raise AccessRefused(refused.operation, refused.index, done) from None
        except WaitTimeout as timeout:
            done = self._on_this_clock(operations, timeout.results)
            raise WaitTimeout(timeout.timeout_ns, timeout.index, done) from None

    def _on_this_clock(self, operations: Sequence[Operation], results: Sequence[int]) -> list[int]:
        return [
            result + self.skipped_ns if isinstance(operation, WaitIrq) else result
            for operation, result in zip(operations, results, strict=False)
        ]

    async def read_window(self, offset: int) -> int:
        """Read 64 bits of BAR2."""
        return await self.inner.read_window(offset)

    async def window(self, first: int, count: int) -> bytes:
        """Directory entries."""
        return await self.inner.window(first, count)

    async def lookup(self, port: int, kv_addr: int, write: bool) -> LookupAnswer:
        """One lookup."""
        return await self.inner.lookup(port, kv_addr, write)

    async def lookups(self, requests: Sequence[Lookup]) -> list[LookupAnswer]:
        """Lookups of all ports."""
        return await self.inner.lookups(requests)

    async def mem_read(self, tier: int, phys_addr: int, count: int) -> bytes:
        """Bytes of tier memory."""
        return await self.inner.mem_read(tier, phys_addr, count)

    async def mem_write(self, tier: int, phys_addr: int, data: bytes) -> None:
        """Bytes into tier memory."""
        await self.inner.mem_write(tier, phys_addr, data)
