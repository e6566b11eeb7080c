"""Resets at any time: in the middle of bursts, scans, searches and accesses."""

from functools import partial

import cocotb

from tb.env import stimulus
from tb.env.env import KvTopTest
from tb.env.registers import IRQ_COMMAND_DONE, kv
from tb.harness.base_test import kv_test
from tb.harness.link import OKAY
from tb.top.test_fill import FullDirectoryTest
from tb.top.test_random import RandomTest

ROUNDS = 8
CTRL_SOFT_RESET = 1 << 8
ALL_EVICTED = 0xFFFF_FFFF  # of THRESHOLDS: both at their largest


class ResetTest(RandomTest):
    """Rounds of random traffic, each cut off by a reset at a random cycle."""

    async def cut_off(self) -> None:
        """The reset."""
        raise NotImplementedError

    async def body(self) -> None:
        """After each reset the directory is empty, and everything works again."""
        for round_no in range(ROUNDS):
            self.disturb()
            alive = [True]
            running = partial(alive.__getitem__, 0)
            tasks = [
                cocotb.start_soon(task, name=getattr(task, "__name__", "stimulus")) for task in self.tasks(running)
            ]
            await self.bench.cycles(self.rng.randrange(500, 5000))
            self.look()
            alive[0] = False  # what is under way meets the reset, nothing new begins
            await self.cut_off()
            self.look()
            for task in tasks:
                await task
            self.look()
            if round_no == ROUNDS - 1:
                return
            await self.again()

    async def again(self) -> None:
        """Ready for the next round."""
        await self.bring_up()


@kv_test(timeout_cycles=2_000_000)
class test_reset_any_time(ResetTest):
    """Hard reset: everything is empty, registers at their reset values, within ENTRIES / LANES + 64 cycles."""

    async def cut_off(self) -> None:
        """Assert rst_ni between two edges, for a few cycles."""
        await self.bench.reset(self.rng.choice([1, 2, 10, 100]))
        limit = self.bench.entries // self.bench.lanes + 64
        await self.bench.cycles(limit)
        self.ctx.compare("STATUS.INITIALISED after the reset's limit", 1, await self.r.field("STATUS", "INITIALISED"))


@kv_test(timeout_cycles=2_000_000)
class test_soft_reset_any_time(ResetTest):
    """Soft reset: configuration stays, outstanding bursts end, the directory is empty."""

    async def cut_off(self) -> None:
        """Write SOFT_RESET."""
        await self.r.write(CTRL=CTRL_SOFT_RESET | 3)
        await self.r.wait_initialised()

    async def again(self) -> None:
        """Configuration has stayed: only the interrupt enable is as the commands want it."""
        await self.r.write(CTRL=3, IRQ_ENABLE=IRQ_COMMAND_DONE)


@kv_test(timeout_cycles=2_000_000)
class test_reset_during_search(FullDirectoryTest):
    """Hard and soft resets of a full directory that searches for a place: nothing of the search is left."""

    async def body(self) -> None:
        """Fill, churn, cut off; the next round begins with an empty directory."""
        blocks = stimulus.Blocks(self.rng, self.bench.block_tokens)
        for round_no in range(10):
            keys = await self.fill()
            alive = [True]
            running = partial(alive.__getitem__, 0)
            tasks = [
                cocotb.start_soon(self.look_up(keys, running), name="lookups"),
                cocotb.start_soon(stimulus.churn(self.r, keys, blocks, running), name="churn"),
            ]
            await self.bench.cycles(self.rng.randrange(200, 3000))
            alive[0] = False
            soft = round_no % 4 == 3
            if soft:
                await self.r.write(CTRL=CTRL_SOFT_RESET | 3)
            else:
                await self.bench.reset(self.rng.choice([1, 2, 10]))
            await self.r.wait_initialised()
            for task in tasks:
                await task
            self.look()
            await (self.r.write(CTRL=3, IRQ_ENABLE=IRQ_COMMAND_DONE) if soft else self.bring_up())


@kv_test(timeout_cycles=300_000)
class test_reset_between_two_scans(KvTopTest):
    """A scan that a reset has cut off ends there: its scores, and those of the scan after the reset, are two scans'.

    Nothing is compared until both scans have run, so that the records of both are worked off at once.
    """

    async def body(self) -> None:
        """Soft and hard resets at different places of the scan, with the same blocks in the directory again."""
        await self.r.write(THRESHOLDS=ALL_EVICTED)
        rounds = [*"sssssh", *"sssssh"]
        for kind in rounds:
            await self.insert_all()
            await self.r.step(1, wait=False)
            await self.bench.cycles(self.rng.randrange(20, self.bench.entries // self.bench.lanes - 40))
            if kind == "s":
                await self.r.write(CTRL=CTRL_SOFT_RESET | 1)
                await self.r.wait_initialised()
            else:
                await self.bench.reset()
                await self.r.wait_initialised()
                await self.r.tiers(self.slots, self.block_bytes)
                await self.r.write(IRQ_ENABLE=IRQ_COMMAND_DONE, CTRL=1, THRESHOLDS=ALL_EVICTED)
            await self.insert_all()
            await self.r.step(1)
            self.look()
        self.ctx.compare("scans that have come to their end", len(rounds), self.board.scan.scans)

    async def insert_all(self) -> None:
        """Blocks all over the directory, some of them in the tier from which a scan evicts."""
        await self.r.insert_many((kv(1, 16 * n), 16, 1 if n % 2 else 3) for n in range(100))


@kv_test(timeout_cycles=100_000)
class test_reset_forgets_the_latched_entry(KvTopTest):
    """Words of an entry that was latched before a reset are not read after it: the directory is empty then."""

    async def body(self) -> None:
        """Word 0 before, the others after a soft and a hard reset."""
        for soft in (True, False):
            at = 32 * (await self.r.insert(kv(1), 16, 1)).index
            _, word = await self.bench.try_read(at, bar=1)
            self.ctx.compare("word 0 before the reset is not 0", True, word != 0)
            if soft:
                await self.r.write(CTRL=CTRL_SOFT_RESET | 1)
            else:
                await self.bench.reset()
            for offset in (24, 16, 8):  # while the directory is being emptied
                seen = await self.bench.try_read(at + offset, bar=1)
                self.ctx.compare("response and word after the reset", (OKAY, 0), seen, offset=offset)
            await self.r.wait_initialised()
            if not soft:
                await self.r.tiers(self.slots, self.block_bytes)
            await self.r.write(IRQ_ENABLE=IRQ_COMMAND_DONE, CTRL=1)
