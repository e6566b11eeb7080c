"""The memory bus that the accelerator, the device's moves and other masters share, without a step per cycle.

Masters with something to send take turns beat by beat, so that of n active ones each has 1 / n of the bus. Between two
events (an arrival, a master whose backlog is empty) rates are constant: the bus goes from event to event.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_AHEAD = 4096  # arrivals that are drawn at once
_NOTHING = 1e-9  # beats or cycles: less is rounding


@dataclass(frozen=True, slots=True)
class Load:
    """Background traffic: batches of beats at a rate, each late by at most a jitter.

    Batch i has 1 to `batch` beats and comes at (beats before it) / rate + jitter_i with 0 <= jitter_i <= `jitter`
    cycles. So in any window of t cycles no more than `depth` + rate * t beats arrive (docs/bounded.md).

    Attributes:
        percent: share of the bus, 0 to 75.
        batch: most beats of a batch.
        jitter: in cycles.
    """

    percent: int
    batch: int = 256
    jitter: int = 1024

    @property
    def rate(self) -> float:
        """Beats per cycle."""
        return self.percent / 100

    @property
    def depth(self) -> float:
        """Beats above rate * t that a window may see."""
        return self.batch + self.rate * self.jitter if self.percent else 0.0


@dataclass(frozen=True, slots=True)
class Fetch:
    """How a transfer went, in cycles: its own beats, what background and moves took from it."""

    own: int
    background: int
    moves: int

    @property
    def cycles(self) -> int:
        """From its first beat's turn to its last beat."""
        return self.own + self.background + self.moves


class Bus:
    """The bus with its background traffic, at a time that only goes forward (cycles)."""

    def __init__(self, load: Load, rng: np.random.Generator) -> None:
        """Begin at cycle 0 with nothing under way."""
        self._load = load
        self._rng = rng
        self._now = 0.0
        self._background = 0.0
        self._moves = 0.0
        self._nominal = 0.0
        self._times: list[float] = []
        self._sizes: list[float] = []
        self._next = 0

    # ------------------------------------------------------------------ background

    def _draw(self) -> None:
        """More arrivals, sorted: jitter may change the order of neighbours but reaches no further than itself."""
        load = self._load
        sizes = self._rng.integers(1, load.batch + 1, _AHEAD).astype(np.float64)
        nominal = self._nominal + np.concatenate(([0.0], np.cumsum(sizes)[:-1])) / load.rate
        self._nominal = float(nominal[-1] + sizes[-1] / load.rate)
        times = nominal + self._rng.uniform(0, load.jitter, _AHEAD)
        left = slice(self._next, None)
        times, sizes = np.append(self._times[left], times), np.append(self._sizes[left], sizes)
        order = np.argsort(times, kind="stable")
        self._times, self._sizes, self._next = times[order].tolist(), sizes[order].tolist(), 0

    def _arrival(self) -> float:
        """Time of the next background batch; those after the drawn nominal time are not final yet."""
        if not self._load.percent:
            return math.inf
        while self._next >= len(self._times) or self._times[self._next] >= self._nominal:
            self._draw()
        return self._times[self._next]

    def add_moves(self, beats: int) -> None:
        """Moves of the device put so many beats on the bus, from now on."""
        self._moves += beats

    # ------------------------------------------------------------------ time

    def pass_to(self, cycle: float) -> None:
        """Let time pass to `cycle` without a transfer of the accelerator."""
        while self._now < cycle:
            arrival = self._arrival()
            span = max(0.0, min(cycle, arrival) - self._now)
            self._now += span
            # alone the two share what there is: the smaller ends first, then the other has all
            smaller = min(self._background, self._moves, span / 2)
            rest = span - 2 * smaller
            background = smaller + min(self._background - smaller, rest)
            moves = smaller + min(self._moves - smaller, rest - (background - smaller))
            self._background = _rounded(self._background - background)
            self._moves = _rounded(self._moves - moves)
            if arrival <= cycle:
                self._take()

    def fetch(self, cycle: int, beats: int) -> Fetch:
        """The accelerator's transfer of so many beats, begun at `cycle`."""
        self.pass_to(cycle)
        left, lost_background, lost_moves = float(beats), 0.0, 0.0
        arrival = self._arrival()
        while left > _NOTHING:
            active = 1 + (self._background > 0) + (self._moves > 0)
            share = left
            if 0 < self._background < share:
                share = self._background
            if 0 < self._moves < share:
                share = self._moves
            if arrival - self._now < share * active:
                share = max(0.0, (arrival - self._now) / active)
            left -= share
            if self._background > 0:
                lost_background += share
                self._background = _rounded(self._background - share)
            if self._moves > 0:
                lost_moves += share
                self._moves = _rounded(self._moves - share)
            self._now += share * active
            if self._now >= arrival - _NOTHING:
                self._take()
                arrival = self._arrival()
        background, moves = math.ceil(lost_background - 1e-6), math.ceil(lost_moves - 1e-6)
        self.pass_to(cycle + beats + background + moves)
        return Fetch(beats, background, moves)

    def _take(self) -> None:
        self._now = max(self._now, self._times[self._next])
        self._background += self._sizes[self._next]
        self._next += 1


def _rounded(beats: float) -> float:
    """A backlog without what only rounding has left of it."""
    return beats if beats > _NOTHING else 0.0
