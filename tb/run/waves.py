"""Waves of a run: re-run with a window before the failure, and session files for the viewers."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tb.run.build import BuildSpec, build
from tb.run.leg import Job, Outcome, run_built
from tb.run.paths import shown
from tb.run.sessions import BEFORE_CYCLES, chosen_signals, value_names, write_sessions
from tb.run.tools import FST_HINT

WINDOW_CYCLES = 200
AFTER_CYCLES = 100  # a difference may be found long after it happened

Say = Callable[[str], None]
Run = Callable[[Job, BuildSpec], Outcome]


def window_start_ps(outcome: Outcome, before: int = WINDOW_CYCLES) -> int:
    """Time in ps from which the waves of a failed run are worth writing."""
    end_ps = outcome.verdict.failure_ps
    if end_ps is None:
        stamps = re.findall(r"^\s*(\d+\.\d+)ns ", outcome.log.read_text(errors="replace"), re.M)
        end_ps = int(float(stamps[-1]) * 1000) if stamps else 0
    return max(0, end_ps - before * outcome.job.leg.top.clock_ps)


def rerun_with_waves(
    outcome: Outcome, spec: BuildSpec, say: Say, run: Run | None = None, *, before: int = WINDOW_CYCLES
) -> Path | None:
    """Repeat a failed run with waves of the `before` cycles before the failure; says where they are, and returns it.

    `run` runs a job on the build of a spec: here, unless it is given.
    """
    if outcome.verdict.failure_ps is None and any("wall clock" in reason for reason in outcome.verdict.reasons):
        say("  waves  none: the run hung without simulated time, its Python stacks are at the end of the log")
        return None
    if outcome.verdict.killed:
        say("  waves  none: the run was killed from outside")
        return None
    from_ps = window_start_ps(outcome, before)
    to_ps = from_ps + (before + AFTER_CYCLES) * outcome.job.leg.top.clock_ps
    job = replace(outcome.job, waves_from_ps=from_ps, waves_to_ps=to_ps)
    spec = replace(spec, waves=True)
    again = run(job, spec) if run else run_built(job, build(spec, say))
    if again.verdict.passed or again.verdict.failure_ps != outcome.verdict.failure_ps:
        say("  waves  the second run did not fail in the same way: the test depends on something besides its seed")
    show_waves(again, say)
    return again.waves


def show_waves(outcome: Outcome, say: Say) -> None:
    """Write the viewer sessions of a run that has waves and say how to open them."""
    if outcome.waves is None or not outcome.waves.stat().st_size:
        say("  waves  none were written, see the log")
        return
    gtkw, sucl = _sessions(outcome.waves, outcome.job, outcome.verdict.failure_ps)
    say(f"  waves  {shown(outcome.waves)}")
    say(f"         gtkwave {shown(gtkw)}   or, in its folder, surfer --command-file {sucl.name}")
    if outcome.waves.suffix == ".vcd":
        say(f"         {FST_HINT}")


def _sessions(waves: Path, job: Job, failure_ps: int | None) -> tuple[Path, Path]:
    """Write the viewer sessions of a wave file. Raises CheckError: a listed signal is not in it."""
    import pywellen  # only runs with waves need it

    top = job.leg.top
    variables = list(pywellen.pywellen.Waveform(str(waves)).all_vars())
    groups = chosen_signals(top, variables)
    named = next((s.name for signals in groups.values() for s in signals if value_names(s.how)), None)
    first = next((v for v in variables if v.full_name == named), None)
    start_ps = _first_activity(first) if first is not None else 0
    return write_sessions(waves, top, groups, failure_ps, max(0, start_ps - BEFORE_CYCLES * top.clock_ps))


def _first_activity(variable: Any) -> int:
    """Time in ps at which a signal first leaves the value that it has after its first changes (reset)."""
    changes = [(time, value) for time, value in variable.tv if time > 0]
    resting = changes[0][1] if changes else None
    return next((int(time) for time, value in changes if value != resting), 0)
