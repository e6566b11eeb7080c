"""The DMA with both channels busy: decisions of scans keep its queues filled, memories answer after 200 cycles."""

from sw.regs import registers as regs
from tb.env.registers import IRQ_SCAN_DONE, offset
from tb.figures.base import FigureTest
from tb.harness.base_test import kv_test
from tb.harness.link import WAIT_IRQ, WRITE, Array

WARM, COUNTED = 200, 1000  # moves before the count begins, and moves counted at least
SMALL, SMALL_WARM, SMALL_COUNTED = 4096, 60, 300  # ... of a directory with fewer entries, which holds fewer blocks
LATENCY = 200
CURVE_BYTES = (256, 512, 1024, 2048, 4096, 8192, 16384)
CURVE_LATENCIES = (16, 64, 128, 200, 400)
CURVE_WARM, CURVE_COUNTED = 150, 150
# Blocks beyond those counted, so that both queues hold items to the end. A scan waits for places in the queues, so
# that one scan moves as many small blocks as there are.
SPARE_BYTES = 512 * 3200  # of each channel
LEAST_SPARE = 200  # large blocks: 4,400 beats may have passed when the count is looked at, after a scan
SCAN_LIMIT = 100_000
PROMOTE_TO, EVICT_TO = 1, 2


@kv_test(timeout_cycles=60_000_000, no_progress_cycles=400_000)
class test_dma(FigureTest):
    """Blocks without priority lie in tier 1 and are evicted; HOT ones lie in tier 2 and are promoted to tier 1."""

    slots = (0, 0, 0, 0)

    async def bring_up(self) -> None:
        """Scores: what is not HOT has priority 0."""
        await super().bring_up()
        await self.r.write(WEIGHT_R=0, WEIGHT_F=0, WEIGHT_S=0, WEIGHT_D=0)
        await self.r.write(EVICT_THRESH=1, PREFETCH_THRESH=60_000, EVICT_TIERS=1 << PROMOTE_TO, PROMOTE_TIER=PROMOTE_TO)
        self.step = 0

    async def body(self) -> None:
        """The two rows, then the plot's points."""
        warm, counted = (SMALL_WARM, SMALL_COUNTED) if self.bench.entries < SMALL else (WARM, COUNTED)
        for name, size in (("dma_util_512", 512), ("dma_util_8k", 8192)):
            await self.stock(size, self.share(size, warm, counted))
            self.values[name] = await self.utilisation(LATENCY, warm, counted)
            await self.clear()
        if self.with_curves:
            self.curves["dma"] = [
                {"bytes": size, "latency": latency, "utilisation": value}
                for size in CURVE_BYTES
                for latency, value in await self.latencies(size)
            ]

    async def latencies(self, size: int) -> list[tuple[int, float]]:
        """(latency, utilisation) for one block size."""
        out = []
        for latency in CURVE_LATENCIES:
            await self.stock(size, self.share(size, CURVE_WARM, CURVE_COUNTED))
            out.append((latency, await self.utilisation(latency, CURVE_WARM, CURVE_COUNTED)))
            await self.clear()
        return out

    def share(self, size: int, warm: int, counted: int) -> int:
        """Blocks of each channel."""
        spare = max(SPARE_BYTES // size, LEAST_SPARE)
        return min((warm + counted) // 2 + spare, self.bench.entries // 3)

    async def stock(self, size: int, share: int) -> None:
        """Fresh blocks for both channels."""
        await self.r.tiers((0, 2 * share + 64, 2 * share + 64, 0), size)
        low, hot = (self.scattered(request, share).tolist() for request in (1, 2))
        await self.insert([(addr, PROMOTE_TO) for addr in low])
        await self.insert([(addr, EVICT_TO) for addr in hot], hot=True)
        await self.filled(2 * share)

    async def utilisation(self, latency: int, warm: int, counted: int) -> float:
        """Read-data beats per cycle over at least `counted` moves after the first `warm`."""
        for tier in range(4):
            self.bench.link.axi_timing(tier, latency, latency, 0, 0, 256, 256)
        begun = await self.moves()
        await self.r.write(IRQ_ENABLE=IRQ_SCAN_DONE)
        while await self.moves() - begun < warm:
            await self.scan()
        first = await self.moves()
        self.bench.link.axi_clear_counts()
        while await self.moves() - first < counted:
            await self.scan()
        counts = self.bench.link.axi_counts()
        levels = regs.STATUS.unpack(await self.r.read("STATUS"))
        busy = [levels["EVICT_LEVEL"] > 0, levels["PREFETCH_LEVEL"] > 0]
        self.ctx.compare("both queues hold items at the end of the count", [True, True], busy)
        return round(counts["read_beats"] / (counts["last_read_cycle"] - counts["first_read_cycle"] + 1), 4)

    async def moves(self) -> int:
        """Blocks moved so far."""
        size = await self.r.read("BLOCK_BYTES")
        return (await self.r.read("EVICT_BYTES_MOVED") + await self.r.read("PREFETCH_BYTES_MOVED")) // size

    async def scan(self) -> Array:
        """The next step; back when its scan is done."""
        self.step += 1
        batch = [(WRITE, offset("STEP_ADVANCE"), self.step), (WAIT_IRQ, 0, SCAN_LIMIT)]
        done = await self.run_all([*batch, (WRITE, offset("IRQ_STATUS"), IRQ_SCAN_DONE)])
        self.look()
        return done

    async def clear(self) -> None:
        """Let the moves end, then take all blocks away."""
        await self.r.write(EVICT_THRESH=0, PREFETCH_THRESH=65_535)
        for tier in range(4):
            self.bench.link.axi_timing(tier, 2, 2, 0, 0, 256, 256)
        await self.r.wait_idle()
        await self.r.write(IRQ_ENABLE=2)
        for request in (1, 2):
            await self.r.command(regs.Command.FREE_REQUEST, request << 48)
        await self.scan_without_irq()
        await self.r.write(PREFETCH_THRESH=60_000, EVICT_THRESH=1)
        self.look()

    async def scan_without_irq(self) -> None:
        """A step is the fence: slots that moves have left are free again."""
        self.step += 1
        await self.r.step(self.step)
