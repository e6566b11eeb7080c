"""The policy level of the device: the same scan and decisions on whole traces, without bytes, bus or time.

Two tiers, the fast one (tier 0, PROMOTE_TIER) and one slower; blocks are plain numbers. Scores and decisions are those
of `model.scoring`, pressure and thresholds those of device.md 5; a move ends before the next command. Whatever depends
on time is left out: moves that overlap lookups, writes that void them, limits of the DMA. A scan queues what the queue
and the places of the lanes before it take (`queued`); the slots that its evictions leave are free from the next step on
(the fence). Hinted blocks move up in the order of their numbers, not of the scan; this differs when slots are short.

R and F of blocks in the slower tier are brought up to date when they are needed: with PREFETCH_THRESH at its reset
value nothing reads them in between, below it every scan does. A scan with more than QUEUE_DEPTH decisions is counted
(`overflows`): how many of them its queue takes depends on how fast the DMA empties it, which this level does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model.scoring import Fields, ScanConfig, auto_threshold, histogram, score
from model.types import LANE_WAIT_DEPTH, QUEUE_DEPTH, U16, U32, Decision

Blocks = npt.NDArray[np.int64]
FAST, SLOW, ABSENT = 0, 1, 2
LANES = 16
_KEPT = ("access_step", "r", "f", "prefix", "hot", "evictable", "hint")
"""Fields that go with a block from tier to tier."""
_TYPES: dict[str, type[np.unsignedinteger]] = {"access_step": np.uint32}


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """Registers that decide what stays: device.md 4, 5 and 7. The defaults are those of a reset."""

    w_r: int = 64
    w_f: int = 64
    w_s: int = 64
    w_d: int = 64
    evict_thresh: int = 0
    r_shift: int = 3
    f_age: int = 0
    prefetch_thresh: int = U16
    lookahead: int = 1
    hold: int = 0
    queued: int = QUEUE_DEPTH + LANE_WAIT_DEPTH * LANES


class PolicyModel:
    """One device at the policy level.

    Attributes:
        config: its registers; may be replaced at any time (R_SHIFT before the first step only).
        where: tier of each block, ABSENT for those that are not in the directory.
        brought: of each block: a prefetch brought it to the fast tier after its last use.
        evictions, promotions: blocks moved down, up.
        low, high: watermarks of the fast tier.
        reserve: its free slots that moves leave to INSERT.
        overflows: scans with more decisions than the evict queue takes for certain.
    """

    def __init__(
        self, blocks: int, *, fast: int, slow: int, config: PolicyConfig | None = None, reserve: int = 0
    ) -> None:
        """`blocks` numbers, tiers of `fast` and `slow` slots."""
        self.config = config or PolicyConfig()
        self.reserve = reserve
        self.overflows = 0
        self.where = np.full(blocks, ABSENT, np.uint8)
        self.brought = np.zeros(blocks, np.bool_)
        self.evictions = self.promotions = 0
        self._slow_free = slow
        self._slot = np.full(blocks, -1, np.int64)
        self._block = np.full(fast, -1, np.int64)
        self._fast = {name: np.zeros(fast, _TYPES.get(name, np.uint8)) for name in (*_KEPT, "tier", "ref_count")}
        self._empty = np.ones(fast, np.uint8)  # as `in_flight`: an empty slot is never decided on
        self._kept = {name: np.zeros(blocks, _TYPES.get(name, np.uint8)) for name in _KEPT}
        self._kept_scan = np.zeros(blocks, np.int64)
        self._kept_age = np.zeros(blocks, np.int64)
        self._free = list(range(fast - 1, -1, -1))
        self._held: list[int] = []
        self._step = self._scan = self._ages = 0
        self._pressure = False
        self._histogram: npt.NDArray[np.int64] | None = None
        self._decay = decay_table(self.config.r_shift)
        self.low = self.high = 0
        self._hinted: set[int] = set()  # of the slower tier
        self._refs = np.zeros(blocks, np.uint8)

    @property
    def free(self) -> int:
        """Free slots of the fast tier."""
        return len(self._free)

    @property
    def slow_free(self) -> int:
        """Free slots of the slower tier."""
        return self._slow_free

    @property
    def moves(self) -> int:
        """Blocks moved down and up."""
        return self.evictions + self.promotions

    # ------------------------------------------------------------------ steps

    def step(self, step: int) -> None:
        """STEP_ADVANCE: the fence, and one whole scan with its moves."""
        self._step = step
        self._free += self._held
        self._held = []
        self._scan += 1
        c = self.config
        aged = c.f_age > 0 and self._scan % (1 << c.f_age) == 0
        cfg = self._begin(aged)
        fields = Fields(in_flight=self._empty, **self._fast)
        result = score(cfg, fields)
        rising = self._above_threshold(cfg)
        self._histogram = histogram(fields.tier, result.prio, result.counted)[0]
        self._fast["r"][:] = result.r
        self._fast["f"][:] = result.f
        self._ages += aged
        chosen = np.flatnonzero(result.decision == Decision.EVICT)
        self.overflows += chosen.size > QUEUE_DEPTH
        if chosen.size > c.queued:
            first = (self._scan - 1) * (len(self._block) // 8) % len(self._block)
            chosen = np.roll(chosen, -int(np.searchsorted(chosen, first)))[: c.queued]
        self._evict(self._block[chosen])
        self._bring_hinted()
        self._rise(rising[self.where[rising] == SLOW])

    def _begin(self, aged: bool) -> ScanConfig:
        """Pressure and thresholds, as at a scan's start."""
        c, free = self.config, self.free
        self._pressure = free < self.low or (self._pressure and free < max(self.low, self.high))
        threshold = auto_threshold(self._histogram, self.high - free, c.prefetch_thresh) if self._pressure else 0
        return self._scan_config(self._step, aged=aged, pressure=self._pressure, threshold=threshold)

    def _scan_config(self, step: int, *, aged: bool = False, pressure: bool = False, threshold: int = 0) -> ScanConfig:
        c = self.config
        return ScanConfig(
            number=self._scan, start_row=0, step=step & U32, w_r=c.w_r, w_f=c.w_f, w_s=c.w_s, w_d=c.w_d,
            evict_thresh=c.evict_thresh, prefetch_thresh=c.prefetch_thresh, r_shift=c.r_shift, age=aged,
            lookahead=c.lookahead, promote_tier=FAST, evict_tiers=1 << FAST, pressure=(pressure, False, False),
            auto_thresh=(threshold, 0, 0), hold=c.hold,
        )  # fmt: skip

    def _above_threshold(self, cfg: ScanConfig) -> Blocks:
        """Blocks of the slower tier that PREFETCH_THRESH brings up: P as at this scan's start."""
        if cfg.prefetch_thresh == U16:
            return np.zeros(0, np.int64)
        below = np.flatnonzero(self.where == SLOW)
        self._catch_up(below, before=1)
        kept = {name: self._kept[name][below] for name in _KEPT}
        none = np.zeros(len(below), np.uint8)
        fields = Fields(tier=none + np.uint8(SLOW), ref_count=none, in_flight=none, **kept)
        return below[score(cfg, fields).prio > cfg.prefetch_thresh]

    def scored(self, step: int) -> tuple[Blocks, npt.NDArray[np.uint16]]:
        """Blocks that a scan in `step` may evict, and the scores that it would give them."""
        result = score(self._scan_config(step), Fields(in_flight=self._empty, **self._fast))
        slots = np.flatnonzero(result.counted)
        return self._block[slots], result.prio[slots]

    def _bring_hinted(self) -> None:
        """Blocks of the slower tier whose hint falls into LOOKAHEAD move up while there are slots."""
        if self._hinted:
            blocks = np.array(sorted(self._hinted), np.int64)
            blocks = blocks[(self.where[blocks] == SLOW) & (self._kept["hint"][blocks] == 1)]
            self._hinted = set(blocks.tolist())
            self._bring(blocks)

    def _bring(self, blocks: Blocks) -> None:
        ahead = self._kept["access_step"][blocks] - np.uint32(self._step & U32)
        self._rise(blocks[ahead <= self.config.lookahead])

    def _rise(self, blocks: Blocks) -> None:
        """A prefetch moves blocks up while there are slots above the reserve."""
        due = blocks[: max(0, self.free - self.reserve)]
        self.brought[due] = True
        self._move_up(due)

    # ------------------------------------------------------------------ blocks

    def lookup(self, blocks: Blocks) -> npt.NDArray[np.uint8]:
        """Read lookups: the tier of each block, ABSENT for a miss. No block twice in one call."""
        where = self.where[blocks]
        slots = self._slot[blocks[where == FAST]]
        self._touch(self._fast, slots)
        below = blocks[where == SLOW]
        self._catch_up(below)
        self._touch(self._kept, below)
        self.brought[blocks] = False
        return where

    def _touch(self, fields: dict[str, npt.NDArray[np.unsignedinteger]], at: Blocks) -> None:
        fields["access_step"][at] = self._step
        fields["r"][at] = 255
        fields["f"][at] += fields["f"][at] < 255
        fields["hint"][at] = 0
        fields["evictable"][at] = 0

    def insert(self, blocks: Blocks) -> None:
        """INSERT blocks that are absent: into the fast tier while it has slots, the others into the slower one.

        What finds no slot in either stays absent.
        """
        for name, value in (("access_step", self._step), ("r", 255), ("f", 1)):
            self._kept[name][blocks] = value
        for name in ("prefix", "hot", "evictable", "hint"):
            self._kept[name][blocks] = 0
        self.brought[blocks] = False
        self._refs[blocks] = 0
        self._kept_scan[blocks], self._kept_age[blocks] = self._scan, self._ages
        up, down = blocks[: self.free], blocks[self.free :][: self._slow_free]
        self._place(up)
        self.where[down] = SLOW
        self._slow_free -= len(down)

    def promote(self, blocks: Blocks) -> None:
        """Demand moves of blocks of the slower tier to the fast one, while there are slots above the reserve."""
        self._move_up(blocks[: max(0, self.free - self.reserve)])

    def remove(self, blocks: Blocks) -> None:
        """REMOVE blocks that are there and not referenced: their slots are free at once."""
        up = self._slot[blocks[self.where[blocks] == FAST]]
        self._slow_free += len(blocks) - len(up)
        self._empty[up] = 1
        self._block[up] = -1
        self._free += up.tolist()
        self._slot[blocks] = -1
        self.where[blocks] = ABSENT

    def _move_up(self, blocks: Blocks) -> None:
        self._catch_up(blocks)
        self._place(blocks)
        self._slow_free += len(blocks)
        self.promotions += len(blocks)

    def _place(self, blocks: Blocks) -> None:
        slots = np.array([self._free.pop() for _ in range(len(blocks))], np.int64)
        for name in _KEPT:
            self._fast[name][slots] = self._kept[name][blocks]
        self._fast["ref_count"][slots] = self._refs[blocks]
        self._block[slots], self._slot[blocks] = blocks, slots
        self._empty[slots] = 0
        self.where[blocks] = FAST

    def _evict(self, blocks: Blocks) -> None:
        blocks = blocks[: self._slow_free]
        slots = self._slot[blocks]
        for name in _KEPT:
            self._kept[name][blocks] = self._fast[name][slots]
        self._hinted.update(blocks[self._kept["hint"][blocks] == 1].tolist())
        self._kept_scan[blocks], self._kept_age[blocks] = self._scan, self._ages
        self._empty[slots] = 1
        self._fast["ref_count"][slots] = 0
        self._block[slots], self._slot[blocks] = -1, -1
        self._held += slots.tolist()
        self.where[blocks] = SLOW
        self.brought[blocks] = False
        self._slow_free -= len(blocks)
        self.evictions += len(blocks)

    def _catch_up(self, blocks: Blocks, before: int = 0) -> None:
        """What the scans since have done to blocks of the slower tier, without the last `before` of them."""
        passed = np.minimum(self._scan - before - self._kept_scan[blocks], 255)
        self._kept["r"][blocks] = self._decay[self._kept["r"][blocks], passed]
        halved = np.minimum(self._ages - self._kept_age[blocks], 8).astype(np.uint8)
        self._kept["f"][blocks] = self._kept["f"][blocks] >> halved
        self._kept_scan[blocks], self._kept_age[blocks] = self._scan - before, self._ages

    # ------------------------------------------------------------------ hints

    def hot(self, blocks: Blocks) -> None:
        """BOOST."""
        self._set(blocks, hot=1, evictable=0)

    def cool(self, blocks: Blocks) -> None:
        """COOL."""
        self._set(blocks, hot=0, evictable=0)

    def evict(self, blocks: Blocks) -> None:
        """IMEVICT: what is in the fast tier and not referenced leaves at once."""
        self._set(blocks, hot=0, evictable=1, hint=0)
        self._evict(blocks[(self.where[blocks] == FAST) & (self._refs[blocks] == 0)])

    def hint(self, blocks: Blocks, step: int) -> None:
        """PREFETCH: needed at `step`; within LOOKAHEAD a block of the slower tier moves up at once."""
        self._set(blocks, hint=1, evictable=0, access_step=step & U32)
        below = blocks[self.where[blocks] == SLOW]
        self._hinted.update(below.tolist())
        self._bring(below)

    def share(self, blocks: Blocks) -> None:
        """SHARE: REF_COUNT + 1, and PREFIX, which stays."""
        self._set(blocks, prefix=1)
        self._refer(blocks, np.minimum(self._refs[blocks], 254) + np.uint8(1))

    def release(self, blocks: Blocks) -> None:
        """RELEASE: REF_COUNT - 1, not below 0."""
        self._refer(blocks, np.maximum(self._refs[blocks], 1) - np.uint8(1))

    def _refer(self, blocks: Blocks, count: npt.NDArray[np.uint8]) -> None:
        there = self.where[blocks] != ABSENT
        blocks, count = blocks[there], count[there]
        self._refs[blocks] = count
        up = self.where[blocks] == FAST
        self._fast["ref_count"][self._slot[blocks[up]]] = count[up]

    def _set(self, blocks: Blocks, **values: int) -> None:
        where = self.where[blocks]
        slots, below = self._slot[blocks[where == FAST]], blocks[where == SLOW]
        for name, value in values.items():
            self._fast[name][slots] = value
            self._kept[name][below] = value

    def configure(self, **fields: int) -> None:
        """Write registers."""
        self.config = replace(self.config, **fields)
        self._decay = decay_table(self.config.r_shift)


def decay_table(r_shift: int) -> npt.NDArray[np.uint8]:
    """R after so many scans, by R and scans (0 to 255 each), shape (256, 256)."""
    table = np.zeros((256, 256), np.uint8)
    r = np.arange(256)
    for scans in range(256):
        table[:, scans] = r
        r = np.where(r > 0, r - np.maximum(1, r >> r_shift), 0)
    return table
