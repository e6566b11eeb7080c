"""A directory command launched right after the early answer of an INSERT whose relocations are still to come."""

from sw.regs import registers as regs
from sw.regs.registers import Command, Status
from tb.env.registers import kv, offset
from tb.harness.base_test import kv_test
from tb.harness.link import OKAY, WAIT_CYCLES, WRITE
from tb.top.test_fill import FullDirectoryTest

LAUNCHES = 40  # writes of DIR_COMMAND in a row: refused while the INSERT runs, the first one after it is accepted
NEAR = 14  # rows that the walk of FREE_REQUEST passes before the new entry is written


class AfterInsertTest(FullDirectoryTest):
    """A full directory, and INSERTs that relocate."""

    async def room(self, keys: list[int]) -> None:
        """One place free, somewhere."""
        await self.r.command(Command.REMOVE, keys.pop(self.rng.randrange(len(keys))))
        self.look()

    def relocating(self, low: bool = False) -> int | None:
        """KV address of a new block whose INSERT relocates; `low`: and gets one of the first rows."""
        state = self.board.state
        for _ in range(4000):
            new = kv(self.rng.randrange(60000, 65000), self.rng.randrange(2**20) * self.bench.block_tokens)
            plan = state.plan_insert(new)
            if plan.relocations and plan.index is not None and (not low or plan.index // self.bench.lanes < NEAR):
                return new
        return None

    def insert(self, addr: int) -> list[tuple[int, int, int]]:
        """Accesses that launch it."""
        arg = regs.BY_NAME["DIR_ARG"].pack(TOKEN_END=addr & 0xFFFF_FFFF, TIER=self.rng.randrange(4))
        values = {"DIR_ADDR": addr, "DIR_ARG": arg, "DIR_COMMAND": int(Command.INSERT)}
        return [(WRITE, offset(name), value) for name, value in values.items()]

    async def launch(self, gap: int, before: list[tuple[int, int, int]], command: Command) -> int:
        """`before`, then `command` as soon as it is accepted; which of the launches was."""
        again = [(WRITE, offset("DIR_COMMAND"), int(command))] * LAUNCHES
        accesses = self.bench.accesses([*before, *([(WAIT_CYCLES, 0, gap)] if gap else []), *again])
        await self.bench.run_accesses(accesses, stop_on_refused=False)
        accepted = [n for n, resp in enumerate(accesses["resp"][-LAUNCHES:].tolist()) if resp == OKAY]
        self.ctx.compare("a launch was accepted", True, bool(accepted))
        return accepted[0]


@kv_test(timeout_cycles=2_000_000)
class test_free_request_after_insert(AfterInsertTest):
    """FREE_REQUEST right after the answer of an INSERT that relocates: the new block goes with its request."""

    async def body(self) -> None:
        """The new block's row is one of the first that the walk reaches."""
        keys = await self.fill()
        met = 0
        for gap in [*range(8)] * 6:
            await self.room(keys)
            new = self.relocating(low=True)
            if new is None:
                continue
            met += 1
            accepted = await self.launch(gap, self.insert(new), Command.FREE_REQUEST)
            await self.r.wait_idle()
            self.look()
            status = (await self.r.lookup(new)).status
            self.ctx.compare("LOOKUP of a block of the freed request", Status.MISS.name, status.name,
                             block=f"{new:#018x}", gap=gap, launch=accepted)  # fmt: skip
        self.ctx.compare("INSERTs that relocated", True, met > 10, met=met)


@kv_test(timeout_cycles=2_000_000)
class test_insert_after_insert(AfterInsertTest):
    """INSERT after INSERT at the least distance, DIR_ADDR of the second one written while the first one runs."""

    async def body(self) -> None:
        """Both relocate, or share places; the scoreboard compares places and results."""
        keys = await self.fill()
        for gap in [*range(8)] * 6:
            await self.room(keys)
            await self.room(keys)
            new = self.relocating()
            if new is None:
                continue
            second = self.relocating() or new + self.bench.block_tokens
            first = [*self.insert(new), (WRITE, offset("DIR_ADDR"), second)]
            await self.launch(gap, first, Command.INSERT)
            await self.r.wait_idle()
            self.look()
            keys += [new]
