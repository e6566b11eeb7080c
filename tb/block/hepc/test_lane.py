"""The scoring lane against the golden model's scoring, corner by corner and at random (device.md 4)."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from cocotb.triggers import RisingEdge

from model.scoring import Fields, ScanConfig, score
from model.types import Decision
from tb.block.reset import out_of_reset
from tb.block.structs import struct
from tb.harness.base_test import Context, kv_test

U32 = 0xFFFFFFFF
DISTANCES = sorted({0, 253, 254, *((1 << n) + d for n in range(1, 31) for d in (-1, 0, 1)), (1 << 31) - 1, 1 << 31})
LATENCY = 3  # S2 to S5

PLAIN = ScanConfig(
    number=1,
    start_row=0,
    step=1000,
    w_r=64,
    w_f=64,
    w_s=64,
    w_d=64,
    evict_thresh=0,
    prefetch_thresh=65535,
    r_shift=3,
    age=False,
    lookahead=1,
    promote_tier=1,
    evict_tiers=0b0010,
)


@dataclass(frozen=True)
class Entry:
    """What scoring reads of an entry; the other fields are filled at random."""

    tier: int = 1
    access_step: int = 1000
    ref_count: int = 0
    r: int = 255
    f: int = 1
    prefix: int = 0
    hot: int = 0
    evictable: int = 0
    hint: int = 0
    in_flight: int = 0
    valid: int = 1
    parity_ok: int = 1
    scored: int = 0  # by this scan already

    def __str__(self) -> str:
        shown = (
            f"{f.name.upper()} {getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default
        )
        return f"({', '.join(shown) or 'as by default'})"


def _weights(cfg: ScanConfig) -> str:
    return f"(R {cfg.w_r}, F {cfg.w_f}, S {cfg.w_s}, D {cfg.w_d})"


def _decides_by(cfg: ScanConfig, tier: int) -> str:
    return (
        f"(EVICT_THRESH {cfg.evict_thresh}, T {cfg.auto_thresh[tier] if tier < 3 and cfg.pressure[tier] else 0}, "
        f"PREFETCH_THRESH {cfg.prefetch_thresh}, PROMOTE_TIER {cfg.promote_tier}, EVICT_TIERS {cfg.evict_tiers:#06b}, "
        f"step {cfg.step}, LOOKAHEAD {cfg.lookahead}, HOLD {cfg.hold})"
    )


class Lane:
    """Drives entries through the lane and compares every result."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.dut = ctx.dut
        self.meta = struct("meta_t")
        self.epoch = 0

    async def scan(self, cfg: ScanConfig, entries: Iterable[Entry]) -> list[dict[str, Any]]:
        """Score `entries` under `cfg`; returns what came out, one record an entry."""
        entries = list(entries)
        self.epoch ^= 1
        await self._configure(cfg)
        before = [self._meta_before(entry) for entry in entries]
        seen: list[dict[str, Any]] = []
        for i in range(len(entries) + LATENCY):
            fed = i < len(entries)
            self.dut.valid.value = int(fed)
            if fed:
                self.dut.meta.value = self.meta.pack(**before[i])
                self.dut.parity_ok.value = entries[i].parity_ok
            await RisingEdge(self.dut.clk)
            if i >= LATENCY - 1 and len(seen) < len(entries):
                seen.append(self._result())
        self.ctx.transaction(len(entries))
        self._check(cfg, entries, before, seen)
        return seen

    async def _configure(self, cfg: ScanConfig) -> None:
        word = struct("scan_cfg_t").pack(
            step=cfg.step,
            w_r=cfg.w_r,
            w_f=cfg.w_f,
            w_s=cfg.w_s,
            w_d=cfg.w_d,
            evict_thresh=cfg.evict_thresh,
            prefetch_thresh=cfg.prefetch_thresh,
            r_shift=cfg.r_shift,
            age=int(cfg.age),
            lookahead=cfg.lookahead,
            hold=cfg.kept_ahead,
            promote_tier=cfg.promote_tier,
            evict_tiers=cfg.evict_tiers,
            pressure=[int(p) for p in cfg.pressure],
            auto_thresh=list(cfg.auto_thresh),
            epoch=self.epoch,
        )
        self.dut.cfg.value = word
        self.dut.valid.value = 0
        await RisingEdge(self.dut.clk)
        await RisingEdge(self.dut.clk)

    def _meta_before(self, entry: Entry) -> dict[str, int]:
        rng = self.ctx.rng
        values = {name: rng.getrandbits(field.width) for name, field in self.meta.fields.items()}
        names = (
            "tier",
            "access_step",
            "ref_count",
            "r",
            "f",
            "prefix",
            "hot",
            "evictable",
            "hint",
            "in_flight",
            "valid",
        )
        values |= {name: getattr(entry, name) for name in names}
        values["epoch"] = self.epoch ^ 1 ^ entry.scored
        return values

    def _result(self) -> dict[str, Any]:
        dut = self.dut
        return {
            "scored": int(dut.score.value),
            "evict": int(dut.evict.value),
            "prefetch": int(dut.prefetch.value),
            "hist": int(dut.hist.value),
            "meta": self.meta.unpack(int(dut.meta_after.value)),
        }

    def _check(
        self, cfg: ScanConfig, entries: list[Entry], before: list[dict[str, int]], seen: list[dict[str, Any]]
    ) -> None:
        def column(name: str, kind: Any = np.uint8) -> Any:
            return np.array([getattr(entry, name) for entry in entries], dtype=kind)

        want = score(
            cfg,
            Fields(
                tier=column("tier"),
                access_step=column("access_step", np.uint32),
                ref_count=column("ref_count"),
                r=column("r"),
                f=column("f"),
                prefix=column("prefix"),
                hot=column("hot"),
                evictable=column("evictable"),
                hint=column("hint"),
                in_flight=column("in_flight"),
            ),
        )
        ctx = self.ctx
        for i, (entry, got) in enumerate(zip(entries, seen, strict=True)):
            about: dict[str, Any] = {"entry": i, "fields": entry}
            stands = entry.valid and entry.parity_ok and not entry.scored
            ctx.compare(
                "entry is scored (valid, parity good, not scored by this scan yet)", int(stands), got["scored"], **about
            )
            if not stands:
                ctx.compare("decisions of an entry that is not scored", 0, got["evict"] + got["prefetch"], **about)
                continue
            after = got["meta"]
            ctx.compare(
                "PRIORITY after the scan step",
                int(want.prio[i]),
                after["prio"],
                step=cfg.step,
                weights=_weights(cfg),
                **about,
            )
            ctx.compare("R after decay", int(want.r[i]), after["r"], r_shift=cfg.r_shift, **about)
            ctx.compare("F after ageing", int(want.f[i]), after["f"], age=cfg.age, **about)
            names = {(0, 0): "NONE", (1, 0): "EVICT", (0, 1): "PREFETCH"}
            decision = names.get((got["evict"], got["prefetch"]), "both")
            rules = _decides_by(cfg, entry.tier)
            ctx.compare("decision of the entry", Decision(int(want.decision[i])).name, decision, by=rules, **about)
            ctx.compare("counted in the histogram", int(want.counted[i]), got["hist"], by=rules, **about)
            decided = int(want.decision[i] != Decision.NONE)
            ctx.compare("entry in flight", entry.in_flight | decided, after["in_flight"], **about)
            changed = {"prio", "r", "f", "epoch", "in_flight"}
            ctx.compare("epoch of the entry", self.epoch, after["epoch"], **about)
            for name in self.meta.fields.keys() - changed:
                ctx.compare(f"field {name} stays", before[i][name], after[name], **about)


