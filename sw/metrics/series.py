"""What the report page draws over time: a bounded number of observations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sw.metrics.state import State

MAX_SAMPLES = 4096


@dataclass(frozen=True, slots=True)
class Sample:
    """One observation.

    Attributes:
        state: of the stack.
        tokens_out: tokens produced so far.
        misses: deadline misses so far.
        p95_ns: 95th percentile of the latencies so far; None before the first.
    """

    state: State
    tokens_out: int
    misses: int
    p95_ns: int | None


class Series:
    """Observations in order of time. When there are too many, every second one goes and twice as few come in."""

    def __init__(self) -> None:
        """No observation."""
        self._kept: list[Sample] = []
        self._last: Sample | None = None
        self._stride = 1
        self._count = 0

    def add(self, state: State, tokens_out: int, misses: int, p95_ns: int | None) -> None:
        """One more observation; the last one is always there."""
        self._last = Sample(state, tokens_out, misses, p95_ns)
        if self._count % self._stride == 0:
            if len(self._kept) == MAX_SAMPLES:
                del self._kept[1::2]
                self._stride *= 2
            if self._count % self._stride == 0:
                self._kept.append(self._last)
        self._count += 1

    def samples(self) -> list[Sample]:
        """The observations that are kept."""
        tail = [self._last] if self._last is not None and (not self._kept or self._kept[-1] is not self._last) else []
        return self._kept + tail

    def columns(self) -> dict[str, Any]:
        """Columns of equal length by name."""
        samples = self.samples()
        return {
            "now_ns": [sample.state.now_ns for sample in samples],
            "queued": [list(sample.state.queued) for sample in samples],
            "running": [sample.state.running for sample in samples],
            "tokens_out": [sample.tokens_out for sample in samples],
            "deadline_misses": [sample.misses for sample in samples],
            "infer_p95_us": [None if sample.p95_ns is None else sample.p95_ns / 1000 for sample in samples],
            "occupied": [[tier.slots - tier.free for tier in sample.state.tiers] for sample in samples],
            "migrations": [sample.state.migrations for sample in samples],
        }
