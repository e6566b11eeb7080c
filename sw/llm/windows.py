"""Amounts in the fixed windows [kP, (k + 1)P) of absolute time (software.md 4, limits)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reservation:
    """An amount taken in window number `window`."""

    window: int
    amount: int


class Window:
    """What has been taken in the window of now; an earlier window's amounts are forgotten.

    Attributes:
        period_ns: P.
    """

    def __init__(self, period_ns: int) -> None:
        """Nothing is taken.

        Raises:
            ValueError: a period below 1 ns.
        """
        if period_ns < 1:
            raise ValueError(f"windows of {period_ns} ns: at least 1")
        self.period_ns = period_ns
        self._number = 0
        self._taken = 0

    def taken(self, now: int) -> int:
        """What is taken in the window of `now`."""
        number = now // self.period_ns
        if number != self._number:
            self._number, self._taken = number, 0
        return self._taken

    def end(self, now: int) -> int:
        """First ns after the window of `now`."""
        return (now // self.period_ns + 1) * self.period_ns

    def take(self, amount: int, now: int) -> Reservation:
        """Take an amount in the window of `now`, whatever is taken already."""
        self._taken = self.taken(now) + amount
        return Reservation(self._number, amount)

    def settle(self, reservation: Reservation, used: int, now: int) -> None:
        """Give back what a reservation did not use, if its window is still that of `now`."""
        self.taken(now)
        if reservation.window == self._number:
            self._taken -= reservation.amount - used
