"""`make regress`: run the tests of many legs with their seeds, tell what failed, write the reports."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from tb.run.buckets import buckets, summary
from tb.run.commands import say
from tb.run.engine import Engine, Local
from tb.run.errors import UsageError
from tb.run.leg import Job, explain
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
    with chosen_engine(workers, scheduler) as engine:
        results = run_legs(legs, engine, seeds=seeds, coverage=coverage, events=events)
        tell(results, engine)
    settings = {"level": level, "quick": quick, "seeds": seeds, "coverage": coverage}
    return report_on(results, settings, whole=not quick and level is None)


def report_on(results: Results, settings: Mapping[str, Any], *, whole: bool) -> int:
    """Write the reports and say what they say; the test plan counts when the `whole` of the legs was run.

    Returns the exit status.
    """
    # jinja2 costs time that no other command needs
    from tb.run.report import KIND, write_reports
    from tb.run.store.keep import keep_run, verdict

    passed, failed = results.counts
    report = write_reports(results, settings, say)
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
