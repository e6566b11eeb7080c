"""The raw data of a package as CSV: every figure, and every sample of those that have samples."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from .records import Run

FIGURES = "data/figures.csv"


def files(runs: Sequence[Run]) -> dict[str, str]:
    """Text of each file by its name in the package: figures of all runs, samples and configuration of each."""
    found = {FIGURES: _figures(runs)}
    for run in runs:
        if text := _samples(run):
            found[f"data/{run['name']}-samples.csv"] = text
        settings = {key: run[key] for key in ("command", "seed", "settings")}
        found[f"configurations/{run['name']}.json"] = json.dumps(settings, indent=1, sort_keys=True) + "\n"
    return found


def _figures(runs: Sequence[Run]) -> str:
    rows = ((run["name"], one["name"], one["value"], one["unit"]) for run in runs for one in run.figures)
    return _csv(("run", "figure", "value", "unit"), rows)


def _samples(run: Run) -> str:
    """ "" of a run without samples."""
    rows = [
        (one["name"], one["unit"], place, value) for one in run.figures for place, value in enumerate(one["samples"], 1)
    ]
    return _csv(("figure", "unit", "sample", "value"), rows) if rows else ""


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()
