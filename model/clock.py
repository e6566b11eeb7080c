"""Discrete time of the device model: cycles, and what happens at which cycle."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Clock:
    """Cycle counter with a queue of events; events of one cycle run in the order of their making."""

    def __init__(self) -> None:
        self.cycle = 0
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._made = 0

    def after(self, cycles: int, event: Callable[[], None]) -> None:
        """Run `event` in `cycles` cycles from now."""
        self._made += 1
        heapq.heappush(self._events, (self.cycle + cycles, self._made, event))

    @property
    def next_event(self) -> int | None:
        """Cycle of the next event, None when there is none."""
        return self._events[0][0] if self._events else None

    def advance(self, cycles: int) -> None:
        """Let `cycles` cycles pass, with all events due in them."""
        end = self.cycle + cycles
        while self._events and self._events[0][0] <= end:
            self.cycle, _, event = heapq.heappop(self._events)
            event()
        self.cycle = end

    def clear(self) -> None:
        """Forget all events (reset)."""
        self._events.clear()
