"""Idle device: lookup latency, STEP_ADVANCE to the first decision and to the DMA's first read address."""

import numpy as np

from model.placement import Placement
from tb.env.registers import kv
from tb.events.records import Kind
from tb.figures.base import AFTER_SCAN, FigureTest
from tb.harness.base_test import kv_test

STARTS = 8  # first rows of eight scans, after which they repeat


@kv_test(timeout_cycles=1_000_000)
class test_steps(FigureTest):
    """Each figure is the worst of several: every port; every first row that a scan can have."""

    slots = (64, 64, 64, 64)

    async def body(self) -> None:
        """Lookups first, then one candidate for each of eight scans."""
        await self.r.write(WEIGHT_R=0, WEIGHT_F=0, WEIGHT_S=0, WEIGHT_D=0, EVICT_THRESH=1, EVICT_TIERS=0b0010)
        await self.latency()
        await self.steps()

    async def latency(self) -> None:
        """One lookup at a time, at every port."""
        await self.insert([(kv(1), 0)])
        worst = 0
        for port in range(self.bench.ports):
            for _ in range(8):
                answer = (await self.bench.lookups(port, [kv(1)]))[0]
                self.ctx.compare("lookup hits", 1, int(answer["hit"]))
                worst = max(worst, int(answer["answered"] - answer["asked"]))
                await self.bench.cycles(20)
        self.values["lookup_latency"] = worst

    async def steps(self) -> None:
        """Scan n begins at row (n - 1) * ROWS / 8: a block there, in tier 1, that is to be evicted."""
        placement = Placement(self.bench.entries, self.bench.lanes)
        decisions, reads = [], []
        bits = self.bench.block_tokens.bit_length() - 1
        for scan in range(STARTS):
            row, keys = scan * (self.rows // STARTS) % self.rows, range(2 << 48, 2 << 48 | 1 << 22)
            key = next(k for k in keys if placement.places(k)[0] // self.bench.lanes == row)
            addr = key >> 32 << 32 | (key & 0xFFFF_FFFF) << bits
            await self.insert([(addr, 1)])
            await self.r.wait_idle()
            await self.bench.cycles(AFTER_SCAN)
            self.records.forget()
            self.bench.link.axi_clear_counts()
            asked = await self.step_now(scan + 1)
            await self.r.wait_scan()
            await self.r.wait_idle()
            pushed = self.records.take(Kind.Push)
            self.ctx.compare("decisions of the scan", 1, len(pushed))
            # The record's cycle ends with the edge that takes the decision into the queue: the level shows in the next.
            decisions.append(int(pushed["cycle"][0]) + 1 - asked)
            reads.append(self.bench.link.axi_counts()["first_read_request_cycle"] - asked)
        self.values["step_to_decision"] = max(decisions)
        self.values["step_to_dma"] = max(reads)
        self.curves["steps"] = {"decision": decisions, "dma": np.array(reads).tolist()}
