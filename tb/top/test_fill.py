"""A directory filled to the last place: relocations, FULL, INSERTs under load and during scans."""

import cocotb

from sw import regs
from tb.base_test import kv_test
from tb.env import stimulus
from tb.env.env import KvTopTest
from tb.env.registers import kv


@kv_test(timeout_cycles=2_000_000)
class test_fill(KvTopTest):
    """INSERT random keys beside lookups and scans until FULL comes several times; remove some, insert again."""

    slots = (64, 1024, 64, 64)
    block_bytes = 256

    async def body(self) -> None:
        """Fill, then churn at the brim."""
        rng, tokens = self.rng, self.bench.block_tokens
        stop = [False]
        keys: list[int] = []
        port = cocotb.start_soon(self.look_up(keys, stop))
        steps = cocotb.start_soon(stimulus.steps(self.r, stimulus.Blocks(rng, tokens), lambda: not stop[0]))
        full = 0
        while full < 8:
            batch = [(kv(rng.randrange(1, 60000), rng.randrange(2**20) * tokens), 1, 1) for _ in range(24)]
            for (addr, _, _), result in zip(batch, await self.r.insert_many(batch), strict=True):
                if result.status == regs.Status.OK:
                    keys.append(addr)
                full += result.status in (regs.Status.FULL, regs.Status.NO_SLOT)
            self.look()
        for _ in range(30):
            gone = [keys.pop(rng.randrange(len(keys))) for _ in range(3)]
            for addr in gone:
                await self.r.command(regs.Command.REMOVE, addr)
            again = [(kv(rng.randrange(1, 60000), rng.randrange(2**20) * tokens), 1, 1) for _ in range(4)]
            for (addr, _, _), result in zip(again, await self.r.insert_many(again), strict=True):
                if result.status == regs.Status.OK:
                    keys.append(addr)
            self.look()
        stop[0] = True
        await port
        await steps

    async def look_up(self, keys: list[int], stop: list[bool]) -> None:
        """A port that asks for what has been inserted."""
        while not stop[0]:
            picked = [self.rng.choice(keys) if keys else kv(1) for _ in range(50)]
            await self.bench.lookups(0, picked, [self.rng.random() < 0.2 for _ in picked])
