"""Results of an experiment as records, and the rows of their tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]
HALVES = {"whole": "whole trace", "second_half": "second half"}


def rows(trace: Record, half: str) -> list[tuple[str, list[str]]]:
    """(policy, cells) of a trace's table: retention hits in percent, and all hits where prefetch adds some."""
    by_capacity = [point[half] for point in trace["capacities"].values()]
    return [(name, [_cell(results[name]) for results in by_capacity]) for name in by_capacity[0]]


def _cell(result: Record) -> str:
    text = f"{result['retention_percent']:.2f}"
    return f"{text} ({result['hit_percent']:.2f})" if result["prefetch_hits"] else text
