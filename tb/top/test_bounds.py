"""Bounds and figures in exact cycles (device.md 10, targets.md): under full lookup load, at any size."""

from typing import Any

import cocotb
import numpy as np

from sw.regs.registers import Command
from tb.env.env import KvTopTest
from tb.env.registers import kv, offset
from tb.harness.base_test import kv_test
from tb.harness.link import READ, WAIT_IRQ, WRITE

BUSY_WAIT = 64  # cycles that a command step, commit or BAR2 read waits for the directory
PIPELINE = 24  # cycles of a BAR2 read in addition to that wait: bus, pipeline, bus


class LoadedTest(KvTopTest):
    """A directory with blocks in it and three ports that never pause."""

    blocks = 300

    async def bring_up(self) -> None:
        """Blocks of request 1, spread over tiers 2 and 3."""
        await super().bring_up()
        tokens = self.bench.block_tokens
        await self.r.insert_many(
            [(kv(1, i * tokens), 1, 2 + i % 2) for i in range(min(self.blocks, sum(self.slots[2:]) - 2))]
        )
        self.look()

    @staticmethod
    def within(value: int, limit: int) -> str:
        """`value` in the words of the comparison."""
        return f"at most {limit}" if 0 < value <= limit else str(value)

    def addresses(self, count: int) -> Any:
        """KV addresses of random blocks that are in the directory."""
        picked = self.ctx.np_rng.integers(0, 200, count).astype(np.uint64)
        return np.uint64(kv(1)) + picked * np.uint64(self.bench.block_tokens)

    def load(self, count: int) -> list[Any]:
        """Tasks that ask at all ports all the time, `count` lookups each."""
        ports = range(self.bench.ports)
        return [cocotb.start_soon(self.bench.lookups(p, self.addresses(count)), name=f"load {p}") for p in ports]


@kv_test(timeout_cycles=400_000)
class test_bounds_under_load(LoadedTest):
    """BAR2 reads, commands and scans keep their bounds while all ports ask all the time."""

    slots = (16, 16, 200, 200)

    async def body(self) -> None:
        """Read entries, run commands, scan, with ports saturated."""
        tasks = self.load(6000)
        reads = self.bench.accesses((READ, 32 * self.rng.randrange(self.bench.entries), 0) for _ in range(200))
        await self.bench.run_accesses(reads, bar=1)
        worst = int((reads["ended"] - reads["begun"]).max())
        self.ctx.compare(
            "BAR2 read within its bound", f"at most {BUSY_WAIT + PIPELINE}", self.within(worst, BUSY_WAIT + PIPELINE)
        )
        batch = [(WRITE, offset("BOOST_ADDR"), kv(1)), (WRITE, offset("IRQ_STATUS"), 2)]
        batch += [(WRITE, offset("BOOST_LEN"), 32 * self.bench.block_tokens), (WAIT_IRQ, 0, 100_000)]
        accesses = self.bench.accesses(batch)
        await self.bench.run_accesses(accesses)
        cycles = int(accesses["ended"][-1] - accesses["begun"][-2])
        limit = 32 * (BUSY_WAIT + 2) + PIPELINE
        self.ctx.compare("32 command steps within their bound", f"at most {limit}", self.within(cycles, limit))
        await self.r.write(STEP_ADVANCE=5)
        await self.r.wait_scan()
        limit = 4 * self.bench.entries // self.bench.lanes + 512
        self.ctx.compare(
            "scan within its bound", f"at most {limit}", self.within(await self.r.read("SCAN_CYCLES"), limit)
        )
        for task in tasks:
            await task


