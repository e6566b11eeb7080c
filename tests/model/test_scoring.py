"""device.md 4: score, decay and decisions, at their boundaries."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.scoring import Fields, ScanConfig, histogram, score, score_one
from model.types import Decision

CONFIG = ScanConfig(
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
ENTRY = {
    "tier": 1,
    "access_step": 1000,
    "ref_count": 0,
    "r": 0,
    "f": 0,
    "prefix": 0,
    "hot": 0,
    "evictable": 0,
    "hint": 0,
    "in_flight": 0,
}
EVICT = replace(CONFIG, evict_thresh=65535)


def plain(cfg: ScanConfig, x: dict[str, int]) -> tuple[int, int, int, Decision, bool]:
    """The page's formulas with unbounded integers, nothing else."""
    diff = (cfg.step - x["access_step"]) & 0xFFFFFFFF
    signed = diff - (1 << 32) if diff >> 31 else diff
    s = 255 - min(abs(signed), 255)
    d = 255 if x["prefix"] else 0
    p = min(65535, cfg.w_r * x["r"] + cfg.w_f * x["f"] + cfg.w_s * s + cfg.w_d * d)
    p = 65535 if x["hot"] else 0 if x["evictable"] else p
    r = x["r"] - max(1, x["r"] >> cfg.r_shift) if x["r"] > 0 else 0
    f = x["f"] >> 1 if cfg.age else x["f"]
    coming = bool(x["hint"]) and -(1 << 31) < signed <= 0  # 2^31 ahead is 2^31 behind as well
    window = coming and -signed <= cfg.lookahead
    held = coming and -signed <= max(cfg.lookahead, cfg.hold)
    if x["in_flight"]:
        return p, r, f, Decision.NONE, False
    if x["tier"] > cfg.promote_tier and (p > cfg.prefetch_thresh or window):
        return p, r, f, Decision.PREFETCH, False
    listed = cfg.evict_tiers >> x["tier"] & 1 and x["tier"] < 3
    counted = bool(listed and not (x["ref_count"] or x["hot"] or held))
    auto = x["tier"] < 3 and cfg.pressure[x["tier"]] and p < cfg.auto_thresh[x["tier"]]
    evict = counted and (p < cfg.evict_thresh or auto)
    return p, r, f, Decision.EVICT if evict else Decision.NONE, counted


def arrays(entries: list[dict[str, int]]) -> Fields:
    kinds = {"access_step": np.uint32}
    return Fields(*(np.array([e[name] for e in entries], kinds.get(name, np.uint8)) for name in Fields._fields))


def one(cfg: ScanConfig = CONFIG, **changes: int) -> tuple[int, int, int, Decision, bool]:
    """Score one entry both ways; they must agree."""
    entry = ENTRY | changes
    single = score_one(cfg, **entry)
    many = score(cfg, arrays([entry] * 3))
    for column, value in zip(many, single, strict=True):
        assert column.tolist() == [value] * 3
    assert tuple(single) == plain(cfg, entry)
    return tuple(single)


byte = st.integers(0, 255)
flag = st.integers(0, 1)
steps = st.integers(0, (1 << 32) - 1) | st.sampled_from([0, 1, (1 << 31) - 1, 1 << 31])


@st.composite
def configs(draw: st.DrawFn) -> ScanConfig:
    low, high = sorted((draw(st.integers(0, 65535)), draw(st.integers(0, 65535))))
    return ScanConfig(
        1,
        0,
        draw(steps),
        *(draw(byte) for _ in range(4)),
        low,
        high,
        draw(st.integers(0, 7)),
        draw(st.booleans()),
        draw(st.sampled_from([0, 1, 5, (1 << 31) - 1])),
        draw(st.integers(0, 3)),
        draw(st.integers(0, 15)),
        tuple(draw(st.booleans()) for _ in range(3)),
        tuple(draw(st.integers(0, 65535)) for _ in range(3)),
    )


