"""Intervals of means by the bootstrap."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

LEVEL = 0.95


def interval(values: npt.NDArray[np.float64], resamples: int, seed: int) -> dict[str, Any]:
    """Mean of samples, and the ends of its interval at LEVEL by a seeded percentile bootstrap (SciPy).

    Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7(1), 1979. One sample has no
    interval (None), equal ones an interval of no width.
    """
    mean = float(values.mean())
    if len(values) < 2:
        return {"mean": mean, "low": None, "high": None}
    if np.ptp(values) == 0:
        return {"mean": mean, "low": mean, "high": mean}
    stats = import_module("scipy.stats")  # installed on request only, and slow to import
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=resamples, confidence_level=LEVEL, method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return {"mean": mean, "low": float(found.low), "high": float(found.high)}
