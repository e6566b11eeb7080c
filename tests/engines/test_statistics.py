"""Ranks, intervals and summaries against values by hand."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tb.engines import statistics
from tb.lab.bounded.statistics import cv, percentile
from tb.run.errors import UsageError
from tests.engines.conftest import needs_lab


@pytest.mark.parametrize(
    ("percent", "count", "index"),
    [(99, 100, 98), (99, 200, 197), (99, 99, 98), (99, 1_000, 989), (50, 4, 1), (50, 5, 2), (95, 20, 18), (0, 7, 0),
     (100, 7, 6), (99, 1_200, 1_187), (99.9, 1_000, 998)],
)  # fmt: skip
def test_rank_is_that_of_the_contract(percent: float, count: int, index: int) -> None:
    assert statistics.rank(percent, count) == index


def test_without_scipy_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.delitem(sys.modules, "scipy.stats", raising=False)
    with pytest.raises(UsageError, match=r"SciPy is not installed .*`make setup-lab`"):
        statistics.scipy_part("stats")


@needs_lab
def test_intervals_are_over_repetitions_and_repeat() -> None:
    """Repetitions that differ in their mean only: the interval of the pooled mean is that of the five means."""
    cell = np.arange(5.0)[:, None] + np.tile(np.linspace(0, 0.1, 200), (5, 1))
    first = statistics.interval(cell, None, 7)
    assert first is not None
    assert first == statistics.interval(cell, None, 7)
    means = cell.mean(axis=1)
    drawn = np.random.default_rng(3).choice(means, (20_000, 5)).mean(axis=1)
    assert first == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.1)
    low, high = statistics.interval(cell, 99, 7) or (0.0, 0.0)
    assert low < percentile(np.sort(cell, axis=None), 99) <= high
    assert statistics.interval(cell[:1], 99, 7) is None
    assert statistics.interval(np.ones((4, 9)), 99, 7) is None


@needs_lab
def test_summary() -> None:
    cell = np.stack([np.arange(1.0, 101.0), np.arange(1.0, 101.0) + 1])
    found = statistics.summary(cell, 1)
    assert (found["tokens"], found["repetitions"], found["p99"], found["max"]) == (200, 2, 100.0, 101.0)
    assert found["cv_of_p99"] == pytest.approx(cv([99.0, 100.0]))
    assert statistics.summary(cell[:1], 1)["cv_of_p99"] is None
