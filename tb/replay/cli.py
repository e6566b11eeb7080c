"""The main job: replay, show, report. Exit status: 0 done, 1 a check failed, 2 wrong use, 130 interrupted."""

import sys
import time

from rich.console import Console

from sw.replay.trace import TraceError, TraceRequest
from tb.replay import outcome as results
from tb.replay.display import Display
from tb.replay.feed import Update
from tb.replay.options import Options, parse
from tb.replay.outcome import Outcome
from tb.replay.workload import load, plan
from tb.run.errors import CheckError, UsageError
from tb.run.paths import shown
from tb.run.process import no_process_left
from tb.sim.errors import Difference

FIGURES = "sim.json"
PAGE = "sim.html"


class _Watch:
    """Takes updates on: to the display, into the outcome, and the times of the first and the last."""

    def __init__(self, outcome: Outcome, display: Display, begun: float) -> None:
        self._outcome = outcome
        self._display = display
        self._begun = begun
        self._first: float | None = None

    def take(self, update: Update) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now
            self._outcome.startup_s = now - self._begun
        self._outcome.wall_s = now - self._first
        self._outcome.take(update)
        self._display.show(update)


def _replay(options: Options, console: Console, begun: float) -> int:
    try:
        workload = load(options.trace, options.requests, options.seed)
    except TraceError as error:
        raise UsageError(f"trace {error}") from None
    outcome = Outcome(options, plan(workload, options.entries), len(workload))
    status, look_closer = 0, None
    try:
        _run(options, workload, outcome, console, begun)
        outcome.state = results.COMPLETE
    except Difference as error:
        outcome.failure, status, look_closer = str(error), 1, error.look_closer
        outcome.mismatches = max(outcome.mismatches, 1)
    except CheckError as error:
        outcome.failure, status = str(error), 1
    except KeyboardInterrupt:
        outcome.state, status = results.INTERRUPTED, 130
    _report(outcome, console, with_page=status != 130)
    if status == 1:
        console.print(f"repeat: {options.repeat}", markup=False)
    if look_closer:
        look_closer(lambda text: console.print(text, markup=False))
    return status


def _run(options: Options, workload: list[TraceRequest], outcome: Outcome, console: Console, begun: float) -> None:
    # each backend imports what it alone needs, to start fast
    if options.backend == "model":
        from tb.replay import on_model

        with Display(console, len(workload)) as display:
            on_model.replay(options, workload, outcome.config, _Watch(outcome, display, begun).take)
        return
    from tb.replay import on_rtl

    job, built = on_rtl.prepare(options, lambda text: console.print(text, markup=False))
    with Display(console, len(workload)) as display:
        verdict = on_rtl.replay(job, built, _Watch(outcome, display, begun).take)
    outcome.comparisons = verdict.comparisons


def _report(outcome: Outcome, console: Console, *, with_page: bool) -> None:
    if outcome.samples:
        results.show(console, outcome)
    figures, page = outcome.options.report / FIGURES, outcome.options.report / PAGE
    outcome.write(figures)
    where = shown(figures)
    if with_page:
        from tb.replay.page import write_page  # plots are slow to import

        write_page(outcome, page)
        where += f", {shown(page)}"
    else:
        page.unlink(missing_ok=True)  # it would show another run
    console.print(f"report: {where}", markup=False)
    if outcome.state == results.INTERRUPTED:
        print("interrupted: no process is left, the report is partial", file=sys.stderr)
    elif outcome.failure:
        print(f"error: {outcome.failure}", file=sys.stderr)


def main(argv: list[str]) -> int:
    """Run one replay; every foreseeable error is one line and a status."""
    begun = time.monotonic()
    console = Console(highlight=False, soft_wrap=True)
    try:
        with no_process_left():
            return _replay(parse(argv), console, begun)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except CheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: no process is left", file=sys.stderr)
        return 130
