"""What a replay reports while it runs."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from sw.replay.records import Sample, Tally

NAME = "replay.jsonl"


@dataclass(frozen=True)
class Update:
    """State after a step; `sample` is None at the start. `comparisons` are those made so far."""

    sample: Sample | None
    tally: Tally
    comparisons: int
    mismatches: int

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def parse(cls, line: str) -> Self:
        """The update of a line."""
        value: dict[str, Any] = json.loads(line)
        sample = value["sample"]
        return cls(
            Sample(**sample) if sample else None, Tally(**value["tally"]), value["comparisons"], value["mismatches"]
        )
