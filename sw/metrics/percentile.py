"""The one percentile rule (software.md 4): sorted[ceil(p * n / 100) - 1]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T", int, float)


def rank(p: int, n: int) -> int:
    """Index of the p-th percentile among n sorted values.

    Raises:
        ValueError: p is not within 1 to 100, or there is no value.
    """
    if not 1 <= p <= 100:
        raise ValueError(f"percentile {p}: 1 to 100")
    if n < 1:
        raise ValueError("no value, so no percentile")
    return -(-p * n // 100) - 1


def percentile(values: Sequence[T], p: int) -> T:
    """The p-th percentile of values that are sorted already.

    Raises:
        ValueError: as `rank`.
    """
    return values[rank(p, len(values))]
