"""What `make rt-bench` leaves: rt-bench.json, its page, and every single time as CSV; all of the same run."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tb.engines import cells
from tb.engines import results as made
from tb.engines.cells import Cell
from tb.engines.host import Setting, described
from tb.figures.load import refusal
from tb.run.artefacts import published
from tb.run.paths import shown
from tb.run.provenance import provenance
from tb.run.store.database import PASSED
from tb.run.store.keep import keep_run, machine

Record = dict[str, Any]
Raws = Sequence[tuple[Cell, Mapping[str, Any]]]
NAME = "rt-bench"


@dataclass(frozen=True)
class Facts:
    """Of a run.

    Attributes:
        form: full or quick.
        seed: of everything.
        cpus: cores that the run may use.
        host: settings of the host, as they were made.
        left_out: a line for each model that was not measured.
        seconds: wall time of the measurement.
        others: cores that other programs kept busy meanwhile, on average.
    """

    form: str
    seed: int
    cpus: int
    host: list[Setting]
    left_out: list[str]
    seconds: float
    others: float


def results(facts: Facts, about: Mapping[str, Record], raws: Raws) -> Record:
    """Everything that the report says, without the single times."""
    figures = [made.figures(cell, raw, facts.seed) for cell, raw in raws]
    settings = {
        "form": facts.form,
        "sampling": cells.SAMPLING,
        "prompt": cells.PROMPT,
        "context": cells.CONTEXT,
        "bounded": "pinned, mlockall, model locked and read without mmap, context allocated before the first token",
        "load": "a process for each core of the engine that copies memory for this share of every 20 ms",
    }
    return {
        **provenance(facts.seed, settings),
        "seconds": facts.seconds,
        "others_cores": facts.others,
        "disturbed": refusal(facts.others),
        "machine": machine(),
        "engine": raws[0][1]["engine"],
        "built_for": raws[0][1]["built_for"],
        "host": described(facts.host),
        "left_out": facts.left_out,
        "models": dict(about),
        "cells": figures,
        "distributions": {cell.key: made.histogram(raw) for cell, raw in raws},
        "criteria": made.criteria(figures, facts.cpus),
        "calibration": made.calibration(raws, about),
        "published": made.published(),
    }


def say_host(say: Callable[[str], None], settings: Sequence[Setting]) -> None:
    """One line: what was set, and what could not be."""
    done = [one for one in settings if one.state in {"set", "as wanted"}]
    left = [f"{one.name} ({one.state})" for one in settings if one not in done]
    names = sorted({f"{one.name} {one.wanted}" for one in done})
    say(f"host: {', '.join(names) or 'nothing'} set; left alone: {', '.join(left) or 'nothing'}")


def show(console: Console, record: Record) -> None:
    """The criteria as a table."""
    table = Table(title=f"{NAME}, {record['settings']['form']} form: success criteria", title_justify="left")
    for column in ("criterion", "target", "worst", "where", "met", "cells"):
        table.add_column(column)
    for one in record["criteria"]:
        met = "met" if one["met"] else "missed"
        count = f"{one['cells_met']} of {one['cells']}"
        table.add_row(one["name"], one["target"], f"{one['value']:.3f}", one["where"], met, count)
    console.print(table)
    if record["disturbed"]:
        console.print(f"{record['disturbed']}: these times are theirs as well")


def write(folder: Path, record: Record, raws: Raws) -> str:
    """Write report, page and times; returns where they are. Raises UsageError when they cannot be written."""
    from tb.engines.page import write_page  # plots are slow to import

    with published(folder, NAME) as staged:
        (staged / f"{NAME}.json").write_text(json.dumps(record, indent=1) + "\n")
        write_page(record, staged / f"{NAME}.html")
        _write_times(staged / f"{NAME}-times.csv.gz", raws)
    keep_run(NAME, record, PASSED, folder)
    return ", ".join(shown(folder / f"{NAME}{suffix}") for suffix in (".json", ".html", "-times.csv.gz"))


def _write_times(path: Path, raws: Raws) -> None:
    """Every token: cell, repetition, position after the prompt, its time and the part of the choice in ns."""
    with gzip.GzipFile(path, "wb", compresslevel=6, mtime=0) as packed, TextIOWrapper(packed, newline="") as text:
        out = csv.writer(text, lineterminator="\n")
        out.writerow(("cell", "repetition", "position", "total_ns", "choice_ns"))
        for cell, raw in raws:
            for number, one in enumerate(raw["repetitions"]):
                for place, (total, choice) in enumerate(zip(one["total_ns"], one["sample_ns"], strict=True)):
                    out.writerow((cell.key, number, place, total, choice))
