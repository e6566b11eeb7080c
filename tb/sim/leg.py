"""A leg of the manifest as a command of its own: with the user's sizes, in its own folder, followed while it runs."""

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any, TypeVar

from tb.run.build import Built
from tb.run.errors import CheckError
from tb.run.leg import Job, Outcome, run_built
from tb.run.manifest import load
from tb.run.paths import RUNS, shown
from tb.run.verdict import Verdict
from tb.run.waves import rerun_with_waves
from tb.sim.errors import Difference
from tb.sim.feed import Reader
from tb.sim.options import DeviceOptions

POLL_S = 0.1
LIMIT_S = 7 * 24 * 3600.0  # a long run takes what it takes; a device without progress is detected by simulated time
T = TypeVar("T")


def sized_job(leg_name: str, test: str, options: DeviceOptions, settings: dict[str, Any]) -> Job:
    """A leg's test with the user's sizes and settings, and without a limit of time. Raises UsageError."""
    leg = load().leg(leg_name)
    spec = replace(leg.top.spec, verilator=options.verilator, cxx=options.cxx)
    sizes = {"ENTRIES": options.entries, "LANES": options.lanes, "PORTS": options.ports}
    mine = replace(
        leg,
        top=replace(leg.top, spec=spec),
        parameters={**leg.parameters, **sizes},
        settings={**leg.settings, **settings},
        timeout_s=LIMIT_S,
    )
    return Job(mine, test, options.seed, events=options.events)


@contextmanager
def folder_of_its_own(job: Job, folder: str) -> Iterator[Job]:
    """The job with a run folder (of this name, or numbered) that no other run uses meanwhile."""
    RUNS.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        name = f"{folder}{number if number > 1 else ''}"
        with (RUNS / f"{name}.lock").open("w") as mutex:
            try:
                fcntl.flock(mutex, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield replace(job, leg=replace(job.leg, name=name))
            return


def run_followed(
    job: Job, built: Built, folder: str, feed: str, parse: Callable[[str], T], take: Callable[[T], None]
) -> Verdict:
    """Run a job in a folder of its own, hand on what it writes into the file `feed` there, and judge it like any test.

    Raises Difference, CheckError: the first reason why it does not pass.
    """
    with folder_of_its_own(job, folder) as mine:
        path = mine.folder / feed
        path.unlink(missing_ok=True)
        reader = Reader(path, parse)
        with _following(reader, take):
            outcome = run_built(mine, built)
        verdict = judged(outcome, lambda say: rerun_with_waves(outcome, outcome.job.leg.spec, say))
        if reader.damaged:
            raise CheckError(f"the progress of the run is not whole, and so would be its report: {reader.damaged}")
        return verdict


@contextmanager
def _following(reader: Reader[T], take: Callable[[T], None]) -> Iterator[None]:
    """Hand on what the simulator's process writes, until the block ends."""
    over = threading.Event()

    def follow() -> None:
        while not over.wait(POLL_S):
            for update in reader.new():
                take(update)

    thread = threading.Thread(target=follow, name="progress")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for update in reader.new():
            take(update)


def judged(outcome: Outcome, look_closer: Callable[[Callable[[str], None]], object] | None = None) -> Verdict:
    """The verdict of a run that passes. Raises Difference, CheckError: the first reason why it does not."""
    verdict = outcome.verdict
    log = f"(log: {shown(outcome.log)})"
    if verdict.failure_text:
        place = f"cycle {verdict.failure_cycle}: " if verdict.failure_cycle is not None else ""
        raise Difference(f"{place}{verdict.failure_text.splitlines()[0]} {log}", look_closer)
    if not verdict.passed:
        raise CheckError(f"{verdict.reasons[0]} {log}")
    return verdict
