"""The whole directory: lookups and scans, idle and under load, at rising occupancy; FREE_REQUEST at the end."""

import numpy as np

from sw.regs import registers as regs
from tb.env.registers import kv
from tb.events.records import Kind
from tb.figures.base import AFTER_SCAN, FigureTest
from tb.figures.records import FREE_REQUEST
from tb.harness.base_test import kv_test
from tb.harness.link import Array

OCCUPANCIES = (0.25, 0.5, 0.75, 0.9, 0.98)
OF_4_LANES = (0.25, 0.5, 0.75)  # with four choices the first FULL comes soon after
IDLE256 = (0, 64, 128, 160, 192, 216, 240)  # chances (of 256) that a port pauses in a cycle
TEXT, SCATTERED = 1, 2  # requests of ENTRIES / 16 blocks each: consecutive ones, random ones
OTHERS = 3
BATCH = 1024
SCANS = 3


@kv_test(timeout_cycles=12_000_000, no_progress_cycles=400_000)
class test_directory(FigureTest):
    """Filled to 98 %. Throughputs are the worst of several, and so are the scans."""

    async def bring_up(self) -> None:
        """Tiers in which there is always a slot."""
        self.slots = (self.bench.entries // 2,) * 4
        await super().bring_up()
        self.bench.link.fill_inserts(0)

    async def body(self) -> None:
        """Fill and look up on the way, scan, free."""
        occupancies = OF_4_LANES if self.bench.lanes == 4 else OCCUPANCIES
        keys = self.keys(int(occupancies[-1] * self.bench.entries))
        tiers = self.draw.integers(0, 4, len(keys)).tolist()
        done = 0
        curve = []
        for occupancy in occupancies:
            target = int(occupancy * self.bench.entries)
            for start in range(done, target, BATCH):
                part = slice(start, min(start + BATCH, target))
                await self.insert(list(zip(keys[part].tolist(), tiers[part], strict=True)))
                await self.filled(part.stop)
            done = target
            curve.append({"occupancy": occupancy, "hits": await self.throughput(keys[:done], 2 * self.rows)})
        self.values["lookup_throughput"] = min(point["hits"] for point in curve)
        self.curves["throughput_by_occupancy"] = curve
        await self.scans(keys)
        if self.with_curves:
            await self.by_load(keys)
        self.bench.lookup_rates(0, 0)
        await self.free_requests()

    def keys(self, count: int) -> Array:
        """`count` blocks: two requests of ENTRIES / 16 blocks and random blocks of all others, mixed."""
        share = self.bench.entries // 16
        parts = [self.text(TEXT, share), self.scattered(SCATTERED, share)]
        parts.append(self.random_keys(count - 2 * share, OTHERS))
        return np.asarray(self.draw.permutation(np.concatenate(parts)))

    async def scans(self, keys: Array) -> None:
        """Idle scans, then scans with all ports asking all the time."""
        await self.r.wait_idle()
        self.values["scan_cycles"] = max([(await self.scan(n + 1))[2] for n in range(SCANS)])
        throughput, cycles = [], []
        for n in range(SCANS):
            hits, took = await self.loaded_scan(keys, SCANS + n + 1)
            throughput.append(hits)
            cycles.append(took)
        self.values["lookup_throughput_in_scan"] = min(throughput)
        self.values["scan_cycles_loaded"] = max(cycles)

    async def scan(self, step: int) -> tuple[int, int, int]:
        """One scan: (cycle of the later handshake of STEP_ADVANCE, cycle of scan done, cycles between them)."""
        await self.bench.cycles(AFTER_SCAN)
        self.records.forget()
        asked = await self.step_now(step)
        await self.r.wait_scan()
        done = int(self.records.take(Kind.ScanDone)["cycle"][0])
        return asked, done, done - asked

    async def loaded_scan(self, keys: Array, step: int) -> tuple[float, int]:
        """(hits per cycle while the scan runs, cycles of the scan)."""
        tasks = self.load(keys, 2 * self.rows + AFTER_SCAN)  # longer than a scan that they slow down to its half
        asked, done, took = await self.scan(step)
        answers = [await task for task in tasks]
        last = min(int(a["answered"][-1]) for a in answers)
        self.ctx.compare("lookups go on until the scan is done", True, last > done)
        return self.hits(answers, asked, done), took

    async def by_load(self, keys: Array) -> None:
        """Lookups answered without and with a scan, and the scan's cycles, at lower loads."""
        points = []
        for n, idle in enumerate(IDLE256):
            self.bench.lookup_rates(idle, 0)
            alone = await self.throughput(keys, self.rows // 2)
            in_scan, cycles = await self.loaded_scan(keys, 100 + n)
            offered = self.bench.ports * (256 - idle) / 256
            points.append({"offered": offered, "alone": alone, "in_scan": in_scan, "scan_cycles": cycles})
        idle_scan = {"offered": 0.0, "alone": 0.0, "in_scan": 0.0, "scan_cycles": self.values["scan_cycles"]}
        self.curves["by_load"] = [*points, idle_scan]

    async def free_requests(self) -> None:
        """FREE_REQUEST of ENTRIES / 16 blocks, consecutive or scattered ones."""
        await self.r.wait_idle()
        worst = 0
        for request in (TEXT, SCATTERED):
            self.records.forget()
            result = await self.r.command(regs.Command.FREE_REQUEST, kv(request))
            went = (result.removed, result.stayed)
            self.ctx.compare("FREE_REQUEST: went, stayed", (self.bench.entries // 16, 0), went)
            command, took = self.records.commands()
            self.ctx.compare("commands of the measurement", [FREE_REQUEST], command.tolist())
            worst = max(worst, int(took[0]))
        self.values["free_request_cycles"] = worst
