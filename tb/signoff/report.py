"""The sign-off as JSON, as a page, and as a line of the history."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tb.plan import STAGES
from tb.run.artefacts import published
from tb.run.history import add_run, past_runs
from tb.run.page import pages
from tb.run.paths import REPORT
from tb.run.provenance import provenance
from tb.signoff.numbers import Judgement, as_data, shown

TEMPLATES = Path(__file__).parent / "templates"
KIND = "signoff"
TREND_LENGTH = 30
TREND_KEYS: dict[str, type | tuple[type, ...]] = {
    "time": str,
    "commit": str,
    "clean": (bool, type(None)),
    "stage": (str, type(None)),
    "numbers": dict,
}
SPARK = (120, 24)  # width and height of a trend's drawing
EDGE = 3
Record = dict[str, Any]


@dataclass(frozen=True)
class Trend:
    """One number over the past runs that measured it: its points in a drawing, and the first and the last value."""

    points: list[tuple[float, float]]
    title: str


def record(judgement: Judgement, asked: str | None) -> Record:
    """The sign-off as it is written to signoff.json; `missing` is what keeps the next stage down."""
    after = judgement.after
    return {
        **provenance(None, {"stage": asked}),
        "stage": judgement.stage,
        "next": after,
        "numbers": as_data(judgement),
        "missing": judgement.missing(after) if after else [],
    }


def trend(history: Sequence[Mapping[str, Any]], name: str, unit: str) -> Trend:
    """A number over the runs of the history, the oldest on the left; the lowest value is at the bottom."""
    width, height = SPARK
    found = [
        (place, run["numbers"][name], run)
        for place, run in enumerate(history)
        if isinstance(run["numbers"].get(name), (int, float))
    ]
    if not found:
        return Trend([], "not measured in any run")
    values = [value for _, value, _ in found]
    low, span = min(values), (max(values) - min(values)) or 1
    step = (width - 2 * EDGE) / max(1, len(history) - 1)
    points = [
        (round(EDGE + place * step, 1), round(height - EDGE - (height - 2 * EDGE) * (value - low) / span, 1))
        for place, value, _ in found
    ]
    first, last = found[0], found[-1]
    ends = (f"{shown(value, unit)} ({run['time']})" for _, value, run in (first, last))
    return Trend(points, f"{len(found)} runs: {' to '.join(ends)}")


def write(data: Mapping[str, Any], say: Callable[[str], None], folder: Path = REPORT) -> Path:
    """Write signoff.json and signoff.html, together, and the line of the history. Returns the page.

    Raises UsageError when they cannot be written; those of the last run stay then.
    """
    entry = {
        **{key: data[key] for key in ("time", "commit", "clean", "stage")},
        "numbers": {name: number["value"] for name, number in data["numbers"].items()},
    }
    history = [*past_runs(KIND, TREND_KEYS, say), entry][-TREND_LENGTH:]
    environment = pages(TEMPLATES)
    environment.filters["shown"] = shown
    page = environment.get_template("signoff.html.j2").render(
        data=data,
        stages=STAGES,
        first=_first_stages(data),
        history=history,
        trends={name: trend(history, name, number["unit"]) for name, number in data["numbers"].items()},
        spark=SPARK,
    )
    with published(folder, KIND) as staged:
        (staged / "signoff.json").write_text(json.dumps(data, indent=1) + "\n")
        (staged / "signoff.html").write_text(page)
    add_run(KIND, entry)
    return folder / "signoff.html"


def _first_stages(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """Names of the numbers by the first stage that needs them."""
    found: dict[str, list[str]] = {stage: [] for stage in STAGES}
    for name, number in data["numbers"].items():
        needing = [stage for stage in STAGES if number["thresholds"][stage] is not None]
        found[needing[0]].append(name)
    return found
