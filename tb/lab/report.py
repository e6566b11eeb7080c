"""What an experiment leaves: `<name>.json` and its page, both of the same run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tb.lab import serving
from tb.lab.results import Record, rows
from tb.lab.settings import Table as Settings
from tb.run.artefacts import published
from tb.run.paths import shown
from tb.run.provenance import provenance
from tb.run.store.database import PASSED
from tb.run.store.keep import keep_run


def write(folder: Path, name: str, settings: Settings, traces: list[dict[str, Any]]) -> str:
    """Write the results; returns where they are, as shown. Raises UsageError when they cannot be written."""
    # plots are slow to import
    if name == "serving":
        from tb.lab.serving_page import write_page
    else:
        from tb.lab.page import write_page

    results = {
        **provenance(settings["seed"], settings),
        "experiment": name,
        "question": settings["question"],
        "traces": traces,
    }
    with published(folder, name) as staged:
        (staged / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
        write_page(results, staged / f"{name}.html")
    keep_run(name, results, PASSED, folder)
    return ", ".join(shown(folder / f"{name}.{suffix}") for suffix in ("json", "html"))


def show(console: Console, name: str, trace: Record) -> None:
    """Print what an experiment has found on one trace."""
    if name != "serving":
        _show_hits(console, trace)
        return
    for capacity, engines in trace["capacities"].items():
        for engine, policies in engines.items():
            table = Table(
                title=f"{serving.title(trace, capacity, engine)}: means over {trace['seeds']} traces",
                title_justify="left",
            )
            table.add_column("", style="bold")
            for policy in policies:
                table.add_column(policy, justify="right")
            for line, cells in serving.rows(policies, serving.HEADLINE, intervals=False):
                table.add_row(line, *cells)
            console.print(table)


def _show_hits(console: Console, trace: Record) -> None:
    """The table of a trace's second half."""
    table = Table(
        title=f"{trace['name']}: retention hits in % of the references of the second half (with prefetch hits)",
        title_justify="left",
    )
    table.add_column("policy", style="bold")
    for capacity in trace["capacities"]:
        table.add_column(f"{int(capacity):,}", justify="right")
    for name, cells in rows(trace, "second_half"):
        table.add_row(name, *cells)
    console.print(table)
