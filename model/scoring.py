"""HEPC scoring and decisions (device.md 4), vectorised over entries and, the same, for one entry.

Both are pure functions of the values found in the entry and of the scan's configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model.types import U16, U32, Decision

U8Array = npt.NDArray[np.uint8]
U16Array = npt.NDArray[np.uint16]
U32Array = npt.NDArray[np.uint32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ScanConfig:
    """What a scan uses, as it was at its start.

    `number` counts from 1 at reset; `pressure` and `auto_thresh` (T) are of tiers 0 to 2; `age`
    says that this scan halves F.
    """

    number: int
    start_row: int
    step: int
    w_r: int
    w_f: int
    w_s: int
    w_d: int
    evict_thresh: int
    prefetch_thresh: int
    r_shift: int
    age: bool
    lookahead: int
    promote_tier: int
    evict_tiers: int
    pressure: tuple[bool, bool, bool] = (False, False, False)
    auto_thresh: tuple[int, int, int] = (0, 0, 0)
    hold: int = 0

    @property
    def kept_ahead(self) -> int:
        """Steps ahead of its need that a hint keeps its block from eviction."""
        return max(self.lookahead, self.hold)

    def threshold(self, tier: int) -> int:
        """Least P that is safe from eviction in `tier`, 0 when the tier may not be evicted."""
        if tier == 3 or not self.evict_tiers >> tier & 1:
            return 0
        return max(self.evict_thresh, self.auto_thresh[tier] if self.pressure[tier] else 0)


class Fields(NamedTuple):
    """The fields that scoring reads, one element per entry; flags are 0 or 1."""

    tier: U8Array
    access_step: U32Array
    ref_count: U8Array
    r: U8Array
    f: U8Array
    prefix: U8Array
    hot: U8Array
    evictable: U8Array
    hint: U8Array
    in_flight: U8Array


class Scores(NamedTuple):
    """Scoring's result, one element per entry.

    `decision` holds `Decision` values; `counted` marks entries that met every eviction condition
    but the threshold (the histogram's).
    """

    prio: U16Array
    r: U8Array
    f: U8Array
    decision: U8Array
    counted: BoolArray


class Score(NamedTuple):
    """Scoring's result for one entry."""

    prio: int
    r: int
    f: int
    decision: Decision
    counted: bool


def _saturating_add(a: U16Array, b: U16Array) -> U16Array:
    # ~a is what a lacks to 65,535
    return a + np.minimum(b, ~a)


def score(cfg: ScanConfig, x: Fields) -> Scores:
    """Score entries and decide, all at once (device.md 4)."""
    diff = np.uint32(cfg.step) - x.access_step
    # the smaller of d and -d modulo 2^32 is |d| of the signed difference, 2^31 included
    dist = np.minimum(np.minimum(diff, np.negative(diff)), 255).astype(np.uint16)
    prio = np.multiply(x.r, cfg.w_r, dtype=np.uint16)
    prio = _saturating_add(prio, np.multiply(x.f, cfg.w_f, dtype=np.uint16))
    prio = _saturating_add(prio, (255 - dist) * np.uint16(cfg.w_s))
    prio = _saturating_add(prio, np.multiply(x.prefix, 255 * cfg.w_d, dtype=np.uint16))
    # all ones or all zeros per entry: several times quicker than assignment through a mask
    prio &= np.multiply(x.evictable, U16, dtype=np.uint16) ^ np.uint16(U16)
    prio |= np.multiply(x.hot, U16, dtype=np.uint16)

    loss = x.r >> np.uint8(cfg.r_shift)
    loss += loss == 0
    r: U8Array = x.r - np.minimum(x.r, loss)
    f: U8Array = x.f >> np.uint8(1) if cfg.age else x.f.copy()

    ahead = np.negative(diff)  # ACCESS_STEP - step; a negative one is above every LOOKAHEAD
    hinted = x.hint.view(np.bool_)
    needed = hinted & (ahead <= np.uint32(cfg.lookahead))
    held = hinted & (ahead <= np.uint32(cfg.kept_ahead))
    still = x.in_flight == 0
    prefetch = (x.tier > cfg.promote_tier) & still & (needed | (prio > cfg.prefetch_thresh))
    free = still & (x.ref_count == 0) & ~(prefetch | x.hot.view(np.bool_) | held)
    counted = np.zeros(len(free), np.bool_)
    evict = np.zeros(len(free), np.bool_)
    for tier in range(3):
        if cfg.evict_tiers >> tier & 1:
            leaving = free & (x.tier == tier)
            counted |= leaving
            evict |= leaving & (prio < cfg.threshold(tier))
    decision = evict.view(np.uint8) | prefetch.view(np.uint8) * np.uint8(Decision.PREFETCH)
    return Scores(prio, r, f, decision, counted)


def score_one(
    cfg: ScanConfig,
    *,
    tier: int,
    access_step: int,
    ref_count: int,
    r: int,
    f: int,
    prefix: int,
    hot: int,
    evictable: int,
    hint: int,
    in_flight: int,
) -> Score:
    """Score one entry; equal to `score` on arrays of length 1, several times quicker."""
    ahead = access_step - cfg.step & U32
    dist = min(ahead, -ahead & U32)
    if hot:
        prio = U16
    elif evictable:
        prio = 0
    else:
        prio = cfg.w_r * r + cfg.w_f * f + cfg.w_s * (255 - min(dist, 255))
        prio = min(U16, prio + (cfg.w_d * 255 if prefix else 0))
    new_r = r - max(1, r >> cfg.r_shift) if r else 0
    new_f = f >> 1 if cfg.age else f
    needed = bool(hint) and ahead <= cfg.lookahead
    if not in_flight and tier > cfg.promote_tier and (needed or prio > cfg.prefetch_thresh):
        return Score(prio, new_r, new_f, Decision.PREFETCH, False)
    held = bool(hint) and ahead <= cfg.kept_ahead
    counted = not (in_flight or ref_count or hot or held) and tier < 3 and bool(cfg.evict_tiers >> tier & 1)
    evict = counted and prio < cfg.threshold(tier)
    return Score(prio, new_r, new_f, Decision.EVICT if evict else Decision.NONE, counted)


def histogram(tier: U8Array, prio: U16Array, counted: BoolArray) -> npt.NDArray[np.int64]:
    """Counted entries by tier (0 to 2) and P[15:8]: shape (3, 256)."""
    where = np.flatnonzero(counted)
    slots = (tier[where].astype(np.intp) << 8) + (prio[where] >> 8)
    return np.bincount(slots, minlength=768).reshape(3, 256)


def auto_threshold(counts: npt.NDArray[np.int64] | None, wanted: int, prefetch_thresh: int) -> int:
    """A tier's automatic threshold T under pressure (device.md 5).

    `counts`: the tier's 256 histogram counts of the last scan, None when none has completed;
    `wanted`: N = HIGH - free - departures in flight.
    """
    if counts is None or wanted <= 0:
        return 0
    below = np.cumsum(counts)  # below[k] entries have P < 256 * (k + 1)
    first = int(np.searchsorted(below, wanted, side="left"))
    return min((first + 1) * 256, prefetch_thresh)
