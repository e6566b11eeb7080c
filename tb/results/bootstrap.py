"""Intervals of means by the percentile bootstrap: seeded, so that the same samples give the same interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
SEED = 1
CONFIDENCE_PERCENT = 95.0
AT_ONCE = 4_000_000
"""Drawn numbers that are in memory at the same time."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, or a difference of two, and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval is on one side of 0."""
        return self.low > 0 or self.high < 0


def of_mean(samples: Sequence[float]) -> Interval:
    """The interval of a mean; two samples at least."""
    return _interval(float(np.mean(samples)), _means(samples, np.random.default_rng(SEED)))


def of_difference(a: Sequence[float], b: Sequence[float]) -> Interval:
    """The interval of mean(b) - mean(a), the samples drawn independently; two of each at least."""
    rng = np.random.default_rng(SEED)
    before = _means(a, rng)
    return _interval(float(np.mean(b) - np.mean(a)), _means(b, rng) - before)


def _interval(value: float, drawn: npt.NDArray[np.float64]) -> Interval:
    rest = (100 - CONFIDENCE_PERCENT) / 2
    low, high = np.percentile(drawn, (rest, 100 - rest))
    return Interval(value, float(low), float(high))


def _means(samples: Sequence[float], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The means of RESAMPLES draws with replacement."""
    values = np.asarray(samples, dtype=float)
    rows = max(1, AT_ONCE // values.size)
    parts = [
        values[rng.integers(values.size, size=(min(rows, RESAMPLES - begin), values.size))].mean(axis=1)
        for begin in range(0, RESAMPLES, rows)
    ]
    return np.concatenate(parts)
