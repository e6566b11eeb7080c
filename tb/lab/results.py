"""Results of an experiment as records, and the rows of their tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]
CLASSIC = {
    "lru": "LRU", "lfu": "LFU", "arc": "ARC", "lirs": "LIRS", "s3fifo": "S3-FIFO", "wtinylfu": "W-TinyLFU",
    "gdsf": "GDSF", "optimum": "optimum: knows the future", "lru_prefetch": "LRU with prefetch",
    "lru_prefetch_loaded": "LRU with prefetch, loaded engine",
}  # fmt: skip
"""Policies that are not HEPC, in words."""
HALVES = {"whole": "whole trace", "second_half": "second half"}


def flat(policies: Record) -> dict[str, Record]:
    """Every policy under one name, the layers of HEPC as `hepc <layer>`."""
    found: dict[str, Record] = {}
    for name, result in policies.items():
        if "references" in result:
            found[name] = result
        else:
            found |= {f"{name} {layer}": entry for layer, entry in result.items()}
    return found


def label(name: str) -> str:
    """A policy of `flat` in words."""
    if name in CLASSIC:
        return CLASSIC[name]
    engine, layer = name.split()
    return f"HEPC {layer}" if engine == "hepc" else f"HEPC {layer}, loaded engine"


def rows(trace: Record, half: str) -> list[tuple[str, list[str]]]:
    """(policy, cells) of a trace's table: retention hits in percent, and all hits where prefetch adds some."""
    by_capacity = [flat(point[half]) for point in trace["capacities"].values()]
    return [(label(name), [_cell(results[name]) for results in by_capacity]) for name in by_capacity[0]]


def _cell(result: Record) -> str:
    text = f"{result['retention_percent']:.2f}"
    return f"{text} ({result['hit_percent']:.2f})" if result["prefetch_hits"] else text
