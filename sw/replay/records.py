"""What a replay counts, and what it notes at every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


class Checks(Protocol):
    """Who counts comparisons and ends the run at a difference."""

    def compare(self, subject: str, expected: Any, seen: Any, /, **where: Any) -> None:
        """One comparison, in the contract's words; raises when `seen` is not `expected`."""


def _per_tier() -> list[int]:
    return [0, 0, 0, 0]


@dataclass(slots=True)
class Tally:
    """Totals of a replay.

    Attributes:
        requests: requests that have ended.
        steps: STEP_ADVANCE writes.
        references: blocks that prompts referred to.
        hits: those found in the directory, in all and by tier.
        inserts: blocks inserted, in all and by tier.
        tokens: device tokens decoded.
        lookups: answers of the lookup ports.
        evictions, promotions: blocks that the device has moved to a slower, to a faster tier.
        refusals: INSERTs that ended NO_SLOT or FULL, and moves that ended NO_SLOT.
        removals: blocks that the runtime has removed to make room.
        drops: blocks that found no place at all.
        scans: scans that the device has done.
        blocks_checked: blocks whose every byte was compared.
        bytes_written: bytes of new tokens.
        completions: by status.
        completions_lost: dropped by the full completion queue.
    """

    requests: int = 0
    steps: int = 0
    references: int = 0
    hits: int = 0
    hits_by_tier: list[int] = field(default_factory=_per_tier)
    inserts: int = 0
    inserts_by_tier: list[int] = field(default_factory=_per_tier)
    tokens: int = 0
    lookups: int = 0
    evictions: int = 0
    promotions: int = 0
    refusals: int = 0
    removals: int = 0
    drops: int = 0
    scans: int = 0
    blocks_checked: int = 0
    bytes_written: int = 0
    completions: dict[str, int] = field(default_factory=dict)
    completions_lost: int = 0

    @property
    def migrations(self) -> int:
        """Blocks that the device has moved."""
        return self.evictions + self.promotions

    @property
    def hit_rate(self) -> float:
        """Hits per reference, 0 to 1."""
        return self.hits / self.references if self.references else 0.0


@dataclass(slots=True)
class Sample:
    """The state at the end of a step; `scores` are PRIORITYs of some entries, in some steps."""

    step: int
    cycle: int
    running: int
    queued: int
    requests: int
    references: int
    hits: int
    hits_by_tier: list[int]
    occupied: list[int]
    evictions: int
    promotions: int
    scan_cycles: int
    scores: list[int] | None = None


Observer = Callable[[Sample, Tally], None]
"""Called at the end of every step."""
