"""What is kept of a cell: its bound, its worst token, percentiles with intervals, where time and variance come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from tb.lab.bounded.cells import TOKENS, TOTAL, WAIT, Cell, Outcome, Plan, breach
from tb.lab.bounded.decode import FIELDS, PARTS
from tb.lab.bounded.matrix import CAUSES
from tb.lab.bounded.statistics import cv, percentile
from tb.lab.intervals import interval

PERCENTILES = (50, 95, 99, 99.9)
BINS = 40
Record = dict[str, Any]


def described(cell: Cell) -> Record:
    """A cell's configuration as it goes into the results."""
    kept = asdict(cell)
    kept["controls"] = [name for name, on in kept["controls"].items() if on]
    return kept


def refused(cell: Cell, why: str) -> Record:
    """A cell that cannot run: the refusal is its result."""
    return {**described(cell), "refused": why}


def summary(planned: Plan, outcomes: Sequence[Outcome], *, seed: int, resamples: int) -> Record:
    """All that the results say of a cell; times in ns.

    Args:
        planned: the cell with its bounds.
        outcomes: of the seeds 1, 2, ... in order.
        seed: of the bootstrap.
        resamples: of the bootstrap.
    """
    ns = 1000 / planned.platform.timing.clock_mhz
    samples = np.concatenate([outcome.samples for outcome in outcomes])
    total = samples[:, TOTAL]
    device = total - samples[:, WAIT]
    peaks = [float(outcome.peak) for outcome in outcomes]
    broken = [found for number, outcome in enumerate(outcomes, 1) if (found := breach(planned, outcome, number))]
    times = [outcome.samples[:, TOTAL] for outcome in outcomes]
    spent = [outcome.samples[:, TOTAL] - outcome.samples[:, WAIT] for outcome in outcomes]
    return {
        **described(planned.cell),
        "refused": None,
        "runs": len(outcomes),
        "samples": len(samples),
        "server": {"budget_ns": planned.params.budget_ns * ns, "period_ns": planned.params.period_ns * ns},
        "token": _timed(total, None if planned.gap is None else planned.gap, ns),
        "device": _timed(device, planned.device, ns),
        "bound_terms_ns": {name: round(cycles * ns, 1) for name, cycles in planned.terms.items()},
        "worst_sample": _worst(samples, outcomes, ns),
        "over_bound": [asdict(one) for one in broken],
        "over_bound_tokens": sum(_over(planned, outcome) for outcome in outcomes),
        "p99_by_run": _by_run([percentile(np.sort(one), 99) * ns for one in times], seed, resamples),
        "mean_by_run": _by_run([float(one.mean()) * ns for one in times], seed, resamples),
        "device_p99_by_run": _by_run([percentile(np.sort(one), 99) * ns for one in spent], seed, resamples),
        "device_mean_by_run": _by_run([float(one.mean()) * ns for one in spent], seed, resamples),
        "cv": cv(total),
        "device_cv": cv(device),
        "peak_slots": {"mean": float(np.mean(peaks)), "cv": cv(peaks), "slots": planned.slots[0]},
        "bytes_moved": sum(outcome.moved for outcome in outcomes),
        "parts_ns": {part: round(float(samples[:, FIELDS.index(part)].mean()) * ns, 1) for part in PARTS},
        "variance_by_cause": _causes(samples),
        "by_position": _positions(planned, samples, device, ns),
        "histogram": _histogram(total * ns),
    }


def _timed(times: npt.NDArray[np.int64], limits: npt.NDArray[np.int64] | None, ns: float) -> Record:
    ordered = np.sort(times) * ns
    worst, bound = float(ordered[-1]), None if limits is None else float(limits.max() * ns)
    return {
        "bound_ns": bound,
        "worst_ns": worst,
        "bound_over_worst": None if bound is None else bound / worst,
        "mean_ns": float(ordered.mean()),
        **{f"p{p:g}_ns": percentile(ordered, p) for p in PERCENTILES},
    }


def _over(planned: Plan, outcome: Outcome) -> int:
    """Tokens over either bound."""
    place = outcome.samples[:, TOKENS] - planned.cell.start - 1
    total = outcome.samples[:, TOTAL]
    over = total - outcome.samples[:, WAIT] > planned.device[place]
    if planned.gap is not None:
        over |= total > planned.gap[place]
    return int(np.count_nonzero(over))


def _worst(samples: npt.NDArray[np.int64], outcomes: Sequence[Outcome], ns: float) -> Record:
    row = int(samples[:, TOTAL].argmax())
    ends = np.cumsum([len(outcome.samples) for outcome in outcomes])
    parts = {part: float(samples[row, FIELDS.index(part)] * ns) for part in PARTS}
    return {
        "seed": int(np.searchsorted(ends, row, side="right")) + 1,
        "tokens": int(samples[row, TOKENS]),
        "total_ns": float(samples[row, TOTAL] * ns),
        "parts_ns": parts,
    }


def _by_run(values: list[float], seed: int, resamples: int) -> Record:
    found = interval(np.array(values), resamples, seed)
    return {
        "value": found["mean"],
        "unit": "ns",
        "low": found["low"],
        "high": found["high"],
        "cv": cv(values),
        "samples": values,
    }


def _causes(samples: npt.NDArray[np.int64]) -> dict[str, float]:
    """Share of each cause: covariance of its parts with the total, over the total's variance; they add up to 1."""
    total = samples[:, TOTAL].astype(np.float64)
    spread = float(((total - total.mean()) ** 2).mean())
    shares = dict.fromkeys(("algorithmic", "memory", "concurrency", "hardware"), 0.0)
    for part, cause in CAUSES.items():
        column = samples[:, FIELDS.index(part)].astype(np.float64)
        if spread:
            shares[cause] += float(((column - column.mean()) * (total - total.mean())).mean()) / spread
    return shares


def _positions(planned: Plan, samples: npt.NDArray[np.int64], device: npt.NDArray[np.int64], ns: float) -> list[Record]:
    """Device time by tokens in the context, in 16 groups of positions."""
    edges = np.linspace(planned.cell.start, planned.cell.context, 17).astype(int)
    rows = []
    for low, high in pairwise(edges):
        inside = (samples[:, TOKENS] > low) & (samples[:, TOKENS] <= high)
        if inside.any():
            rows.append(
                {
                    "tokens": int(high),
                    "mean_ns": float(device[inside].mean() * ns),
                    "worst_ns": float(device[inside].max() * ns),
                    "bound_ns": float(planned.device[low - planned.cell.start : high - planned.cell.start].max() * ns),
                }
            )
    return rows


def _histogram(times: npt.NDArray[np.float64]) -> Record:
    counts, edges = np.histogram(times, BINS)
    return {"edges_ns": edges.round(1).tolist(), "counts": counts.tolist()}
