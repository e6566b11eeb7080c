"""The pages of a regression: self-contained HTML, for light and dark, wide and narrow screens."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from tb.run.coverage import KINDS, FileCoverage, annotated
from tb.run.paths import ROOT
from tb.run.provenance import shown_commit

TEMPLATES = Path(__file__).parent / "templates"
PLOT = (56.0, 12.0, 640.0, 120.0)  # left, top, width, height of the trend's axes
LABELS = 6  # on the trend's time axis
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Bar:
    """One run in the trend, in units of the drawing."""

    x: float
    width: float
    passed: tuple[float, float]  # top, height
    failed: tuple[float, float]
    label: str
    title: str


@dataclass(frozen=True)
class Trend:
    """The trend's drawing: bars, and (place, text) of the marks on the axis of counts."""

    bars: list[Bar]
    marks: list[tuple[float, str]]


def trend(history: Sequence[Record]) -> Trend:
    """Tests passed and failed of each run, the oldest first."""
    left, top, width, height = PLOT
    highest = _round_up(max((run["passed"] + run["failed"] for run in history), default=0))
    step = width / max(1, len(history))
    every = -(-len(history) // LABELS)
    bars = []
    for number, run in enumerate(history):
        passed, failed = (height * run[key] / highest for key in ("passed", "failed"))
        when = run["time"].replace("T", " ").rstrip("Z")
        cover = "".join(f", {kind} {percent} %" for kind, percent in run["code_coverage"].items())
        bars.append(
            Bar(
                x=left + step * number + step * 0.15,
                width=min(step * 0.7, 40.0),
                passed=(top + height - passed, passed),
                failed=(top + height - passed - failed, failed),
                label=when[5:16] if number % every == 0 else "",
                title=f"{when} UTC, {shown_commit(run)}: {run['passed']} passed, {run['failed']} failed, "
                f"{run['seconds']} s{cover}",
            )
        )
    marks = [(top + height * (1 - part / 2), f"{highest * part // 2:,}") for part in range(3)]
    return Trend(bars, marks)


def _round_up(value: int) -> int:
    """The next number that halves well: 2, 4, 10, 20, 40, 100, ..."""
    scale = 1
    while True:
        for factor in (2, 4, 10):
            if value <= factor * scale:
                return factor * scale
        scale *= 10


def _link(path: str) -> str:
    """A file of the project from the folder of the reports (sim_build/report)."""
    return path if path.startswith("/") else f"../../{path}"


def pages(templates: Path = TEMPLATES) -> jinja2.Environment:
    """Templates of a folder, with the style and the filters that all pages share."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([templates, TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["link"] = _link
    environment.filters["commit"] = shown_commit
    return environment


def _sections(plan: Record) -> list[tuple[str, int, int, list[Record]]]:
    """(contract and section, rows that hold, rows, the rows) of the test plan."""
    groups: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for row in plan["plan"]:
        groups[row["contract"], row["section"]].append(row)
    return [
        (f"{contract} {section}", sum(not row["problems"] for row in rows), len(rows), rows)
        for (contract, section), rows in sorted(groups.items())
    ]


def write_page(
    data: Record,
    buckets: Sequence[Record],
    plan: Record | None,
    files: Mapping[str, FileCoverage],
    history: Sequence[Record],
    folder: Path,
) -> None:
    """Write regress.html: failures, test plan, coverage, trend, runs. Without `plan` it says that there is none."""
    text = pages().get_template("regress.html.j2").render(
        data=data,
        buckets=buckets,
        plan=plan,
        sections=_sections(plan) if plan else [],
        files=files,
        kinds=KINDS,
        trend=trend(history),
        plot=PLOT,
    )  # fmt: skip
    (folder / "regress.html").write_text(text)


def write_coverage_page(data: Record, files: Mapping[str, FileCoverage], path: Path) -> None:
    """Write the annotated source of every file that has coverage points."""
    sources = {
        file: annotated(entry, source.read_text(errors="replace"))
        for file, entry in files.items()
        if (source := ROOT / file).exists()
    }
    page = pages().get_template("coverage.html.j2")
    path.write_text(page.render(data=data, files=files, kinds=KINDS, sources=sources))
