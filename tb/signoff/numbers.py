"""The numbers of the sign-off: what each counts, what each stage needs, which command measures it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tb.plan import STAGES

SEEDS = 4  # of each test in the regression
SOAK_CYCLES = 10**8
MUTANTS = 600


@dataclass(frozen=True)
class Step:
    """A command that measures a piece: as a user types it, and as a program (`python -m <module> <arguments>`)."""

    piece: str
    typed: str
    module: str
    arguments: tuple[str, ...] = ()


_REGRESS = f"make regress SEEDS={SEEDS} COVERAGE=1"
STEPS = {
    "lint": Step("lint", "make lint", "tb.run", ("check", "--only=lint")),
    "smoke": Step("runs", "make test ONLY=legs", "tb.run", ("check", "--only=legs")),
    "formal of V1": Step("formal", "make formal ONLY=V1", "tb.formal", ("--", "V1")),
    "formal": Step("formal", "make formal", "tb.formal"),
    "regression": Step("runs", _REGRESS, "tb.run", ("regress", f"--seeds={SEEDS}", "--coverage")),
    "defects": Step("defects", "make defects", "tb.defects"),
    "mutation": Step("mutation", "make mutate", "tb.mutation"),
    "soak": Step("soak", "python -m tb.signoff.soak", "tb.signoff.soak"),
    "software": Step("software", "python -m tb.signoff.software", "tb.signoff.software"),
}
"""By name: the piece of the evidence that it makes, and its command."""


@dataclass(frozen=True)
class Number:
    """One number: what it says, the `step` that measures it, its threshold from a stage on (at least; or at most).

    `evidence` names the piece of the evidence (tb/run/evidence.py) where it is not that of the step.
    """

    name: str
    says: str
    step: str
    thresholds: Mapping[str, float]
    unit: str = "%"
    at_most: bool = False
    evidence: str = ""

    @property
    def piece(self) -> str:
        """The piece of the evidence that it is made from."""
        return self.evidence or STEPS[self.step].piece

    def needed(self, stage: str) -> float | None:
        """The threshold at a stage: the last one up to it; None when the stage needs none."""
        until = STAGES[: STAGES.index(stage) + 1]
        given = [self.thresholds[earlier] for earlier in until if earlier in self.thresholds]
        return given[-1] if given else None

    def meets(self, value: float | None, stage: str) -> bool:
        """Whether a value is good enough for a stage; what is not measured is not, where the stage needs it."""
        needed = self.needed(stage)
        if needed is None:
            return True
        if value is None:
            return False
        return value <= needed if self.at_most else value >= needed


@dataclass(frozen=True)
class Value:
    """A measured number, None when it was not; `note`: of how many, or why there is none; `time`: of the evidence."""

    value: float | None = None
    note: str = ""
    time: str = ""


def _coverage(kind: str, threshold: float) -> list[Number]:
    says = f"{kind} coverage of rtl/"
    return [
        Number(f"{kind}_coverage", f"{says}, before exclusions", "regression", {"V2": threshold}, evidence="coverage"),
        Number(f"{kind}_coverage_after", f"{says}, after exclusions", "regression", {"V3": 100}, evidence="coverage"),
    ]


NUMBERS: tuple[Number, ...] = (
    Number("plan_rows_shown", "rows of the test plan with a passing test and no failing one", "smoke", {"V1": 100}),
    Number("smoke_runs_passed", "runs of the quick legs, seed 1, that passed", "smoke", {"V1": 100}),
    Number("lint_failures", "checks of the lint that failed", "lint", {"V1": 0}, "", at_most=True),
    Number("formal_topics_v1", "topics of V1 (FIFOs, AXI) whose proofs hold", "formal of V1", {"V1": 100}),
    *(number for kind in ("line", "branch") for number in _coverage(kind, 95)),
    *(number for kind in ("toggle", "expression") for number in _coverage(kind, 90)),
    Number("plan_points_hit", "functional coverage points of the test plan that were hit", "regression", {"V2": 100}),
    Number("plan_rows_v2", "rows of stages V1 and V2: all tests passed, all points hit", "regression", {"V2": 100}),
    Number("formal_topics", "topics of the contract whose proofs hold", "formal", {"V2": 100}),
    Number("properties_settled", "properties proven, or bounded with a depth; none vacuous", "formal", {"V2": 100}),
    Number("defects_detected", "planted defects that their test detects", "defects", {"V2": 70}, ""),
    Number("defects_missed", "planted defects that their test does not detect", "defects", {"V2": 0}, "", at_most=True),
    Number("regression_passed", f"runs of all legs, seeds 1 to {SEEDS}, that passed", "regression", {"V2": 100}),
    Number("points_hit", "all functional coverage points that were hit", "regression", {"V3": 100}),
    Number("plan_rows_v3", "all rows: all tests passed, all points hit", "regression", {"V3": 100}),
    Number("properties_unbounded", "properties proven without a bound", "formal", {"V3": 100}),
    Number("mutants", "mutants of the RTL that were tried, in all its folders", "mutation", {"V3": MUTANTS}, ""),
    Number("mutants_survived", "mutants that survived without a reason", "mutation", {"V3": 0}, "", at_most=True),
    Number("soak_cycles", "cycles of random legs over new seeds", "soak", {"V3": SOAK_CYCLES}, "cycles"),
    Number("soak_failures", "runs of the soak that failed", "soak", {"V3": 0}, "", at_most=True),
    Number("software_branch_coverage", "branch coverage of model/ and sw/ by the Python tests", "software", {"V3": 95}),
)


@dataclass(frozen=True)
class Judgement:
    """Which stage these values reach: `stage` None for none, `after` the next one, None behind the last."""

    values: Mapping[str, Value]
    numbers: tuple[Number, ...] = field(default=NUMBERS)

    def holds(self, stage: str) -> bool:
        """Whether a stage is reached: every number of it and of those before it."""
        return not self.missing(stage)

    @property
    def stage(self) -> str | None:
        """The highest stage that is reached."""
        reached = [stage for stage in STAGES if self.holds(stage)]
        return reached[-1] if reached else None

    @property
    def after(self) -> str | None:
        """The next stage."""
        return next((stage for stage in STAGES if not self.holds(stage)), None)

    def missing(self, stage: str) -> list[str]:
        """One line for each number that is not good enough for a stage: its value, the threshold, the next command."""
        return [
            missing_line(number, self.values.get(number.name, Value()), stage)
            for number in self.numbers
            if not number.meets(self.values.get(number.name, Value()).value, stage)
        ]


def shown(value: float | None, unit: str) -> str:
    """A value as text: "97.50 %", "12", "not measured"."""
    if value is None:
        return "not measured"
    text = f"{value:,.2f}".rstrip("0").rstrip(".") if value != int(value) else f"{int(value):,}"
    return f"{text} {unit}".rstrip()


def missing_line(number: Number, value: Value, stage: str) -> str:
    """ "line_coverage: 87.1 % (...), V2 needs at least 95 %: make regress SEEDS=4 COVERAGE=1"."""
    note = f" ({value.note})" if value.note else ""
    sense = "at most" if number.at_most else "at least"
    needed = shown(number.needed(stage), number.unit)
    seen = f"{number.name}: {shown(value.value, number.unit)}{note}"
    return f"{seen}, {stage} needs {sense} {needed}: {STEPS[number.step].typed}"


def as_data(judgement: Judgement) -> dict[str, Any]:
    """The numbers as they are written: by name, with value, threshold and whether it is met for each stage."""
    data = {}
    for number in judgement.numbers:
        value = judgement.values.get(number.name, Value())
        data[number.name] = {
            "says": number.says,
            "value": value.value,
            "unit": number.unit,
            "note": value.note,
            "time": value.time,
            "sense": "at most" if number.at_most else "at least",
            "thresholds": {stage: number.needed(stage) for stage in STAGES},
            "met": {stage: number.meets(value.value, stage) for stage in STAGES},
            "command": STEPS[number.step].typed,
        }
    return data
