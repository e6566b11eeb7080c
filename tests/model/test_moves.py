"""device.md 6: start checks, commits, VOID, errors and retries, completions."""

from __future__ import annotations

import pytest

from model.directory import DeviceState
from model.types import (
    Channel,
    Completion,
    CompletionStatus,
    DmaError,
    Irq,
    Item,
    Mismatch,
    MoveResult,
    Status,
)
from tests.model.helpers import begin, cold, device, kv, last_completion, put


def queued(state: DeviceState, tier: int = 1, **fields: int) -> Item:
    """A cold block's eviction at the DMA, before its start checks."""
    cold(state, kv(), tier, **fields)
    state.imevict(kv())
    return state.pop(Channel.EVICT)


def moving(state: DeviceState, target: int = 2, tier: int = 1) -> Item:
    """A block that moves by MIGRATE."""
    cold(state, kv(), tier)
    assert state.migrate(kv(), target).status == Status.OK
    return begin(state, Channel.EVICT if target > tier else Channel.PREFETCH)


# ---------------------------------------------------------------------- start checks


def test_a_start_reserves_the_target_and_gives_both_places() -> None:
    state = device()
    item = queued(state)
    start = state.start(item)
    assert start == (MoveResult.OK, 1, state.phys_addr(1, 0), 2, 0, state.phys_addr(2, 0))
    assert state.pools[2].in_flight == 1
    assert state.lookup(0, kv(), write=False).phys_addr == state.phys_addr(1, 0)


@pytest.mark.parametrize("free", [(5, 5, 5), (0, 5, 5), (0, 0, 5)])
def test_an_eviction_takes_the_nearest_slower_tier_with_a_free_slot(
    free: tuple[int, int, int],
) -> None:
    state = device(64, *free)
    item = queued(state, tier=0)
    assert state.start(item).to_tier == 1 + free.index(5)


def test_a_migration_takes_a_slot_only_above_reserve() -> None:
    state = device(64, 64, 3, 64)
    state.config.reserve[2] = 3
    assert state.start(queued(state)).to_tier == 3
    state = device(64, 64, 3, 64)
    state.config.reserve[2] = 2
    assert state.start(queued(state)).to_tier == 2


def test_without_a_slot_the_item_ends_no_slot() -> None:
    state = device(64, 64, 0, 0)
    item = queued(state)
    assert state.start(item).result == MoveResult.NO_SLOT
    assert list(state.completion_queue) == [Completion(kv(), 1, 1, CompletionStatus.NO_SLOT)]
    assert state.entries.in_flight[state.find(kv()) or 0] == 0


def test_a_fixed_target_takes_no_other_tier() -> None:
    state = device(64, 64, 0, 64)
    cold(state, kv())
    state.migrate(kv(), 2)
    assert state.start(state.pop(Channel.EVICT)).result == MoveResult.NO_SLOT
    assert state.completion_queue[0] == Completion(kv(), 1, 2, CompletionStatus.NO_SLOT)


def test_a_prefetch_takes_its_own_target_only() -> None:
    state = device(64, 0, 64, 64)
    put(state, kv(), tier=3)
    state.prefetch(kv(), state.step)
    assert state.start(state.pop(Channel.PREFETCH)).result == MoveResult.NO_SLOT
    assert state.completion_queue[0].to_tier == 1


def test_a_block_that_is_gone_cancels() -> None:
    state = device()
    item = queued(state)
    state.remove(kv())
    assert state.start(item).result == MoveResult.CANCELLED
    assert list(state.completion_queue) == [Completion(kv(), 1, 1, CompletionStatus.CANCELLED)]


