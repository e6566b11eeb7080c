"""A transport that does what the test tells it, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sw.regs import registers as regs
from sw.regs.register import Register
from sw.transport.base import (
    AccessRefused,
    LookupAnswer,
    Read,
    Transport,
    WaitTimeout,
    Write,
)

CAPS = {"ENTRIES": 1024, "LANES": 4, "PORTS": 3, "BLOCK_TOKENS": 16, "AXI_DATA_WIDTH": 64, "CLOCK_MHZ": 125}


@dataclass
class FakeTransport(Transport):
    """Registers that hold what was written; refusals, interrupts and reactions as the test sets them."""

    values: dict[int, int] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    log: list[Read | Write | str] = field(default_factory=list)
    on_write: dict[int, Callable[[int], None]] = field(default_factory=dict)
    interrupts: list[Callable[[], None]] = field(default_factory=list)
    time_ns: int = 0

    def __post_init__(self) -> None:
        for register in regs.REGISTERS:
            self.values[register.offset] = register.reset or 0
        self.set(regs.CAPS, **CAPS)
        self.set(regs.STATUS, IDLE=1, INITIALISED=1)
        self.on_write[regs.IRQ_STATUS.offset] = self._clear

    def set(self, register: Register, **fields: int) -> None:
        self.values[register.offset] = register.pack(**fields)

    def event(self, name: str) -> None:
        self.values[regs.IRQ_STATUS.offset] |= regs.IRQ_STATUS[name].mask

    def _clear(self, value: int) -> None:
        self.values[regs.IRQ_STATUS.offset] &= ~value

    @property
    def written(self) -> list[tuple[str, int]]:
        """Register names and values of all writes, but those of the interrupt registers."""
        quiet = (regs.IRQ_STATUS.offset, regs.IRQ_ENABLE.offset)
        return [
            (regs.BY_OFFSET[op.offset].name, op.value)
            for op in self.log
            if isinstance(op, Write) and op.offset not in quiet
        ]

    @property
    def level(self) -> bool:
        return bool(self.values[regs.IRQ_STATUS.offset] & self.values[regs.IRQ_ENABLE.offset])

    def now(self) -> int:
        return self.time_ns

    async def sleep(self, ns: int) -> None:
        self.time_ns += max(0, ns)

    async def read(self, offset: int) -> int:
        self.time_ns += 10
        self.log.append(Read(offset))
        if offset in self.refused or offset not in self.values:
            raise AccessRefused(Read(offset))
        return self.values[offset]

    async def write(self, offset: int, value: int) -> None:
        self.time_ns += 10
        self.log.append(Write(offset, value))
        if offset in self.refused or offset not in self.values:
            raise AccessRefused(Write(offset, value))
        if offset in self.on_write:
            self.on_write[offset](value)
        else:
            self.values[offset] = value

    async def wait_irq(self, timeout_ns: int) -> None:
        self.log.append("wait")
        while not self.level:
            if not self.interrupts:
                self.time_ns += timeout_ns
                raise WaitTimeout(timeout_ns)
            self.time_ns += 100
            self.interrupts.pop(0)()

    async def read_window(self, offset: int) -> int:
        raise AccessRefused(Read(offset))

    async def lookup(self, port: int, kv_addr: int, write: bool) -> LookupAnswer:
        return LookupAnswer(False, False, 0, 0, 0)

    async def mem_read(self, tier: int, phys_addr: int, count: int) -> bytes:
        return bytes(count)

    async def mem_write(self, tier: int, phys_addr: int, data: bytes) -> None:
        self.log.append(f"mem {tier} {phys_addr}")
