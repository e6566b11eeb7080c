"""Everything at once, at random: ports, commands, steps, settings, slow and faulty memories, window reads."""

from collections.abc import Callable, Coroutine
from typing import Any

import cocotb

from tb.env import stimulus
from tb.env.env import KvTopTest
from tb.harness.base_test import kv_test


class RandomTest(KvTopTest):
    """The common course: some parallel tasks until the cycles are over."""

    length = 40_000
    slots = (24, 40, 64, 400)
    requests = 6
    blocks_per_head = 14

    def disturb(self) -> None:
        """What the memories do to the device; at random."""
        self.memory.irregular(self.rng)
        for port in range(self.bench.ports):
            self.bench.link.lookup_config(
                port, self.rng.choice([0, 100, 240]), self.rng.choice([0, 100, 240]), port + self.ctx.seed
            )
        self.bench.link.mmio_config(0, self.rng.choice([0, 0, 128]), self.ctx.seed)

    async def body(self) -> None:
        """Tasks run until the end is near; records are compared all the while."""
        self.disturb()
        end = self.bench.cycle + self.length

        def running() -> bool:
            return self.bench.cycle < end

        tasks = [cocotb.start_soon(task, name=getattr(task, "__name__", "stimulus")) for task in self.tasks(running)]
        while running():
            await self.bench.cycles(2000)
            self.look()
        for task in tasks:
            await task
        self.bench.link.axi_clear_errors()

    def tasks(self, running: Callable[[], bool]) -> list[Coroutine[Any, Any, None]]:
        """Coroutines that run in parallel."""
        blocks = stimulus.Blocks(self.rng, self.bench.block_tokens, self.requests, self.blocks_per_head)
        jobs: list[Coroutine[Any, Any, None]] = [stimulus.lookups(agent, blocks, running) for agent in self.env.ports]
        jobs.append(stimulus.commands(self.r, blocks, running))
        jobs.append(stimulus.steps(self.r, blocks, running))
        jobs.append(stimulus.settings(self.r, blocks, self.bench.ports, running))
        jobs.append(stimulus.readers(self.r, self.env.window, self.bench.entries, blocks, running))
        return jobs


@kv_test(timeout_cycles=400_000)
class test_random(RandomTest):
    """Everything at once; memories answer late and out of order, but without errors."""


@kv_test(timeout_cycles=400_000)
class test_random_errors(RandomTest):
    """As test_random, and AXI answers with errors on both sides."""

    def disturb(self) -> None:
        """Some bursts fail."""
        super().disturb()
        self.memory.errors(0xF, False, self.rng.choice([2, 10, 60]), self.rng.choice([2, 3]))
        self.memory.errors(0xF, True, self.rng.choice([2, 10, 60]), self.rng.choice([2, 3]))
