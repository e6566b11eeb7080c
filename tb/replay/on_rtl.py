"""A replay on the simulated RTL: builds the testbench, runs the replay leg in the simulator's process, follows it."""

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any, Protocol, TypeVar

from tb.replay.feed import NAME, Reader, Update
from tb.replay.options import Options
from tb.run.build import Built, build
from tb.run.errors import CheckError
from tb.run.leg import Job, run_built
from tb.run.leg import Outcome as JobOutcome
from tb.run.manifest import load
from tb.run.paths import RUNS, shown
from tb.run.verdict import Verdict
from tb.run.waves import rerun_with_waves
from tb.sim.errors import Difference

LEG = "replay"
FOLDER = "sim"
TEST = "replay"
POLL_S = 0.1
T = TypeVar("T")
LIMIT_S = 7 * 24 * 3600.0  # a long trace takes what it takes; a device that stands still is noticed by simulated time


class Build(Protocol):
    """Options that choose what is built."""

    @property
    def entries(self) -> int:
        """ENTRIES."""

    @property
    def lanes(self) -> int:
        """LANES."""

    @property
    def ports(self) -> int:
        """PORTS."""

    @property
    def seed(self) -> int:
        """Of the run."""

    @property
    def verilator(self) -> str | None:
        """A Verilator instead of the environment's own."""

    @property
    def cxx(self) -> str | None:
        """A C++ compiler instead of the machine's."""


def sized_job(leg_name: str, test: str, options: Build, settings: dict[str, Any]) -> Job:
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
    return Job(mine, test, options.seed)


def job_for(options: Options) -> Job:
    """The replay leg with the user's sizes and workload. Raises UsageError."""
    settings = {"trace": str(options.trace.resolve()) if options.trace else None, "requests": options.requests}
    return sized_job(LEG, TEST, options, settings)


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
        return judged(run_followed(mine, built, NAME, Update.parse, take))


def run_followed(job: Job, built: Built, feed: str, parse: Callable[[str], T], take: Callable[[T], None]) -> JobOutcome:
    """Run a job and hand on what it writes into the file `feed` of its folder."""
    path = job.folder / feed
    path.unlink(missing_ok=True)
    with _following(Reader(path, parse), take):
        return run_built(job, built)


def judged(outcome: JobOutcome) -> Verdict:
    """The verdict of a run that passes.

    Raises Difference, CheckError: the first reason why it does not.
    """
    verdict = outcome.verdict
    log = f"(log: {shown(outcome.log)})"
    if verdict.failure_text:
        place = f"cycle {verdict.failure_cycle}: " if verdict.failure_cycle is not None else ""
        message = f"{place}{verdict.failure_text.splitlines()[0]} {log}"
        raise Difference(message, lambda say: rerun_with_waves(outcome, outcome.job.leg.spec, say))
    if not verdict.passed:
        raise CheckError(f"{verdict.reasons[0]} {log}")
    return verdict
