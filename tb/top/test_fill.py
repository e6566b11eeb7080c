"""A directory filled to the last place: relocations, FULL, INSERTs under load and during scans."""

from collections.abc import Callable, Coroutine
from typing import Any

import cocotb

from sw.regs import registers as regs
from tb.env import stimulus
from tb.env.env import KvTopTest
from tb.env.registers import kv
from tb.harness.base_test import kv_test

Jobs = list[Coroutine[Any, Any, None]]


class FullDirectoryTest(KvTopTest):
    """A directory that is all but full, of blocks in all tiers, with slots to spare."""

    block_bytes = 256

    async def bring_up(self) -> None:
        """Tiers that hold more than the directory."""
        self.slots = (self.bench.entries * 2 // 5,) * 4
        await super().bring_up()

    async def fill(self) -> list[int]:
        """INSERT random keys until FULL comes; their KV addresses."""
        keys: list[int] = []
        full = 0
        while not full:
            batch = [
                (kv(self.rng.randrange(1, 60000), self.rng.randrange(2**20) * self.bench.block_tokens), 1, i % 4)
                for i in range(64)
            ]
            for (addr, _, _), result in zip(batch, await self.r.insert_many(batch), strict=True):
                if result.status == regs.Status.OK:
                    keys.append(addr)
                full += result.status == regs.Status.FULL
        self.look()
        return keys

    async def churn(
        self, cycles: int, keys: list[int], jobs: Callable[[Callable[[], bool], stimulus.Blocks], Jobs]
    ) -> None:
        """Churn on a full directory, in parallel with moves, steps and `jobs`; compared throughout."""
        await self.r.write(CTRL=3, PROMOTE_TIER=1, THRESHOLDS=0x9000 | 0xF000 << 16, WEIGHT_R=100, WEIGHT_S=10)
        end = self.bench.cycle + cycles
        blocks = stimulus.Blocks(self.rng, self.bench.block_tokens)

        def running() -> bool:
            return self.bench.cycle < end

        common = [stimulus.churn(self.r, keys, blocks, running), stimulus.steps(self.r, blocks, running)]
        tasks = [
            cocotb.start_soon(job, name=getattr(job, "__name__", "stimulus"))
            for job in [*jobs(running, blocks), *common]
        ]
        while running():
            await self.bench.cycles(2000)
            self.look()
        for task in tasks:
            await task
        await self.r.wait_idle()

    async def look_up(self, keys: list[int], running: Callable[[], bool], port: int = 0) -> None:
        """A port that asks for what has been inserted."""
        while running():
            picked = [self.rng.choice(keys) for _ in range(50)]
            await self.bench.lookups(port, picked, [self.rng.random() < 0.2 for _ in picked])


@kv_test(timeout_cycles=2_000_000)
class test_fill_during_moves(FullDirectoryTest):
    """Searches for a place in parallel with evictions, promotions on demand, lookups and scans."""

    async def body(self) -> None:
        """One port asks for all of them."""
        keys = await self.fill()
        await self.churn(60_000, keys, lambda running, blocks: [self.look_up(keys, running)])
        moved = {name: await self.r.read(f"{name}_BYTES_MOVED") for name in ("EVICT", "PREFETCH")}
        self.ctx.compare("blocks moved both ways", True, min(moved.values()) > 0, **moved)


@kv_test(timeout_cycles=2_000_000)
class test_bounds_when_full(FullDirectoryTest):
    """Searches, moves and BAR2 reads while all ports ask one block: the monitor of T0 watches how long each waits."""

    async def body(self) -> None:
        """Ports that stall the pipeline periodically."""
        keys = await self.fill()
        asked = [keys.pop()]

        def jobs(running: Callable[[], bool], blocks: stimulus.Blocks) -> Jobs:
            window = self.env.window
            ports = [self.look_up(asked, running, port) for port in range(self.bench.ports)]
            return [*ports, stimulus.readers(self.r, window, self.bench.entries, blocks, running)]

        await self.churn(40_000, keys, jobs)


@kv_test(timeout_cycles=2_000_000)
class test_fill(KvTopTest):
    """INSERT random keys during lookups and scans until FULL comes several times; remove some, insert again."""

    slots = (64, 1024, 64, 64)
    block_bytes = 256

    async def body(self) -> None:
        """Fill, then churn on the full directory."""
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
