"""From the raw times of cells to what `make rt-bench` reports: figures of each cell, criteria, calibration."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tb.engines import statistics
from tb.engines.cells import LOADS, Cell
from tb.engines.statistics import Samples
from tb.lab.bounded.statistics import cv, r_squared

Raw = Mapping[str, Any]
Record = dict[str, Any]
PUBLISHED = Path(__file__).with_name("published.toml")
BINS = 8  # positions of the calibration


def figures(cell: Cell, raw: Raw, seed: int) -> Record:
    """Figures of a cell, times in ms.

    Args:
        cell: what was measured.
        raw: what the worker wrote.
        seed: of the bootstrap.

    Raises:
        UsageError: SciPy is not installed.
    """
    total, choice = _times(raw, "total_ns"), _times(raw, "sample_ns")
    peaks = np.array([one["peak_kib"] for one in raw["repetitions"]], np.float64) / 1024
    place = np.arange(total.shape[1], dtype=np.float64)
    by_place = np.median(total, axis=0)
    slope = float(np.polyfit(place, by_place, 1)[0]) if place.size > 1 else 0.0
    return {
        "name": cell.key,
        **cell.described(),
        "token_ms": statistics.summary(total, seed),
        "choice_ms": {"mean": float(choice.mean()), "max": float(choice.max())},
        "ms_per_1000_positions": 1_000 * slope,
        "load_share": raw["load_share"],
        "peak_rss_mib": {
            "mean": float(peaks.mean()),
            "max": float(peaks.max()),
            "cv": cv(peaks) if peaks.size > 1 else None,
        },
        "rss": [
            {"seconds": [point[0] for point in one["rss"]], "mib": [point[1] / 1024 for point in one["rss"]]}
            for one in raw["repetitions"]
        ],
        "start_s": float(np.mean([one["start_s"] for one in raw["repetitions"]])),
        "first_token_ms": float(np.mean([one["first_token_ns"] for one in raw["repetitions"]])) / 1e6,
        "mlockall": sorted({one["mlockall"] for one in raw["repetitions"]}),
    }


def _times(raw: Raw, key: str) -> Samples:
    """(repetitions, tokens) in ms."""
    return np.array([one[key] for one in raw["repetitions"]], np.float64) / 1e6


def histogram(raw: Raw, bins: int = 60) -> Record:
    """Distribution of a cell's times: edges in ms (logarithmic), counts."""
    total = _times(raw, "total_ns").reshape(-1)
    edges = np.geomspace(max(total.min(), 1e-6), total.max() * 1.0001, bins + 1)
    return {"edges": edges.tolist(), "counts": np.histogram(total, edges)[0].tolist()}


def criteria(cells: Sequence[Record], cpus: int) -> list[Record]:
    """The success criteria of the study, each met or not with its worst figure and where that was.

    Cells with all constraints count. More threads than cores wait for one another: what is "without load", and the line
    over the load, counts those that have a core for each thread.
    """
    bounded = [cell for cell in cells if cell["bounded"]]
    fitting = [cell for cell in bounded if cell["threads"] <= cpus]
    isolated = [cell for cell in fitting if cell["load"] == 0]
    found = [
        _worst("CV of p99 over repetitions, without load", 0.15, isolated, lambda one: one["token_ms"]["cv_of_p99"]),
        _worst("CV of p99 over repetitions, all cells", 0.15, bounded, lambda one: one["token_ms"]["cv_of_p99"]),
        _worst("CV of peak memory", 0.05, bounded, lambda one: one["peak_rss_mib"]["cv"]),
        _straight(fitting),
        _sampling(isolated),
    ]
    return [one for one in found if one is not None]


def _worst(name: str, limit: float, cells: Sequence[Record], value: Any) -> Record | None:
    known = [(value(cell), cell["name"]) for cell in cells if value(cell) is not None]
    if not known:
        return None
    worst, where = max(known)
    return {
        "name": name,
        "target": f"< {limit:g}",
        "value": worst,
        "where": where,
        "met": worst < limit,
        "cells_met": sum(one < limit for one, _ in known),
        "cells": len(known),
    }


