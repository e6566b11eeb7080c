"""A replay on the simulated RTL: builds the testbench, runs the replay leg in the simulator's process, follows it."""

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

from tb.replay.errors import Difference
from tb.replay.feed import NAME, Reader, Update
from tb.replay.options import Options
from tb.run.build import Built, build
from tb.run.errors import CheckError
from tb.run.leg import Job, run_built
from tb.run.manifest import Leg, load
from tb.run.paths import RUNS, shown
from tb.run.verdict import Verdict
from tb.run.waves import rerun_with_waves

LEG = "replay"
FOLDER = "sim"
TEST = "replay"
POLL_S = 0.1
LIMIT_S = 7 * 24 * 3600.0  # a long trace takes what it takes; a device that stands still is noticed by simulated time


def job_for(options: Options) -> Job:
    """The replay leg with the user's sizes and workload. Raises UsageError."""
    leg = load().leg(LEG)
    spec = replace(leg.top.spec, verilator=options.verilator, cxx=options.cxx)
    sizes = {"ENTRIES": options.entries, "LANES": options.lanes, "PORTS": options.ports}
    settings = {"trace": str(options.trace.resolve()) if options.trace else None, "requests": options.requests}
    mine: Leg = replace(
        leg,
        top=replace(leg.top, spec=spec),
        parameters={**leg.parameters, **sizes},
        settings={**leg.settings, **settings},
        timeout_s=LIMIT_S,
    )
    return Job(mine, TEST, options.seed)


@contextmanager
def _following(reader: Reader, take: Callable[[Update], None]) -> Iterator[None]:
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


def prepare(options: Options, say: Callable[[str], None]) -> tuple[Job, Built]:
    """Build, or find the build. Raises UsageError, CheckError."""
    job = job_for(options)
    return job, build(job.leg.spec, say)


@contextmanager
def folder_of_its_own(job: Job, folder: str) -> Iterator[Job]:
    """The job with a run folder (of this name, or numbered) that nobody else uses meanwhile."""
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


def replay(job: Job, built: Built, take: Callable[[Update], None]) -> Verdict:
    """Run the replay and judge it like any test.

    Raises Difference, CheckError: the first reason why it does not pass.
    """
    with folder_of_its_own(job, FOLDER) as mine:
        feed = mine.folder / NAME
        feed.unlink(missing_ok=True)
        with _following(Reader(feed), take):
            outcome = run_built(mine, built)
    verdict = outcome.verdict
    log = f"(log: {shown(outcome.log)})"
    if verdict.failure_text:
        place = f"cycle {verdict.failure_cycle}: " if verdict.failure_cycle is not None else ""
        message = f"{place}{verdict.failure_text.splitlines()[0]} {log}"
        raise Difference(message, lambda say: rerun_with_waves(outcome, job.leg.spec, say))
    if not verdict.passed:
        raise CheckError(f"{verdict.reasons[0]} {log}")
    return verdict
