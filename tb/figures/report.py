"""What the measurements come to: the table, and `bench.json`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tb.figures.measure import Figure
from tb.figures.rows import BY_NAME, Row

MET, MISSED, REPORTED, ABSENT, FAILED = "met", "missed", "reported", "not measured", "failed"

GROWTH = (
    (
        "sizes",
        "entries",
        "Growth with the directory",
        "The same short replay. Every scan scores and compares every entry: time per cycle grows with the entries.",
    ),
    (
        "lengths",
        "requests",
        "Growth with the trace",
        "Replays at full size: time per cycle and per reference do not grow with the trace, nor does memory.",
    ),
)
"""Key of the rows, column that grows, title, text."""


def verdict(row: Row, figure: Figure) -> str:
    """How a metric compares with its target."""
    if figure.value is None:
        return FAILED if figure.failed else ABSENT
    if row.target is None:
        return REPORTED
    return MET if row.met(figure.value) else MISSED


def missed(figures: Mapping[str, Figure]) -> list[str]:
    """Names of the rows whose target is not reached, or whose measurement failed."""
    return [name for name, figure in figures.items() if verdict(BY_NAME[name], figure) in {MISSED, FAILED}]


def shown_value(figure: Figure) -> str:
    """A value as tables show it."""
    return "-" if figure.value is None else f"{figure.value:,g}"


def show(console: Console, figures: Mapping[str, Figure]) -> None:
    """Print the table."""
    table = Table(title="Figures", title_justify="left")
    for column in ("figure", "value", "target", "unit", "limit", "verdict"):
        table.add_column(column, justify="right" if column in {"value", "target"} else "left", overflow="fold")
    styles = {MET: "green", MISSED: "bold red", FAILED: "bold red", REPORTED: "cyan", ABSENT: "yellow"}
    for name, figure in figures.items():
        row = BY_NAME[name]
        what = verdict(row, figure)
        cells = (name, shown_value(figure), row.shown_target, row.unit, row.limit)
        table.add_row(*cells, f"[{styles[what]}]{what}[/]")
    console.print(table)


def growth_head(by: str) -> list[str]:
    """Columns of a growth table."""
    return [by, "cycles", "references", "seconds", "MB", "us per cycle", "ms per reference"]


def growth_cells(row: Mapping[str, float], by: str) -> list[str]:
    """Cells of a growth table: what was done, what it cost, and the cost per unit of work."""
    return [
        f"{row[by]:,}",
        f"{row['cycles']:,}",
        f"{row['references']:,}",
        f"{row['seconds']:,.1f}",
        f"{row['megabytes']:,.0f}",
        f"{row['seconds'] / row['cycles'] * 1e6:.2f}",
        f"{row['seconds'] / row['references'] * 1e3:.2f}",
    ]


def show_growth(console: Console, curves: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Print the growth tables that were measured."""
    for key, by, title, _ in GROWTH:
        if key in curves:
            table = Table(title=title, title_justify="left")
            for column in growth_head(by):
                table.add_column(column, justify="right")
            for row in curves[key]:
                table.add_row(*growth_cells(row, by))
            console.print(table)


def write(path: Path, figures: Mapping[str, Figure], about: Mapping[str, Any]) -> dict[str, Any]:
    """Write `bench.json`, and return it; `about` says of which sources and settings the figures are."""
    metrics = {
        name: {"value": figure.value, "unit": BY_NAME[name].unit, "target": BY_NAME[name].target, "how": figure.how}
        for name, figure in figures.items()
    }
    record = {**about, "metrics": metrics}
    path.write_text(json.dumps(record, indent=1) + "\n")
    return record
