"""HEPC, sentence by sentence (device.md 4, 5): scores, decay, decisions, coalescing, pressure."""

from tb.env.registers import kv
from tb.harness.base_test import kv_test
from tb.top.test_directory import DirectoryTest


@kv_test(timeout_cycles=300_000)
class test_saturation(DirectoryTest):
    """P saturates at 65,535: modulo 2^16 the hottest block would have a lower P than a cold one."""

    async def body(self) -> None:
        """All weights 255 on a block with every term at its largest, next to one with a single term."""
        await self.r.write(WEIGHT_R=255, WEIGHT_F=255, WEIGHT_S=255, WEIGHT_D=255)
        await self.r.insert(kv(1), tokens=16, tier=0, prefix=True)
        await self.r.insert(kv(2), tokens=16, tier=0)
        await self.bench.lookups(0, [kv(1)] * 300)
        await self.r.step(0)
        hottest, other = await self.entry(kv(1)), await self.entry(kv(2))
        total = 255 * (255 + 255 + 255 + 255)
        self.ctx.compare("sum of the hottest block", 260_100, total)
        self.ctx.compare("modulo 2^16 it would be colder than the other", True, total % 65536 < 65535)
        self.ctx.compare("P of the hottest block", 65535, hottest.priority)
        self.ctx.compare("P of the other", min(65535, 255 * (255 + 1 + 255)), other.priority)


@kv_test(timeout_cycles=600_000)
class test_decay(DirectoryTest):
    """R := R - max(1, R >> R_SHIFT) for R > 0, never below 0; F halves in scans n with n mod 2^F_AGE = 0."""

    async def body(self) -> None:
        """Every R_SHIFT; ageing every fourth scan."""
        await self.r.insert(kv(1), tokens=16, tier=0)
        scan = 0
        for shift in (0, 1, 3, 7):
            await self.r.write(R_SHIFT=shift)
            await self.bench.lookups(0, [kv(1)])
            r = 255
            for _ in range(4):
                scan += 1
                await self.r.step(scan)
                r -= max(1, r >> shift) if r else 0
                self.ctx.compare(f"R with R_SHIFT {shift}", r, (await self.entry(kv(1))).r, scan=scan)
        await self.r.write(F_AGE=2)
        await self.bench.lookups(0, [kv(1)] * 40)
        f = (await self.entry(kv(1))).f
        for _ in range(9):
            scan += 1
            await self.r.step(scan)
            f = f >> 1 if scan % 4 == 0 else f
            self.ctx.compare("F with F_AGE 2", f, (await self.entry(kv(1))).f, scan=scan)


@kv_test(timeout_cycles=300_000)
class test_terms(DirectoryTest):
    """Each term alone; dist is the signed 32-bit difference; HOT gives 65,535, EVICTABLE 0, the later hint wins."""

    async def body(self) -> None:
        """One weight at a time, steps that wrap."""
        await self.r.write(CTRL=0, STEP_ADVANCE=0xFFFF_FFF0)
        await self.r.write(CTRL=1)
        await self.r.insert(kv(1), tokens=16, tier=0)
        await self.r.insert(kv(2), tokens=16, tier=0, prefix=True)
        for name, weights in {"R": (1, 0, 0, 0), "S": (0, 0, 1, 0), "D": (0, 0, 0, 1)}.items():
            await self.r.write(**dict(zip(("WEIGHT_R", "WEIGHT_F", "WEIGHT_S", "WEIGHT_D"), weights, strict=True)))
            before = await self.entry(kv(1))
            await self.r.step(0x10)  # 0x20 steps later, across 0
            entry, prefix = await self.entry(kv(1)), await self.entry(kv(2))
            expected = {"R": before.r, "S": 255 - 0x20, "D": 0}[name]
            self.ctx.compare(f"P with weight {name} alone", expected, entry.priority)
            if name == "D":
                self.ctx.compare("P of a PREFIX block with weight D alone", 255, prefix.priority)
        await self.r.range("BOOST", kv(1), 1)
        await self.r.step(0x11)
        self.ctx.compare("P of a HOT block", 65535, (await self.entry(kv(1))).priority)
        await self.r.write(EVICT_TIERS=0)
        await self.r.range("SHARE", kv(1), 1)  # referenced: stays where it is
        await self.r.range("IMEVICT", kv(1), 1)
        await self.r.step(0x12)
        entry = await self.entry(kv(1))
        self.ctx.compare("P, HOT, EVICTABLE after IMEVICT", (0, 0, 1), (entry.priority, entry.hot, entry.evictable))
        await self.r.range("COOL", kv(1), 1)
        entry = await self.entry(kv(1))
        self.ctx.compare("HOT, EVICTABLE after COOL", (0, 0), (entry.hot, entry.evictable))


