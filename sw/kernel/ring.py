"""Single-producer single-consumer rings of 64 slots (software.md 2, "Graph")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar, cast

T = TypeVar("T")

SLOTS = 64
_COUNTER = (1 << 32) - 1  # positions run freely and wrap; 2^32 is a multiple of SLOTS


class Ring(Generic[T]):
    """A queue of at most 64 items, all 64 usable; a full one refuses and loses nothing.

    The producer writes only the head, the consumer only the tail. Both run freely, so a full ring
    (difference 64) and an empty one (difference 0) differ without a slot kept free.

    Attributes:
        deepest: most items that ever waited.
        stalls: times an item had to wait outside because the ring was full.
    """

    def __init__(self, start: int = 0) -> None:
        """An empty ring whose positions begin at `start` (for tests of the wrap)."""
        self._slots: list[T | None] = [None] * SLOTS
        self._head = self._tail = start & _COUNTER
        self.deepest = 0
        self.stalls = 0

    @property
    def depth(self) -> int:
        """Items waiting, 0 to 64."""
        return (self._head - self._tail) & _COUNTER

    @property
    def full(self) -> bool:
        """Whether no item fits."""
        return self.depth == SLOTS

    def __iter__(self) -> Iterator[T]:
        """The waiting items, oldest first; none is taken."""
        for position in range(self._tail, self._tail + self.depth):
            yield cast(T, self._slots[position % SLOTS])

    def push(self, item: T) -> bool:
        """Put an item behind the others.

        Returns:
            False when the ring is full: the item stays the producer's, and the stall is counted.
        """
        if self.full:
            self.stalls += 1
            return False
        self._slots[self._head % SLOTS] = item
        self._head = (self._head + 1) & _COUNTER
        self.deepest = max(self.deepest, self.depth)
        return True

    def pop(self) -> T | None:
        """Take the oldest item; None when the ring is empty."""
        if not self.depth:
            return None
        index = self._tail % SLOTS
        item, self._slots[index] = self._slots[index], None  # a slot keeps nothing alive
        self._tail = (self._tail + 1) & _COUNTER
        return item

    def clear(self) -> None:
        """Drop every item; the counters stay."""
        while self.pop() is not None:
            pass
