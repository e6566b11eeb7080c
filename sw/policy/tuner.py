"""The self-tuning policy: which weights keep more is tried on ghost directories while the device runs.

A ghost is a small directory of keys only: it sees a sample of the lookups (one block in SAMPLE, by hash) and has as
small a share of the slots, so that its hit rate is that of the whole. One ghost is exact LRU; the others score as the
device does, each with weights of its own. The runtime follows the ghost that has kept most of late, LRU unless another
one is ahead by MARGIN. While LRU leads the runtime names the victims itself (EVICT for the least recently used blocks):
a scan's threshold is a multiple of 256 and takes all blocks below it, a prompt or two more than are needed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from model.policy import PolicyConfig, PolicyModel
from sw.policy.device import ABSENT, FAST, SLOW, Blocks

SAMPLE = 8
BATCHES = 8  # in which a ghost is turned over: so many of its slots are looked up at once
MEMORY = 6.0  # turnovers of the directory over which hits are remembered
MARGIN = 0.004
"""Share of the references by which another ghost must be ahead of LRU."""
RECENCY: Mapping[str, int] = {"w_r": 0, "w_f": 0, "w_s": 255, "w_d": 0, "f_age": 0}
CHOICES: tuple[Mapping[str, int], ...] = (
    {**RECENCY, "w_f": 255, "w_s": 32},
    {**RECENCY, "w_f": 255, "w_s": 12},
    {**RECENCY, "w_f": 255, "w_s": 4},
)
"""Weights that are tried besides LRU: one more use is worth half a turnover, 1.3, 4."""


class SelfTuner:
    """Follows the best ghost.

    Attributes:
        chosen: place in CHOICES of the weights in use, -1 for LRU.
        STEPS: steps in which the fast tier is turned over: the time scale that CHOICES are made for.
    """

    STEPS = 16

    def __init__(self, blocks: int, slots: int) -> None:
        """`blocks` numbers, `slots` of the device's fast tier."""
        self.chosen = -1
        self.switches = 0
        small = max(16, slots // SAMPLE)
        self._sampled = (
            np.arange(blocks, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)
        ) % SAMPLE == 0
        self._ghosts = [_Ghost(blocks, small, self.STEPS, choice) for choice in CHOICES]
        self._lru = _LruGhost(small)
        self._kept = np.zeros(len(CHOICES) + 1)  # hits of late: LRU's last
        self._seen = 0.0
        self._memory = MEMORY * small
        self._batch: list[int] = []
        self._batched = min(32, small // BATCHES)
        self._recency: OrderedDict[int, None] = OrderedDict()

    @property
    def exact(self) -> bool:
        """Whether the runtime names the victims itself."""
        return self.chosen < 0

    @property
    def weights(self) -> Mapping[str, Any]:
        """Registers to write."""
        return RECENCY if self.chosen < 0 else CHOICES[self.chosen]

    def observe(self, blocks: Blocks) -> bool:
        """The runtime has looked these blocks up, each once; whether the weights change."""
        for block in blocks[::-1].tolist():  # the end of a prompt leaves first
            self._recency[block] = None
            self._recency.move_to_end(block)
        self._batch += blocks[self._sampled[blocks]].tolist()
        if len(self._batch) < self._batched:
            return False
        batch, self._batch = list(dict.fromkeys(self._batch)), []
        array = np.array(batch, np.int64)
        hits = [ghost.see(array) for ghost in self._ghosts] + [self._lru.see(batch)]
        fade = max(0.0, 1 - len(batch) / self._memory)
        self._kept = self._kept * fade + hits
        self._seen = self._seen * fade + len(batch)
        return self._choose()

    def _choose(self) -> bool:
        lead = (self._kept[:-1] - self._kept[-1]) / max(1.0, self._seen)
        best = int(lead.argmax())
        stays = self.chosen >= 0 and lead[self.chosen] > MARGIN / 2 and lead[best] - lead[self.chosen] < MARGIN
        chosen = self.chosen if stays else best if lead[best] > MARGIN and self._seen > self._memory / 8 else -1
        changed, self.chosen = chosen != self.chosen, chosen
        self.switches += changed
        return changed

    def oldest(self, count: int, where: npt.NDArray[np.uint8], waiting: Blocks) -> Blocks:
        """The least recently used blocks of the fast tier, up to `count`, without those that a queued request needs."""
        victims: list[int] = []
        gone: list[int] = []
        for block in self._recency:
            if len(victims) == count:
                break
            if where[block] != FAST:
                gone.append(block)
            elif waiting[block] == 0:
                victims.append(block)
        for block in gone:
            del self._recency[block]
        return np.array(victims, np.int64)


class _LruGhost:
    """Exact LRU over keys."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._kept: OrderedDict[int, None] = OrderedDict()

    def see(self, blocks: list[int]) -> int:
        """Look blocks up and keep them; hits."""
        hits = 0
        for block in blocks:
            hits += block in self._kept
            self._kept[block] = None
            self._kept.move_to_end(block)
        while len(self._kept) > self._slots:
            self._kept.popitem(last=False)
        return hits


class _Ghost:
    """A small device at the policy level with weights of its own."""

    def __init__(self, blocks: int, slots: int, steps: int, weights: Mapping[str, int]) -> None:
        self._slots, self._steps = slots, steps
        self._placed = 0
        self._model = PolicyModel(blocks, fast=slots, slow=15 * slots, config=PolicyConfig(**weights))
        self._last = np.zeros(blocks, np.int64)

    def see(self, blocks: Blocks) -> int:
        """Look blocks up and keep them; hits."""
        model = self._model
        needed = int((model.where[blocks] != FAST).sum())
        if model.slow_free < 2 * len(blocks):
            below = np.flatnonzero(model.where == SLOW)
            model.remove(below[np.argpartition(self._last[below], self._slots)[: self._slots]])
        model.low = model.high = needed
        for _ in range(4):
            if model.free >= needed:
                break
            model.step(1 + self._placed * self._steps // self._slots)
        where = model.lookup(blocks)
        model.promote(blocks[where == SLOW])
        model.insert(blocks[where == ABSENT])
        self._placed += needed
        self._last[blocks] = self._placed
        return int((where == FAST).sum())