def test_an_item_does_not_move_a_later_block_of_the_same_name() -> None:
    state = device()
    item = queued(state)
    state.remove(kv())
    index = cold(state, kv(), evictable=1)
    assert state.entries.in_flight[index] == 0
    assert state.migrate(kv(), 3).status == Status.OK  # the new block has no item
    assert state.start(item).result == MoveResult.CANCELLED
    assert state.entries.in_flight[index] == 1
    assert state.entry(index).tier == 1
    state.check()


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"dirty": 1, "access_step": 5}, MoveResult.CANCELLED),
        ({"dirty": 0, "access_step": 5}, MoveResult.OK),
        ({"dirty": 1, "access_step": 4}, MoveResult.OK),
        ({"dirty": 1, "access_step": 5, "hint": 1}, MoveResult.OK),
        ({"ref_count": 1}, MoveResult.CANCELLED),
        ({"hot": 1, "evictable": 0}, MoveResult.CANCELLED),
        ({"r": 255, "evictable": 0}, MoveResult.CANCELLED),
        ({"r": 255, "evictable": 1}, MoveResult.OK),
        ({"r": 254, "evictable": 0}, MoveResult.OK),
    ],
)
def test_start_checks_of_an_eviction(fields: dict[str, int], result: MoveResult) -> None:
    state = device()
    item = queued(state)
    state.step = 5
    for name, value in fields.items():
        getattr(state.entries, name)[state.find(kv())] = value
    assert state.start(item).result == result


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"dirty": 1, "access_step": 5}, MoveResult.CANCELLED),
        ({"ref_count": 1}, MoveResult.CANCELLED),
        ({"hot": 1}, MoveResult.OK),
        ({"r": 255}, MoveResult.OK),
    ],
)
def test_migrate_to_a_slower_tier_overrides_hot_and_r(fields: dict[str, int], result: MoveResult) -> None:
    state = device()
    index = cold(state, kv())
    state.migrate(kv(), 3)
    state.step = 5
    for name, value in fields.items():
        getattr(state.entries, name)[index] = value
    assert state.start(state.pop(Channel.EVICT)).result == result


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"dirty": 1, "access_step": 5, "hint": 0}, MoveResult.CANCELLED),
        ({"ref_count": 9, "hot": 1, "r": 255}, MoveResult.OK),
    ],
)
def test_start_checks_of_a_prefetch(fields: dict[str, int], result: MoveResult) -> None:
    state = device()
    index = put(state, kv(), tier=3)
    state.prefetch(kv(), state.step)
    state.step = 5
    for name, value in fields.items():
        getattr(state.entries, name)[index] = value
    assert state.start(state.pop(Channel.PREFETCH)).result == result


def test_a_written_block_may_move_after_the_step() -> None:
    state = device()
    state.set_step(1)
    index = put(state, kv(), tier=2)
    state.lookup(0, kv(), write=True)
    state.migrate(kv(), 1)
    assert state.start(state.pop(Channel.PREFETCH)).result == MoveResult.CANCELLED
    state.set_step(2)
    state.migrate(kv(), 1)
    assert state.start(state.pop(Channel.PREFETCH)).result == MoveResult.OK
    assert state.entry(index).dirty == 1


# ---------------------------------------------------------------------- commit


def test_a_commit_sets_the_place_and_clears_dirty() -> None:
    state = device()
    item = queued(state, dirty=1, access_step=77, prefix=1, f=9)
    state.start(item)
    before = state.entry(state.find(kv()) or 0)
    assert state.end(item) == MoveResult.OK
    after = state.entry(state.find(kv()) or 0)
    assert (after.tier, after.phys_addr, after.dirty) == (2, state.phys_addr(2, 0), 0)
    kept = ("access_step", "prefix", "f", "r", "priority", "evictable", "token_end")
    assert all(getattr(before, n) == getattr(after, n) for n in kept)
    assert state.counters.bytes_moved == [8192, 0]
    assert list(state.completion_queue) == [Completion(kv(), 1, 2, CompletionStatus.OK)]
    assert state.irq_status & Irq.COMPLETION


def test_the_old_slot_is_held_until_the_next_step() -> None:
    state = device(64, 1, 64, 64)
    state.end(moving(state))
    assert (state.pools[1].free, state.pools[1].held) == (0, 1)
    assert state.insert(kv(2), 15, 1).status == Status.NO_SLOT
    state.set_step(1)
    assert state.insert(kv(2), 15, 1).status == Status.OK


def test_the_fence_holds_without_enable_too() -> None:
    state = device(64, 1, 64, 64)
    state.end(moving(state))
    state.config.enable = False
    state.set_step(1)
    assert state.pools[1].free == 1


def test_a_reference_taken_meanwhile_cancels_a_move_to_a_slower_tier() -> None:
    state = device()
    item = moving(state)
    state.share(kv())
    assert state.end(item) == MoveResult.CANCELLED
    assert state.entry(state.find(kv()) or 0).tier == 1
    assert (state.pools[2].free, state.pools[2].held) == (64, 0)
    assert state.counters.bytes_moved == [0, 0]


