"""What the guest's tests come to: the table, `kernel.json`, `kernel.html`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sw.terminal import visible
from tb.linux.coverage import Coverage
from tb.linux.ktap import FAILED, PASSED, SKIPPED, Result, kernel_faults, parse, step_to_irq
from tb.linux.machine import Boot
from tb.linux.options import DEADLINE, Chosen
from tb.run.artefacts import published
from tb.run.page import pages
from tb.run.provenance import provenance

TEMPLATES = Path(__file__).with_name("templates")
KIND = "kernel"
RATE_SUITE = "rate"


@dataclass(frozen=True)
class Suite:
    """One suite's boot, and its tests' results as they count."""

    chosen: Chosen
    boot: Boot
    results: tuple[Result, ...]
    problems: tuple[str, ...]


def judge(chosen: Chosen, boot: Boot) -> Suite:
    """The results of a boot. Tests that have not ended have failed, and so has a boot in which the kernel complains."""
    parsed = parse(boot.log)
    ended = {result.name for result in parsed.results}
    problems = [*([boot.fault] if boot.fault else []), *parsed.problems()]
    problems += [f"kernel log: {line}" for line in kernel_faults(boot.log)]
    if boot.status:
        problems.append(f"the guest ended with status {boot.status}")
    missing = [Result(name, FAILED, problems[0] if problems else "it did not end") for name in chosen.names]
    results = [*parsed.results, *(result for result in missing if result.name not in ended)]
    first = next((n for n, result in enumerate(results) if result.result == FAILED), None)
    if first is not None and boot.check_failed_ns is not None:
        when = f"{results[first].message}, at {boot.check_failed_ns:,} ns of device time"
        results[first] = replace(results[first], message=when)
    return Suite(chosen, boot, tuple(results), tuple(problems))


def rate(boot: Boot) -> float:
    """Register accesses a second of wall time."""
    return boot.accesses / boot.access_s


@dataclass
class Outcome:
    """All suites of one call.

    Attributes:
        kernel: its version.
        backend: rtl or model.
        left_out: suites that were not run, and why.
        identical_runs: of how many runs of one suite every byte was the same; 0: not looked at.
        repeats: of how many runs.
        coverage: of the driver's branches by all suites; None: not all were run, or not on the device model.
        micro_llm: what the micro-LLM in the guest came to; None: it was not run.
        deadline, compared: what the comparison with SCHED_DEADLINE came to, and a result for each task set.
        differences: of the guest's stack from that of the host.
    """

    kernel: str
    backend: str
    suites: list[Suite] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    identical_runs: int = 0
    repeats: int = 0
    comparisons: int = 0
    coverage: Coverage | None = None
    micro_llm: dict[str, int] | None = None
    deadline: dict[str, Any] | None = None
    compared: list[Result] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def results(self) -> list[Result]:
        """Of all suites and task sets."""
        return [*(result for suite in self.suites for result in suite.results), *self.compared]

    def count(self, what: str) -> int:
        """How many tests have this result."""
        return sum(result.result == what for result in self.results)

    @property
    def problems(self) -> list[str]:
        """What is wrong with whole suites, and with their repetition."""
        found = [f"{suite.chosen.suite}: {problem}" for suite in self.suites for problem in suite.problems]
        if self.identical_runs != self.repeats:
            found.append(f"of {self.repeats} runs of one suite only {self.identical_runs} had the same logs and times")
        return found + self.differences

    @property
    def passed(self) -> bool:
        """Every test has passed or was left out for a reason, and no suite has a problem."""
        return bool(self.results) and not self.count(FAILED) and not self.problems

    @property
    def step_to_irq(self) -> dict[str, list[int]] | None:
        """STEP_ADVANCE to interrupt, ns: as Linux has seen it, and as the device has counted it, in pairs."""
        pairs = [pair for suite in self.suites for pair in step_to_irq(suite.boot.log)]
        return {"linux": [pair[0] for pair in pairs], self.backend: [pair[1] for pair in pairs]} if pairs else None

    def figures(self) -> dict[str, Any]:
        """What `kernel.json` holds; None for what was not measured."""
        rates = [rate(suite.boot) for suite in self.suites if suite.chosen.suite == RATE_SUITE and suite.boot.access_s]
        return {
            "kernel": self.kernel,
            "backend": self.backend,
            "tests": [
                {"name": result.name, "result": result.result, "message": result.message} for result in self.results
            ],
            "passed": self.count(PASSED),
            "failed": self.count(FAILED),
            "skipped": self.count(SKIPPED),
            "problems": self.problems,
            "left_out": self.left_out,
            "comparisons": self.comparisons,
            "mmio_per_s": round(rates[0]) if rates else None,
            "boot_s": round(min(suite.boot.first_access_s for suite in self.suites), 3) if self.suites else None,
            "identical_runs": self.identical_runs or None,
            "step_to_irq_ns": self.step_to_irq,
            "micro_llm": self.micro_llm,
            "sched_deadline": self.deadline,
            "gcov_branch_percent": self.coverage.percent if self.coverage else None,
            "gcov_unreached": [asdict(line) for line in self.coverage.unreached] if self.coverage else None,
            "suites": [
                {
                    "name": suite.chosen.suite,
                    "seconds": round(suite.boot.seconds, 3),
                    "simulated_ns": suite.boot.simulated_ns,
                    "accesses": suite.boot.accesses,
                    "grants": suite.boot.grants,
                }
                for suite in self.suites
            ],
        }


def show(console: Console, outcome: Outcome) -> None:
    """Print the tests that have not passed, and the figures."""
    for result in outcome.results:
        if result.result != PASSED:
            console.print(Text(visible(f"{result.result}: {result.name}: {result.message}")))
    for problem in outcome.problems:
        console.print(Text(visible(f"problem: {problem}")))
    figures = outcome.figures()
    table = Table(show_header=False)
    table.add_row("kernel", f"Linux {outcome.kernel} on the {outcome.backend}")
    table.add_row("tests", f"{figures['passed']} passed, {figures['failed']} failed, {figures['skipped']} skipped")
    for suite, why in outcome.left_out.items():
        table.add_row("left out", f"{suite}: {why}")
    for name, key, unit in (
        ("comparisons", "comparisons", ""),
        ("register accesses", "mmio_per_s", "/s"),
        ("boot", "boot_s", " s"),
        ("identical runs", "identical_runs", ""),
    ):
        if figures[key]:
            table.add_row(name, f"{figures[key]:,}{unit}")
    if micro := outcome.micro_llm:
        table.add_row("micro-LLM in the guest", f"{micro['identical']} of {micro['tokens']} tokens identical")
    if deadline := outcome.deadline:
        ends = f"{deadline['equal']} of {deadline['jobs']} ends equal, {deadline['explained']} explained by a rule"
        table.add_row("SCHED_DEADLINE", f"{deadline['sets']} task sets: {ends}")
    if outcome.coverage is not None:
        taken = f"{outcome.coverage.percent} % ({outcome.coverage.taken:,} of {outcome.coverage.branches:,})"
        table.add_row("branches of the driver", taken)
    if pairs := figures["step_to_irq_ns"]:
        seen, counted = pairs.values()
        off = max(abs(one - other) for one, other in zip(seen, counted, strict=True))
        table.add_row(
            "STEP_ADVANCE to interrupt", f"{max(seen):,} ns in Linux, off the device's count by {off} at most"
        )
    console.print(table)


def write(outcome: Outcome, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write both reports, together; returns the record.

    Raises UsageError when they cannot be written; those of the last run stay then.
    """
    record = {**provenance(None, settings), **outcome.figures()}
    page = pages(TEMPLATES).get_template(f"{KIND}.html.j2").render(data=record, rows=rows(record["tests"]))
    with published(folder, KIND) as staged:
        (staged / f"{KIND}.json").write_text(json.dumps(record, indent=1) + "\n")
        (staged / f"{KIND}.html").write_text(page)
    return record


def rows(tests: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Tests in the order of the page: what failed first; task sets that have passed are in a table of their own."""
    shown = [test for test in tests if test["result"] == FAILED or not test["name"].startswith(f"{DEADLINE}.")]
    return sorted(shown, key=lambda test: (test["result"] != FAILED, test["name"]))
