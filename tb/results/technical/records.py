"""Runs as a package has them, and how numbers are written in the report."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Table = Mapping[str, Any]
RUNS = "runs"


@dataclass(frozen=True)
class Run:
    """One run: `content` is the text of its file in the package, parsed.

    Keys: name, title, kind, command, time, revision, clean, seed, verdict, settings, machine, main (names of its main
    figures), figures (name, value, unit, samples), files (name, bytes, sha256), record (the whole report).
    """

    content: Table

    def __getitem__(self, key: str) -> Any:
        return self.content[key]

    @property
    def sources(self) -> str:
        """The sources in words."""
        changed = ", modified" if self["clean"] is False else ""
        return f"{self['revision']}{changed}" if self["revision"] else "unknown"

    @property
    def figures(self) -> list[Table]:
        """Its figures, by name."""
        return sorted(self["figures"], key=lambda figure: str(figure["name"]))

    @property
    def main(self) -> list[Table]:
        """Its main figures in their order."""
        by_name = {figure["name"]: figure for figure in self["figures"]}
        return [by_name[name] for name in self["main"]]


def load(folder: Path) -> list[Run]:
    """The runs of a package, by kind. Raises OSError, ValueError."""
    return [Run(json.loads(path.read_text(encoding="utf-8"))) for path in sorted((folder / RUNS).glob("*.json"))]


def number(value: float) -> str:
    """A number: whole ones complete, others with six digits."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.6g}"


def shown(figure: Table) -> str:
    """A figure with its unit."""
    if figure["unit"] == "0/1":
        return "yes" if figure["value"] else "no"
    return f"{number(figure['value'])} {figure['unit']}".rstrip()


def percentile(ordered: Sequence[float], p: float) -> float:
    """`ordered[ceil(p * n / 100) - 1]` of ascending samples."""
    return ordered[max(0, math.ceil(p * len(ordered) / 100) - 1)]


def variation_percent(samples: Sequence[float]) -> float:
    """Sample deviation / mean in per cent; 0 of fewer than two samples, and of a mean of 0."""
    if len(samples) < 2:
        return 0.0
    mean = math.fsum(samples) / len(samples)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in samples) / (len(samples) - 1))
    return 100 * deviation / abs(mean) if mean else 0.0


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return [*lines, *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)]
