"""Waves of a run: re-run with a window before the failure, and session files for the viewers."""

import re
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from tb.run.build import BuildSpec, build
from tb.run.leg import Job, Outcome, run_built
from tb.run.paths import shown
from tb.run.tools import FST_HINT

WINDOW_CYCLES = 200
AFTER_CYCLES = 100  # a difference may be found long after it happened
DEFAULT_SIGNALS = 40  # of the top module, when the manifest names none

Say = Callable[[str], None]


class _Signal(Protocol):
    full_name: str
    bitwidth: int | None


def window_start_ps(outcome: Outcome) -> int:
    """Time in ps from which the waves of a failed run are worth writing."""
    end_ps = outcome.verdict.failure_ps
    if end_ps is None:
        stamps = re.findall(r"^\s*(\d+\.\d+)ns ", outcome.log.read_text(errors="replace"), re.M)
        end_ps = int(float(stamps[-1]) * 1000) if stamps else 0
    return max(0, end_ps - WINDOW_CYCLES * outcome.job.leg.top.clock_ps)


def rerun_with_waves(outcome: Outcome, spec: BuildSpec, say: Say) -> None:
    """Repeat a failed run with waves of the cycles before the failure; says where they are."""
    if outcome.verdict.failure_ps is None and any("wall clock" in reason for reason in outcome.verdict.reasons):
        say("  waves  none: the run hung without simulated time, its Python stacks are at the end of the log")
        return
    if outcome.verdict.killed:
        say("  waves  none: the run was killed from outside")
        return
    built = build(replace(spec, waves=True), say)
    from_ps = window_start_ps(outcome)
    to_ps = from_ps + (WINDOW_CYCLES + AFTER_CYCLES) * outcome.job.leg.top.clock_ps
    again = run_built(replace(outcome.job, waves_from_ps=from_ps, waves_to_ps=to_ps), built)
    if again.verdict.passed or again.verdict.failure_ps != outcome.verdict.failure_ps:
        say("  waves  the second run did not fail in the same way: the test depends on something besides its seed")
    show_waves(again, say)


def show_waves(outcome: Outcome, say: Say) -> None:
    """Write the viewer sessions of a run that has waves and say how to open them."""
    if outcome.waves is None or not outcome.waves.stat().st_size:
        say("  waves  none were written, see the log")
        return
    gtkw, sucl = write_sessions(outcome.waves, outcome.job, outcome.verdict.failure_ps)
    say(f"  waves  {shown(outcome.waves)}")
    say(f"         gtkwave {shown(gtkw)}   or   surfer --command-file {shown(sucl)}")
    if outcome.waves.suffix == ".vcd":
        say(f"         {FST_HINT}")


def _matters(job: Job, signals: list[_Signal]) -> list[_Signal]:
    """The signals that the manifest names for this top, else the top module's own."""
    top = job.leg.spec.module
    if not job.leg.top.waves:
        return [s for s in signals if s.full_name.count(".") == 1][:DEFAULT_SIGNALS]
    picked: dict[str, _Signal] = {}
    for pattern in job.leg.top.waves:
        for signal in signals:
            if fnmatchcase(signal.full_name, f"{top}.{pattern}") or fnmatchcase(signal.full_name, f"*.{top}.{pattern}"):
                picked.setdefault(signal.full_name, signal)
    return list(picked.values())


def write_sessions(waves: Path, job: Job, failure_ps: int | None) -> tuple[Path, Path]:
    """Write a GTKWave save file and a Surfer command file beside `waves`; returns both paths."""
    import pywellen  # only runs with waves need it

    signals = _matters(job, list(pywellen.pywellen.Waveform(str(waves)).all_vars()))
    mark = failure_ps if failure_ps is not None else -1
    gtkw = waves.with_suffix(".gtkw")
    lines = [
        f'[dumpfile] "{waves}"',
        f"[timestart] {max(0, mark - 50 * job.leg.top.clock_ps)}",
        f"*-16.0 {mark}" + " -1" * 26,
    ]
    for signal in signals:
        width = signal.bitwidth or 1
        lines += ["@28", signal.full_name] if width == 1 else ["@22", f"{signal.full_name}[{width - 1}:0]"]
    gtkw.write_text("\n".join(lines) + "\n")
    sucl = waves.with_suffix(".sucl")
    commands = [f"load_file {waves}", *(f"variable_add {signal.full_name}" for signal in signals)]
    commands += [f"cursor_set {mark}", "goto_cursor"] if mark >= 0 else ["zoom_fit"]
    sucl.write_text("\n".join(commands) + "\n")
    return gtkw, sucl
