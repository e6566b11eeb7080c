"""Scan control and histogram: timeline, coalescing, ageing, pressure, automatic thresholds (device.md 4, 5)."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge

from model.scoring import auto_threshold
from tb.block.reset import out_of_reset
from tb.block.structs import struct
from tb.harness.base_test import Context, kv_test

FLAGS = ("fence", "scan_begin", "scan_start", "scan_busy", "scan_done", "coalesced", "pressure_began", "hist_ready")
MAX_SEARCH_CYCLES = 40
MAX_SUM_CYCLES = 300

Counts = Any  # int64, shape (3, 256)


@dataclass
class Entry:
    """An entry that the histogram counts."""

    lane: int
    tier: int
    bin: int


@dataclass
class Pressure:
    """The contract's pressure and automatic thresholds, from scan to scan."""

    on: list[bool] = field(default_factory=lambda: [False] * 3)
    last: Counts | None = None

    def judge(
        self, free: list[int], departures: list[int], low: list[int], high: list[int], limit: int
    ) -> tuple[list[bool], list[int]]:
        """Pressure and T of tiers 0 to 2 at a scan start; `limit` is PREFETCH_THRESH."""
        thresholds = []
        for t in range(3):
            if free[t] < low[t]:
                self.on[t] = True
            elif free[t] >= max(low[t], high[t]):
                self.on[t] = False
            counts = None if self.last is None else self.last[t]
            wanted = high[t] - free[t] - departures[t]
            thresholds.append(auto_threshold(counts, wanted, limit) if self.on[t] else 0)
        return list(self.on), thresholds


