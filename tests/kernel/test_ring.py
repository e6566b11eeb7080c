"""Rings: all 64 slots usable, nothing lost, nothing out of order (software.md 2, "Graph")."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.kernel.ring import SLOTS, Ring


def test_all_64_slots_hold_an_item() -> None:
    ring: Ring[int] = Ring()
    assert [ring.push(n) for n in range(64)] == [True] * 64
    assert ring.full
    assert ring.depth == 64
    assert [ring.pop() for _ in range(64)] == list(range(64))
    assert ring.depth == 0


def test_a_full_ring_refuses_counts_and_loses_nothing() -> None:
    ring: Ring[int] = Ring()
    for n in range(64):
        ring.push(n)
    assert not ring.push(64)
    assert not ring.push(65)
    assert ring.stalls == 2
    assert list(ring) == list(range(64))
    assert ring.pop() == 0
    assert ring.push(64)
    assert ring.stalls == 2
    assert [ring.pop() for _ in range(64)] == list(range(1, 65))


def test_an_empty_ring_gives_nothing() -> None:
    ring: Ring[int] = Ring()
    assert ring.pop() is None
    assert list(ring) == []
    ring.push(1)
    assert (ring.pop(), ring.pop()) == (1, None)


def test_the_deepest_mark_stays() -> None:
    ring: Ring[int] = Ring()
    for n in range(5):
        ring.push(n)
    for _ in range(5):
        ring.pop()
    ring.push(9)
    assert (ring.depth, ring.deepest) == (1, 5)


@pytest.mark.parametrize("start", [0, (1 << 32) - 1, (1 << 32) - 64, (1 << 31) - 3])
def test_positions_wrap(start: int) -> None:
    ring: Ring[int] = Ring(start)
    for n in range(64):
        assert ring.push(n)
    assert not ring.push(64)
    assert list(ring) == list(range(64))
    assert [ring.pop() for _ in range(65)] == [*range(64), None]


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    start=st.one_of(st.just(0), st.integers((1 << 32) - 100, (1 << 32) - 1)),
    runs=st.lists(st.tuples(st.booleans(), st.integers(1, 90)), max_size=20),
)
def test_like_a_queue_of_64(start: int, runs: list[tuple[bool, int]]) -> None:
    ring: Ring[int] = Ring(start)
    expected: deque[int] = deque()
    stalls = deepest = number = 0
    for pushes, times in runs:
        for _ in range(times):
            if pushes:
                fits = len(expected) < SLOTS
                assert ring.push(number) is fits
                if fits:
                    expected.append(number)
                stalls += not fits
                number += 1
            else:
                assert ring.pop() == (expected.popleft() if expected else None)
            deepest = max(deepest, len(expected))
            assert ring.depth == len(expected)
        assert list(ring) == list(expected)
    assert (ring.stalls, ring.deepest) == (stalls, deepest)
