"""device.md 7: what each range command does to one block."""

import pytest

from model.types import Channel, Status
from tests.model.helpers import advance, cold, device, kv, put


@pytest.mark.parametrize("name", ["boost", "imevict", "cool", "share", "release"])
def test_a_block_that_is_not_there_is_a_hint_miss(name: str) -> None:
    state = device()
    assert getattr(state, name)(kv()) is False
    assert state.prefetch(kv(), 3) is False
    assert state.counters.hint_miss == 2
    assert state.counters.miss == 0
    assert not state.miss_queue


@pytest.mark.parametrize("name", ["boost", "imevict", "cool", "share", "release"])
def test_hints_take_any_token_of_the_block(name: str) -> None:
    state = device()
    state.insert(kv(), 2, 1)
    assert getattr(state, name)(kv(offset=15)) is True


def test_the_later_hint_wins() -> None:
    state = device()
    index = put(state, kv())
    flags = []
    for name in ("boost", "imevict", "boost", "cool"):
        getattr(state, name)(kv())
        flags.append((state.entry(index).hot, state.entry(index).evictable))
    assert flags == [(1, 0), (0, 1), (1, 0), (0, 0)]


def test_cool_clears_evictable_too() -> None:
    state = device()
    index = put(state, kv(), evictable=1)
    state.cool(kv())
    assert state.entry(index).evictable == 0


def test_boost_leaves_a_hint() -> None:
    state = device()
    index = put(state, kv(), hint=1)
    state.boost(kv())
    assert state.entry(index).hint == 1


def test_imevict_clears_the_hint_and_queues_at_once() -> None:
    state = device()
    index = put(state, kv(), tier=0, hint=1)
    state.config.evict_tiers = 0  # does not matter
    state.imevict(kv())
    assert state.entry(index).hint == 0
    (item,) = state.queues[Channel.EVICT]
    assert (item.kv_addr, item.from_tier, item.target, item.by_migrate) == (kv(), 0, None, False)


def test_imevict_of_a_referenced_block_only_marks_it() -> None:
    state = device()
    index = put(state, kv(), ref_count=1)
    state.imevict(kv())
    assert state.entry(index).evictable == 1
    assert not state.queues[Channel.EVICT]


def test_imevict_of_a_block_in_flight_or_in_tier_3_queues_nothing() -> None:
    state = device()
    put(state, kv(1), tier=3)
    put(state, kv(2), tier=1)
    state.imevict(kv(1))
    state.imevict(kv(2))
    state.imevict(kv(2))
    assert len(state.queues[Channel.EVICT]) == 1


def test_imevict_before_a_full_queue_still_marks() -> None:
    state = device(0, 128, 128, 128)
    for block in range(65):
        put(state, kv(block=block))
        state.imevict(kv(block=block))
    assert len(state.queues[Channel.EVICT]) == 64
    assert state.counters.dropped == [1, 0]
    last = state.find(kv(block=64))
    assert last is not None
    assert state.entry(last).evictable == 1
    assert state.entries.in_flight[last] == 0


def test_prefetch_sets_the_hint() -> None:
    state = device()
    index = put(state, kv(), tier=1, evictable=1)
    state.prefetch(kv(), 77)
    entry = state.entry(index)
    assert (entry.hint, entry.evictable, entry.access_step) == (1, 0, 77)


def test_prefetch_leaves_hot_alone() -> None:
    state = device()
    index = put(state, kv(), hot=1)
    state.prefetch(kv(), 5)
    assert state.entry(index).hot == 1


@pytest.mark.parametrize(("ahead", "queued"), [(-1, 0), (0, 1), (2, 1), (3, 0), (1 << 31, 0)])
def test_prefetch_queues_what_is_needed_soon(ahead: int, queued: int) -> None:
    state = device()
    state.config.lookahead = 2
    state.set_step(10)
    put(state, kv(), tier=2)
    state.prefetch(kv(), (10 + ahead) % (1 << 32))
    assert len(state.queues[Channel.PREFETCH]) == queued


def test_prefetch_step_wraps_around() -> None:
    state = device()
    state.set_step(0xFFFFFFFF)
    put(state, kv(), tier=2)
    state.prefetch(kv(), 0)
    assert len(state.queues[Channel.PREFETCH]) == 1


@pytest.mark.parametrize("tier", range(4))
def test_prefetch_queues_only_from_slower_tiers(tier: int) -> None:
    state = device()
    put(state, kv(), tier=tier)
    state.prefetch(kv(), state.step)
    assert len(state.queues[Channel.PREFETCH]) == (tier > 1)


def test_prefetch_of_a_block_in_flight_queues_nothing_more() -> None:
    state = device()
    put(state, kv(), tier=2)
    state.prefetch(kv(), state.step)
    state.prefetch(kv(), state.step)
    assert len(state.queues[Channel.PREFETCH]) == 1


def test_ref_count_saturates_and_counts() -> None:
    state = device()
    index = put(state, kv(), ref_count=254)
    for _ in range(3):
        state.share(kv())
    assert state.entry(index).ref_count == 255
    assert state.counters.ref_saturated == 2


def test_ref_count_never_goes_below_zero() -> None:
    state = device()
    index = put(state, kv(), ref_count=1)
    for _ in range(3):
        state.release(kv())
    assert state.entry(index).ref_count == 0
    assert state.counters.ref_underflow == 2


def test_share_sets_prefix_and_release_leaves_it() -> None:
    state = device()
    index = put(state, kv())
    state.share(kv())
    state.release(kv())
    assert (state.entry(index).prefix, state.entry(index).ref_count) == (1, 0)


def test_a_referenced_block_is_never_evicted_nor_removed() -> None:
    state = device()
    state.config.prefetch_thresh = state.config.evict_thresh = 65535
    cold(state, kv())
    state.share(kv())
    for _ in range(4):
        advance(state)
        state.imevict(kv())
    assert not any(state.queues)
    assert not any(state.waiting)
    assert state.remove(kv()).status == Status.REFERENCED
    assert state.migrate(kv(), 2).status == Status.REFERENCED
    assert state.free_request(1)[4:] == (0, 1)
    assert state.find(kv()) is not None