@st.composite
def entries(draw: st.DrawFn, cfg: ScanConfig) -> dict[str, int]:
    near = draw(st.integers(-300, 300) | st.sampled_from([1 << 31, (1 << 31) + 1]))
    hot = draw(flag)
    return {
        "tier": draw(st.integers(0, 3)),
        "access_step": draw(st.sampled_from([(cfg.step + near) & 0xFFFFFFFF, draw(steps)])),
        "ref_count": draw(st.sampled_from([0, 0, 1, 255])),
        "r": draw(byte),
        "f": draw(byte),
        "prefix": draw(flag),
        "hot": hot,
        "evictable": 0 if hot else draw(flag),
        "hint": draw(flag),
        "in_flight": draw(st.sampled_from([0, 0, 0, 1])),
    }


@given(st.data())
def test_vectorised_and_single_scoring_follow_the_formulas(data: st.DataObject) -> None:
    cfg = data.draw(configs())
    found = [data.draw(entries(cfg)) for _ in range(8)]
    many = score(cfg, arrays(found))
    for n, entry in enumerate(found):
        want = plain(cfg, entry)
        assert tuple(score_one(cfg, **entry)) == want
        assert tuple(column[n].item() for column in many) == want


def test_vectorised_scoring_on_every_r_and_f() -> None:
    found = [ENTRY | {"r": r, "f": f} for r in range(256) for f in range(256)]
    many = score(replace(CONFIG, w_r=255, w_f=201, w_s=3), arrays(found))
    want = np.minimum(65535, np.add.outer(255 * np.arange(256), 201 * np.arange(256)) + 3 * 255)
    assert (many.prio == want.ravel()).all()


def test_the_sum_saturates_and_does_not_wrap() -> None:
    """The hazard: modulo 2^16 the hottest block would be colder than a lukewarm one."""
    hottest = {"r": 255, "f": 255, "prefix": 1}
    cfg = replace(CONFIG, w_r=255, w_f=255, w_s=255, w_d=255)
    total = 4 * 255 * 255
    assert total == 260_100
    lukewarm = one(cfg, r=1, f=1, access_step=900)[0]
    assert one(cfg, **hottest)[0] == 65535
    assert total % 65536 < 65536 * 0.97 < 65535  # what the published arithmetic would give
    barely = {"r": 255, "f": 3, "access_step": 1000 - 253}  # 65,025 + 765 + 510 = 66,300
    assert (255 * 255 + 255 * 3 + 255 * 2) % 65536 == 764 < lukewarm
    assert one(cfg, **barely)[0] == 65535 > lukewarm
    evicting = replace(cfg, evict_thresh=1000)
    assert one(evicting, **barely)[3] == Decision.NONE  # modulo 2^16 it would be evicted
    assert evicting.evict_thresh > 764


def test_the_sum_just_below_at_and_above_the_limit() -> None:
    cfg = replace(CONFIG, w_r=255, w_f=1, w_s=1, w_d=1)
    assert one(cfg, r=255, f=255, access_step=0, prefix=1)[0] == 65535  # 65,025 + 255 + 255
    assert one(cfg, r=255, f=254, access_step=0, prefix=1)[0] == 65534
    assert one(cfg, r=255, f=255, access_step=999, prefix=1)[0] == 65535  # 65,789


