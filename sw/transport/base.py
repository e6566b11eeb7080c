"""What the driver asks of whoever answers: a model, a simulated RTL, a board (software.md 1).

Everything above a transport is written once as `async def` and awaits nothing but a transport, so
that a simulator's scheduler and plain Python (`sw.run`) can drive the same code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

ENTRY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Read:
    """Read the 64-bit register at `offset` of BAR0."""

    offset: int


@dataclass(frozen=True, slots=True)
class Write:
    """Write the 64-bit register at `offset` of BAR0."""

    offset: int
    value: int


@dataclass(frozen=True, slots=True)
class WaitIrq:
    """Wait until the interrupt level is 1, at most `timeout_ns` of device time."""

    timeout_ns: int


Operation = Read | Write | WaitIrq


@dataclass(frozen=True, slots=True)
class Lookup:
    """One lookup of an accelerator's port."""

    port: int
    kv_addr: int
    write: bool = False


@dataclass(frozen=True, slots=True)
class LookupAnswer:
    """The device's answer to a lookup; tier, phys_addr and index are 0 without a hit."""

    hit: bool
    denied: bool
    tier: int
    phys_addr: int
    index: int


class TransportError(Exception):
    """Something the transport cannot do; the message is one line for the user."""


class AccessRefused(TransportError):
    """The device answered SLVERR.

    Attributes:
        operation: the refused access.
        index: its place in the batch (0 for a single access).
        results: results of the operations before it.
    """

    def __init__(self, operation: Read | Write, index: int = 0, results: Sequence[int] = ()) -> None:
        """Name the access."""
        if isinstance(operation, Write):
            what = f"write of {operation.value:#x} to {operation.offset:#06x}"
        else:
            what = f"read of {operation.offset:#06x}"
        super().__init__(f"the device refused the {what} (operation {index})")
        self.operation = operation
        self.index = index
        self.results = tuple(results)


class WaitTimeout(TransportError):
    """The interrupt did not come in time.

    Attributes:
        timeout_ns: the limit.
        index: place of the wait in the batch (0 for a single wait).
        results: results of the operations before it.
    """

    def __init__(self, timeout_ns: int, index: int = 0, results: Sequence[int] = ()) -> None:
        """Name the limit."""
        super().__init__(f"no interrupt within {timeout_ns} ns")
        self.timeout_ns = timeout_ns
        self.index = index
        self.results = tuple(results)


class Transport(ABC):
    """Registers, interrupt and time of one device, and the accelerator's side of it.

    The abstract methods are enough; `batch`, `lookups` and `window` are here in terms of them and
    a transport that can do better overrides them.
    """

    @property
    def has_window(self) -> bool:
        """Whether the directory window (BAR2) can be read."""
        return True

    @abstractmethod
    def now(self) -> int:
        """Device time in ns."""

    @abstractmethod
    async def sleep(self, ns: int) -> None:
        """Let at least `ns` of device time pass, in whole cycles; 0 or less: none."""

    @abstractmethod
    async def read(self, offset: int) -> int:
        """Read a register of BAR0.

        Raises:
            AccessRefused: SLVERR.
        """

    @abstractmethod
    async def write(self, offset: int, value: int) -> None:
        """Write a register of BAR0.

        Raises:
            AccessRefused: SLVERR.
        """

    @abstractmethod
    async def wait_irq(self, timeout_ns: int) -> None:
        """Return when the interrupt level is 1 (at once if it is).

        Raises:
            WaitTimeout: it stayed 0 for `timeout_ns`.
        """

    @abstractmethod
    async def read_window(self, offset: int) -> int:
        """Read 64 bits of BAR2.

        Raises:
            AccessRefused: SLVERR.
        """

    @abstractmethod
    async def lookup(self, port: int, kv_addr: int, write: bool) -> LookupAnswer:
        """One lookup through a port, to its answer."""

    @abstractmethod
    async def mem_read(self, tier: int, phys_addr: int, count: int) -> bytes:
        """Read `count` bytes of a tier's memory."""

    @abstractmethod
    async def mem_write(self, tier: int, phys_addr: int, data: bytes) -> None:
        """Write bytes of a tier's memory."""

    async def batch(self, operations: Sequence[Operation]) -> list[int]:
        """Do the operations in order.

        Returns:
            One number per operation: the value of a read, 0 of a write, the time in ns after a
            wait.

        Raises:
            AccessRefused: with the place of the refused access; nothing after it was done.
            WaitTimeout: with the place of the wait; nothing after it was done.
        """
        results: list[int] = []
        for index, operation in enumerate(operations):
            try:
                match operation:
                    case Read(offset):
                        results.append(await self.read(offset))
                    case Write(offset, value):
                        await self.write(offset, value)
                        results.append(0)
                    case WaitIrq(timeout_ns):
                        await self.wait_irq(timeout_ns)
                        results.append(self.now())
            except AccessRefused as refused:
                raise AccessRefused(refused.operation, index, results) from None
            except WaitTimeout as timeout:
                raise WaitTimeout(timeout.timeout_ns, index, results) from None
        return results

    async def lookups(self, requests: Sequence[Lookup]) -> list[LookupAnswer]:
        """Lookups, those of one port in order; answers in the order of the requests."""
        return [await self.lookup(r.port, r.kv_addr, r.write) for r in requests]

    async def window(self, first: int, count: int) -> bytes:
        """`count` directory entries from index `first` on, 32 bytes each (device.md 2).

        Raises:
            AccessRefused: past the last entry.
        """
        words = bytearray()
        for offset in range(first * ENTRY_BYTES, (first + count) * ENTRY_BYTES, 8):
            words += (await self.read_window(offset)).to_bytes(8, "little")
        return bytes(words)