class DecisionTest(DirectoryTest):
    """Where blocks are after a scan's decisions."""

    async def placed(self, addr: int, tier: int, why: str) -> None:
        """The block is in this tier."""
        self.ctx.compare(f"tier of the block: {why}", tier, (await self.r.lookup(addr)).tier)


@kv_test(timeout_cycles=400_000)
class test_decisions(DecisionTest):
    """Who is prefetched, who is evicted, and each thing that keeps a block where it is."""

    async def body(self) -> None:
        """Six cold blocks in tier 1, five of them protected; then prefetches."""
        names = ["cold", "shared", "hot", "hinted", "tier not in EVICT_TIERS", "slowest tier"]
        tiers = [1, 1, 1, 1, 0, 3]
        for i, tier in enumerate(tiers):
            await self.r.insert(kv(1 + i), tokens=16, tier=tier)
        await self.r.range("SHARE", kv(2), 16)
        await self.r.range("BOOST", kv(3), 16)
        await self.r.write(PREFETCH_ADDR=kv(4), PREFETCH_LEN=16, PREFETCH_STEP=1001, LOOKAHEAD=5)
        await self.r.write(WEIGHT_R=0, WEIGHT_F=0, WEIGHT_D=0, EVICT_THRESH=40000, PREFETCH_THRESH=60000)
        await self.r.step(1000)
        await self.r.wait_idle()
        for i, (name, tier) in enumerate(zip(names, tiers, strict=True)):
            await self.placed(kv(1 + i), 2 if name == "cold" else tier, name)
        await self.r.write(EVICT_TIERS=0b0011)
        await self.r.step(1001)
        await self.r.wait_idle()
        await self.placed(kv(5), 1, "evicted to the nearest slower tier")
        await self.r.range("PREFETCH", kv(1), 16, 1003)
        await self.r.wait_idle()
        await self.placed(kv(1), 1, "PREFETCH within LOOKAHEAD is queued at once")
        await self.r.range("PREFETCH", kv(6), 16, 1010)
        await self.r.wait_idle()
        await self.placed(kv(6), 3, "PREFETCH beyond LOOKAHEAD waits")
        await self.r.step(1004)
        await self.r.wait_idle()
        await self.placed(kv(6), 3, "still beyond LOOKAHEAD")
        await self.r.step(1005)
        await self.r.wait_idle()
        await self.placed(kv(6), 1, "within LOOKAHEAD")
        await self.r.write(WEIGHT_R=255, WEIGHT_S=255)
        await self.r.insert(kv(9), tokens=16, tier=2)
        await self.r.step(1005)
        await self.r.wait_idle()
        await self.placed(kv(9), 1, "P above PREFETCH_THRESH")


@kv_test(timeout_cycles=300_000)
class test_hold(DecisionTest):
    """HOLD keeps hinted blocks from eviction ahead of their need and fetches none; LOOKAHEAD counts where larger."""

    async def body(self) -> None:
        """Cold blocks in tier 1, hinted in and out of HOLD; one in tier 2 that nothing may fetch before LOOKAHEAD."""
        away = {1: 4, 2: 5, 3: 6, 4: 0, 5: -1}
        for request in away:
            await self.r.insert(kv(request), tokens=16, tier=1)
        await self.r.insert(kv(9), tokens=16, tier=2)
        await self.r.write(WEIGHT_R=0, WEIGHT_F=0, WEIGHT_D=0, THRESHOLDS=0xFFFF | 0xFFFF << 16, LOOKAHEAD=1, HOLD=5)
        await self.r.write(EVICT_TIERS=0b0010)
        for request, ahead in (away | {9: 5}).items():
            await self.r.range("PREFETCH", kv(request), 1, 1000 + ahead)
        await self.r.step(1000)
        await self.r.wait_idle()
        for request, ahead in away.items():
            await self.placed(kv(request), 1 if 0 <= ahead <= 5 else 2, f"needed in {ahead} steps, HOLD 5")
        await self.placed(kv(9), 2, "within HOLD, beyond LOOKAHEAD: not fetched")
        await self.r.write(LOOKAHEAD=4)
        await self.r.step(1001)
        await self.r.wait_idle()
        await self.placed(kv(9), 1, "within LOOKAHEAD")
        await self.r.write(HOLD=0, LOOKAHEAD=1)
        await self.r.step(1002)
        await self.r.wait_idle()
        await self.placed(kv(1), 2, "needed in 2 steps, HOLD 0, LOOKAHEAD 1")


