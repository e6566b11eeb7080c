"""Entries with bad parity in a directory whose searches relocate entries (device.md 2, 8)."""

from model.types import BadParity
from sw.regs.registers import Command, Status
from tb.env.registers import kv
from tb.harness.base_test import kv_test
from tb.top.test_directory import ParityTest
from tb.top.test_fill import FullDirectoryTest


@kv_test(timeout_cycles=2_000_000)
class test_g2_parity_of_relocated_entries(ParityTest, FullDirectoryTest):
    """A relocation counts an entry with a bad meta word once; the write over the place it left counts nothing."""

    async def body(self) -> None:
        """A full directory, half of its entries bad: new blocks push them from place to place."""
        keys = await self.fill()
        where = {addr: (await self.r.lookup(addr)).index for addr in keys}
        bad = set(keys[::2])
        good = [addr for addr in keys if addr not in bad]
        await self.plant((where[addr], BadParity.META) for addr in keys if addr in bad)
        inserted = 0
        for _ in range(60):
            await self.r.command(Command.REMOVE, good.pop())
            addr = kv(self.rng.randrange(1, 60000), self.rng.randrange(2**20) * self.bench.block_tokens)
            inserted += (await self.r.insert(addr, tokens=1, tier=1)).status == Status.OK
            self.look()
            state = self.board.state
            self.ctx.compare("PARITY_COUNT", state.counters.parity, await self.r.read("PARITY_COUNT"))
        moved = len(set(self.board.state.bad) - {where[addr] for addr in bad})
        self.ctx.compare("entries with a bad meta word that were relocated", True, moved > 10, moved=moved)
        self.ctx.compare("other blocks inserted meanwhile", True, inserted > 10, inserted=inserted)
