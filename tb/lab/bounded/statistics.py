"""The statistics of the study: percentiles, variation, fits (experiments.md 4); intervals are `tb.lab.intervals`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def percentile(ordered: Array, p: float) -> float:
    """`ordered[ceil(p * n / 100) - 1]` of an ascending array that is not empty."""
    # p in thousandths of a percent: 99.9 * n / 100 is exact
    rank = -(-round(p * 1000) * len(ordered) // 100_000)
    return float(ordered[max(0, rank - 1)])


def cv(values: Sequence[float] | Array) -> float:
    """Sample standard deviation / mean; 0 of fewer than two values, and of a mean of 0."""
    data = np.asarray(values, np.float64)
    if data.size < 2 or not data.mean():
        return 0.0
    return float(data.std(ddof=1) / data.mean())


def r_squared(x: Sequence[float] | Array, y: Sequence[float] | Array) -> tuple[float, float, float]:
    """Least squares line: (R^2, slope, intercept); R^2 is 1 where y does not vary."""
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    slope, intercept = np.polyfit(xs, ys, 1)
    total = float(((ys - ys.mean()) ** 2).sum())
    left = float(((ys - (slope * xs + intercept)) ** 2).sum())
    return (1.0 if total == 0 else 1 - left / total), float(slope), float(intercept)
