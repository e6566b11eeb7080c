"""The simulated RTL behind the PCI function: builds it, and runs one simulation for each guest."""

import json
from collections.abc import Callable
from dataclasses import replace

from tb.linux.kernel import Kernel
from tb.linux.machine import LOG, OUTCOME, Boot, Task
from tb.run.build import build
from tb.run.leg import Job, run_built
from tb.run.manifest import Leg, load

BASE = "serve_small"  # the leg whose device it is
TEST = "guest"
LIMIT_S = 3600.0


def leg(kernel: Kernel, task: Task) -> Leg:
    """The leg of one guest; its name is that of the folder that its runs leave."""
    return replace(
        load().leg(BASE),
        name=f"kernel.{task.suite}",
        module="tb.linux.guest_test",
        tests=(TEST,),
        settings={"kernel": str(kernel.folder), "version": kernel.version, **task.settings},
        timeout_s=LIMIT_S,
        repeated_by=f"make kernel TEST={task.suite}",
    )


def boot_one(kernel: Kernel, task: Task, seed: int, say: Callable[[str], None]) -> tuple[Boot, int]:
    """Boot a guest on the RTL; how it ended, and how many comparisons the scoreboard has made.

    Raises UsageError, CheckError: the RTL does not build.
    """
    job = Job(leg(kernel, task), TEST, seed)
    outcome = run_built(job, build(job.leg.spec, say))
    verdict = outcome.verdict
    folder = outcome.log.parent
    log = (folder / LOG).read_text(errors="replace") if (folder / LOG).exists() else ""
    if (folder / OUTCOME).exists():
        ended = Boot(**{**json.loads((folder / OUTCOME).read_text()), "log": log})
    else:
        ended = Boot.unknown(log)
    if not verdict.passed:
        why = verdict.failure_text or verdict.reasons[0]
        ended = replace(ended, fault=f"RTL: {why.splitlines()[0]} (log: {outcome.log})")
    return ended, verdict.comparisons
