"""LRU and the optimum: against sums by hand, against libCacheSim where it is installed, against published figures."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from sw.replay.agents import generate_agents
from sw.replay.generator import generate
from sw.replay.trace import Trace, TraceRequest, load_trace
from tb.lab import baselines
from tb.lab.stream import Stream, in_prefix, stream_of

needs_library = pytest.mark.skipif(
    find_spec("libcachesim") is None, reason="libCacheSim is installed on request: make setup-lab"
)
TRACES = Path(os.environ.get("KVCPU_TRACES", "none"))
"""Folder of the published traces, on a machine that has them."""


def stream(*prompts: tuple[int, ...]) -> Stream:
    return stream_of("t", Trace([TraceRequest(1000 * n, 512 * len(p), 9, p) for n, p in enumerate(prompts)]))


def test_a_small_stream_by_hand() -> None:
    one = stream((7, 8, 9), (7, 8, 5), (9, 7))
    assert one.blocks.tolist() == [0, 1, 2, 0, 1, 3, 2, 0]
    lru = baselines.lru(one, 3)
    assert lru.retention.tolist() == [0, 0, 0, 1, 1, 0, 0, 0]
    # 7 and 8 come twice; then 5 puts 9 out, 9 puts 7 out, 7 puts 8 out; 9 and 7 are fetched back
    assert lru.moved.tolist() == [0, 0, 0, 0, 0, 1, 2, 2]
    best = baselines.optimum(one, 3)
    assert best.retention.sum() == 4
    assert lru.counted(one, 0, 100) == {
        "references": 8,
        "retention_hits": 2,
        "prefetch_hits": 0,
        "prefix_hits": 2,
        "bytes_moved": 500,
        "retention_percent": 25.0,
        "hit_percent": 25.0,
    }
    assert lru.counted(one, one.middle, 1)["retention_hits"] == 1


def test_a_block_that_is_named_twice_in_a_prompt_counts_once() -> None:
    assert stream((1, 2, 1, 3)).blocks.tolist() == [0, 1, 2]


def test_stack_distances_are_lru_at_every_capacity() -> None:
    one = stream_of("chat", Trace(list(generate(1, 150))))
    distances = baselines.stack_distances(one)
    for capacity in (64, 300, 1024):
        assert ((distances < capacity) == baselines.lru(one, capacity).retention).all(), capacity


def test_hits_behind_a_miss_are_no_prefix() -> None:
    one = stream((1, 2, 3), (1, 4, 3))
    hits = np.array([0, 0, 0, 1, 0, 1], np.bool_)
    assert in_prefix(one, hits).tolist() == [False, False, False, True, False, False]


def test_the_optimum_is_above_lru_and_below_the_ceiling() -> None:
    one = stream_of("chat", Trace(list(generate(1, 400))))
    for capacity in (512, 1024):
        lru, best = baselines.lru(one, capacity).retention.sum(), baselines.optimum(one, capacity).retention.sum()
        assert lru < best <= one.references - one.unique


@needs_library
@pytest.mark.parametrize("requests", [list(generate(2, 500)), list(generate_agents(2, 300))], ids=["chat", "agents"])
@pytest.mark.parametrize("capacity", [256, 1024])
def test_lru_and_optimum_agree_with_the_library(requests: list[TraceRequest], capacity: int) -> None:
    one = stream_of("t", Trace(requests))
    assert (baselines.run("lru", one, capacity).retention == baselines.lru(one, capacity).retention).all()
    lib = baselines.library()
    belady, request = lib.Belady(capacity, hashpower=baselines.HASH_POWER), lib.Request()
    request.obj_size, hits = 1, 0
    for block, following in zip(one.blocks.tolist(), baselines.next_uses(one), strict=True):
        request.obj_id, request.next_access_vtime = block, following if following < one.references else 2**63 - 1
        hits += belady.get(request)
    best = baselines.optimum(one, capacity).retention.sum()
    assert 100 * abs(hits - best) / one.references < 0.05


@needs_library
def test_every_baseline_is_between_nothing_and_the_optimum() -> None:
    one = stream_of("chat", Trace(list(generate(1, 600))))
    outcomes = baselines.run_all(one, 1024, lambda _text: None)
    best = outcomes.pop("optimum").retention.sum()
    assert outcomes.keys() == baselines.NAMES.keys()
    for name, outcome in outcomes.items():
        assert 0 < outcome.retention.sum() <= best, name
        assert (outcome.moved >= 0).all(), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "capacity", "lru", "optimum"),
    [
        ("conversation", 1024, 4.45, 19.28),
        ("conversation", 4096, 8.76, 32.43),
        ("conversation", 16384, 26.56, 36.64),
        ("synthetic", 4096, 23.69, 49.66),
    ],
)
def test_published_traces_where_present(name: str, capacity: int, lru: float, optimum: float) -> None:
    """In addition to the generated ones: the known figures of the published traces, to 0.05 points."""
    path = TRACES / f"{name}_trace.jsonl"
    if not path.exists():
        pytest.skip(f"{path.name} is not present; it is not part of the project")
    one = stream_of(name, load_trace(path), path)
    assert 100 * baselines.lru(one, capacity).retention.mean() == pytest.approx(lru, abs=0.05)
    assert 100 * baselines.optimum(one, capacity).retention.mean() == pytest.approx(optimum, abs=0.05)
