"""What the scheduler keeps about each server (software.md 2)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Histogram:
    """All samples, as counts per value: nothing is dropped and percentiles are exact."""

    counts: Counter[int] = field(default_factory=Counter)

    def add(self, value: int) -> None:
        """One more sample."""
        self.counts[value] += 1

    @property
    def samples(self) -> int:
        """How many there are."""
        return self.counts.total()

    def percentile(self, percent: int) -> int:
        """sorted[ceil(p * n / 100) - 1], for 1 <= p <= 100.

        Raises:
            ValueError: no samples, or another p.
        """
        if not self.counts or not 1 <= percent <= 100:
            raise ValueError(f"percentile {percent} of {self.samples} samples")
        left = -(-percent * self.samples // 100)
        for value in sorted(self.counts):
            left -= self.counts[value]
            if left <= 0:
                return value
        raise AssertionError("a percentile is one of the samples")


@dataclass(slots=True)
class ServerStats:
    """Statistics of one server since it was admitted; times in ns.

    Attributes:
        arrivals: jobs submitted.
        finished: jobs that ran to their end.
        withdrawn: jobs taken away before.
        misses: jobs that finished after their deadline (at it: none).
        late_ns: sum of finish minus deadline over these.
        worst_lateness_ns: greatest finish minus deadline of all finished jobs, negative if none
            was late; None before the first.
        chunks: chunks run.
        consumed_ns: device time charged.
        chunk_overruns: chunks longer than the chunk that the server was admitted with.
        exhaustions: budgets used up while there was work, each once.
        throttled_ns: time in which there was work and no budget (hard servers).
        jitter: first dispatch minus arrival of every job.
    """

    arrivals: int = 0
    finished: int = 0
    withdrawn: int = 0
    misses: int = 0
    late_ns: int = 0
    worst_lateness_ns: int | None = None
    chunks: int = 0
    consumed_ns: int = 0
    chunk_overruns: int = 0
    exhaustions: int = 0
    throttled_ns: int = 0
    jitter: Histogram = field(default_factory=Histogram)
