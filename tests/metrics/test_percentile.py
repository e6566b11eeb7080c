"""sorted[ceil(p * n / 100) - 1], everywhere."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.kernel.statistics import Histogram
from sw.metrics.percentile import percentile


@pytest.mark.parametrize(
    ("p", "values", "expected"),
    [
        (50, [7], 7),
        (1, [1, 2, 3], 1),
        (50, [1, 2], 1),
        (51, [1, 2], 2),
        (50, [1, 2, 3], 2),
        (95, list(range(1, 21)), 19),
        (96, list(range(1, 21)), 20),
        (99, list(range(1, 101)), 99),
        (99, list(range(1, 102)), 100),
        (100, [1, 2, 3], 3),
    ],
)
def test_examples(p: int, values: list[int], expected: int) -> None:
    assert percentile(values, p) == expected


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 100), st.lists(st.integers(-50, 50), min_size=1))
def test_rule(p: int, values: list[int]) -> None:
    """The rule in exact fractions; the scheduler's histograms follow the same one."""
    ordered = sorted(values)
    expected = ordered[ceil(Fraction(p * len(values), 100)) - 1]
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    assert percentile(ordered, p) == histogram.percentile(p) == expected


@pytest.mark.parametrize(("p", "values"), [(0, [1]), (101, [1]), (-1, [1]), (50, [])])
def test_refused(p: int, values: list[int]) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(values, p)