class Bench:
    """Drives the ports of scan control; one call of `cycle` is one clock cycle, its outputs are returned."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.dut = ctx.dut
        self.lanes = ctx.parameters["LANES"]
        self.rows = ctx.parameters["ENTRIES"] // self.lanes
        self.cfg: dict[str, Any] = {"enable": 1, "prefetch_thresh": 65535, "low": [0] * 4, "high": [0] * 4}
        self.free = [1000] * 4
        self.departures = [0] * 4
        self.counts = np.zeros((3, 256), np.int64)
        self.used: dict[str, int] = {}  # the configuration of the last scan, at its end

    async def start(self) -> None:
        """Out of reset, directory initialised, histogram wiped."""
        await out_of_reset(self.ctx)
        self.dut.ready.value = 1
        self.configure()
        await self.until("hist_ready", 300)

    def configure(self, **changes: Any) -> None:
        """Write configuration fields, free slots and departures; they show in the same cycle."""
        self.cfg |= changes
        self.dut.cfg.value = struct("cfg_t").pack(**self.cfg)
        self.dut.free.value = sum(n << (17 * t) for t, n in enumerate(self.free))
        self.dut.departures.value = sum(n << (17 * t) for t, n in enumerate(self.departures))

    async def cycle(
        self, step: int | None = None, entries: list[Entry] | None = None, decision: int = 0
    ) -> dict[str, int]:
        """One cycle: STEP_ADVANCE is written, entries are counted, lanes (a mask) decide; returns its outputs."""
        dut = self.dut
        dut.step_we.value = int(step is not None)
        if step is not None:
            dut.step.value = step
        dut.decision.value = decision
        entries = entries or []
        dut.hist_valid.value = sum(1 << e.lane for e in entries)
        dut.hist_tier.value = sum(e.tier << (2 * e.lane) for e in entries)
        dut.hist_bin.value = sum(e.bin << (8 * e.lane) for e in entries)
        for e in entries:
            self.counts[e.tier, e.bin] += 1
        await FallingEdge(dut.clk)
        seen = {name: int(getattr(dut, name).value) for name in FLAGS}
        seen["current_step"] = int(dut.current_step.value)
        await RisingEdge(dut.clk)
        self.ctx.transaction()
        return seen

    async def until(self, flag: str, most: int) -> int:
        """Cycles until `flag` is seen, the cycle of the flag included. Fails after `most`."""
        for waited in range(1, most + 1):
            if (await self.cycle())[flag]:
                return waited
        self.ctx.compare(f"{flag} within {most} cycles", True, False)
        return 0

    def scan_cfg(self) -> dict[str, int]:
        """What the running scan uses, field by field."""
        return struct("scan_cfg_t").unpack(int(self.dut.scan_cfg.value))

    def thresholds(self) -> list[int]:
        """AUTO_THRESH of tiers 0 to 2."""
        word = int(self.dut.auto_thresh.value)
        return [word >> (17 * t) & 0x1FFFF for t in range(3)]

    def take_counts(self) -> Counts:
        """The histogram of the scan that has just ended; the next starts empty."""
        counts, self.counts = self.counts, np.zeros((3, 256), np.int64)
        return counts

    async def scan(self, step: int, entries: list[list[Entry]] | None = None) -> None:
        """A whole scan: STEP_ADVANCE, `entries` cycle by cycle, the end and the summing."""
        self.dut.walk.value = max(20, len(entries or []) + 4)
        seen = await self.cycle(step=step)
        for _ in range(MAX_SEARCH_CYCLES):
            seen = await self.cycle()
            if seen["scan_start"]:
                break
        self.ctx.compare("scan started", 1, seen["scan_start"], step=step)
        for row in entries or []:
            await self.cycle(entries=row)
        await self.until("scan_done", 2 * len(entries or []) + 100)
        self.used = self.scan_cfg()
        await self.cycle()
        await self.until("hist_ready", MAX_SUM_CYCLES)


@kv_test(timeout_cycles=20_000)
async def test_timeline(ctx: Context) -> None:
    """STEP_ADVANCE in cycle 0: fence at once, step and scan start in cycle 1, the configuration held to the end."""
    bench = Bench(ctx)
    await bench.start()
    weights = {"w_r": 3, "w_f": 5, "w_s": 7, "w_d": 11}
    others = {
        "evict_thresh": 1024,
        "prefetch_thresh": 40960,
        "r_shift": 5,
        "lookahead": 9,
        "hold": 10,
        "promote_tier": 2,
        "evict_tiers": 6,
    }
    bench.configure(**weights, **others)
    quiet = await bench.cycle()
    ctx.compare(
        "outputs without a step", {name: int(name == "hist_ready") for name in FLAGS}, {n: quiet[n] for n in FLAGS}
    )
    for scan in range(3):
        step = 128 + scan
        zero = await bench.cycle(step=step)
        ctx.compare("fence with the step", 1, zero["fence"])
        ctx.compare("current step in the cycle of the write", 127 + scan if scan else 0, zero["current_step"])
        one = await bench.cycle()
        ctx.compare("current step one cycle on", step, one["current_step"])
        for name in ("scan_begin", "scan_start", "scan_busy"):
            ctx.compare(f"{name} one cycle after STEP_ADVANCE", 1, one[name])
        bench.configure(**dict.fromkeys((*weights, *others), 1))
        await bench.cycle(decision=int(scan == 1))  # cycle 2
        cfg = bench.scan_cfg()
        for name, value in ({"step": step} | weights | others).items():
            ctx.compare(f"scan uses {name} as it was at its start", value, cfg[name])
        await bench.cycle(decision=int(scan > 0))  # cycle 3
        waited = await bench.until("scan_done", 100)
        ctx.compare("cycles from scan start to scan done", 22, waited + 2)  # the cycle after the last bank's end
        ctx.compare("SCAN_CYCLES of the scan", 3 + waited, int(ctx.dut.scan_cycles.value))
        first = {0: 0, 1: 4, 2: 5}[scan]  # decision at S5 in cycle 2 or 3, in the queue two cycles later
        ctx.compare("cycles to the first decision", first, int(ctx.dut.first_decision_cycles.value))
        idle = await bench.cycle()
        ctx.compare("scan busy after its end", 0, idle["scan_busy"])
        bench.configure(**weights, **others)
        await bench.until("hist_ready", MAX_SUM_CYCLES)


@kv_test(timeout_cycles=50_000)
async def test_hold(ctx: Context) -> None:
    """A scan's hold is the larger of LOOKAHEAD and HOLD as they were at its start, in all 31 bits."""
    bench = Bench(ctx)
    await bench.start()
    most = (1 << 31) - 1
    pairs = [(0, 0), (most, 0), (0, most), (most, most - 1), (most - 1, most)]
    pairs += [pair for bit in range(31) for pair in ((1 << bit, (1 << bit) - 1), ((1 << bit) - 1, 1 << bit))]
    for step, (lookahead, hold) in enumerate(pairs):
        bench.configure(lookahead=lookahead, hold=hold)
        await bench.cycle()
        await bench.scan(step)
        about = {"LOOKAHEAD": lookahead, "HOLD": hold}
        ctx.compare("scan uses LOOKAHEAD", lookahead, bench.used["lookahead"], **about)
        ctx.compare("scan keeps hinted blocks ahead by", max(lookahead, hold), bench.used["hold"], **about)


