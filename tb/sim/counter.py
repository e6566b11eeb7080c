"""The checks of a run that has no scoreboard: on the device model."""

from typing import Any

from tb.sim.errors import Difference


class Counter:
    """Counts comparisons; the first difference ends the run."""

    def __init__(self) -> None:
        self.comparisons = 0
        self.mismatches = 0

    def compare(self, subject: str, expected: Any, seen: Any, /, **where: Any) -> None:
        """One comparison. Raises Difference."""
        self.comparisons += 1
        if expected != seen:
            self.mismatches += 1
            place = "".join(f" {key}={value}" for key, value in where.items())
            raise Difference(f"{subject}{place}: expected {expected}, seen {seen}")