def test_a_reference_taken_meanwhile_lets_a_promotion_commit() -> None:
    state = device()
    item = moving(state, target=0, tier=3)
    state.share(kv())
    assert state.end(item) == MoveResult.OK


def test_reads_and_hints_during_a_move_do_not_void_it() -> None:
    state = device()
    item = moving(state)
    assert state.lookup(0, kv(), write=False).tier == 1
    state.boost(kv())
    state.lookup_touch(kv())
    assert state.end(item) == MoveResult.OK
    assert state.entry(state.find(kv()) or 0).hot == 1


# ---------------------------------------------------------------------- VOID


@pytest.mark.parametrize("grows", [False, True])
def test_a_write_during_the_move_voids_it(grows: bool) -> None:
    state = device()
    state.insert(kv(), 7, 1)
    state.set_step(3)
    state.migrate(kv(), 2)
    item = begin(state)
    assert state.lookup(1, kv(offset=8 if grows else 0), write=True).tier == 1
    assert state.end(item) == MoveResult.VOID
    entry = state.entry(state.find(kv()) or 0)
    assert (entry.tier, entry.dirty, entry.token_end) == (1, 1, 8 if grows else 7)
    assert (state.pools[2].free, state.pools[2].held) == (64, 0)
    assert state.counters.voids == [1, 0]
    assert state.completion_queue[-1] == Completion(kv(), 1, 2, CompletionStatus.VOID)


def test_a_denied_or_missing_write_does_not_void() -> None:
    state = device()
    state.insert(kv(), 7, 1)
    state.migrate(kv(), 2)
    item = begin(state)
    state.lookup(0, kv(offset=9), write=True)
    state.config.req_lo[0] = 9
    state.lookup(0, kv(), write=True)
    assert state.end(item) == MoveResult.OK


def test_a_write_before_the_start_does_not_void() -> None:
    state = device()
    cold(state, kv())
    state.migrate(kv(), 2)
    state.lookup(0, kv(), write=True)
    state.set_step(1)
    assert state.end(begin(state)) == MoveResult.OK


def test_void_wins_over_the_error_of_the_same_try() -> None:
    state = device()
    item = moving(state)
    state.lookup(0, kv(), write=True)
    assert state.end(item, error=True) == MoveResult.VOID
    assert (state.counters.voids, state.counters.errors) == ([1, 0], [1, 0])
    assert state.dma_error == DmaError(kv(), Channel.EVICT, write=False)


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize(("max_retry", "tries"), [(0, 1), (1, 1), (2, 2), (3, 3), (255, 255)])
def test_max_retry_tries_in_all(max_retry: int, tries: int) -> None:
    state = device()
    state.config.max_retry = max_retry
    item = moving(state)
    for _ in range(tries - 1):
        assert state.end(item, error=True) == MoveResult.RETRY
        assert state.start(item).result == MoveResult.OK
    assert state.end(item, error=True) == MoveResult.ERROR
    assert state.counters.errors == [tries, 0]
    assert list(state.completion_queue) == [Completion(kv(), 1, 2, CompletionStatus.ERROR)]
    assert state.pools[2].free == 64
    assert state.entries.in_flight[state.find(kv()) or 0] == 0


def test_a_later_try_may_succeed() -> None:
    state = device()
    item = moving(state)
    assert state.end(item, error=True) == MoveResult.RETRY
    assert state.pools[2].free == 64  # the target slot went back
    assert state.migrate(kv(), 3).status == Status.BUSY  # still in flight
    state.start(item)
    assert state.end(item) == MoveResult.OK


def test_a_retry_begins_from_the_start_checks() -> None:
    state = device()
    item = moving(state)
    state.end(item, error=True)
    state.lookup(0, kv(), write=True)
    assert state.start(item).result == MoveResult.CANCELLED
    assert state.completion_queue[-1] == Completion(kv(), 1, 2, CompletionStatus.CANCELLED)


def test_a_retry_of_an_eviction_may_find_another_tier() -> None:
    state = device(64, 64, 1, 64)
    item = queued(state)
    assert state.start(item).to_tier == 2
    state.end(item, error=True)
    assert state.insert(kv(9), 15, 2).status == Status.OK
    assert state.start(item).to_tier == 3
    state.end(item)
    assert state.completion_queue[-1] == Completion(kv(), 1, 3, CompletionStatus.OK)


