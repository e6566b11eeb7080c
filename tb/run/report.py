"""Reports of a regression from one record: JUnit, JSON and self-contained pages with coverage, plan and trend."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tb.run import process
from tb.run.artefacts import published
from tb.run.buckets import buckets
from tb.run.coverage import FileCoverage, by_module, lcov, merge, percentages
from tb.run.exclusions import Rules, below, load_rules, stale, without, wrong
from tb.run.history import add_run, past_runs
from tb.run.junit import write_junit
from tb.run.leg import Outcome
from tb.run.page import write_coverage_page, write_page
from tb.run.paths import REPORT, shown
from tb.run.provenance import provenance
from tb.run.results import Results, message_of
from tb.run.text import printable

TREND_LENGTH = 30
KIND = "regress"
TREND_KEYS: dict[str, type | tuple[type, ...]] = {
    "time": str,
    "commit": str,
    "clean": (bool, type(None)),
    "settings": dict,
    "passed": int,
    "failed": int,
    "seconds": (int, float),
    "comparisons": int,
    "code_coverage": dict,
}
Record = dict[str, Any]


@dataclass(frozen=True)
class Report:
    """What was written: where, the record, and what the test plan's command printed and returned.

    `files` is the code coverage by source file.
    """

    page: Path
    data: Record
    files: Mapping[str, FileCoverage]
    plan_text: str
    plan_holds: bool


def _row(outcome: Outcome, waves: Path | None) -> Record:
    verdict, job = outcome.verdict, outcome.job
    reasons = [printable(reason) for reason in verdict.reasons]
    return {
        "leg": job.leg.name,
        "level": job.leg.level,
        "test": job.test,
        "seed": job.seed,
        "passed": verdict.passed,
        "seconds": round(outcome.seconds, 2),
        "transactions": verdict.transactions,
        "comparisons": verdict.comparisons,
        "reasons": reasons,
        "failure": printable(verdict.failure_text),
        "message": message_of(verdict),
        "cycle": verdict.failure_cycle,
        "repeat": job.repeat,
        "host": outcome.host,
        "log": shown(outcome.log),
        "waves": shown(waves) if waves else None,
    }


def record(results: Results, settings: Mapping[str, Any], files: Mapping[str, FileCoverage]) -> Record:
    """The one record that every report is made from."""
    passed, failed = results.counts
    rows = [_row(outcome, results.waves.get(outcome.job.title)) for outcome in results.outcomes]
    rows.sort(key=lambda row: (row["leg"], row["test"], row["seed"]))
    return {
        **provenance(None, settings),
        "passed": passed,
        "failed": failed,
        "seconds": round(results.seconds, 1),
        "comparisons": sum(row["comparisons"] for row in rows),
        "broken": {one.leg.name: printable(one.text) for one in results.broken},
        "buckets": [bucket.record for bucket in buckets(results.failures)],
        "code_coverage": percentages(files.values()),
        "rows": rows,
    }


def _coverage(results: Results) -> tuple[dict[str, FileCoverage], list[str]]:
    """Code coverage of the runs that passed, and what is missing of it."""
    if not results.coverage:
        return {}, []
    passed = [outcome for outcome in results.outcomes if outcome.verdict.passed]
    files, problems = merge(outcome.log.parent / "coverage.dat" for outcome in passed)
    return files, [f"code coverage: {problem}" for problem in problems]


def coverage_problems(files: Mapping[str, FileCoverage], settings: Mapping[str, Any], rules: Rules) -> list[str]:
    """Exclusions that no longer hold, and kinds of coverage below their floor (of all legs, or of a level)."""
    scope = settings["level"] or "all"
    floors = {} if settings["quick"] else rules.floors.get(scope, {})
    percent = percentages(without(files, rules.exclusions).values())
    found = [*stale(rules.exclusions), *wrong(files, rules.exclusions), *below(percent, floors)]
    return [f"code coverage: {problem}" for problem in found]


def _judge_plan(staged: Path) -> tuple[str, bool, Record | None]:
    """What the test plan's command says of this run; the plan is part of the testbench, which has its own packages."""
    found = staged / "testplan.json"
    results = str(staged / "regress.json")
    status, text = process.output([sys.executable, "-m", "tb.plan", "--results", results, "--record", str(found)])
    plan = json.loads(found.read_text()) if found.exists() else None
    return text.rstrip(), status == 0, plan


def write_reports(results: Results, settings: Mapping[str, Any], say: Callable[[str], None]) -> Report:
    """Write regress.json, regress.xml (JUnit), testplan.json and regress.html; coverage.json, .html and .info (lcov).

    All of them appear together, with the trends of the last runs with the same settings; `say` warns of damaged ones.
    Raises UsageError when they cannot be written; those of the last run stay then.
    """
    files, problems = _coverage(results)
    data = record(results, settings, files)
    if files:
        rules = load_rules()
        problems += coverage_problems(files, settings, rules)
        data["code_coverage_after"] = percentages(without(files, rules.exclusions).values())
    data["problems"] = problems
    before = [run for run in past_runs(KIND, TREND_KEYS, say) if run["settings"] == settings]
    entry = {key: data[key] for key in TREND_KEYS}
    with published(REPORT, KIND) as staged:
        (staged / "regress.json").write_text(json.dumps(data, indent=1) + "\n")
        write_junit(data, staged / "regress.xml")
        text, holds, plan = _judge_plan(staged)
        if files:
            about = {key: data[key] for key in ("time", "commit", "clean", "seed", "settings")}
            coverage = {
                **about,
                "total": data["code_coverage"],
                "after_exclusions": data["code_coverage_after"],
                "modules": by_module(files),
            }
            (staged / "coverage.info").write_text(lcov(files))
            (staged / "coverage.json").write_text(json.dumps(coverage, indent=1) + "\n")
            write_coverage_page(data, files, staged / "coverage.html")
        write_page(data, plan, files, [*before, entry][-TREND_LENGTH:], staged)
    add_run(KIND, entry)
    return Report(REPORT / "regress.html", data, files, text, holds)
