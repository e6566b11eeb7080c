"""Register layer of the testbench: names to offsets, from the same register description as the RTL and the driver."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sw.regs import registers as regs
from tb.harness.base_test import Context
from tb.harness.link import OKAY, READ, WAIT_IRQ, WRITE, Array, Link

COMMAND_LIMIT = 400_000  # cycles that a command may take
IRQ_COMMAND_DONE = 1 << 1
IRQ_SCAN_DONE = 1 << 0
BASES = (0x7FFF_FFFF_FFFF_F000, 0x00FF_F0FF_FFF0_1000, 0xFFFF_FFFF_0000_0000, 0x8000_0000_7FFF_F000)
"""BASE of each tier where a test names none: sums with them carry into, and use, all 64 bits."""


@dataclass(frozen=True)
class Result:
    """Result of a directory command."""

    status: regs.Status
    tier: int
    index: int
    phys_addr: int
    removed: int
    stayed: int


def kv(request: int, token: int = 0, layer: int = 0, head: int = 0) -> int:
    """A KV address (device.md 1)."""
    return request << 48 | layer << 40 | head << 32 | token


def offset(name: str) -> int:
    """Offset of a register by its name."""
    return regs.BY_NAME[name].offset


class Bus(Protocol):
    """What the register layer needs: a bench, or one whose accesses go through a sequencer."""

    ctx: Context
    link: Link

    def accesses(self, items: Iterable[tuple[int, int, int]]) -> Array:
        """ACCESS records."""

    async def run_accesses(self, accesses: Array, bar: int = 0, stop_on_refused: bool = False) -> int:
        """Run a batch."""

    async def write_all(self, items: Sequence[tuple[int, int]]) -> None:
        """Write registers."""

    async def read(self, addr: int) -> int:
        """Read a register."""

    async def try_write(self, addr: int, value: int, strb: int = 0xFF) -> int:
        """Write, response."""

    async def read_entries(self, indices: Sequence[int]) -> list[bytes]:
        """Entries through BAR2."""

    async def cycles(self, n: int) -> None:
        """Let cycles pass."""


class Registers:
    """Reads and writes by name, commands and steps, each as one batch of accesses."""

    def __init__(self, bench: Bus) -> None:
        self.bench = bench

    async def write(self, **values: int) -> None:
        """Write registers in the given order."""
        await self.bench.write_all([(offset(name), value) for name, value in values.items()])

    async def read(self, name: str) -> int:
        """Read a register."""
        return await self.bench.read(offset(name))

    async def field(self, name: str, field: str) -> int:
        """Read one field."""
        return regs.BY_NAME[name][field].get(await self.read(name))

    async def read_many(self, names: Sequence[str]) -> dict[str, int]:
        """Read several registers in one batch."""
        batch = self.bench.accesses((READ, offset(name), 0) for name in names)
        await self.bench.run_accesses(batch)
        return dict(zip(names, batch["data"].tolist(), strict=True))

    # ------------------------------------------------------------------ bring-up

    async def wait_idle(self, polls: int = 4000) -> None:
        """Poll STATUS until it says idle."""
        for _ in range(polls):
            if await self.field("STATUS", "IDLE"):
                return
            await self.bench.cycles(32)
        self.bench.ctx.fail(AssertionError("STATUS.IDLE: expected 1, seen 0 for too long"))

    async def wait_initialised(self) -> None:
        """Poll STATUS until the directory is empty after a reset."""
        for _ in range(1000):
            if await self.field("STATUS", "INITIALISED"):
                return
            await self.bench.cycles(16)
        self.bench.ctx.fail(AssertionError("STATUS.INITIALISED: expected 1, seen 0 for too long"))

    async def tiers(self, slots: Sequence[int], block_bytes: int = 512, bases: Sequence[int] | None = None) -> None:
        """Set block size and tiers, and give each tier its memory."""
        stride = 1 << (block_bytes - 1).bit_length()
        bases = bases or BASES
        await self.write(BLOCK_BYTES=block_bytes)
        for tier, count in enumerate(slots):
            size = max(4096, count * stride)
            if not self.bench.link.memory_map(tier, bases[tier], size):
                raise MemoryError(f"tier {tier}: no {size} bytes of memory")
            await self.write(**{f"TIER{tier}_BASE": bases[tier], f"TIER{tier}_SLOTS": count})

    # ------------------------------------------------------------------ commands

    def insert_accesses(
        self, addr: int, tokens: int, tier: int, prefix: bool = False, hot: bool = False
    ) -> list[tuple[int, int, int]]:
        """Accesses of one INSERT; `tokens` valid ones from the block's first."""
        arg = regs.BY_NAME["DIR_ARG"].pack(
            TOKEN_END=(addr + tokens - 1) & 0xFFFF_FFFF, TIER=tier, PREFIX=int(prefix), HOT=int(hot)
        )
        return self.command_accesses(regs.Command.INSERT, addr, arg)

    def command_accesses(self, command: regs.Command, addr: int, arg: int = 0) -> list[tuple[int, int, int]]:
        """Accesses of one directory command, its wait and the reads of its result; IRQ_ENABLE must have bit 1 alone."""
        return [
            (WRITE, offset("DIR_ADDR"), addr),
            (WRITE, offset("DIR_ARG"), arg),
            (WRITE, offset("IRQ_STATUS"), IRQ_COMMAND_DONE),
            (WRITE, offset("DIR_COMMAND"), int(command)),
            (WAIT_IRQ, 0, COMMAND_LIMIT),
            (READ, offset("DIR_STATUS"), 0),
            (READ, offset("DIR_PHYS_ADDR"), 0),
            (READ, offset("DIR_FREED"), 0),
        ]

    async def commands(self, batches: Iterable[list[tuple[int, int, int]]]) -> list[Result]:
        """Run several directory commands one after another."""
        batches = list(batches)
        if not batches:
            return []
        batch = self.bench.accesses(a for b in batches for a in b)
        done = await self.bench.run_accesses(batch, stop_on_refused=True)
        if done != len(batch) or batch["resp"][-1] != OKAY:
            name = (
                regs.BY_OFFSET[int(batch["addr"][done - 1])].name
                if batch["kind"][done - 1] != WAIT_IRQ
                else "interrupt"
            )
            self.bench.ctx.fail(AssertionError(f"directory command: {name}: response {batch['resp'][done - 1]}"))
        results = []
        data = batch["data"].tolist()
        size = len(batches[0])
        for i in range(0, len(batch), size):
            status = regs.BY_NAME["DIR_STATUS"].unpack(data[i + size - 3])
            freed = regs.BY_NAME["DIR_FREED"].unpack(data[i + size - 1])
            results.append(
                Result(
                    regs.Status(status["STATUS"]),
                    status["TIER"],
                    status["INDEX"],
                    data[i + size - 2],
                    freed["REMOVED"],
                    freed["STAYED"],
                )
            )
        return results

    async def insert(
        self, addr: int, tokens: int = 1, tier: int = 1, prefix: bool = False, hot: bool = False
    ) -> Result:
        """INSERT one block."""
        return (await self.commands([self.insert_accesses(addr, tokens, tier, prefix, hot)]))[0]

    async def insert_many(self, blocks: Iterable[tuple[int, int, int]]) -> list[Result]:
        """INSERT many blocks: (kv_addr, valid tokens, tier)."""
        return await self.commands(self.insert_accesses(*block) for block in blocks)

    async def command(self, command: regs.Command, addr: int, **arg: int) -> Result:
        """One directory command with fields of DIR_ARG."""
        packed = regs.BY_NAME["DIR_ARG"].pack(**arg)
        return (await self.commands([self.command_accesses(command, addr, packed)]))[0]

    async def lookup(self, addr: int, touch: bool = False) -> Result:
        """LOOKUP, peek or touch."""
        return await self.command(regs.Command.LOOKUP, addr, TOUCH=int(touch))

    async def range(self, name: str, addr: int, length: int, step: int = 0) -> None:
        """Launch a range command (BOOST, IMEVICT, COOL, PREFETCH, SHARE, RELEASE) and wait for its end."""
        launch = {"PREFETCH_LEN": length, "PREFETCH_STEP": step} if name == "PREFETCH" else {f"{name}_LEN": length}
        batch = self.bench.accesses(
            [
                (WRITE, offset(f"{name}_ADDR"), addr),
                (WRITE, offset("IRQ_STATUS"), IRQ_COMMAND_DONE),
                *((WRITE, offset(n), v) for n, v in launch.items()),
                (WAIT_IRQ, 0, COMMAND_LIMIT),
            ]
        )
        done = await self.bench.run_accesses(batch, stop_on_refused=True)
        if batch["resp"][done - 1] != OKAY:
            self.bench.ctx.fail(AssertionError(f"{name}: access {done - 1} answered {batch['resp'][done - 1]}"))

    async def step(self, step: int, wait: bool = True) -> None:
        """STEP_ADVANCE; with `wait` until its scan (and one that may follow) is done."""
        await self.write(STEP_ADVANCE=step)
        if wait:
            await self.wait_scan()

    async def wait_scan(self) -> None:
        """Wait until no scan runs."""
        for _ in range(4000):
            if not await self.field("STATUS", "SCANNING"):
                return
            await self.bench.cycles(64)
        self.bench.ctx.fail(AssertionError("STATUS.SCANNING: expected 0, seen 1 for too long"))