@kv_test(timeout_cycles=400_000)
class test_bounds_of_one_bank(LoadedTest):
    """Ports that ask one bank alone, a new row in every cycle, starve neither scans nor FREE_REQUEST nor BAR2."""

    slots = (16, 16, 200, 200)

    async def body(self) -> None:
        """Scans, a walk of FREE_REQUEST, BAR2 reads and commands, all in the bank that is asked."""
        rows = self.bench.entries // self.bench.lanes
        bank = [found for found in await self.found() if found[1] % self.bench.lanes == 0]
        self.ctx.compare("blocks in the bank, one a row", True, len(bank) > rows // 2)
        asked = np.array([addr for addr, _ in bank], dtype=np.uint64)
        turns = [np.resize(np.roll(asked, p * len(bank) // self.bench.ports), 12_000) for p in range(self.bench.ports)]
        tasks = [cocotb.start_soon(self.bench.lookups(p, turns[p]), name=f"load {p}") for p in range(self.bench.ports)]
        limit = 4 * rows + 512
        for step in range(12):
            if step == 6:  # from here on a walk of FREE_REQUEST is under way too
                await self.r.write(DIR_ADDR=kv(9), DIR_COMMAND=int(Command.FREE_REQUEST))
            await self.r.step(step)
            cycles = await self.r.read("SCAN_CYCLES")
            self.ctx.compare("scan within its bound", f"at most {limit}", self.within(cycles, limit), scan=step)
        walk = self.bench.accesses(self.r.command_accesses(Command.FREE_REQUEST, kv(9)))
        await self.bench.run_accesses(walk)
        cycles = int(walk["ended"][-1] - walk["begun"][0])
        limit = rows * BUSY_WAIT + PIPELINE
        self.ctx.compare("FREE_REQUEST within its bound", f"at most {limit}", self.within(cycles, limit))
        reads = self.bench.accesses((READ, 32 * self.rng.choice(bank)[1], 0) for _ in range(100))
        await self.bench.run_accesses(reads, bar=1)
        worst, limit = int((reads["ended"] - reads["begun"]).max()), BUSY_WAIT + PIPELINE
        self.ctx.compare("BAR2 read within its bound", f"at most {limit}", self.within(worst, limit))
        self.ctx.compare("the ports still ask", False, any(task.done() for task in tasks))
        for task in tasks:
            await task

    async def found(self) -> list[tuple[int, int]]:
        """(kv_addr, index) of every block."""
        addrs = [kv(1, i * self.bench.block_tokens) for i in range(self.blocks)]
        answers = await self.bench.lookups(0, addrs)
        return list(zip(addrs, answers["index"].tolist(), strict=True))


@kv_test(timeout_cycles=400_000)
class test_bounds_of_one_block(LoadedTest):
    """Ports that ask one block alone stall the pipeline periodically: no client is starved by it."""

    slots = (16, 16, 200, 200)

    async def body(self) -> None:
        """Commands, BAR2 reads, moves and a scan, one by one and all at once; the ports share what is left."""
        block, tokens = kv(1), self.bench.block_tokens
        index = (await self.r.lookup(block)).index
        count = 4000
        tasks = [
            cocotb.start_soon(self.bench.lookups(p, [block] * count), name=f"load {p}") for p in range(self.bench.ports)
        ]
        limit = BUSY_WAIT + PIPELINE
        for turn in range(40):
            batch = [(WRITE, offset("BOOST_ADDR"), block), (WRITE, offset("IRQ_STATUS"), 2)]
            batch += [(READ, offset("ID"), 0)] * (turn % 8)
            batch += [(WRITE, offset("BOOST_LEN"), 1), (WAIT_IRQ, 0, 10_000)]
            accesses = self.bench.accesses(batch)
            await self.bench.run_accesses(accesses)
            cycles = int(accesses["ended"][-1] - accesses["begun"][-2])
            self.ctx.compare("command within its bound", f"at most {limit}", self.within(cycles, limit), turn=turn)
        await self.read_back(index, limit, "alone")
        await self.r.write(THRESHOLDS=0xFFFF | 0xFFFF << 16)  # everything in tier 2 is evicted
        await self.r.write(BOOST_ADDR=block + tokens, BOOST_LEN=200 * tokens)
        await self.r.write(STEP_ADVANCE=7)
        await self.read_back(index, limit, "a command, a scan and moves")
        await self.r.wait_scan()
        cycles, limit = await self.r.read("SCAN_CYCLES"), 4 * self.bench.entries // self.bench.lanes + 512
        self.ctx.compare("scan within its bound", f"at most {limit}", self.within(cycles, limit))
        self.ctx.compare("the ports still ask", False, any(task.done() for task in tasks))
        last = [int((await task)["asked"][-1]) for task in tasks]
        spread = max(last) - min(last)
        self.ctx.compare("ports end together, in cycles apart", "at most 64", self.within(spread, 64))

    async def read_back(self, index: int, limit: int, load: str) -> None:
        """BAR2 reads of the block that is asked, and of others, each within its bound."""
        reads = self.bench.accesses((READ, 32 * (index if i % 2 else i), 0) for i in range(60))
        await self.bench.run_accesses(reads, bar=1)
        worst = int((reads["ended"] - reads["begun"]).max())
        self.ctx.compare("BAR2 read within its bound", f"at most {limit}", self.within(worst, limit), load=load)


@kv_test(timeout_cycles=400_000)
class test_walks_meet(LoadedTest):
    """A scan that reaches FREE_REQUEST's row just when that walk goes first, while ports write tags."""

    slots = (16, 16, 200, 200)

    async def body(self) -> None:
        """The walk's step is denied while the scan comes nearer; each distance, with ports that let blocks grow."""
        tokens, turns = self.bench.block_tokens, range(self.bench.ports)
        for trial in range(48):
            if trial % 4 == 0:
                await self.insert_again()
            distance = 24 + trial
            grown = [kv(1, i * tokens + 1 + trial % 4 * 3 + t) for t in range(3) for i in range(self.blocks)]
            tasks = [
                cocotb.start_soon(self.bench.lookups(p, grown[p :: len(turns)], [True] * len(grown[p :: len(turns)])))
                for p in turns
            ]
            await self.r.write(DIR_ADDR=kv(9), IRQ_STATUS=2, DIR_COMMAND=int(Command.FREE_REQUEST))
            await self.bench.cycles(distance)
            await self.r.write(STEP_ADVANCE=distance)
            await self.r.wait_scan()
            for task in tasks:
                await task
            await self.r.wait_idle()

    async def insert_again(self) -> None:
        """Blocks of one token."""
        await self.r.command(Command.FREE_REQUEST, kv(1))
        await self.r.insert_many([(kv(1, i * self.bench.block_tokens), 1, 2 + i % 2) for i in range(self.blocks)])


@kv_test(timeout_cycles=1_000_000)
class test_idle_figures(LoadedTest):
    """Idle: lookup latency, scan length, step to decision."""

    slots = (16, 16, 200, 200)

    async def body(self) -> None:
        """Each figure once; bounds of targets.md."""
        answers = await self.bench.lookups(0, [kv(1)])
        self.ctx.compare(
            "cycles from a lookup's request to its answer",
            "at most 6",
            self.within(int(answers["answered"][0] - answers["asked"][0]), 6),
        )
        await self.r.step(3)
        rows = self.bench.entries // self.bench.lanes
        self.ctx.compare(
            "cycles of a scan (SCAN_CYCLES)",
            f"at most {rows + 64}",
            self.within(await self.r.read("SCAN_CYCLES"), rows + 64),
        )
        self.look()
