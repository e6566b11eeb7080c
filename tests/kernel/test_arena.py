"""The bump arena, its handles, and deterministic mode (software.md 2, "Graph")."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.codes import Code, Refusal
from sw.kernel.arena import ALIGNMENT, Arena
from sw.kernel.growth import Growth, GrowthRefused, Resource


def code_of(call: object, *arguments: int) -> Code:
    with pytest.raises(Refusal) as refused:
        call(*arguments)  # type: ignore[operator]
    return refused.value.code


def test_allocations_are_aligned_zeroed_and_apart() -> None:
    arena = Arena(1024, Growth())
    handles = [arena.alloc(size) for size in (1, 64, 65, 128)]
    extents = [arena.extent(handle) for handle in handles]
    assert [extent.offset for extent in extents] == [0, 64, 128, 256]
    assert [extent.size for extent in extents] == [1, 64, 65, 128]
    assert arena.used == 384
    for number, handle in enumerate(handles):
        view = arena.view(handle)
        assert not any(view)
        view[:] = bytes([number + 1]) * len(view)
    assert [set(arena.view(handle)) for handle in handles] == [{1}, {2}, {3}, {4}]


def test_exhaustion_is_an_error_and_gives_out_nothing() -> None:
    arena = Arena(128, Growth())
    arena.alloc(64)
    assert code_of(arena.alloc, 65) is Code.NO_ROOM
    assert arena.used == 64
    arena.alloc(64)
    assert code_of(arena.alloc, 1) is Code.NO_ROOM


@pytest.mark.parametrize("size", [0, -1])
def test_no_bytes_are_no_allocation(size: int) -> None:
    assert code_of(Arena(128, Growth()).alloc, size) is Code.BAD_ARGUMENT


@pytest.mark.parametrize("size", [0, -64, 63, 100])
def test_a_size_that_no_arena_has(size: int) -> None:
    with pytest.raises(ValueError, match="a positive multiple of 64"):
        Arena(size, Growth())


def test_reset_ends_every_handle_and_clears_what_comes_after() -> None:
    arena = Arena(128, Growth())
    before = arena.alloc(64)
    arena.view(before)[:] = b"x" * 64
    arena.reset()
    assert code_of(arena.view, before) is Code.NOT_FOUND
    after = arena.alloc(64)
    assert after != before
    assert not any(arena.view(after)), "bytes of the inference before are visible"
    assert code_of(arena.view, before) is Code.NOT_FOUND


@pytest.mark.parametrize("handle", [0, 1, -1, 1 << 32 | 1, 2 << 32, 1 << 64])
def test_no_such_handle(handle: int) -> None:
    arena = Arena(128, Growth())
    assert arena.alloc(8) == 1 << 32
    assert code_of(arena.view, handle) is Code.NOT_FOUND


def test_deterministic_mode_allows_what_was_used_before_and_no_more() -> None:
    growth = Growth()
    arena = Arena(1024, growth)
    for _ in range(3):
        arena.alloc(64)
    assert growth.grown[Resource.ARENA] == 192
    assert growth.grown[Resource.HANDLE] == 3
    growth.freeze()
    arena.reset()
    for _ in range(3):
        arena.alloc(64)
    with pytest.raises(GrowthRefused, match="no room for 64 more arena bytes") as refused:
        arena.alloc(1)
    assert refused.value.code is Code.NO_ROOM
    assert (arena.used, growth.refused) == (192, 1)
    assert growth.grown[Resource.ARENA] == 192, "grew in deterministic mode"
    arena.reset()
    arena.alloc(128)  # fewer handles, as many bytes
    arena.reset()
    for _ in range(3):
        arena.alloc(1)
    assert growth.refused == 1


def test_handles_alone_do_not_grow_either() -> None:
    growth = Growth()
    arena = Arena(1024, growth)
    arena.alloc(512)
    growth.freeze()
    arena.reset()
    arena.alloc(1)
    with pytest.raises(GrowthRefused, match="1 more handles"):
        arena.alloc(1)


def test_room_can_be_reserved_before() -> None:
    growth = Growth()
    arena = Arena(1024, growth)
    arena.reserve(256, 2)
    growth.freeze()
    arena.alloc(128)
    arena.alloc(128)
    assert code_of(arena.alloc, 1) is Code.NO_ROOM
    arena.reserve(256, 2)
    assert code_of(arena.reserve, 2048, 1) is Code.NO_ROOM
    assert code_of(arena.reserve, 257, 1) is Code.NO_ROOM
    assert growth.refused == 2


class Stopped(Exception):
    pass


def test_the_hook_sees_every_growth_and_may_raise_its_own() -> None:
    seen: list[tuple[Resource, int]] = []
    growth = Growth()
    arena = Arena(256, growth)
    arena.alloc(1)
    growth.freeze()
    growth.hook = lambda resource, amount: seen.append((resource, amount))
    with pytest.raises(GrowthRefused):
        arena.alloc(100)
    assert seen == [(Resource.ARENA, 128)]

    def stop(resource: Resource, amount: int) -> None:
        raise Stopped

    growth.hook = stop
    with pytest.raises(Stopped):
        arena.alloc(1)
    assert arena.used == 64


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.lists(st.one_of(st.none(), st.integers(1, 400)), max_size=40), st.integers(1, 40))
def test_extents_never_overlap_and_bytes_stay(sizes: list[int | None], units: int) -> None:
    """None resets; everything alive is disjoint, aligned, inside, and keeps its bytes."""
    arena = Arena(units * ALIGNMENT, Growth())
    alive: dict[int, int] = {}
    dead: list[int] = []
    for number, size in enumerate(sizes):
        if size is None:
            arena.reset()
            dead += alive
            alive.clear()
            continue
        room = arena.size - arena.used
        if -(-size // ALIGNMENT) * ALIGNMENT > room:
            assert code_of(arena.alloc, size) is Code.NO_ROOM
            continue
        handle = arena.alloc(size)
        assert handle not in alive
        assert handle not in dead
        arena.view(handle)[:] = bytes([number]) * size
        alive[handle] = number
    spans = sorted((arena.extent(handle).offset, arena.extent(handle).size) for handle in alive)
    for offset, size in spans:
        assert offset % ALIGNMENT == 0
        assert offset + size <= arena.size
    for (first, size), (second, _) in pairwise(spans):
        assert first + size <= second
    for handle, number in alive.items():
        assert set(arena.view(handle)) == {number}
    for handle in dead:
        assert code_of(arena.extent, handle) is Code.NOT_FOUND
