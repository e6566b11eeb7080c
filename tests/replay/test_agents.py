"""The agent generator: seeded, in order, with the published shape."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter

import pytest

from sw.replay.agents import APPLICATIONS, generate_agents
from sw.replay.trace import DEFAULT_BLOCK_TOKENS, TraceRequest

REQUESTS = 20_000


@pytest.fixture(scope="module")
def requests() -> list[TraceRequest]:
    return list(generate_agents(3, REQUESTS))


def test_the_same_seed_gives_the_same_trace() -> None:
    assert list(generate_agents(5, 200)) == list(generate_agents(5, 200))
    assert list(generate_agents(5, 200)) != list(generate_agents(6, 200))


def test_requests_fit_their_blocks_and_come_in_order(requests: list[TraceRequest]) -> None:
    assert all(a.timestamp_ms <= b.timestamp_ms for a, b in itertools.pairwise(requests))
    assert all(len(r.hash_ids) == -(-r.input_length // DEFAULT_BLOCK_TOKENS) for r in requests)
    assert all(len(set(r.hash_ids)) == len(r.hash_ids) for r in requests)


def test_sessions_have_the_published_median_of_turns(requests: list[TraceRequest]) -> None:
    """A session is known by the first block that is its own; those that the trace's end cuts off are left out."""
    begun = {}
    turns: Counter[int] = Counter()
    prefixes = 6 * APPLICATIONS + 4 * sum(range(APPLICATIONS))
    for request in requests:
        own = next(i for i in request.hash_ids if i >= prefixes)
        key = own if request.input_length // DEFAULT_BLOCK_TOKENS > request.hash_ids.index(own) else -own
        begun.setdefault(key, request.timestamp_ms)
        turns[key] += 1
    limit = requests[-1].timestamp_ms / 2
    whole = [count for key, count in turns.items() if begun[key] < limit and count > 2]
    assert 25 <= statistics.median(whole) <= 60


def test_most_references_meet_a_block_that_was_there(requests: list[TraceRequest]) -> None:
    references = sum(len(r.hash_ids) for r in requests)
    unique = len({i for r in requests for i in r.hash_ids})
    assert 0.9 < 1 - unique / references < 0.99
