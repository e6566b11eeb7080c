"""The pages of a regression: self-contained HTML, for light and dark, wide and narrow screens."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from sw import page
from tb.run.coverage import KINDS, FileCoverage, annotated
from tb.run.paths import ROOT
from tb.run.provenance import shown_commit
from tb.run.trend import PLOT, charts, shown_rate, shown_seconds, shown_time

TEMPLATES = Path(__file__).parent / "templates"
HOME = "index.html"  # of all reports, in their folder
Record = Mapping[str, Any]


def _link(path: str) -> str:
    """A file of the project from the folder of the reports (sim_build/report)."""
    return path if path.startswith("/") else f"../../{path}"


def pages(templates: Path = TEMPLATES) -> jinja2.Environment:
    """Templates of a folder, with the style and the filters that all pages share."""
    environment = page.environment([templates, TEMPLATES], HOME)
    environment.filters["link"] = _link
    environment.filters["commit"] = shown_commit
    environment.filters["rate"] = shown_rate
    environment.filters["when"] = shown_time
    environment.filters["duration"] = shown_seconds
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
    plan: Record | None,
    files: Mapping[str, FileCoverage],
    history: Sequence[Record],
    folder: Path,
) -> None:
    """Write regress.html: failures, test plan, coverage, trends, runs. Without `plan` it says that there is none."""
    rows = {f"{row['leg']}.{row['test']} seed {row['seed']}": row for row in data["rows"]}
    text = pages().get_template("regress.html.j2").render(
        data=data,
        buckets=[(bucket, [rows[title] for title in bucket["tests"] if title in rows]) for bucket in data["buckets"]],
        plan=plan,
        sections=_sections(plan) if plan else [],
        files=files,
        kinds=KINDS,
        history=history,
        charts=charts(history),
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
    template = pages().get_template("coverage.html.j2")
    path.write_text(template.render(data=data, files=files, kinds=KINDS, sources=sources))
