"""A run on the simulated RTL: builds the testbench, runs the LLM leg in the simulator's process, follows it."""

from __future__ import annotations

from collections.abc import Callable

from tb.llm.options import Options
from tb.llm.outcome import Progress
from tb.run.build import Built, build
from tb.run.leg import Job
from tb.run.verdict import Verdict
from tb.sim.leg import run_followed, sized_job

LEG = "llm"
FOLDER = "llm"
TEST = "serve_prompts"
FEED = "llm.jsonl"


def prepare(options: Options, say: Callable[[str], None]) -> tuple[Job, Built]:
    """Build, or find the build. Raises UsageError, CheckError."""
    job = sized_job(LEG, TEST, options, {"prompt": options.prompt})
    return job, build(job.leg.spec, say)


def serve(job: Job, built: Built, take: Callable[[Progress], None]) -> Verdict:
    """Serve the prompts and judge the run like any test.

    Raises Difference, CheckError: the first reason why it does not pass.
    """
    return run_followed(job, built, FOLDER, FEED, Progress.parse, take)
