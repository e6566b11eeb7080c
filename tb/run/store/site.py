"""The first page of the reports, `index.html`: every page with its time, verdict, main figures and their history."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tb.run.artefacts import write_whole
from tb.run.page import pages
from tb.run.store.database import Head, Store
from tb.run.store.figures import ONE_OR_NONE, Figure
from tb.run.store.kinds import KINDS, Kind, kind_of
from tb.run.trend import PLOT, Chart, values_chart

INDEX = "index.html"
SHOWN_FIGURES = 8
DRAWN_FIGURES = 3
HISTORY_LENGTH = 30
LISTED_RUNS = 40


@dataclass(frozen=True, slots=True)
class Part:
    """What the page says of one kind of report; `page` is "" where its page is not there."""

    kind: Kind
    page: str
    head: Head
    figures: list[tuple[str, str]]
    charts: list[Chart]
    runs: int


def write_site(store: Store, folder: Path) -> Path:
    """Write `index.html` of the reports in `folder`, from what the store has. Raises OSError."""
    heads = store.heads()
    parts = [_part(store, folder, newest) for newest in _newest(heads)]
    linked = {part.page for part in parts}
    text = pages().get_template("index.html.j2").render(
        parts=parts,
        others=[name for name in _pages(folder) if name not in linked],
        missing=[kind.title for name, kind in KINDS.items() if all(head.kind != name for head in heads)],
        runs=heads[: -LISTED_RUNS - 1 : -1],
        total=len(heads),
        plot=PLOT,
    )  # fmt: skip
    write_whole(folder / INDEX, text)
    return folder / INDEX


def shown_figure(figure: Figure) -> str:
    """A figure as text, with its unit."""
    if figure.unit == ONE_OR_NONE:
        return "yes" if figure.value else "no"
    return f"{shown_number(figure.value)} {figure.unit}".rstrip()


def shown_number(value: float) -> str:
    """A number as text: six digits, the whole part complete."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.6g}"


def _newest(heads: list[Head]) -> list[Head]:
    """The last run of each kind: the known kinds in their order, then the others by name."""
    newest = {head.kind: head for head in heads}
    return [newest[name] for name in [*KINDS, *sorted(newest.keys() - KINDS.keys())] if name in newest]


def _part(store: Store, folder: Path, head: Head) -> Part:
    kind, figures = kind_of(head.kind), store.figures(head.number)
    names = kind.main_figures(figures, SHOWN_FIGURES)
    history = store.history(head.kind, names[:DRAWN_FIGURES], HISTORY_LENGTH)
    runs: list[dict[str, Any]] = [
        {"time": run.time, "commit": run.revision, "clean": run.clean} for run, _figures in history
    ]
    charts = [
        values_chart(name, figures[name].unit or "number", runs, [_value(found, name) for _run, found in history])
        for name in names[:DRAWN_FIGURES]
        if runs
    ]
    shown = [(name, shown_figure(figures[name])) for name in names]
    page = kind.page if (folder / kind.page).exists() else ""
    return Part(kind, page, head, shown, charts, len(history))


def _value(figures: dict[str, Figure], name: str) -> float | None:
    return float(figures[name].value) if name in figures else None


def _pages(folder: Path) -> list[str]:
    """Every page in the folder of the reports, those of earlier runs left out."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix in {".html", ".md"})
    return sorted(str(path) for path in found if "runs" not in path.parts and str(path) != INDEX)
