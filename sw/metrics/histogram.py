"""All samples of one quantity, exactly: how often each value came."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from sw.metrics.percentile import rank


class Histogram:
    """Counts of integer samples; percentiles are exact, not estimated from buckets.

    Attributes:
        samples: how many there are.
        total: their sum.
    """

    def __init__(self) -> None:
        """Without a sample."""
        self.samples = 0
        self.total = 0
        self._counts: Counter[int] = Counter()
        self._sorted: tuple[list[int], list[int]] | None = None

    def add(self, value: int) -> None:
        """One more sample."""
        self._counts[value] += 1
        self.samples += 1
        self.total += value
        self._sorted = None

    def percentile(self, p: int) -> int:
        """sorted[ceil(p * n / 100) - 1].

        Raises:
            ValueError: p is not within 1 to 100, or there is no sample.
        """
        values, up_to = self._order()
        return values[bisect_right(up_to, rank(p, self.samples))]

    def cumulative(self, bounds: Sequence[int]) -> list[int]:
        """For each bound: how many samples are at most that."""
        values, up_to = self._order()
        places = [bisect_right(values, bound) for bound in bounds]
        return [up_to[place - 1] if place else 0 for place in places]

    def _order(self) -> tuple[list[int], list[int]]:
        """Distinct values in order, and how many samples are at most each."""
        if self._sorted is None:
            values = sorted(self._counts)
            self._sorted = values, list(accumulate(self._counts[value] for value in values))
        return self._sorted
