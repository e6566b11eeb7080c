"""Run many jobs over the local cores: build once per configuration, run while the next one builds."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace

from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tb.run import process
from tb.run.buckets import buckets, summary
from tb.run.build import Built, build
from tb.run.commands import console, say
from tb.run.errors import CheckError, UsageError
from tb.run.leg import Job, Outcome, explain, run_built
from tb.run.manifest import LEVELS, Leg, Manifest
from tb.run.results import Broken, Results
from tb.run.selection import keep_failures
from tb.run.waves import rerun_with_waves

RERUNS_WITH_WAVES = 3  # one failure of each of the largest buckets tells the story; more would only cost time


class _Screen:
    """Live progress on a terminal, one line per failure elsewhere."""

    def __init__(self, total: int) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, None] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[now]}", style="dim"),
            console=console,
        )
        self._task = self._progress.add_task("tests", total=total, now="")
        self._failed = 0

    def started(self, title: str) -> None:
        with self._lock:
            self._running[title] = None
            self._show()

    def ended(self, title: str, passed: bool) -> None:
        with self._lock:
            self._running.pop(title, None)
            self._failed += not passed
            self._progress.advance(self._task)
            self._show()

    def _show(self) -> None:
        failed = f"[red]{self._failed} failed  " if self._failed else ""
        self._progress.update(self._task, now=failed + ", ".join(self._running))

    @contextmanager
    def live(self) -> Iterator[None]:
        if console.is_terminal:
            with Live(self._progress, console=console, refresh_per_second=8):
                yield
        else:
            yield


def select_legs(manifest: Manifest, *, quick: bool, level: str | None) -> list[Leg]:
    """The legs of a regression. Raises UsageError when nothing is left to run."""
    if level is not None and level not in LEVELS:
        raise UsageError(f"LEVEL={level}: one of {', '.join(LEVELS)}")
    legs = [leg for leg in manifest.legs if (leg.quick or not quick) and level in (None, leg.level)]
    if not legs:
        raise UsageError("the manifest has no leg to run: zero tests is no pass")
    return legs


def run_legs(legs: list[Leg], *, seeds: int | None, coverage: bool, workers: int, events: bool = False) -> Results:
    """Build and run every test of `legs` with its seeds. Raises KeyboardInterrupt with nothing left running."""
    begin = time.monotonic()
    results = Results(coverage=coverage)
    jobs = {
        leg.name: [Job(leg, t, s + 1, events=events) for t in leg.tests for s in range(seeds or leg.seeds)]
        for leg in legs
    }
    screen = _Screen(sum(map(len, jobs.values())))

    def one(job: Job, built: Built) -> Outcome:
        screen.started(job.title)
        outcome = run_built(job, built)
        screen.ended(job.title, outcome.verdict.passed)
        return outcome

    pool = ThreadPoolExecutor(workers)
    futures: list[Future[Outcome]] = []
    try:
        with screen.live():
            for leg in legs:
                try:
                    built = build(replace(leg.spec, coverage=coverage), say, jobs=workers)
                except CheckError as error:
                    results.broken.append(Broken(leg, str(error)))
                    for job in jobs[leg.name]:
                        screen.ended(job.title, False)
                    continue
                futures += [pool.submit(one, job, built) for job in jobs[leg.name]]
            for future in as_completed(futures):
                results.outcomes.append(future.result())
    except BaseException:
        process.refuse_new()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    broken = (job for one in results.broken for job in jobs[one.leg.name])
    keep_failures([*(outcome.job for outcome in results.failed), *broken])
    results.seconds = time.monotonic() - begin
    return results


def tell(results: Results) -> None:
    """Print what failed: one run of each bucket in full, the first few again with waves, then all buckets."""
    for one in results.broken:
        say(f"FAILED {one.leg.name}\n  {one.text}")
    found = buckets(results.failures)
    outcomes = {outcome.job.title: outcome for outcome in results.failed}
    firsts = [outcomes[bucket.first.title] for bucket in found if bucket.first.title in outcomes]
    for number, outcome in enumerate(firsts):
        say(explain(outcome))
        if number < RERUNS_WITH_WAVES:
            waves = rerun_with_waves(outcome, replace(outcome.job.leg.spec, coverage=results.coverage), say)
            if waves is not None:
                results.waves[outcome.job.title] = waves
    if found:
        say(summary(found))


def regress(
    manifest: Manifest,
    *,
    seeds: int | None,
    quick: bool,
    level: str | None,
    coverage: bool,
    workers: int | None,
    events: bool = False,
) -> int:
    """`make regress`: run, tell, report. Returns the exit status."""
    from tb.run.report import write_reports  # jinja2 costs time that no other command needs

    legs = select_legs(manifest, quick=quick, level=level)
    results = run_legs(legs, seeds=seeds, coverage=coverage, workers=workers or os.cpu_count() or 1, events=events)
    tell(results)
    passed, failed = results.counts
    report = write_reports(results, {"level": level, "quick": quick, "seeds": seeds, "coverage": coverage}, say)
    if coverage:
        percent = report.data["code_coverage"].items()
        say("code coverage: " + (", ".join(f"{kind} {value} %" for kind, value in percent) or "none"))
    for problem in report.data["problems"]:
        say(f"FAILED {problem}")
    say(f"report: {report.page}")
    say(f"{passed} passed, {failed} failed")
    whole = not quick and level is None  # a part of the legs cannot show the whole plan
    if whole:
        say(report.plan_text)
    good = passed and not failed and not report.data["problems"] and (report.plan_holds or not whole)
    return 0 if good else 1
