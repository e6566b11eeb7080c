"""The system part: serve, show, report. Exit status: 0 done, 1 a check failed, 2 wrong use, 130 interrupted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from sw.terminal import new_console
from tb.llm.display import Display, rows, show_served
from tb.llm.options import Options, parse
from tb.llm.outcome import FIGURE_NAMES, Outcome, Progress
from tb.run.command import run_command
from tb.sim.display import sayer, show_table
from tb.sim.ending import Ending, carry_out, write_reports

KIND = "llm"  # of the reports: llm.json, llm.html


@dataclass(kw_only=True)
class Run(Ending):
    """What is known of the run so far."""

    options: Options
    last: Progress = field(default_factory=Progress)

    def take(self, progress: Progress) -> None:
        """A chunk has run."""
        self.seen_alive()
        self.last = progress

    def differed(self) -> None:
        """What was seen is not what must be seen."""
        self.last = replace(self.last, mismatches=max(self.last.mismatches, 1))

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
            **options.sizes,
            "seed": options.seed,
            **(last.outcome.figures() if last.outcome else partial),
            "comparisons": last.comparisons,
            "mismatches": last.mismatches,
            "simulated_ns": last.now_ns,
            "wall_s": round(self.wall_s or 0.0, 3),
            "startup_s": round(self.startup_s or 0.0, 3),
        }


def _serve(options: Options, begun: float) -> int:
    run, console = Run(options=options, begun=begun), new_console()
    return carry_out(
        run,
        lambda: _run(run, console),
        lambda: _report(run, console),
        run.differed,
        options.repeat,
        sayer(console),
    )


def _run(run: Run, console: Console) -> None:
    # each backend imports what it alone needs, to start fast
    display = Display(console, len(run.options.prompts))

    def take(progress: Progress) -> None:
        run.take(progress)
        display.take(progress)

    if run.options.backend == "model":
        from tb.llm import on_model

        with display:
            on_model.serve(run.options, take)
        return
    from tb.llm import on_rtl

    job, built = on_rtl.prepare(run.options, sayer(console))
    with display:
        verdict = on_rtl.serve(job, built, take)
    run.last = replace(run.last, comparisons=verdict.comparisons)


def _report(run: Run, console: Console) -> None:
    options, outcome = run.options, run.last.outcome
    if outcome:
        show_served(console, options.prompts, outcome.served)
        totals = rows(outcome, run.last, options.device, options.seed)
        totals.append(("wall time", f"{run.wall_s or 0.0:.1f} s, first chunk after {run.startup_s or 0.0:.1f} s"))
        show_table(console, "system", totals)
    page = (lambda path: _write_page(outcome, path)) if outcome else None
    where = write_reports(KIND, options.report, run.figures(), options, page, prompt=options.prompt)
    sayer(console)(f"report: {where}")


def _write_page(outcome: Outcome, path: Path) -> None:
    # plots are slow to import
    from sw.metrics.page import write_page
    from tb.run.page import HOME

    write_page(outcome.snapshot, path, HOME)


def main(argv: list[str]) -> int:
    """Serve one workload; every foreseeable error is one line and a status."""
    begun = time.monotonic()
    return run_command(lambda: _serve(parse(argv), begun))