def _straight(cells: Sequence[Record]) -> Record | None:
    """Mean latency over load: R^2 of the worst line."""
    lines: dict[tuple[Any, ...], dict[int, float]] = {}
    for cell in cells:
        key = (cell["model"], cell["sampling"], cell["threads"])
        lines.setdefault(key, {})[cell["load"]] = cell["token_ms"]["mean"]
    whole = {key: line for key, line in lines.items() if sorted(line) == list(LOADS)}
    if not whole:
        return None
    known = [(r_squared(LOADS, [line[load] for load in LOADS])[0], key) for key, line in whole.items()]
    worst, (model, sampling, threads) = min(known)
    return {
        "name": "mean latency linear in load (R^2)",
        "target": ">= 0.95",
        "value": worst,
        "where": f"{model}/{sampling}/t{threads}",
        "met": worst >= 0.95,
        "cells_met": sum(one >= 0.95 for one, _ in known),
        "cells": len(known),
    }


def _sampling(cells: Sequence[Record]) -> Record | None:
    """Largest difference of CV between sampling strategies, model and threads being equal."""
    groups: dict[tuple[Any, ...], dict[str, float]] = {}
    for cell in cells:
        groups.setdefault((cell["model"], cell["threads"]), {})[cell["sampling"]] = cell["token_ms"]["cv"]
    known = [(max(by.values()) - min(by.values()), key) for key, by in groups.items() if len(by) > 1]
    if not known:
        return None
    worst, (model, threads) = max(known)
    return {
        "name": "difference of CV between sampling strategies, without load",
        "target": "< 0.05",
        "value": worst,
        "where": f"{model}/t{threads}",
        "met": worst < 0.05,
        "cells_met": sum(one < 0.05 for one, _ in known),
        "cells": len(known),
    }


def calibration(cells: Sequence[tuple[Cell, Raw]], models: Mapping[str, Record]) -> Record | None:
    """The cost model of a token, time = overhead + bytes / bandwidth, fitted to one thread without load.

    Bytes: the weights once, and K and V (f16) of every position before. Medians over the repetitions in BINS parts of
    the positions; least squares of relative errors, no part below 0. None without a model whose geometry is known.
    Raises UsageError without SciPy.
    """
    rows: list[tuple[str, float, float]] = []
    for cell, raw in cells:
        model = models[cell.model]
        if (cell.threads, cell.load, cell.bounded, cell.sampling) != (1, 0, True, "greedy") or not model["kv_bytes"]:
            continue
        times = _times(raw, "total_ns")
        for part in np.array_split(np.arange(times.shape[1]), BINS):
            position = raw["prompt"] + float(part.mean())
            read = model["weight_bytes_read"] + model["kv_bytes"] * position
            rows.append((cell.model, read, float(np.median(times[:, part]))))
    if len(rows) < 3:
        return None
    read = np.array([row[1] for row in rows])
    times = np.array([row[2] for row in rows])
    factors = np.stack([1 / times, read / times], axis=1)
    overhead, per_byte = statistics.scipy_part("optimize").nnls(factors, np.ones(len(rows)))[0]
    predicted = overhead + per_byte * read
    errors = np.abs(predicted / times - 1)
    return {
        "overhead_ms": float(overhead),
        "bandwidth_gb_s": float(1e-6 / per_byte) if per_byte > 0 else None,
        "points": [
            {"model": row[0], "bytes": row[1], "measured_ms": row[2], "predicted_ms": float(value)}
            for row, value in zip(rows, predicted, strict=True)
        ],
        "mean_error": float(errors.mean()),
        "worst_error": float(errors.max()),
    }


def published() -> Record:
    """The published table, with how many of its cells have a p99 that is the maximum."""
    table = tomllib.loads(PUBLISHED.read_text())
    pairs = [pair for model in table["models"].values() for pair in zip(model["p99"], model["max"], strict=True)]
    return {**table, "cells": len(pairs), "p99_is_max": sum(p99 == largest for p99, largest in pairs)}
