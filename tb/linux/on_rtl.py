"""The simulated RTL behind the PCI function: builds it, and runs one simulation for each guest."""

import hashlib
import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tb.linux.kernel import Kernel
from tb.linux.machine import LOG, OUTCOME, Boot, Task
from tb.run.build import build
from tb.run.leg import EVENT_LOG, Job, Outcome, run_built
from tb.run.manifest import Leg, load
from tb.run.paths import shown
from tb.run.waves import rerun_with_waves

BASE = "serve_small"  # the leg whose device it is
TEST = "guest"
LIMIT_S = 3600.0
SESSION_S = 7 * 24 * 3600.0  # of a shell: the user decides how long
REPORT_S = 100.0  # of the limit: for the rest of the device and the comparison of everything that it holds
WINDOW_CYCLES = 3000  # of waves before a failure: the guest looks at a register only a microsecond after its write


def leg(kernel: Kernel, task: Task, seed: int) -> Leg:
    """The leg of one guest; its name is that of the folder that its runs leave."""
    limit_s = SESSION_S if task.console else LIMIT_S
    return replace(
        load().leg(BASE),
        name=f"kernel.{task.suite}",
        module="tb.linux.guest_test",
        tests=(TEST,),
        settings={
            "kernel": str(kernel.folder),
            "version": kernel.version,
            "limit_s": limit_s - REPORT_S,
            **task.settings,
        },
        timeout_s=limit_s,
        repeated_by=f"make kernel TEST={shlex.quote(task.pattern)} SEED={seed}",
    )


def prepare(say: Callable[[str], None]) -> None:
    """Build the RTL, or find the build. Raises UsageError, CheckError."""
    build(load().leg(BASE).spec, say)


def boot_one(
    kernel: Kernel, task: Task, seed: int, say: Callable[[str], None], *, events: bool = False
) -> tuple[Boot, int]:
    """Boot a guest on the RTL; how it ended, and how many comparisons the scoreboard has made.

    A run that fails leaves its waves around the cycle of the failure. With `events` the event log is written, and its
    digest is in what is returned. Raises UsageError, CheckError: the RTL does not build.
    """
    job = Job(leg(kernel, task, seed), TEST, seed, events=events)
    outcome = run_built(job, build(job.leg.spec, say))
    folder = outcome.log.parent
    log = (folder / LOG).read_text(errors="replace") if (folder / LOG).exists() else ""
    if (folder / OUTCOME).exists():
        ended = Boot(**{**json.loads((folder / OUTCOME).read_text()), "log": log, "events": _digest(folder)})
    else:
        ended = Boot.unknown(log)
    if not outcome.verdict.passed:
        ended = replace(ended, fault=_why(outcome))
    if not outcome.verdict.passed and not task.console:  # a user's session cannot be repeated
        rerun_with_waves(outcome, job.leg.spec, say, before=WINDOW_CYCLES)
    return ended, outcome.verdict.comparisons


def _why(outcome: Outcome) -> str:
    """Cycle, reason and log of a run that failed, in one line."""
    verdict = outcome.verdict
    where = f"cycle {verdict.failure_cycle}: " if verdict.failure_cycle is not None else ""
    why = (verdict.failure_text or verdict.reasons[0]).splitlines()[0]
    return f"{where}{why} (log: {shown(outcome.log)})"


def _digest(folder: Path) -> str:
    log = folder / EVENT_LOG
    return hashlib.sha256(log.read_bytes()).hexdigest() if log.exists() else ""