@kv_test(timeout_cycles=20_000)
async def test_every_configuration_bit(ctx: Context) -> None:
    """Step and configuration reach the scan in all bits: each field at its greatest value and at its upper bit."""
    bench = Bench(ctx)
    await bench.start()
    wide = {"w_r": 8, "w_f": 8, "w_s": 8, "w_d": 8, "evict_thresh": 16, "prefetch_thresh": 16, "r_shift": 3}
    wide |= {"lookahead": 31, "promote_tier": 2, "evict_tiers": 4}
    for name, width in wide.items():
        for value in ((1 << width) - 1, 1 << width - 1, 0):
            step = ctx.rng.choice((value, value << 32 - width, ~value)) & 0xFFFF_FFFF
            bench.configure(**{other: ctx.rng.getrandbits(w) for other, w in wide.items()} | {name: value})
            await bench.scan(step)
            ctx.compare(f"scan uses {name}", value, bench.used[name])
            seen = (bench.used["step"], (await bench.cycle())["current_step"])
            ctx.compare("step of the scan, current step", (step, step), seen)


@kv_test(timeout_cycles=20_000)
async def test_first_decision_of_every_lane(ctx: Context) -> None:
    """FIRST_DECISION_CYCLES counts to the first decision, whichever lane makes it."""
    bench = Bench(ctx)
    await bench.start()
    for lane in range(bench.lanes):
        ctx.dut.walk.value = 40
        await bench.cycle(step=lane)
        await bench.cycle()
        await bench.cycle()  # cycle 2
        await bench.cycle(decision=1 << lane)
        await bench.cycle(decision=(1 << bench.lanes) - 1)
        await bench.until("scan_done", 100)
        ctx.compare("cycles to the first decision", 5, int(ctx.dut.first_decision_cycles.value), lane=lane)
        await bench.until("hist_ready", MAX_SUM_CYCLES)


@kv_test(timeout_cycles=100_000)
async def test_histogram_holds_every_entry(ctx: Context) -> None:
    """All entries of a directory in one bin of one tier: the sum over lanes and rows is exact, in every tier."""
    bench = Bench(ctx)
    await bench.start()
    entries = bench.rows * bench.lanes
    for step, (tier, where) in enumerate((t, b) for t in range(3) for b in (0, 254)):
        bench.free, bench.cfg["low"], bench.cfg["high"] = [0] * 4, [0] * 4, [0] * 4
        bench.configure()
        await bench.scan(3 * step, [[Entry(lane, tier, where) for lane in range(bench.lanes)]] * bench.rows)
        for wanted, threshold in ((entries, 256 * (where + 1)), (entries + 1, 65535)):
            bench.cfg["low"], bench.cfg["high"] = [1] * 4, [wanted] * 4
            bench.configure()
            rows = [[Entry(lane, tier, where) for lane in range(bench.lanes)]] * bench.rows
            await bench.scan(3 * step + 1, rows)
            ctx.compare("T of the tier that holds all", threshold, bench.thresholds()[tier], tier=tier, wanted=wanted)


