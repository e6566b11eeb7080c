"""A replay on the simulated RTL: builds the testbench, runs the replay leg in the simulator's process, follows it."""

from collections.abc import Callable

from tb.replay.feed import NAME, Update
from tb.replay.options import Options
from tb.run.build import Built, build
from tb.run.leg import Job
from tb.run.verdict import Verdict
from tb.sim.leg import run_followed, sized_job

LEG = "replay"
FOLDER = "sim"
TEST = "replay"


def job_for(options: Options) -> Job:
    """The replay leg with the user's sizes and workload. Raises UsageError."""
    settings = {
        "trace": str(options.trace.resolve()) if options.trace else None,
        "requests": options.requests,
        "block_size": options.block_size,
        "time_unit": options.time_unit,
    }
    return sized_job(LEG, TEST, options, settings)


def prepare(options: Options, say: Callable[[str], None]) -> tuple[Job, Built]:
    """Build, or find the build. Raises UsageError, CheckError."""
    job = job_for(options)
    return job, build(job.leg.spec, say)


def replay(job: Job, built: Built, take: Callable[[Update], None]) -> Verdict:
    """Run the replay and judge it like any test.

    Raises Difference, CheckError: the first reason why it does not pass.
    """
    return run_followed(job, built, FOLDER, NAME, Update.parse, take)