def test_the_first_error_is_latched_until_cleared() -> None:
    state = device()
    state.config.max_retry = 1
    state.end(moving(state), error=True, error_on_write=True)
    put(state, kv(2), tier=3)
    state.migrate(kv(2), 0)
    state.end(begin(state, Channel.PREFETCH), error=True)
    assert state.dma_error == DmaError(kv(), Channel.EVICT, write=True)
    assert state.counters.errors == [1, 1]
    assert state.irq_status & Irq.DMA_ERR
    state.clear_dma_error()
    state.migrate(kv(2), 0)
    state.end(begin(state, Channel.PREFETCH), error=True)
    assert state.dma_error == DmaError(kv(2), Channel.PREFETCH, write=False)


# ---------------------------------------------------------------------- removal while moving


@pytest.mark.parametrize("by", ["remove", "free_request"])
def test_removal_takes_the_entry_at_once_and_cancels_the_copy(by: str) -> None:
    state = device()
    item = moving(state)
    if by == "remove":
        assert state.remove(kv()).status == Status.OK
    else:
        assert state.free_request(1).removed == 1
    assert state.find(kv()) is None
    assert (state.pools[1].free, state.pools[2].in_flight) == (64, 1)
    index = cold(state, kv())
    assert state.end(item) == MoveResult.CANCELLED
    assert state.pools[2].free == 64
    assert state.entry(index).tier == 1
    assert last_completion(state) == CompletionStatus.CANCELLED
    state.check()


def test_an_error_of_a_removed_block_is_counted() -> None:
    state = device()
    item = moving(state)
    state.remove(kv())
    assert state.end(item, error=True) == MoveResult.CANCELLED
    assert state.counters.errors == [1, 0]


# ---------------------------------------------------------------------- completions


def test_every_item_ends_in_one_completion_and_64_are_kept() -> None:
    state = device(0, 256, 256, 256)
    for block in range(70):
        cold(state, kv(block=block))
    for block in range(70):
        state.migrate(kv(block=block), 2)
        state.end(begin(state))
    assert (len(state.completion_queue), state.counters.completion_dropped) == (64, 6)
    assert Irq.OVERFLOW in state.irq_status
    assert [state.pop_completion().kv_addr for _ in range(64)] == [kv(block=b) for b in range(64)]
    assert state.pop_completion() is None
    assert state.departures == [0] * 4


def test_completion_and_departure_may_follow_later() -> None:
    state = device()
    item = moving(state)
    state.end(item, complete=False)
    assert (state.departures[1], len(state.completion_queue)) == (1, 0)
    assert state.migrate(kv(), 3).status == Status.OK  # no longer in flight
    record = state.complete(item)
    assert record == Completion(kv(), 1, 2, CompletionStatus.OK)
    assert state.departures == [0, 0, 1, 0]  # the new item leaves tier 2
    with pytest.raises(Mismatch, match="an ended item"):
        state.complete(item)


def test_items_leave_their_queue_in_order() -> None:
    state = device()
    for block in range(3):
        cold(state, kv(block=block))
        state.imevict(kv(block=block))
    with pytest.raises(Mismatch, match="item taken from the evict queue"):
        state.pop(Channel.EVICT, kv(block=1))
    assert [state.pop(Channel.EVICT).kv_addr for _ in range(3)] == [kv(block=b) for b in range(3)]
    with pytest.raises(Mismatch, match="expected none"):
        state.pop(Channel.EVICT)


def test_a_move_is_started_and_ended_once() -> None:
    state = device()
    item = queued(state)
    with pytest.raises(Mismatch, match="a moving item"):
        state.end(item)
    state.start(item)
    with pytest.raises(Mismatch, match="a popped item"):
        state.start(item)
    state.end(item)
    with pytest.raises(Mismatch, match="a moving item"):
        state.end(item)


def test_what_was_seen_of_slots_is_checked() -> None:
    state = device()
    put(state, kv(5), tier=2)
    item = queued(state)
    with pytest.raises(Mismatch, match="tier 2 slot 0 handed out"):
        state.start(item, slot=0)
    state = device()
    item = queued(state)
    assert state.start(item, slot=33).to_phys_addr == state.phys_addr(2, 33)