@kv_test(timeout_cycles=20_000)
async def test_coalesce(ctx: Context) -> None:
    """Steps during a scan: one more scan follows with the newest; every step that it leaves out is counted."""
    bench = Bench(ctx)
    await bench.start()
    step = 0
    for writes in (0, 1, 2, 5, 9):
        step += 1
        ctx.dut.walk.value = 60
        await bench.cycle(step=step)
        start = await bench.cycle()
        ctx.compare("scan start", 1, start["scan_start"])
        when = sorted(ctx.rng.sample(range(50), writes))
        coalesced = 0
        for cycle in range(50):
            if cycle in when:
                step += ctx.rng.randrange(1, 5)
                seen = await bench.cycle(step=step)
            else:
                seen = await bench.cycle()
            coalesced += seen["coalesced"]
            ctx.compare("scan start while one runs", 0, seen["scan_start"])
        ctx.compare("coalesced steps counted", max(0, writes - 1), coalesced, steps_in_scan=writes)
        await bench.until("scan_done", 100)
        if writes:
            waited = await bench.until("scan_start", 512)
            ctx.compare("scan that follows starts within 512 cycles", True, waited <= 512)
            await bench.cycle()
            ctx.compare("step of the scan that follows", step, bench.scan_cfg()["step"])
            await bench.until("scan_done", 100)
        for _ in range(MAX_SUM_CYCLES + 20):
            ctx.compare("a further scan", 0, (await bench.cycle())["scan_start"], steps_in_scan=writes)


@kv_test(timeout_cycles=20_000)
async def test_step_at_start(ctx: Context) -> None:
    """A step written in the very cycle of a scan's start is not lost: its scan follows."""
    bench = Bench(ctx)
    await bench.start()
    await bench.cycle(step=5)
    one = await bench.cycle(step=6)
    ctx.compare("scan start", 1, one["scan_start"])
    ctx.compare("coalesced: the first step has its scan", 0, one["coalesced"])
    await bench.cycle()
    ctx.compare("step of the first scan", 5, bench.scan_cfg()["step"])
    await bench.until("scan_done", 100)
    await bench.until("scan_start", 512)
    await bench.cycle()
    ctx.compare("step of the second scan", 6, bench.scan_cfg()["step"])


