"""The system part: serve, show, report. Exit status: 0 done, 1 a check failed, 2 wrong use, 130 interrupted."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from tb.llm.display import Display, rows, show_served, show_totals
from tb.llm.options import Options, parse
from tb.llm.outcome import FIGURE_NAMES, Progress
from tb.replay.outcome import COMPLETE, FAILED, INTERRUPTED
from tb.run.errors import CheckError, UsageError
from tb.run.paths import shown
from tb.run.process import no_process_left
from tb.sim.errors import Difference

FIGURES = "llm.json"
PAGE = "llm.html"


class _Watch:
    """What is known of the run so far."""

    def __init__(self, options: Options, begun: float) -> None:
        self.options = options
        self.state = FAILED
        self.failure = ""
        self.last = Progress()
        self.startup_s = 0.0
        self.wall_s = 0.0
        self._begun = begun
        self._first: float | None = None

    def take(self, progress: Progress) -> None:
        """A chunk has run."""
        now = time.monotonic()
        if self._first is None:
            self._first = now
            self.startup_s = now - self._begun
        self.wall_s = now - self._first
        self.last = progress

    def figures(self) -> dict[str, Any]:
        """What `llm.json` holds; without an outcome what had been seen until then."""
        options, last = self.options, self.last
        partial = {
            **dict.fromkeys(FIGURE_NAMES),
            "prompts": last.ended,
            "tokens": last.tokens,
            "token_identical": False,
            "migrations": last.migrations,
        }
        return {
            "state": self.state,
            "failure": self.failure,
            "backend": options.backend,
            "entries": options.entries,
            "lanes": options.lanes,
            "ports": options.ports,
            "seed": options.seed,
            **(last.outcome.figures() if last.outcome else partial),
            "comparisons": last.comparisons,
            "mismatches": last.mismatches,
            "simulated_ns": last.now_ns,
            "wall_s": round(self.wall_s, 3),
            "startup_s": round(self.startup_s, 3),
        }

    def write(self, path: Path) -> None:
        """Write `llm.json`, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.figures(), indent=1) + "\n")
        temporary.replace(path)


def _serve(options: Options, console: Console, begun: float) -> int:
    watch = _Watch(options, begun)
    status, look_closer = 0, None
    try:
        _run(watch, console)
        watch.state = COMPLETE
    except Difference as error:
        watch.failure, status, look_closer = str(error), 1, error.look_closer
        watch.last = replace(watch.last, mismatches=max(watch.last.mismatches, 1))
    except CheckError as error:
        watch.failure, status = str(error), 1
    except KeyboardInterrupt:
        watch.state, status = INTERRUPTED, 130
    _report(watch, console)
    if status == 1:
        console.print(f"repeat: {options.repeat}", markup=False)
    if look_closer:
        look_closer(lambda text: console.print(text, markup=False))
    return status


def _run(watch: _Watch, console: Console) -> None:
    # each backend imports what it alone needs, to start fast
    options, count = watch.options, len(watch.options.prompts)

    def taken_by(display: Display) -> Callable[[Progress], None]:
        def take(progress: Progress) -> None:
            watch.take(progress)
            display.show(progress)

        return take

    if options.backend == "model":
        from tb.llm import on_model

        with Display(console, count) as display:
            on_model.serve(options, taken_by(display))
        return
    from tb.llm import on_rtl

    job, built = on_rtl.prepare(options, lambda text: console.print(text, markup=False))
    with Display(console, count) as display:
        verdict = on_rtl.serve(job, built, taken_by(display))
    watch.last = replace(watch.last, comparisons=verdict.comparisons)


def _report(watch: _Watch, console: Console) -> None:
    options, outcome = watch.options, watch.last.outcome
    figures, page = options.report / FIGURES, options.report / PAGE
    if outcome:
        device = f"{options.backend}, {options.entries:,} entries, {options.lanes} lanes, {options.ports} ports"
        show_served(console, options.prompts, outcome.served)
        totals = rows(outcome, watch.last, device, options.seed)
        totals.append(("wall time", f"{watch.wall_s:.1f} s, first chunk after {watch.startup_s:.1f} s"))
        show_totals(console, "system", totals)
    watch.write(figures)
    where = shown(figures)
    if outcome:
        from sw.metrics.page import write_page  # plots are slow to import

        write_page(outcome.snapshot, page)
        where += f", {shown(page)}"
    else:
        page.unlink(missing_ok=True)  # it would show another run
    console.print(f"report: {where}", markup=False)
    if watch.state == INTERRUPTED:
        print("interrupted: no process is left, the report is partial", file=sys.stderr)
    elif watch.failure:
        print(f"error: {watch.failure}", file=sys.stderr)


def main(argv: list[str]) -> int:
    """Serve one workload; every foreseeable error is one line and a status."""
    begun = time.monotonic()
    console = Console(highlight=False, soft_wrap=True)
    try:
        with no_process_left():
            return _serve(parse(argv), console, begun)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except CheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: no process is left", file=sys.stderr)
        return 130
