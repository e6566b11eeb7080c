"""What a regression found: the runs and the builds that broke."""

from dataclasses import dataclass, field
from pathlib import Path

from tb.run.leg import Outcome


@dataclass
class Results:
    """What a regression found."""

    outcomes: list[Outcome] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    coverage: bool = False
    seconds: float = 0.0
    waves: dict[str, Path] = field(default_factory=dict)  # of failed runs that were repeated, by the job's title

    @property
    def failed(self) -> list[Outcome]:
        """Runs that did not pass, in the order in which they ended."""
        return [outcome for outcome in self.outcomes if not outcome.verdict.passed]

    @property
    def counts(self) -> tuple[int, int]:
        """(passed, failed); a leg whose build broke counts as one failure."""
        failed = len(self.failed) + len(self.broken)
        return len(self.outcomes) - len(self.failed), failed
