"""A replay on the simulated RTL: builds the testbench, runs the replay leg in the simulator's process, follows it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from tb.replay.feed import NAME, Reader, Update
from tb.replay.options import Options
from tb.run.build import Built, build
from tb.run.errors import CheckError
from tb.run.leg import Job, run_built
from tb.run.manifest import Leg, load
from tb.run.paths import shown
from tb.run.verdict import Verdict

LEG = "replay"
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


def replay(job: Job, built: Built, take: Callable[[Update], None]) -> Verdict:
    """Run the replay and judge it like any test. Raises CheckError with the first reason when it does not pass."""
    feed = job.folder / NAME
    feed.unlink(missing_ok=True)
    with _following(Reader(feed), take):
        outcome = run_built(job, built)
    verdict = outcome.verdict
    if not verdict.passed:
        place = f"cycle {verdict.failure_cycle}: " if verdict.failure_cycle is not None else ""
        reason = verdict.failure_text.splitlines()[0] if verdict.failure_text else verdict.reasons[0]
        raise CheckError(f"{place}{reason} (log: {shown(outcome.log)})")
    return verdict
