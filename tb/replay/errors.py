"""How a replay can fail."""

from tb.run.errors import CheckError


class Difference(CheckError):
    """What was seen is not what must be seen: a mismatch, not a build or a simulator that broke."""
