"""A transport whose long sleeps end when its node does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sw.transport.base import Lookup, LookupAnswer, Operation, Transport, TransportError

SLICE_NS = 1_000_000  # of device time between two looks at whether the node is ending


class Stopping(TransportError):
    """The node is ending: what would take long is not finished."""


class StoppableTransport(Transport):
    """Passes everything on to `inner`; a sleep over SLICE_NS is cut into slices, and ends early by an error.

    A simulator may need minutes for a tenth of a second of device time, which Ctrl-C must not have to wait for.
    """

    def __init__(self, inner: Transport, stopping: Callable[[], bool]) -> None:
        self.inner = inner
        self._stopping = stopping

    async def sleep(self, ns: int) -> None:
        """Let at least `ns` of device time pass.

        Raises:
            Stopping: the node is ending and more than a slice is left.
        """
        while ns > SLICE_NS:
            if self._stopping():
                raise Stopping("the node is ending")
            await self.inner.sleep(SLICE_NS)
            ns -= SLICE_NS
        await self.inner.sleep(ns)

    @property
    def has_window(self) -> bool:
        """Whether `inner` has the directory window."""
        return self.inner.has_window

    def now(self) -> int:
        """Device time in ns."""
        return self.inner.now()

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
        """Operations in order."""
        return await self.inner.batch(operations)

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
