"""What a run has given: progress on its way, every prompt's figures, and those of `llm.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from sw.metrics.percentile import percentile

_SUMMARY = ("llm_infer_p50_us", "llm_infer_p95_us", "llm_infer_p99_us", "llm_tokens_per_sec", "llm_jitter_p99_ns")
FIGURE_NAMES = (
    "prompts", "tokens", "token_identical", "migrations", "blocks", "blocks_moved_twice", "deadline_misses",
    *_SUMMARY, "slots",
)  # fmt: skip
"""What `llm.json` says of a run in addition to its settings."""


@dataclass(frozen=True, slots=True)
class Served:
    """One prompt and what became of it; times in ns of the run's clock.

    Attributes:
        number: place in the workload.
        state: "done", or how else it ended.
        tokens: ids, in order.
        token_ns: when each was there.
        accepted_ns, deadline_ns: absolute.
        ended_ns: when its last token was there, or its end.
        identical: its tokens are those of the same model on a plain array.
    """

    number: int
    state: str
    tokens: list[int]
    token_ns: list[int]
    accepted_ns: int
    deadline_ns: int
    ended_ns: int
    identical: bool

    @property
    def missed(self) -> bool:
        """Whether it ended after its deadline."""
        return self.ended_ns > self.deadline_ns

    @property
    def first_us(self) -> float:
        """From acceptance to the first token."""
        return (self.token_ns[0] - self.accepted_ns) / 1000 if self.token_ns else 0.0

    def gap_us(self, p: int) -> float:
        """A percentile of the times between its tokens."""
        gaps = sorted(b - a for a, b in zip(self.token_ns, self.token_ns[1:], strict=False))
        return percentile(gaps, p) / 1000 if gaps else 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that has ended.

    Attributes:
        served: every prompt, in the workload's order.
        snapshot: of the metrics.
        slots: of each tier.
        blocks: blocks that were inserted.
        moved_twice: blocks that moved twice or more.
    """

    served: list[Served]
    snapshot: dict[str, Any]
    slots: list[int]
    blocks: int
    moved_twice: int

    @classmethod
    def parse(cls, value: dict[str, Any]) -> Self:
        """From `asdict`."""
        return cls(**{**value, "served": [Served(**served) for served in value["served"]]})

    def figures(self) -> dict[str, Any]:
        """What `llm.json` holds of it."""
        summary = self.snapshot["summary"]
        values = (
            len(self.served),
            sum(len(served.tokens) for served in self.served),
            all(served.identical for served in self.served),
            self.snapshot["migrations"],
            self.blocks,
            self.moved_twice,
            sum(served.missed for served in self.served),
            *(summary[name] for name in _SUMMARY),
            self.slots,
        )
        return dict(zip(FIGURE_NAMES, values, strict=True))


@dataclass(frozen=True, slots=True)
class Progress:
    """The state after a chunk; `outcome` comes with the last one."""

    now_ns: int = 0
    ended: int = 0
    tokens: int = 0
    migrations: int = 0
    comparisons: int = 0
    mismatches: int = 0
    outcome: Outcome | None = field(default=None)

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def parse(cls, line: str) -> Progress:
        """The progress of a line."""
        value: dict[str, Any] = json.loads(line)
        outcome = value.pop("outcome")
        return cls(**value, outcome=Outcome.parse(outcome) if outcome else None)
