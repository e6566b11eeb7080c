"""Runs the experiment `bounded` for `make experiments`: progress, results, page, verdict."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tb.lab import serving
from tb.lab.bounded import study
from tb.lab.bounded.criteria import ran, title, us
from tb.lab.bounded.decode import FIELDS
from tb.run.artefacts import published
from tb.run.errors import CheckError
from tb.run.paths import shown
from tb.run.provenance import provenance
from tb.run.store.keep import keep_run, verdict
from tb.sim.display import Progressing, sayer

NAME = "bounded"
TOKENS = "-tokens.csv.gz"


def check_installed() -> None:
    """Raise UsageError where what this experiment needs is not installed."""
    serving.check_installed()  # SciPy


def experiment(settings: dict[str, Any], folder: Path, console: Console, workers: int | None = None) -> None:
    """Run, write `bounded.json`, `bounded.html` and every token, print the criteria.

    Raises:
        CheckError: a token took longer than its bound; the report is written before.
    """
    begun = provenance(settings["seed"], settings)
    with Progressing(console, study.units(settings), "runs") as progress:
        progress.starting()
        steps = iter(range(study.units(settings)))
        results, raw = study.run(settings, lambda text: progress.show(next(steps), text), workers or study.cores())
    whole = study.finish(results, begun)
    _show(console, whole)
    sayer(console)(f"report: {_write(whole, raw, folder)}")
    _check(whole)


def _write(whole: dict[str, Any], raw: Sequence[study.Raw], folder: Path) -> str:
    from tb.lab.bounded.page import write_page  # plots are slow to import

    with published(folder, NAME) as staged:
        (staged / f"{NAME}.json").write_text(json.dumps(whole, indent=1) + "\n")
        write_page(whole, staged / f"{NAME}.html")
        _write_tokens(raw, staged / f"{NAME}{TOKENS}")
    keep_run(NAME, whole, verdict(not any(cell["over_bound"] for cell in ran(whole))), folder)
    return ", ".join(shown(folder / f"{NAME}{suffix}") for suffix in (".json", ".html", TOKENS))


def _write_tokens(raw: Sequence[study.Raw], path: Path) -> None:
    """Every token of every run as CSV: its cell and seed, then `decode.FIELDS`, times in cycles of the device clock.

    The same tokens give the same bytes.
    """
    with gzip.GzipFile(path, "wb", compresslevel=6, mtime=0) as packed, TextIOWrapper(packed, newline="") as text:
        out = csv.writer(text, lineterminator="\n")
        out.writerow(("group", "cell", "seed", *FIELDS))
        for one in raw:
            own = (one.cell.group, one.cell.name, one.seed)
            out.writerows((*own, *row) for row in one.samples.tolist())


def _show(console: Console, whole: dict[str, Any]) -> None:
    table = Table(title="criteria", title_justify="left")
    for column in ("criterion", "target", "value", ""):
        table.add_column(column, overflow="fold")
    for name, one in whole["criteria"].items():
        value = one["value"]
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        table.add_row(name, one["target"], text, "met" if one["met"] else "not met")
    console.print(table)


def _check(whole: dict[str, Any]) -> None:
    """Raise CheckError for the first token over its bound."""
    for cell in ran(whole):
        for one in cell["over_bound"]:
            ns = 1000 / whole["settings"]["timing"]["clock_mhz"]
            raise CheckError(
                f"the bound does not hold in {title(cell)}, seed {one['seed']}, token at a context of {one['tokens']}: "
                f"{one['what']} {us(one['seen'] * ns)}, bound {us(one['bound'] * ns)}; {one['term']} "
                f"({cell['over_bound_tokens']} tokens of {cell['samples']:,} are over it; terms: docs/bounded.md)"
            )
