"""Two bootstraps, SciPy's and the one of `make compare` that works without it, give the same intervals."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from tb.lab.intervals import interval
from tb.results.bootstrap import of_mean


@pytest.mark.skipif(find_spec("scipy") is None, reason="SciPy is installed on request: make setup-lab")
@pytest.mark.parametrize("count", [5, 20, 200])
def test_both_bootstraps_agree(count: int) -> None:
    values = np.random.default_rng(count).gamma(2.0, 3.0, count)
    scipy, own = interval(values, 10_000, 1), of_mean(values.tolist())
    width = scipy["high"] - scipy["low"]
    assert own.value == pytest.approx(scipy["mean"])
    assert (own.low, own.high) == pytest.approx((scipy["low"], scipy["high"]), abs=0.05 * width)


def test_one_sample_and_equal_ones_have_no_spread() -> None:
    assert interval(np.array([3.0]), 100, 1) == {"mean": 3.0, "low": None, "high": None}
    assert interval(np.array([3.0, 3.0]), 100, 1) == {"mean": 3.0, "low": 3.0, "high": 3.0}
