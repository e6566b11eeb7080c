"""`make regress`: run the tests of many legs with their seeds, tell what failed, write the reports."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, replace
from importlib.util import find_spec
from typing import Any

from tb.run import evidence
from tb.run.buckets import buckets, summary
from tb.run.commands import say
from tb.run.coverage import FileCoverage, Point
from tb.run.engine import Engine, Local
from tb.run.errors import UsageError
from tb.run.leg import Job, Outcome, explain
from tb.run.manifest import LEVELS, Leg, Manifest
from tb.run.paths import shown
from tb.run.results import Results
from tb.run.screen import Screen
from tb.run.selection import keep_failures
from tb.run.waves import rerun_with_waves

RERUNS_WITH_WAVES = 3  # one failure of each of the largest buckets tells the story; more would only cost time


def select_legs(manifest: Manifest, *, quick: bool, level: str | None) -> list[Leg]:
    """The legs of a regression. Raises UsageError when nothing is left to run."""
    if level is not None and level not in LEVELS:
        raise UsageError(f"LEVEL={level}: one of {', '.join(LEVELS)}")
    legs = [leg for leg in manifest.legs if (leg.quick or not quick) and level in (None, leg.level)]
    if not legs:
        raise UsageError("the manifest has no leg to run: zero tests is no pass")
    return legs


def run_legs(legs: list[Leg], engine: Engine, *, seeds: int | None, coverage: bool, events: bool = False) -> Results:
    """Build and run every test of `legs` with its seeds. Raises KeyboardInterrupt with nothing left running."""
    begin = time.monotonic()
    results = Results(coverage=coverage)
    jobs = {
        leg.name: [Job(leg, t, s + 1, events=events) for t in leg.tests for s in range(seeds or leg.seeds)]
        for leg in legs
    }
    screen = Screen(sum(map(len, jobs.values())))
    with screen.live():
        engine.run_all([(leg, jobs[leg.name]) for leg in legs], results, screen)
    broken = (job for one in results.broken for job in jobs[one.leg.name])
    keep_failures([*(outcome.job for outcome in results.failed), *broken])
    results.seconds = time.monotonic() - begin
    return results


def keep_runs(results: Results, taken: str) -> None:
    """Keep each run as evidence: whether it passed, and the functional coverage points that it hit.

    `taken` is the stamp of the sources before the runs.
    """
    parts: dict[str, dict[str, Any]] = {
        f"{one.leg.name}.{test} seed 1": {"passed": False} for one in results.broken for test in one.leg.tests
    }
    for outcome in results.outcomes:
        parts[outcome.job.title] = {"passed": outcome.verdict.passed, "points": _points(outcome)}
    evidence.keep("runs", taken, parts, say)


def _points(outcome: Outcome) -> list[str]:
    """Functional coverage points that a run hit; none when it left no such record."""
    try:
        bins = json.loads((outcome.log.parent / "functional.json").read_text())["bins"]
        return sorted(name for name, count in bins.items() if count)
    except (OSError, ValueError, KeyError):
        return []


def keep_coverage(results: Results, files: Mapping[str, FileCoverage], taken: str) -> None:
    """Add the code coverage of these runs to that of earlier ones on the same sources (stamp `taken`).

    Parts: `legs` that were measured, and the points of each source file with their counts.
    """
    if not files:
        return
    before = evidence.read("coverage").parts
    known = points_of(before)
    for entry in files.values():
        for point, count in entry.counts.items():
            known[point] = known.get(point, 0) + count
    rows: dict[str, list[list[Any]]] = {}
    for point, count in known.items():
        rows.setdefault(point.file, []).append([*astuple(point)[1:], count])
    legs = {*before.get("legs", ()), *(o.job.leg.name for o in results.outcomes if o.verdict.passed)}
    evidence.keep("coverage", taken, {"legs": sorted(legs), "points": rows}, say)


def points_of(parts: Mapping[str, Any]) -> dict[Point, int]:
    """The points that `keep_coverage` has kept, with their counts."""
    return {Point(file, *fields): count for file, rows in parts.get("points", {}).items() for *fields, count in rows}


def tell(results: Results, engine: Engine) -> None:
    """Print what failed: one run of each bucket in full, the first few again with waves, then all buckets."""
    for one in results.broken:
        say(f"FAILED {one.leg.name}\n  {one.text}")
    found = buckets(results.failures)
    outcomes = {outcome.job.title: outcome for outcome in results.failed}
    firsts = [outcomes[bucket.first.title] for bucket in found if bucket.first.title in outcomes]
    for number, outcome in enumerate(firsts):
        say(explain(outcome))
        if number < RERUNS_WITH_WAVES:
            spec = replace(outcome.job.leg.spec, coverage=results.coverage)
            waves = rerun_with_waves(outcome, spec, say, engine.run_again)
            if waves is not None:
                results.waves[outcome.job.title] = waves
    if found:
        say(summary(found))


@contextmanager
def chosen_engine(workers: int | None, scheduler: str | None) -> Iterator[Engine]:
    """The local cores (`workers` of them), or the cluster behind a scheduler's address. Raises UsageError."""
    if scheduler is None:
        yield Local(workers or os.cpu_count() or 1)
        return
    if workers is not None:
        raise UsageError("--workers has no effect with --scheduler: the cluster's workers decide")
    if find_spec("distributed") is None:
        raise UsageError("the cluster tools are not installed: call `make setup-cluster`")
    from tb.run.cluster.connect import connected  # Dask is installed on request only

    with connected(scheduler) as cluster:
        yield cluster


def regress(
    manifest: Manifest,
    *,
    seeds: int | None,
    quick: bool,
    level: str | None,
    coverage: bool,
    workers: int | None,
    events: bool = False,
    scheduler: str | None = None,
) -> int:
    """`make regress`: run, tell, report. Returns the exit status."""
    legs = select_legs(manifest, quick=quick, level=level)
    taken = evidence.stamp("runs")
    with chosen_engine(workers, scheduler) as engine:
        results = run_legs(legs, engine, seeds=seeds, coverage=coverage, events=events)
        keep_runs(results, taken)
        tell(results, engine)
    settings = {"level": level, "quick": quick, "seeds": seeds, "coverage": coverage}
    return report_on(results, settings, whole=not quick and level is None, taken=taken)


def report_on(results: Results, settings: Mapping[str, Any], *, whole: bool, taken: str) -> int:
    """Write the reports and say what they say; the test plan counts when the `whole` of the legs was run.

    `taken` is the stamp of the sources before the runs. Returns the exit status.
    """
    # jinja2 costs time that no other command needs
    from tb.run.report import KIND, write_reports
    from tb.run.store.keep import keep_run, verdict

    passed, failed = results.counts
    report = write_reports(results, settings, say)
    keep_coverage(results, report.files, taken)
    if results.coverage:
        percent = report.data["code_coverage"].items()
        say("code coverage: " + (", ".join(f"{kind} {value} %" for kind, value in percent) or "none"))
    for problem in report.data["problems"]:
        say(f"FAILED {problem}")
    say(f"report: {shown(report.page)}")
    say(f"{passed} passed, {failed} failed")
    if whole:
        say(report.plan_text)
    good = passed and not failed and not report.data["problems"] and (report.plan_holds or not whole)
    keep_run(KIND, report.data, verdict(good), report.page.parent)
    return 0 if good else 1