@kv_test(timeout_cycles=40_000)
async def test_numbering(ctx: Context) -> None:
    """Scan n starts at row (n - 1) * (ROWS / 8) mod ROWS and halves F when n mod 2^F_AGE = 0; each flips the epoch."""
    bench = Bench(ctx)
    await bench.start()
    epoch = bench.scan_cfg()["epoch"]
    for restart in range(2):
        for n in range(1, 21):
            twos = (n & -n).bit_length() - 1  # n mod 2^twos = 0, and no further
            f_age = ctx.rng.choice((twos, twos, twos + 1, 0, 31, 8 + twos, 16 + twos))
            bench.configure(f_age=f_age)
            row = int(ctx.dut.scan_row.value)
            await bench.scan(step=n)
            ctx.compare("first row of the scan", (n - 1) * (bench.rows // 8) % bench.rows, row, scan=n)
            cfg = bench.used
            ctx.compare("scan halves F", int(f_age > 0 and n % (1 << f_age) == 0), cfg["age"], scan=n, f_age=f_age)
            epoch ^= 1
            ctx.compare("epoch of the scan", epoch, cfg["epoch"], scan=n)
        if restart == 0:
            ctx.dut.clear.value = 1
            await bench.cycle()
            ctx.dut.clear.value = 0
            ctx.compare("current step after the clear", 0, (await bench.cycle())["current_step"])
            epoch = 0
            await bench.until("hist_ready", 300)


@kv_test(timeout_cycles=20_000)
async def test_enable(ctx: Context) -> None:
    """ENABLE 0: STEP_ADVANCE only sets the step and ends the fence; no scan before the directory is ready."""
    bench = Bench(ctx)
    await bench.start()
    bench.configure(enable=0)
    seen = await bench.cycle(step=77)
    ctx.compare("fence with ENABLE 0", 1, seen["fence"])
    for _ in range(50):
        seen = await bench.cycle()
        ctx.compare("scan with ENABLE 0", 0, seen["scan_begin"] | seen["scan_busy"])
    ctx.compare("current step with ENABLE 0", 77, seen["current_step"])
    bench.configure(enable=1)
    for _ in range(50):
        ctx.compare("scan without a step", 0, (await bench.cycle())["scan_begin"])
    ctx.dut.ready.value = 0
    await bench.cycle(step=78)
    for _ in range(50):
        seen = await bench.cycle()
        ctx.compare("scan before the directory is ready", 0, seen["scan_begin"])
        ctx.compare("busy while the scan waits", 1, seen["scan_busy"])
    ctx.dut.ready.value = 1
    ctx.compare("scan once it is ready", 1, (await bench.cycle())["scan_begin"])


def _cold_entries(bench: Bench, rows: int) -> list[list[Entry]]:
    """Entries of a scan: few bins often, so that counts meet in the pipeline, now and then one bin only."""
    rng = bench.ctx.rng
    choice = rng.choice((1, 2, 3, 256))
    bins = [rng.randrange(256) for _ in range(choice)] + ([0, 255] if choice > 2 else [])
    tiers = rng.choice(((0, 1, 2), (0,), (2,), (1, 2)))
    load = rng.choice((0.3, 1.0))
    return [
        [Entry(lane, rng.choice(tiers), rng.choice(bins)) for lane in range(bench.lanes) if rng.random() < load]
        for _ in range(rows)
    ]


@kv_test(timeout_cycles=120_000)
async def test_auto_threshold(ctx: Context) -> None:
    """T is the contract's for N at every edge of the histogram: 0, a running sum, one more, more than there are."""
    bench = Bench(ctx)
    await bench.start()
    pressure = Pressure()
    rng = ctx.rng
    for n in range(1, 61):
        limit = rng.choice((65535, 65535, 0, 255, 256, rng.randrange(65536)))
        for t in range(3):
            bench.departures[t] = rng.choice((0, rng.randrange(50), rng.randrange(400)))
            below = [0] if pressure.last is None else [0, *np.cumsum(pressure.last[t])]
            wanted = int(rng.choice(below)) + rng.choice((-1, 0, 1, 1, 5))
            bench.free[t] = rng.choice((rng.randrange(100, 5000), rng.randrange(5000, 65536), 65536 - t))
            bench.cfg["low"][t] = bench.free[t] + rng.choice((0, 1, 1, 1))
            bench.cfg["high"][t] = max(0, bench.free[t] + bench.departures[t] + wanted)
        bench.configure(prefetch_thresh=limit)
        judged = pressure.judge(bench.free, bench.departures, bench.cfg["low"], bench.cfg["high"], limit)
        rows = bench.rows if n % 8 == 1 else rng.randrange(60)
        await bench.scan(step=n, entries=_cold_entries(bench, rows))
        cfg = bench.scan_cfg()
        ctx.compare("pressure of tiers 0 to 2", judged[0], [bool(cfg["pressure"] >> t & 1) for t in range(3)], scan=n)
        ctx.compare(
            "automatic threshold T of tiers 0 to 2",
            judged[1],
            bench.thresholds(),
            scan=n,
            prefetch_thresh=limit,
            free=bench.free[:3],
            high=bench.cfg["high"][:3],
            departures=bench.departures[:3],
        )
        pressure.last = bench.take_counts()


@kv_test(timeout_cycles=60_000)
async def test_pressure(ctx: Context) -> None:
    """Pressure: on below LOW, off from max(LOW, HIGH), else as before; judged at scan starts, reported."""
    bench = Bench(ctx)
    await bench.start()
    pressure = Pressure()
    rng = ctx.rng
    for n in range(1, 61):
        for t in range(3):
            low, high = rng.choice(((10, 20), (10, 10), (20, 10), (0, 10), (1, 65536)))
            bench.cfg["low"][t], bench.cfg["high"][t] = low, high
            bench.free[t] = max(0, rng.choice((low, high)) + rng.choice((-1, 0, 1)))
        before = list(pressure.on)
        bench.configure()
        await bench.cycle(step=n)
        pressure.judge(bench.free, bench.departures, bench.cfg["low"], bench.cfg["high"], 65535)
        seen = await bench.cycle()
        ctx.compare("scan start judged", 1, seen["scan_begin"])
        began = any(on and not was for on, was in zip(pressure.on, before, strict=True))
        ctx.compare("pressure began", int(began), seen["pressure_began"], scan=n)
        bench.free = [f ^ 0x1FF for f in bench.free]  # later changes count at the next start only
        bench.configure()
        if not seen["scan_start"]:
            await bench.until("scan_start", MAX_SEARCH_CYCLES)
        await bench.until("scan_done", 100)
        word = bench.scan_cfg()["pressure"]
        ctx.compare(
            "pressure of tiers 0 to 2",
            pressure.on,
            [bool(word >> t & 1) for t in range(3)],
            scan=n,
            free=[f ^ 0x1FF for f in bench.free[:3]],
            low=bench.cfg["low"][:3],
            high=bench.cfg["high"][:3],
        )
        await bench.cycle()
        await bench.until("hist_ready", MAX_SUM_CYCLES)


@kv_test(timeout_cycles=20_000)
async def test_clear(ctx: Context) -> None:
    """A clear in the middle of a scan: the half histogram is gone, no scan counts as completed."""
    bench = Bench(ctx)
    await bench.start()
    await bench.scan(step=1, entries=_cold_entries(bench, 50))
    await bench.cycle(step=2)
    await bench.cycle()
    for row in _cold_entries(bench, 30):
        await bench.cycle(entries=row)
    ctx.dut.clear.value = 1
    await bench.cycle()
    ctx.dut.clear.value = 0
    seen = await bench.cycle()
    ctx.compare("busy after the clear", 0, seen["scan_busy"])
    await bench.until("hist_ready", 300)
    bench.take_counts()
    bench.free, bench.cfg["low"], bench.cfg["high"] = [0] * 4, [1] * 4, [1] * 4
    bench.configure()
    await bench.scan(step=3, entries=[[Entry(0, 1, 9)]])
    ctx.compare("automatic thresholds before a scan has completed", [0, 0, 0], bench.thresholds())
    await bench.scan(step=4)
    ctx.compare("automatic thresholds from the scan after the clear", [65535, 10 * 256, 65535], bench.thresholds())


@kv_test(timeout_cycles=20_000)
async def test_g3_clear_ends_pressure(ctx: Context) -> None:
    """Pressure that was on before a clear is off after it, where free slots lie between LOW and HIGH."""
    bench = Bench(ctx)
    await bench.start()
    for restart, free, expected in ((0, 5, 0b111), (0, 15, 0b111), (1, 15, 0)):
        if restart:
            ctx.dut.clear.value = 1
            await bench.cycle()
            ctx.dut.clear.value = 0
            await bench.until("hist_ready", 300)
        bench.free, bench.cfg["low"], bench.cfg["high"] = [free] * 4, [10] * 4, [20] * 4
        bench.configure()
        await bench.scan(step=1)
        ctx.compare("pressure of tiers 0 to 2", expected, bench.used["pressure"], free=free, after_clear=restart)
