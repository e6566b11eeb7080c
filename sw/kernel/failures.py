"""How many refusals of unknown callers get an audit entry each: a flood of them must not fill the log."""

from __future__ import annotations

from collections.abc import Callable

WINDOW_NS = 1_000_000_000
ENTRIES_PER_WINDOW = 16


class Failures:
    """Refusals of callers without a capability for their request, in windows [kP, (k+1)P) of a clock.

    The first of a window have an entry each; the others are counted, and the next entry tells how many they were.

    Attributes:
        total: refusals so far.
        unrecorded: of them those that no entry tells of yet.
    """

    def __init__(self, clock: Callable[[], int] | None = None, entries: int = ENTRIES_PER_WINDOW) -> None:
        """`clock` tells ns; None: every refusal has its entry."""
        self.total = 0
        self.unrecorded = 0
        self._clock = clock
        self._entries = entries
        self._window = -1
        self._recorded = 0

    def entry(self) -> dict[str, int] | None:
        """A refusal: the counts that its entry has in addition to its own; None: it has no entry."""
        self.total += 1
        if self._clock is None:
            return {}
        window = self._clock() // WINDOW_NS
        if window != self._window:
            self._window, self._recorded = window, 0
        if self._recorded >= self._entries:
            self.unrecorded += 1
            return None
        self._recorded += 1
        counts = {"unrecorded": self.unrecorded} if self.unrecorded else {}
        self.unrecorded = 0
        return counts
