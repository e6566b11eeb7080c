"""Trends over past runs, as drawings of a page: tests and pass rates, durations, code coverage."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tb.run.provenance import shown_commit

PLOT = (56.0, 12.0, 640.0, 120.0)  # left, top, width, height of a drawing's axes
LABELS = 6  # on the axis of runs
MINUTE_S = 60
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Bar:
    """One run: parts from the axis upwards as (style, top, height), in units of the drawing."""

    x: float
    width: float
    parts: list[tuple[str, float, float]]
    label: str
    title: str


@dataclass(frozen=True)
class Line:
    """One value of all runs that have it: the points of a line, its style, its name and last value."""

    style: str
    points: list[tuple[float, float]]
    name: str


@dataclass(frozen=True)
class Chart:
    """A drawing: `unit` of its axis, (place, text) of the marks on it, bars or lines."""

    name: str
    unit: str
    marks: list[tuple[float, str]]
    bars: list[Bar]
    lines: list[Line]


def pass_rate(run: Record) -> float:
    """Tests that passed, in per cent; 0 of none."""
    total = run["passed"] + run["failed"]
    return 100 * run["passed"] / total if total else 0.0


def shown_rate(run: Record) -> str:
    """The pass rate as text; 100 % only when nothing failed."""
    rate = pass_rate(run)
    return f"{min(rate, 99.9):.1f} %" if run["failed"] else f"{rate:.0f} %"


def shown_time(run: Record) -> str:
    """When a run was: "2026-01-02 03:04"."""
    return str(run["time"]).replace("T", " ").rstrip("Z")[:16]


def shown_seconds(seconds: float) -> str:
    """A duration: "42.0 s" or "12 min 5 s"."""
    minutes, rest = divmod(round(seconds), MINUTE_S)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def charts(history: Sequence[Record]) -> list[Chart]:
    """The drawings for these runs, the oldest first; none for code coverage that no run has collected."""
    tests = _bars(
        "tests",
        "tests",
        history,
        lambda run: [("ok", run["passed"]), ("no", run["failed"])],
        lambda value: f"{value:,}",
    )
    whole = max((run["seconds"] for run in history), default=0)
    scale, unit = (MINUTE_S, "minutes") if whole >= 2 * MINUTE_S else (1, "seconds")
    times = _bars("duration", unit, history, lambda run: [("time", run["seconds"] / scale)], lambda value: f"{value:,}")
    kinds = list(dict.fromkeys(kind for run in history for kind in run["code_coverage"]))
    return [tests, times, *([_coverage(history, kinds)] if kinds else [])]


def values_chart(name: str, unit: str, runs: Sequence[Record], values: Sequence[float | None]) -> Chart:
    """One figure as a line through the runs that have it, the oldest first, on an axis that has 0."""
    _left, top, _width, height = PLOT
    known = [value for value in values if value is not None]
    highest, lowest = _ceiling(max([0.0, *known])), -_ceiling(max([0.0, *(-value for value in known)]), none=0.0)
    bars, points = [], []
    for number, (run, value) in enumerate(zip(runs, values, strict=True)):
        x, step, label = _place(runs, number)
        title = f"{shown_time(run)} UTC, {shown_commit(run)}: {'-' if value is None else f'{value:,g} {unit}'}"
        bars.append(Bar(x, step, [("none", top, height)], label, title))
        if value is not None:
            points.append((x + step / 2, round(top + height * (highest - value) / (highest - lowest), 2)))
    marks = [(top + height * (1 - part / 2), f"{lowest + (highest - lowest) * part / 2:,g}") for part in range(3)]
    return Chart(name, unit, marks, bars, [Line("line0", points, name)])


def _ceiling(value: float, none: float = 1.0) -> float:
    """The next of 1, 2, 4 and 10 times a power of ten; `none` for 0."""
    if value <= 0:
        return none
    scale = 10.0 ** math.floor(math.log10(value))
    return next(factor * scale for factor in (1, 2, 4, 10, 20) if value <= factor * scale)


def _title(run: Record) -> str:
    cover = "".join(f", {kind} {percent} %" for kind, percent in run["code_coverage"].items())
    return (
        f"{shown_time(run)} UTC, {shown_commit(run)}: {run['passed']} passed, {run['failed']} failed "
        f"({shown_rate(run)}), {shown_seconds(run['seconds'])}{cover}"
    )


def _place(history: Sequence[Record], number: int) -> tuple[float, float, str]:
    """Left end and width of a run's share of the axis, and its label (of some runs)."""
    left, _top, width, _height = PLOT
    step = width / max(1, len(history))
    every = -(-len(history) // LABELS)
    return left + step * number, step, shown_time(history[number])[5:] if number % every == 0 else ""


def _bars(
    name: str,
    unit: str,
    history: Sequence[Record],
    values: Callable[[Record], list[tuple[str, float]]],
    text: Callable[[int], str],
) -> Chart:
    """Each run as a bar, its values upon each other."""
    _left, top, _width, height = PLOT
    highest = _round_up(max((sum(value for _, value in values(run)) for run in history), default=0))
    bars = []
    for number, run in enumerate(history):
        x, step, label = _place(history, number)
        floor, parts = top + height, []
        for style, value in values(run):
            size = height * value / highest
            floor -= size
            parts.append((style, floor, size))
        bars.append(Bar(x + step * 0.15, min(step * 0.7, 40.0), parts, label, _title(run)))
    marks = [(top + height * (1 - part / 2), text(highest * part // 2)) for part in range(3)]
    return Chart(name, unit, marks, bars, [])


def _coverage(history: Sequence[Record], kinds: Sequence[str]) -> Chart:
    """Each kind of code coverage as a line through the runs that collected it."""
    _left, top, _width, height = PLOT
    lines, bars = [], []
    for number, run in enumerate(history):
        x, step, label = _place(history, number)
        bars.append(Bar(x, step, [("none", top, height)], label, _title(run)))
    for number, kind in enumerate(kinds):
        points = [
            (bar.x + bar.width / 2, top + height * (1 - run["code_coverage"][kind] / 100))
            for bar, run in zip(bars, history, strict=True)
            if kind in run["code_coverage"]
        ]
        last = next(run["code_coverage"][kind] for run in reversed(history) if kind in run["code_coverage"])
        lines.append(Line(f"line{number}", points, f"{kind} {last} %"))
    marks = [(top + height * (1 - part / 2), f"{50 * part}") for part in range(3)]
    return Chart("code coverage", "per cent", marks, bars, lines)


def _round_up(value: float) -> int:
    """The next number that halves well: 2, 4, 10, 20, 40, 100, ..."""
    scale = 1
    while True:
        for factor in (2, 4, 10):
            if value <= factor * scale:
                return factor * scale
        scale *= 10
