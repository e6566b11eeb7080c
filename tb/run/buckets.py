"""Failures of a regression in buckets of equal message, each with one command that repeats it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tb.run.results import Failure
from tb.run.text import fault

SHOWN_TESTS = 8  # of a bucket on a terminal


@dataclass(frozen=True)
class Bucket:
    """Failures whose messages differ in numbers, hashes, paths and names only, the quickest to repeat first."""

    message: str
    failures: tuple[Failure, ...]

    @property
    def first(self) -> Failure:
        """The failure that its command repeats."""
        return self.failures[0]

    @property
    def record(self) -> dict[str, Any]:
        """As in regress.json: message, count, tests (with seeds), the command that repeats the first of them."""
        titles = [failure.title for failure in self.failures]
        return {"message": self.message, "count": len(titles), "tests": titles, "repeat": self.first.repeat}


def buckets(failures: Iterable[Failure]) -> list[Bucket]:
    """Failures by message (`tb.run.text.fault`), the largest bucket first."""
    groups: dict[str, list[Failure]] = defaultdict(list)
    for failure in failures:
        groups[fault(failure.message, failure.test, failure.leg)].append(failure)
    found = [
        Bucket(text, tuple(sorted(group, key=lambda failure: (failure.seconds, failure.title))))
        for text, group in groups.items()
    ]
    return sorted(found, key=lambda bucket: (-len(bucket.failures), bucket.message))


def summary(found: list[Bucket]) -> str:
    """The buckets for a terminal."""
    count = sum(len(bucket.failures) for bucket in found)
    lines = [f"{count} failure{'s' if count > 1 else ''} in {len(found)} bucket{'s' if len(found) > 1 else ''}:"]
    for bucket in found:
        titles = [failure.title for failure in bucket.failures]
        more = len(titles) - SHOWN_TESTS
        tests = ", ".join(titles[:SHOWN_TESTS]) + (f" and {more} more" if more > 0 else "")
        lines += [f"  {len(titles)} x {bucket.message}", f"    tests  {tests}", f"    repeat {bucket.first.repeat}"]
    return "\n".join(lines)
