"""The terms of a block's score and what a scan would decide, one entry at a time (device.md 4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sw.driver.device import Driver, Weights
from sw.driver.types import TIERS, Entry
from sw.regs import registers as regs

_MOST = 0xFFFF
_FULL = 255
_STEPS = 1 << 32


class Decision(Enum):
    """What a scan does with a block."""

    NONE = "stay"
    EVICT = "evict"
    PREFETCH = "prefetch"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a scan uses besides the entry; `auto_thresh` of tiers 0 to 2, 0 for one not under pressure."""

    step: int
    weights: Weights
    lookahead: int
    hold: int
    promote_tier: int
    evict_tiers: int
    auto_thresh: tuple[int, int, int]

    @classmethod
    async def read(cls, driver: Driver) -> Policy:
        """As the device has it now; automatic thresholds are those of the last scan."""
        plain = (regs.STEP_ADVANCE, regs.LOOKAHEAD, regs.HOLD, regs.PROMOTE_TIER, regs.EVICT_TIERS)
        step, lookahead, hold, promote, evict, *auto = await driver.registers.read_all((*plain, *regs.TIER_AUTO_THRESH))
        return cls(step, await driver.weights(), lookahead, hold, promote, evict, (auto[0], auto[1], auto[2]))

    def threshold(self, tier: int) -> int:
        """Least score that is safe from eviction in `tier`; 0 where nothing is evicted."""
        if tier == TIERS - 1 or not self.evict_tiers >> tier & 1:
            return 0
        return max(self.weights.evict_thresh, self.auto_thresh[tier])


@dataclass(frozen=True, slots=True)
class Score:
    """A score in its terms.

    Attributes:
        recency, frequency, distance, prefix: the four products of the sum.
        steps_away: |step - ACCESS_STEP|.
        priority: P that a scan gives now.
        decision: what a scan decides now, if the block is not in flight.
        reason: why, in one line.
    """

    recency: int
    frequency: int
    distance: int
    prefix: int
    steps_away: int
    priority: int
    decision: Decision
    reason: str

    @property
    def total(self) -> int:
        """Sum of the terms, before it saturates."""
        return self.recency + self.frequency + self.distance + self.prefix


def score(entry: Entry, policy: Policy) -> Score:
    """The score that a scan gives this entry now."""
    weights = policy.weights
    ahead = (entry.access_step - policy.step) % _STEPS
    away = min(ahead, _STEPS - ahead)
    terms = (
        weights.w_r * entry.r,
        weights.w_f * entry.f,
        weights.w_s * (_FULL - min(away, _FULL)),
        weights.w_d * _FULL if entry.prefix else 0,
    )
    priority = _MOST if entry.hot else 0 if entry.evictable else min(_MOST, sum(terms))
    decision, reason = _decide(entry, policy, priority, ahead if entry.hint else None)
    return Score(*terms, away, priority, decision, reason)


def _decide(entry: Entry, policy: Policy, priority: int, needed_in: int | None) -> tuple[Decision, str]:
    """The decision and its reason; `needed_in` steps modulo 2^32 the hint is due, None without one."""
    due = needed_in is not None and needed_in <= policy.lookahead
    if entry.tier > policy.promote_tier:
        if due:
            return Decision.PREFETCH, f"hinted, needed in {needed_in} steps (LOOKAHEAD {policy.lookahead})"
        if priority > policy.weights.prefetch_thresh:
            return Decision.PREFETCH, f"P {priority} > PREFETCH_THRESH {policy.weights.prefetch_thresh}"
    threshold = policy.threshold(entry.tier)
    if priority >= threshold:
        auto = entry.tier < TIERS - 1 and policy.auto_thresh[entry.tier] == threshold > 0
        name = "automatic threshold" if auto else "EVICT_THRESH"
        if not policy.evict_tiers >> entry.tier & 1 or entry.tier == TIERS - 1:
            return Decision.NONE, f"tier {entry.tier} is not in EVICT_TIERS or has no slower one"
        return Decision.NONE, f"P {priority} >= {name} {threshold}"
    if entry.ref_count:
        return Decision.NONE, f"referenced {entry.ref_count} times"
    if entry.hot:
        return Decision.NONE, "HOT"
    if needed_in is not None and needed_in <= max(policy.lookahead, policy.hold):
        name, steps = ("LOOKAHEAD", policy.lookahead) if due else ("HOLD", policy.hold)
        return Decision.NONE, f"hinted, needed in {needed_in} steps ({name} {steps})"
    return Decision.EVICT, f"P {priority} < threshold {threshold}"
