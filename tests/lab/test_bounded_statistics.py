"""Statistics, criteria and task sets of the bounded-inference study, against values found by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tb.lab.bounded import criteria
from tb.lab.bounded.statistics import cv, percentile, r_squared
from tb.lab.bounded.tasksets import SHORTEST, Task, accepted, draw, missed, point, releases, uunifast


@pytest.mark.parametrize(
    ("count", "p", "expected"), [(100, 99, 99), (100, 99.9, 100), (1000, 99.9, 999), (3, 50, 2), (4, 50, 2), (1, 1, 1)]
)
def test_percentiles_are_those_of_the_contract(count: int, p: float, expected: int) -> None:
    assert percentile(np.arange(1, count + 1), p) == expected


def test_variation_and_fit() -> None:
    assert cv([2, 4]) == pytest.approx(2**0.5 / 3)
    assert cv([5, 5, 5]) == cv([7]) == 0.0
    assert r_squared([0, 1, 2], [1, 3, 5]) == pytest.approx((1.0, 2.0, 1.0))
    assert r_squared([0, 1, 2, 3], [0, 1, 1, 0])[0] == pytest.approx(0.0)


# ---------------------------------------------------------------- criteria


def cell(group: str, name: str, **changes: Any) -> dict[str, Any]:
    """A cell whose figures meet every criterion."""
    full = ["pinned", "preallocated", "priority", "demand_off", "reserved"]
    timed = {"bound_ns": 120.0, "worst_ns": 100.0, "bound_over_worst": 1.2, "mean_ns": 50.0, "p99_ns": 90.0}
    load = changes.get("load", 50)
    base = {
        "group": group,
        "name": name,
        "refused": None,
        "load": load,
        "controls": [] if "baseline" in name else full,
        "scheduler": "cbs_hard",
        "samples": 100_000,
        "over_bound_tokens": 0,
        "cv": 0.1,
        "device_cv": 0.1,
        "token": timed,
        "device": timed,
        "p99_by_run": {"cv": 0.01},
        "peak_slots": {"cv": 0.01},
        "device_mean_by_run": {"samples": [100.0 + load, 101.0 + load]},
    }
    return base | changes


def study(**of_first: Any) -> dict[str, Any]:
    cells = [
        cell("contention", f"{kind} {load} %", load=load)
        for load in (0, 25, 50, 75)
        for kind in ("constrained", "baseline")
    ]
    cells += [cell("sampling", name) for name in ("greedy", "top_p")]
    cells[0] |= of_first
    return {
        "cells": cells, "settings": {"seed": 1}, "seed": 1, "versions": {"python": "3"}, "commit": "abc", "clean": True,
        "workload_sha256": "0",
    }  # fmt: skip


def verdicts(results: dict[str, Any]) -> dict[str, bool]:
    return {name: one["met"] for name, one in criteria.judged(results).items()}


def test_every_criterion_can_be_met() -> None:
    assert set(verdicts(study()).values()) == {True}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("cv_of_p99", {"p99_by_run": {"cv": 0.15}}),
        ("cv_of_peak_occupancy", {"peak_slots": {"cv": 0.05}}),
        ("linear_degradation", {"device_mean_by_run": {"samples": [400.0, 90.0]}}),
        ("bound_holds", {"over_bound_tokens": 1}),
        ("bound_holds", {"samples": 99_999}),
        ("bound_is_close", {"token": {"bound_over_worst": 1.51}}),
    ],
)
def test_each_criterion_can_be_missed(name: str, change: dict[str, Any]) -> None:
    assert [key for key, met in verdicts(study(**change)).items() if not met] == [name]


def test_sampling_and_traceability_can_be_missed() -> None:
    results = study()
    results["cells"][-1]["device_cv"] = 0.151
    assert not verdicts(results)["sampling_independence"]
    results = study() | {"commit": ""}
    assert criteria.judged(results)["traceability"]["value"] == ["commit"]


# ---------------------------------------------------------------- task sets


def test_uunifast_adds_up_and_is_uniform() -> None:
    rng = np.random.default_rng(1)
    shares = np.array([uunifast(4, 0.8, rng) for _ in range(4000)])
    assert shares.sum(axis=1) == pytest.approx(0.8)
    assert (shares >= 0).all()
    assert shares.mean(axis=0) == pytest.approx([0.2] * 4, abs=0.01)
    # of uniform sets of n shares each exceeds x with probability (1 - x / U) ^ (n - 1)
    assert (shares > 0.4).mean(axis=0) == pytest.approx([0.125] * 4, abs=0.02)


def test_acceptance_of_known_sets() -> None:
    light = [Task(1_000, 10_000, 100), Task(2_000, 20_000, 100)]
    full = [Task(5_000, 10_000, 100), Task(9_800, 20_000, 100)]
    wide = [Task(2_500, 10_000, 100), Task(3_000, 11_000, 100), Task(5_100, 16_000, 100)]
    assert all(accepted(light, one) for one in ("cbs_hard", "cbs_soft", "edf", "rm", "fifo"))
    assert [accepted(full, one) for one in ("cbs_hard", "edf", "rm", "fifo")] == [False, True, True, False]
    assert [accepted(wide, one) for one in ("cbs_hard", "edf", "rm", "fifo")] == [False, True, False, False]


def test_what_is_accepted_meets_its_deadlines() -> None:
    rng = np.random.default_rng(3)
    counted = dict.fromkeys(("cbs_hard", "cbs_soft", "edf", "rm", "fifo"), 0)
    for _ in range(12):
        tasks = draw(4, 0.6, 500, rng)
        jobs = releases(tasks, rng, runaway=False)
        for scheduler in counted:
            if accepted(tasks, scheduler):
                counted[scheduler] += 1
                assert missed(tasks, jobs, scheduler, leave_out=None)[0] == 0, (scheduler, tasks)
    assert counted["edf"] >= counted["cbs_hard"] > 0


def test_a_runaway_hurts_others_only_without_servers() -> None:
    rng = np.random.default_rng(5)
    tasks = [Task(4_000, SHORTEST, 500), Task(6_000, 40_000, 500), Task(9_000, 60_000, 500)]
    jobs = releases(tasks, rng, runaway=True)
    late = {one: missed(tasks, jobs, one, leave_out=0)[0] for one in ("cbs_hard", "edf", "rm", "fifo")}
    assert late["cbs_hard"] == 0
    assert min(late["edf"], late["rm"], late["fifo"]) > 0


def test_every_scheduler_sees_the_same_sets() -> None:
    points = [point(one, 0.5, tasks=3, sets=2, chunk=500, seed=1) for one in ("cbs_hard", "cbs_soft")]
    assert points[0]["acceptance"] == points[1]["acceptance"]
    assert point("edf", 0.5, tasks=3, sets=2, chunk=500, seed=1) == point(
        "edf", 0.5, tasks=3, sets=2, chunk=500, seed=1
    )
