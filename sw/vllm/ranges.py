"""Token ranges of request 0, one for each chunk."""

from __future__ import annotations

from heapq import heappop, heappush


class Ranges:
    """Hands out block-aligned token ranges of one size, the lowest free one first."""

    def __init__(self, stride: int, count: int) -> None:
        """`count` ranges of `stride` tokens, all free."""
        self._stride = stride
        self._count = count
        self._next = 0
        self._free: list[int] = []

    def take(self) -> int | None:
        """First token of a free range, None when all are taken."""
        if self._free:
            return heappop(self._free)
        if self._next == self._count:
            return None
        self._next += 1
        return (self._next - 1) * self._stride

    def give_back(self, first: int) -> None:
        """The range that begins at token `first` is free again."""
        heappush(self._free, first)
