"""The main job: replay, show, report. Exit status: 0 done, 1 a check failed, 2 wrong use, 130 interrupted."""

import time
from pathlib import Path

from rich.console import Console

from sw.replay.config import TooLarge
from sw.replay.readers import assumption
from sw.replay.trace import TraceError, TraceRequest
from sw.terminal import new_console
from tb.replay import outcome as results
from tb.replay.display import Display
from tb.replay.feed import Update
from tb.replay.options import Options, parse
from tb.replay.outcome import Outcome
from tb.replay.workload import load, plan
from tb.run.artefacts import file_digest
from tb.run.command import run_command
from tb.run.errors import UsageError
from tb.sim.display import sayer
from tb.sim.ending import STOPPED, carry_out, write_reports

KIND = "sim"  # of the reports: sim.json, sim.html


def _replay(options: Options, begun: float) -> int:
    try:
        trace = load(options, options.seed)
        config = plan(trace, options.entries)
    except (TraceError, TooLarge) as error:
        raise UsageError(f"trace {error}") from None
    workload, console = trace.requests, new_console()
    if options.trace is not None and (word := assumption(options.trace, trace)):
        sayer(console)(word)
    outcome = Outcome(options=options, config=config, requested=len(workload), begun=begun)

    def differed() -> None:
        outcome.mismatches = max(outcome.mismatches, 1)

    return carry_out(
        outcome,
        lambda: _run(options, workload, outcome, console),
        lambda: _report(outcome, console),
        differed,
        options.repeat,
        sayer(console),
    )


def _run(options: Options, workload: list[TraceRequest], outcome: Outcome, console: Console) -> None:
    # each backend imports what it alone needs, to start fast
    display = Display(console, len(workload))

    def take(update: Update) -> None:
        outcome.take(update)
        display.take(update)

    if options.backend == "model":
        from tb.replay import on_model

        with display:
            on_model.replay(options, workload, outcome.config, take)
        return
    from tb.replay import on_rtl

    job, built = on_rtl.prepare(options, sayer(console))
    with display:
        verdict = on_rtl.replay(job, built, take)
    outcome.comparisons = verdict.comparisons


def _report(outcome: Outcome, console: Console) -> None:
    if outcome.samples:
        results.show(console, outcome)
    options = outcome.options
    own = {"trace": outcome.trace} | {name: getattr(options, name) for name in ("requests", "block_size", "time_unit")}
    if options.trace is not None:
        own["trace_sha256"] = file_digest(Path(options.trace))
    page = None if outcome.state == STOPPED else lambda path: _write_page(outcome, path)
    where = write_reports(KIND, options.report, outcome.figures(), options, page, **own)
    sayer(console)(f"report: {where}")


def _write_page(outcome: Outcome, path: Path) -> None:
    from tb.replay.page import write_page  # plots are slow to import

    write_page(outcome, path)


def main(argv: list[str]) -> int:
    """Run one replay; every foreseeable error is one line and a status."""
    begun = time.monotonic()
    return run_command(lambda: _replay(parse(argv), begun))
