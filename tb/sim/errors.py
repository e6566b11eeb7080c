"""How a replay can fail."""

from collections.abc import Callable

from tb.run.errors import CheckError

Say = Callable[[str], None]


class Difference(CheckError):
    """What was seen is not what must be seen: a mismatch, not a build or a simulator that broke.

    Attributes:
        look_closer: repeats the run with waves of the cycles before the failure, where there are cycles.
    """

    def __init__(self, message: str, look_closer: Callable[[Say], object] | None = None) -> None:
        super().__init__(message)
        self.look_closer = look_closer
