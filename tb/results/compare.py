"""What differs in two runs: settings, sources, machine and figures, with intervals where there are samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sw.terminal import visible
from tb.results import bootstrap
from tb.run.store.database import Run
from tb.run.store.figures import ONE_OR_NONE, Figure
from tb.run.store.site import shown_figure, shown_number

ABSENT = "-"
LISTED = 5


@dataclass(frozen=True, slots=True)
class Change:
    """A figure that two runs have with different values or samples; `interval` of b - a where both have samples."""

    a: Figure
    b: Figure
    interval: bootstrap.Interval | None

    @property
    def percent(self) -> float | None:
        """The change in per cent of the first value; None where that is 0."""
        return 100 * (self.b.value - self.a.value) / abs(self.a.value) if self.a.value else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs in two runs of one kind.

    Attributes:
        settings: name, value in a, value in b, of settings, seed, sources, verdict and machine that differ.
        changes: figures that differ; `equal` is how many do not.
        only_a, only_b: names of figures that the other run does not have.
    """

    settings: list[tuple[str, str, str]]
    changes: list[Change]
    equal: int
    only_a: list[str]
    only_b: list[str]


def compare(a: Run, b: Run) -> Comparison:
    """Compare two runs of one kind."""
    about_a, about_b = dict(_about(a)), dict(_about(b))
    names = list(dict.fromkeys([*about_a, *about_b]))
    settings = [
        (name, about_a.get(name, ABSENT), about_b.get(name, ABSENT))
        for name in names
        if about_a.get(name, ABSENT) != about_b.get(name, ABSENT)
    ]
    common = [name for name in a.figures if name in b.figures]
    changes = [_change(a.figures[name], b.figures[name]) for name in common if a.figures[name] != b.figures[name]]
    only_a, only_b = ([name for name in x.figures if name not in y.figures] for x, y in ((a, b), (b, a)))
    return Comparison(settings, changes, len(common) - len(changes), only_a, only_b)


def _change(a: Figure, b: Figure) -> Change:
    both = len(a.samples) > 1 and len(b.samples) > 1
    return Change(a, b, bootstrap.of_difference(a.samples, b.samples) if both else None)


def _about(run: Run) -> Iterator[tuple[str, str]]:
    yield "sources", run.head.sources
    yield "seed", str(run.head.seed)
    yield "verdict", run.head.verdict
    yield from leaves("settings", run.settings)
    yield from leaves("machine", run.machine)


def leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every single value below `value`, by the keys on the way to it with dots between, as text."""
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            yield from leaves(f"{name}.{key}", below)
    else:
        yield name, str(value)


def show(console: Console, a: Run, b: Run) -> None:
    """Print what differs."""
    found = compare(a, b)
    for letter, run in (("A", a), ("B", b)):
        head = run.head
        console.print(Text(visible(f"{letter} {head.name}: {head.time}, {head.sources}, {head.verdict}")))
    if found.settings:
        table = Table(title="settings, sources, machine", title_justify="left")
        for column in ("what", "A", "B"):
            table.add_column(column, overflow="fold")
        for row in found.settings:
            table.add_row(*(Text(visible(cell)) for cell in row))
        console.print(table)
    else:
        console.print(Text("settings, sources and machine are the same"))
    if found.changes:
        console.print(_figures(found.changes))
    console.print(Text(f"{len(found.changes)} figures differ, {found.equal} are the same"))
    for letter, names in (("A", found.only_a), ("B", found.only_b)):
        if names:
            more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
            console.print(Text(visible(f"only in {letter}: {', '.join(names[:LISTED])}{more}")))


def _figures(changes: list[Change]) -> Table:
    samples = any(change.interval for change in changes)
    interval = f"; intervals: {bootstrap.CONFIDENCE_PERCENT:g} %, bootstrap of means" if samples else ""
    table = Table(title=f"figures that differ{interval}", title_justify="left")
    table.add_column("figure", overflow="fold")
    for column in ("A", "B", "B - A", "change"):
        table.add_column(column, justify="right")
    for change in changes:
        table.add_row(*(Text(cell) for cell in _cells(change)))
    return table


def _cells(change: Change) -> tuple[str, ...]:
    a, b = change.a, change.b
    percent = "" if change.percent is None or a.unit == ONE_OR_NONE else f"{change.percent:+.2f} %"
    difference = f"{'+' if b.value > a.value else ''}{shown_number(b.value - a.value)}"
    if change.interval:
        difference += f" [{change.interval.low:+,.4g}, {change.interval.high:+,.4g}]"
        percent += "" if change.interval.excludes_zero else " (not distinct)"
    return a.name, _with_interval(a), _with_interval(b), difference, percent.strip()


def _with_interval(figure: Figure) -> str:
    if len(figure.samples) < 2:
        return shown_figure(figure)
    interval = bootstrap.of_mean(figure.samples)
    return f"{shown_figure(figure)} [{interval.low:,.4g}, {interval.high:,.4g}]"
