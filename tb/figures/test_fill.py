"""A directory filled with random keys to its first FULL: where it comes, and what INSERT costs on the way."""

from itertools import pairwise

import numpy as np

from sw.regs.registers import Status
from tb.events.records import Kind
from tb.figures.base import FigureTest
from tb.figures.records import INSERT
from tb.harness.base_test import kv_test
from tb.harness.link import Array

BATCH = 1024
AT_90 = (0.89, 0.91)  # occupancies that count as "at 90 %"
AT_4_LANES = (0.5, 0.75)  # what the ratchet looks at with four choices: their first FULL comes before 90 %
BINS = 50


@kv_test(timeout_cycles=8_000_000, no_progress_cycles=400_000)
class test_fill(FigureTest):
    """INSERTs of random keys, one after another, until one ends FULL."""

    async def bring_up(self) -> None:
        """Tiers in which there is always a slot."""
        self.slots = (self.bench.entries,) * 4
        await super().bring_up()
        self.bench.link.fill_inserts(0)

    async def body(self) -> None:
        """Fill; then cost by occupancy."""
        n = self.bench.entries
        keys = self.random_keys(n)
        tiers = self.draw.integers(0, 4, n)
        cycles: list[Array] = []
        status: list[Array] = []
        self.records.forget()
        for start in range(0, n, BATCH):
            part = slice(start, start + BATCH)
            await self.insert(list(zip(keys[part].tolist(), tiers[part].tolist(), strict=True)))
            command, took = self.records.commands()
            self.ctx.compare("commands of the batch", {INSERT}, set(command.tolist()))
            cycles.append(took)
            status.append(self.records.take(Kind.Result)["status"])
            if (status[-1] == Status.FULL).any():
                break
        self.figures(np.concatenate(cycles), np.concatenate(status))

    def figures(self, cycles: Array, status: Array) -> None:
        """Rows and the curve; `status` and `cycles` of each INSERT in order."""
        n = self.bench.entries
        full = np.flatnonzero(status == Status.FULL)
        self.ctx.compare("an INSERT ended FULL", True, full.size > 0)
        count = int(full[0])
        self.ctx.compare("INSERTs before it that did not end OK", 0, int(np.count_nonzero(status[:count])))
        before = np.arange(count) / n  # occupancy that an INSERT finds
        low, high = AT_4_LANES if self.bench.lanes == 4 else AT_90
        at_90 = cycles[:count][(before >= low) & (before < high)]
        self.values["insert_mean_90"] = round(float(at_90.mean()), 3)
        self.values["insert_max_90"] = int(at_90.max())
        self.values["first_full"] = round(count / n, 5)
        edges = np.linspace(0, count, BINS + 1).astype(int)
        self.curves["insert"] = [
            {
                "occupancy": (a + b) / 2 / n,
                "mean": float(cycles[a:b].mean()),
                "p99": float(np.quantile(cycles[a:b], 0.99)),
                "max": int(cycles[a:b].max()),
            }
            for a, b in pairwise(edges)
        ]
