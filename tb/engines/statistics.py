"""Statistics of repeated measurements. A cell is an array (repetitions, samples): what varies is the repetition.

Percentiles, CV and lines are those of the laboratory (`tb.lab.bounded.statistics`).
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb.lab.bounded.statistics import cv, percentile
from tb.run.errors import UsageError

Samples = NDArray[np.float64]
PERCENTS = (50.0, 95.0, 99.0)
RESAMPLES = 10_000
BATCH_VALUES = 2_000_000  # samples that a batch of resamples may hold


def rank(percent: float, count: int) -> int:
    """Index of a percentile in `count` sorted samples: ceil(percent * count / 100) - 1."""
    return max(0, math.ceil(round(percent * count / 100, 9)) - 1)


def scipy_part(name: str) -> Any:
    """A module of SciPy, such as `stats`. Raises UsageError where it is not installed."""
    try:
        return import_module(f"scipy.{name}")  # installed on request only
    except ImportError as error:
        raise UsageError(f"SciPy is not installed ({error}): `make setup-lab`") from None


def interval(cell: Samples, percent: float | None, seed: int) -> tuple[float, float] | None:
    """95 % bootstrap interval of a percentile (None: of the mean) of all samples, over the repetitions.

    Whole repetitions are drawn again, with replacement, RESAMPLES times; samples of one repetition are not independent.
    None with fewer than two repetitions, or when they do not differ. Raises UsageError without SciPy.
    """
    repetitions, samples = cell.shape
    if repetitions < 2:
        return None
    place = rank(percent, cell.size) if percent is not None else None

    def statistic(drawn: NDArray[np.int64], axis: int) -> Samples:
        pooled = cell[np.moveaxis(drawn, axis, -1)].reshape((*np.moveaxis(drawn, axis, -1).shape[:-1], -1))
        if place is None:
            return np.asarray(pooled.mean(axis=-1))
        return np.asarray(np.partition(pooled, place, axis=-1)[..., place])

    if np.ptp(cell.mean(axis=1)) == 0.0 and np.ptp(cell) == 0.0:
        return None
    found = (
        scipy_part("stats")
        .bootstrap(
            (np.arange(repetitions),),
            statistic,
            n_resamples=RESAMPLES,
            batch=max(1, BATCH_VALUES // (repetitions * samples)),
            method="percentile",
            vectorized=True,
            axis=-1,
            rng=np.random.default_rng(seed),
        )
        .confidence_interval
    )
    return float(found.low), float(found.high)


def summary(cell: Samples, seed: int) -> dict[str, Any]:
    """Mean, percentiles, maximum, CV of a cell, and how its p99 and maximum vary from repetition to repetition.

    Args:
        cell: (repetitions, samples), in any unit.
        seed: of the bootstrap.

    Raises:
        UsageError: SciPy is not installed.
    """
    each = np.array([percentile(np.sort(row), 99.0) for row in cell])
    ordered = np.sort(cell, axis=None)
    largest = cell.max(axis=1)
    several = len(cell) > 1
    return {
        "tokens": cell.size,
        "repetitions": len(cell),
        "mean": float(cell.mean()),
        "min": float(cell.min()),
        **{f"p{percent:g}": percentile(ordered, percent) for percent in PERCENTS},
        "max": float(cell.max()),
        "cv": cv(cell.reshape(-1)),
        "mean_interval": interval(cell, None, seed),
        "p99_interval": interval(cell, 99.0, seed),
        "max_interval": interval(cell, 100.0, seed),
        "p99_each_samples": each.tolist(),
        "cv_of_p99": cv(each) if several else None,
        "cv_of_max": cv(largest) if several else None,
    }