@pytest.mark.parametrize(
    ("away", "s"),
    [(0, 255), (1, 254), (254, 1), (255, 0), (256, 0), ((1 << 31) - 1, 0), (1 << 31, 0)],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_distance_of_steps_is_signed_and_wraps(away: int, s: int, sign: int) -> None:
    cfg = replace(CONFIG, w_s=1)
    for step in (1000, 5, (1 << 32) - 3):
        changed = replace(cfg, step=step)
        assert one(changed, access_step=(step + sign * away) % (1 << 32))[0] == s


def test_prefix_adds_w_d_times_255() -> None:
    assert one(replace(CONFIG, w_s=0, w_d=7), prefix=1)[0] == 7 * 255
    assert one(replace(CONFIG, w_s=0, w_d=7), prefix=0)[0] == 0


def test_hot_is_65535_and_evictable_is_0() -> None:
    assert one(replace(CONFIG, w_r=0, w_s=0), hot=1)[0] == 65535
    assert one(evictable=1, r=255, f=255, prefix=1)[0] == 0


@pytest.mark.parametrize("shift", range(8))
def test_r_decays_by_at_least_one_and_stops_at_zero(shift: int) -> None:
    cfg = replace(CONFIG, r_shift=shift)
    for r in range(256):
        assert one(cfg, r=r)[1] == (r - max(1, r >> shift) if r else 0)


def test_p_uses_r_and_f_from_before_decay_and_ageing() -> None:
    cfg = replace(CONFIG, w_r=1, w_f=1, w_s=0, age=True, r_shift=0)
    assert one(cfg, r=200, f=101)[:3] == (301, 0, 50)


def test_f_halves_only_in_an_ageing_scan() -> None:
    assert one(f=255)[2] == 255
    assert one(replace(CONFIG, age=True), f=255)[2] == 127
    assert one(replace(CONFIG, age=True), f=1)[2] == 0


def test_prefetch_needs_more_than_the_threshold() -> None:
    cfg = replace(CONFIG, w_r=1, w_s=0, prefetch_thresh=100)
    assert one(cfg, tier=2, r=100)[3] == Decision.NONE
    assert one(cfg, tier=2, r=101)[3] == Decision.PREFETCH
    assert one(replace(cfg, prefetch_thresh=65535), tier=2, hot=1)[3] == Decision.NONE
    assert one(replace(cfg, prefetch_thresh=65534), tier=2, hot=1)[3] == Decision.PREFETCH


@pytest.mark.parametrize("promote", range(4))
@pytest.mark.parametrize("tier", range(4))
def test_prefetch_only_from_tiers_slower_than_promote_tier(promote: int, tier: int) -> None:
    cfg = replace(CONFIG, prefetch_thresh=0, promote_tier=promote, evict_tiers=0)
    decision = one(cfg, tier=tier)[3]
    assert decision == (Decision.PREFETCH if tier > promote else Decision.NONE)


@pytest.mark.parametrize(
    ("ahead", "wanted"),
    [(-1, False), (0, True), (1, True), (3, True), (4, False), (1 << 31, False)],
)
def test_a_hint_counts_from_now_to_lookahead(ahead: int, wanted: bool) -> None:
    cfg = replace(CONFIG, lookahead=3)
    for step in (1000, (1 << 32) - 2):
        there = (step + ahead) % (1 << 32)
        now = replace(cfg, step=step)
        decision = one(now, tier=2, hint=1, access_step=there)[3]
        assert decision == (Decision.PREFETCH if wanted else Decision.NONE)
        assert one(now, tier=2, hint=0, access_step=there)[3] == Decision.NONE


def test_the_largest_lookahead_reaches_half_the_steps() -> None:
    cfg = replace(CONFIG, lookahead=(1 << 31) - 1)
    far = (1000 + (1 << 31) - 1) % (1 << 32)
    assert one(cfg, tier=2, hint=1, access_step=far)[3] == Decision.PREFETCH
    assert one(cfg, tier=2, hint=1, access_step=far + 1)[3] == Decision.NONE


def test_a_hinted_block_is_prefetched_whatever_its_p() -> None:
    assert one(tier=3, hint=1, evictable=0, access_step=1001)[3] == Decision.PREFETCH


def test_eviction_needs_less_than_the_threshold() -> None:
    cfg = replace(CONFIG, w_r=1, w_s=0, evict_thresh=100)
    assert one(cfg, r=99)[3] == Decision.EVICT
    assert one(cfg, r=100)[3] == Decision.NONE
    assert one(replace(cfg, evict_thresh=0), evictable=1)[3] == Decision.NONE  # 0 < 0 is false


@pytest.mark.parametrize(
    "kept",
    [
        {"ref_count": 1},
        {"hot": 1},
        {"hint": 1, "access_step": 1000},
        {"hint": 1, "access_step": 1001},
        {"in_flight": 1},
        {"tier": 0},
        {"tier": 2},
        {"tier": 3},
    ],
)
def test_what_keeps_a_block_from_eviction(kept: dict[str, int]) -> None:
    cfg = replace(EVICT, w_s=0)
    assert one(cfg)[3] == Decision.EVICT
    *_, decision, counted = one(cfg, **kept)
    assert decision != Decision.EVICT
    assert not counted


def test_a_hint_beyond_lookahead_keeps_nothing() -> None:
    assert one(EVICT, hint=1, access_step=1002)[3] == Decision.EVICT
    assert one(EVICT, hint=1, access_step=999)[3] == Decision.EVICT


@pytest.mark.parametrize(
    ("lookahead", "hold", "ahead", "kept"),
    [
        (1, 0, 1, True),
        (1, 0, 2, False),
        (1, 7, 0, True),
        (1, 7, 7, True),
        (1, 7, 8, False),
        (9, 7, 9, True),
        (9, 7, 10, False),
        (1, 7, -1, False),
        (0, (1 << 31) - 1, (1 << 31) - 1, True),
        (0, (1 << 31) - 1, 1 << 31, False),
        (0, 1 << 30, 1 << 30, True),
        (0, 1 << 30, (1 << 30) + 1, False),
    ],
)
def test_hold_keeps_a_hinted_block_from_eviction_and_fetches_nothing(
    lookahead: int, hold: int, ahead: int, kept: bool
) -> None:
    for step in (1000, (1 << 32) - 2):
        cfg = replace(EVICT, w_s=0, lookahead=lookahead, hold=hold, step=step)
        there = (step + ahead) % (1 << 32)
        *_, decision, counted = one(cfg, hint=1, access_step=there)
        assert decision == (Decision.NONE if kept else Decision.EVICT)
        assert counted != kept
        assert one(cfg, hint=0, access_step=there)[3] == Decision.EVICT
        fetched = one(replace(cfg, evict_thresh=0), tier=2, hint=1, access_step=there)[3] == Decision.PREFETCH
        assert fetched == (0 <= ahead <= lookahead)


def test_tier_3_is_never_evicted() -> None:
    assert one(replace(EVICT, evict_tiers=15, promote_tier=3), tier=3)[3:] == (0, False)


def test_prefetch_comes_before_eviction() -> None:
    cfg = replace(EVICT, evict_tiers=15, prefetch_thresh=0, w_s=1)
    *_, decision, counted = one(cfg, tier=2)
    assert decision == Decision.PREFETCH
    assert not counted


def test_automatic_threshold_acts_under_pressure_of_the_own_tier_only() -> None:
    cfg = replace(CONFIG, evict_tiers=7, promote_tier=3, w_s=0, w_r=1, auto_thresh=(0, 50, 50))
    assert one(cfg, tier=1, r=10)[3] == Decision.NONE
    cfg = replace(cfg, pressure=(False, True, False))
    assert one(cfg, tier=1, r=49)[3] == Decision.EVICT
    assert one(cfg, tier=1, r=50)[3] == Decision.NONE
    assert one(cfg, tier=2, r=10)[3] == Decision.NONE


def test_the_histogram_counts_by_tier_and_upper_byte_of_p() -> None:
    tier = np.array([0, 1, 1, 2, 3, 1], np.uint8)
    prio = np.array([0, 255, 256, 65535, 7, 300], np.uint16)
    counts = histogram(tier, prio, np.array([1, 1, 1, 1, 0, 0], np.bool_))
    assert counts.shape == (3, 256)
    assert counts.sum() == 4
    assert counts[0, 0] == counts[1, 0] == counts[1, 1] == counts[2, 255] == 1
