"""What a regression found: the runs and the builds that broke."""

from dataclasses import dataclass, field
from pathlib import Path

from tb.run.leg import Outcome, repeat_command
from tb.run.manifest import Leg
from tb.run.text import printable
from tb.run.verdict import Verdict

BUILD = "build"  # takes the place of the test where a leg's build broke


@dataclass(frozen=True)
class Broken:
    """A leg whose build failed, and what the tool said."""

    leg: Leg
    text: str


@dataclass(frozen=True)
class Failure:
    """What reports say of one failure; `seed` is None where the build broke."""

    leg: str
    test: str
    seed: int | None
    message: str
    seconds: float
    repeat: str

    @property
    def title(self) -> str:
        """Name in tables."""
        return f"{self.leg}.{self.test}" + ("" if self.seed is None else f" seed {self.seed}")


def message_of(verdict: Verdict) -> str:
    """The first line of why a run failed; "" when it passed."""
    if verdict.passed:
        return ""
    return printable(verdict.failure_text or (verdict.reasons or ["no reason"])[0]).splitlines()[0]


@dataclass
class Results:
    """What a regression found."""

    outcomes: list[Outcome] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    coverage: bool = False
    seconds: float = 0.0
    waves: dict[str, Path] = field(default_factory=dict)  # of failed runs that were repeated, by the job's title

    @property
    def failed(self) -> list[Outcome]:
        """Runs that did not pass, in the order in which they ended."""
        return [outcome for outcome in self.outcomes if not outcome.verdict.passed]

    @property
    def failures(self) -> list[Failure]:
        """Builds that broke and runs that did not pass."""
        builds = [
            Failure(one.leg.name, BUILD, None, _first_error(one.text), 0.0, repeat_command(one.leg, one.leg.name))
            for one in self.broken
        ]
        runs = [
            Failure(job.leg.name, job.test, job.seed, message_of(outcome.verdict), outcome.seconds, job.repeat)
            for outcome in self.failed
            for job in [outcome.job]
        ]
        return [*builds, *runs]

    @property
    def counts(self) -> tuple[int, int]:
        """(passed, failed); a leg whose build broke counts as one failure."""
        failed = len(self.failed) + len(self.broken)
        return len(self.outcomes) - len(self.failed), failed


def _first_error(text: str) -> str:
    """The tool's own first error where it is given: equal for all legs of a top."""
    lines = printable(text).strip().splitlines()
    return lines[min(1, len(lines) - 1)] if lines else "build failed"