@kv_test(timeout_cycles=300_000)
class test_coalescing(DirectoryTest):
    """Steps while a scan runs: one more scan follows, with the newest; the ones between are counted."""

    async def body(self) -> None:
        """Six steps in a row; an INSERT during the scan is first scored by the next."""
        await self.r.insert(kv(1), tokens=16, tier=1)
        for step in range(1, 7):
            await self.r.write(STEP_ADVANCE=step)
        await self.r.insert(kv(2), tokens=16, tier=1)
        await self.r.wait_scan()
        scans, coalesced = await self.r.read("SCAN_COUNT"), await self.r.read("SCAN_COALESCED_COUNT")
        self.ctx.compare("scans + coalesced", 6, scans + coalesced)
        self.ctx.compare("scans done (SCAN_COUNT)", 2, scans)
        self.ctx.compare("current step (STEP_ADVANCE)", 6, await self.r.read("STEP_ADVANCE"))
        limit = 4 * self.bench.entries // self.bench.lanes + 512
        self.ctx.compare(
            "cycles of the last scan within the bound", True, 0 < await self.r.read("SCAN_CYCLES") <= limit
        )
        self.look()


@kv_test(timeout_cycles=600_000)
class test_pressure(DirectoryTest):
    """Pressure begins below LOW, ends from max(LOW, HIGH) on; the automatic threshold frees what is missing."""

    slots = (40, 40, 40, 200)

    async def body(self) -> None:
        """Each of the tiers that know pressure."""
        for tier in (1, 0, 2):
            await self.relieve(tier)
            self.look()
            await self.bring_up()

    async def relieve(self, tier: int) -> None:
        """Fill a tier completely, let the device find its threshold, watch pressure end."""
        await self.r.insert_many([(kv(1, i * 16), 16, tier) for i in range(38)])
        await self.bench.lookups(0, [kv(1, i * 16) for i in range(38) for _ in range(i)])
        await self.r.write(**{f"TIER{tier}_LOW": 8, f"TIER{tier}_HIGH": 16, "EVICT_TIERS": 1 << tier, "LOOKAHEAD": 0})
        await self.r.write(IRQ_STATUS=0xFF)
        where = {"tier": tier}
        await self.bench.cycles(20)
        began = await self.r.field("IRQ_STATUS", "PRESSURE")
        self.ctx.compare("IRQ_STATUS.PRESSURE below LOW, before a scan judges it", 0, began, **where)
        await self.r.step(50)
        self.ctx.compare("IRQ_STATUS.PRESSURE", 1, await self.r.field("IRQ_STATUS", "PRESSURE"), **where)
        self.ctx.compare("STATUS.PRESSURE", 1 << tier, await self.r.field("STATUS", "PRESSURE"), **where)
        threshold = f"TIER{tier}_AUTO_THRESH"
        self.ctx.compare("AUTO_THRESH before any scan has completed", 0, await self.r.read(threshold), **where)
        await self.r.wait_idle()
        self.ctx.compare("free slots: nothing has been evicted", 2, await self.r.read(f"TIER{tier}_FREE"), **where)
        await self.r.write(IRQ_STATUS=0xFF)
        await self.r.step(51)
        began = await self.r.field("IRQ_STATUS", "PRESSURE")
        self.ctx.compare("IRQ_STATUS.PRESSURE, which goes on", 0, began, **where)
        seen = await self.r.read(threshold)
        await self.r.wait_idle()
        for step in range(52, 60):
            await self.r.step(step)
            seen = max(seen, await self.r.read(threshold))
            await self.r.wait_idle()
        self.ctx.compare("AUTO_THRESH above 0", True, seen > 0, **where)
        await self.r.step(60)
        self.ctx.compare("free slots reach HIGH", True, await self.r.read(f"TIER{tier}_FREE") >= 16, **where)
        await self.r.step(61)
        self.ctx.compare("STATUS.PRESSURE has ended", 0, await self.r.field("STATUS", "PRESSURE"), **where)
        self.ctx.compare("AUTO_THRESH without pressure", 0, await self.r.read(threshold), **where)


@kv_test(timeout_cycles=400_000)
class test_queue_overflow(DirectoryTest):
    """More decisions than the queues hold: they wait, then drop, counted; the next scan decides anew."""

    slots = (16, 16, 600, 600)

    async def body(self) -> None:
        """400 blocks want up, the DMA cannot move: queue 64 deep, 4 places per lane."""
        await self.r.insert_many([(kv(1 + i // 100, i % 100 * 16), 16, 2) for i in range(300)])
        self.memory.ideal(latency=3000)
        await self.r.write(WEIGHT_R=255, WEIGHT_S=255, PREFETCH_THRESH=100)
        await self.r.step(1)
        dropped = await self.r.read("PREFETCH_DROPPED_COUNT")
        self.ctx.compare("decisions dropped", True, dropped > 0)
        self.memory.ideal()
        await self.r.wait_idle()
        await self.r.step(2)
        await self.r.wait_idle()