@kv_test(timeout_cycles=20_000)
async def test_distance(ctx: Context) -> None:
    """S at every boundary of the signed distance, both ways, at steps around the wrap."""
    await out_of_reset(ctx)
    lane = Lane(ctx)
    for step in (0, 1, 255, 256, 1000, 0x7FFFFFFF, 0x80000000, 0xFFFFFF00, U32):
        cfg = replace(PLAIN, step=step, w_r=0, w_f=0, w_d=0, w_s=255)
        past = [Entry(access_step=step - d & U32) for d in DISTANCES]
        future = [Entry(access_step=step + d & U32) for d in DISTANCES]
        near = [Entry(access_step=step + d & U32) for d in range(-260, 261)]
        await lane.scan(cfg, past + future + (near if step in (0, 1000) else []))


@kv_test(timeout_cycles=20_000)
async def test_saturation(ctx: Context) -> None:
    """The sum saturates at 65,535: around every boundary, and where a sum modulo 2^16 turns hot blocks cold."""
    await out_of_reset(ctx)
    lane = Lane(ctx)
    for target in (65534, 65535, 65536, 65537, 65791, 131071, 131072, 131073, 190000):
        # S and D make up the bulk in steps of 255, R and F the rest to the very sum
        bulk = max(0, -(-(target - 60_000) // 255))
        rest = target - 255 * bulk
        cfg = replace(PLAIN, w_r=255, w_f=1, w_s=min(255, bulk), w_d=max(0, bulk - 255))
        await lane.scan(cfg, [Entry(r=rest // 255, f=rest % 255 + more, prefix=1) for more in (0, 1)])
    cfg = replace(PLAIN, w_r=255, w_f=255, w_s=1, w_d=255, evict_thresh=1024, prefetch_thresh=40960)
    hot = Entry(r=255, f=3)  # 65,025 + 765 + 255 = 66,045
    seen = await lane.scan(cfg, [hot, replace(hot, tier=2), replace(hot, f=255, prefix=1)])
    ctx.compare("hazard: modulo 2^16 the hot block's P is below EVICT_THRESH", True, cfg.evict_thresh > 66045 % 65536)
    ctx.compare("PRIORITY of the hot block", 65535, seen[0]["meta"]["prio"])
    ctx.compare("evict decision of the hot block", 0, seen[0]["evict"])
    ctx.compare("prefetch decision of the hot block in a slow tier", 1, seen[1]["prefetch"])
    sums = [(r, f) for r in (0, 1, 128, 254, 255) for f in (0, 1, 128, 254, 255)]
    for weight in (0, 1, 64, 128, 254, 255):
        cfg = replace(PLAIN, w_r=weight, w_f=255, w_s=weight, w_d=255 - weight)
        await lane.scan(cfg, [Entry(r=r, f=f, prefix=p) for r, f in sums for p in (0, 1)])


@kv_test(timeout_cycles=20_000)
async def test_decay(ctx: Context) -> None:
    """R of every value decays by max(1, R >> R_SHIFT) under every R_SHIFT; R 0 stays; F halves when the scan ages."""
    await out_of_reset(ctx)
    lane = Lane(ctx)
    for r_shift in range(8):
        for age in (False, True):
            cfg = replace(PLAIN, r_shift=r_shift, age=age)
            await lane.scan(cfg, [Entry(r=r, f=(r * 7 + r_shift) % 256) for r in range(256)])


@kv_test(timeout_cycles=20_000)
async def test_thresholds(ctx: Context) -> None:
    """P one below, at and one above every threshold, fixed and automatic, in every tier."""
    await out_of_reset(ctx)
    lane = Lane(ctx)
    base = replace(PLAIN, w_r=128, w_f=1, w_s=0, w_d=0, evict_tiers=0b1111)
    around = [
        Entry(tier=t, r=r, f=f) for t in range(4) for r, f in ((2, 0), (1, 127), (2, 1), (1, 128), (0, 0), (0, 1))
    ]
    flagged = [replace(e, **{flag: 1}) for e in around for flag in ("hot", "evictable")]
    for evict, prefetch in ((256, 256), (0, 256), (0, 0), (1, 65535), (256, 65534), (256, 257), (65535, 65535)):
        for promote in range(4):
            cfg = replace(base, evict_thresh=evict, prefetch_thresh=prefetch, promote_tier=promote)
            await lane.scan(cfg, around + flagged)
    for auto in (0, 255, 256, 257, 65535):
        for pressure in ((False, True, False), (True, False, True), (True, True, True), (False, False, False)):
            for evict in (0, 255, 256):
                cfg = replace(base, evict_thresh=evict, pressure=pressure, auto_thresh=(auto, max(0, auto - 1), auto))
                await lane.scan(cfg, around + flagged)


@kv_test(timeout_cycles=20_000)
async def test_guards(ctx: Context) -> None:
    """REF_COUNT, HOT, HINT in and out of the window, in flight, EVICT_TIERS, last tier: each alone and in pairs."""
    await out_of_reset(ctx)
    lane = Lane(ctx)
    step = 0xFFFFFFF0  # a window that wraps
    cold = Entry(r=0, f=0, access_step=step - 300)
    hints = [
        replace(cold, hint=1, access_step=step + d & U32) for d in (-(1 << 31), -257, -1, 0, 1, 31, 32, 33, 1 << 31)
    ]
    alone = [
        cold,
        replace(cold, ref_count=1),
        replace(cold, ref_count=255),
        replace(cold, hot=1),
        replace(cold, evictable=1),
        replace(cold, in_flight=1),
        replace(cold, evictable=1, ref_count=1),
        replace(cold, evictable=1, in_flight=1),
        replace(cold, prefix=1),
        *hints,
        *(replace(h, evictable=1) for h in hints),
        *(replace(h, in_flight=1) for h in hints),
        *(replace(h, ref_count=3) for h in hints),
        *(replace(h, hot=1) for h in hints),
        replace(cold, valid=0),
        replace(cold, parity_ok=0),
        replace(cold, scored=1),
        replace(cold, tier=3, valid=0, hint=1),
        replace(hints[3], tier=2, parity_ok=0),
        replace(hints[3], tier=2, scored=1),
    ]
    for lookahead in (0, 1, 32, (1 << 31) - 1):
        for mask in (0b0000, 0b0001, 0b0010, 0b0100, 0b1000, 0b1111):
            cfg = replace(
                PLAIN, step=step, evict_thresh=65535, lookahead=lookahead, evict_tiers=mask, promote_tier=mask % 4
            )
            await lane.scan(cfg, [replace(e, tier=t) for e in alone for t in range(4)])


@kv_test(timeout_cycles=20_000)
async def test_hint_windows(ctx: Context) -> None:
    """LOOKAHEAD and HOLD around every power of two: the steps at, before and behind the end of each window."""
    await out_of_reset(ctx)
    lane = Lane(ctx)
    ends = sorted({0, (1 << 31) - 1, *(1 << n for n in range(31))})
    for number, end in enumerate(ends):
        step = (0, 1000, 0x7FFF_FFFF, U32)[number % 4]
        ahead = (end - 1, end, end + 1, (1 << 31) - 1, 1 << 31, -1)
        hinted = [Entry(tier=t, r=0, f=0, hint=1, access_step=step + d & U32) for d in ahead for t in range(4)]
        cfg = replace(PLAIN, step=step, evict_thresh=65535, evict_tiers=0b1111, w_s=0)
        for lookahead, hold in ((end, 0), (0, end), (end, end // 2), (end // 2, end)):
            await lane.scan(replace(cfg, lookahead=lookahead, hold=hold), hinted)


@kv_test(timeout_cycles=40_000)
async def test_random(ctx: Context) -> None:
    """Constrained random entries under random configurations; thresholds near the scores that occur."""
    await out_of_reset(ctx)
    lane = Lane(ctx)
    rng = ctx.rng

    def weight() -> int:
        return rng.choice((0, 1, 64, 255, rng.randrange(256)))

    def near(value: int) -> int:
        return max(0, min(65535, value + rng.choice((-1, 0, 1, rng.randrange(-300, 300)))))

    for _ in range(40):
        step = rng.choice((rng.getrandbits(32), rng.randrange(300), U32 - rng.randrange(300)))
        lookahead = rng.choice((0, 1, 8, 300, rng.getrandbits(31)))
        hold = rng.choice((0, 0, 9, 300, rng.getrandbits(31)))
        entries = [
            Entry(
                tier=rng.randrange(4),
                access_step=step
                + rng.choice(
                    (0, rng.randrange(-300, 300), lookahead, lookahead + 1, hold, hold + 1, rng.getrandbits(32))
                )
                & U32,
                ref_count=rng.choice((0, 0, 0, rng.randrange(256))),
                r=rng.choice((0, 1, 255, rng.randrange(256))),
                f=rng.choice((0, 1, 255, rng.randrange(256))),
                prefix=rng.randrange(2),
                hot=int(rng.random() < 0.1),
                evictable=int(rng.random() < 0.1),
                hint=int(rng.random() < 0.3),
                in_flight=int(rng.random() < 0.1),
                valid=int(rng.random() < 0.95),
                parity_ok=int(rng.random() < 0.95),
                scored=int(rng.random() < 0.05),
            )
            for _ in range(200)
        ]
        entries = [replace(e, evictable=0) if e.hot else e for e in entries]
        weights = {f"w_{name}": weight() for name in "rfsd"}
        middle = rng.randrange(sum(weights.values()) * 255 + 1)
        low, high = sorted((near(middle), near(rng.randrange(65536))))
        cfg = replace(
            PLAIN,
            step=step,
            **weights,
            evict_thresh=low,
            prefetch_thresh=high,
            r_shift=rng.randrange(8),
            age=rng.random() < 0.5,
            lookahead=lookahead,
            hold=hold,
            promote_tier=rng.randrange(4),
            evict_tiers=rng.randrange(16),
            pressure=(rng.random() < 0.5, rng.random() < 0.5, rng.random() < 0.5),
            auto_thresh=(near(middle), near(middle), near(middle)),
        )
        await lane.scan(cfg, entries)
