"""device.md 8: INSERT, REMOVE, FREE_REQUEST, MIGRATE, status by status."""

import pytest

from model.types import Channel, Status
from tests.model.helpers import begin, cold, device, kv, put

# ---------------------------------------------------------------------- INSERT


@pytest.mark.parametrize(("offset", "end"), [(1, 15), (15, 15), (0, 16), (0, -1 % (1 << 32)), (8, 20)])
def test_insert_refuses_bad_arguments(offset: int, end: int) -> None:
    state = device()
    assert state.insert(kv(offset=offset), end, 1).status == Status.BAD_ARG
    assert state.image() == bytes(1024 * 32)


@pytest.mark.parametrize("end", [0, 7, 15])
def test_insert_takes_any_end_inside_the_block(end: int) -> None:
    state = device()
    result = state.insert(kv(), end, 1)
    assert result.status == Status.OK
    assert state.entry(result.index).token_end == end


def test_what_insert_sets() -> None:
    state = device()
    state.set_step(9)
    result = state.insert(kv(), 3, 2)
    entry = state.entry(result.index)
    assert (entry.r, entry.f, entry.access_step, entry.tier) == (255, 1, 9, 2)
    assert (entry.priority, entry.ref_count, entry.hint, entry.evictable, entry.dirty) == (0,) * 5
    assert (entry.prefix, entry.hot) == (0, 0)
    assert result.phys_addr == entry.phys_addr


def test_insert_checks_in_the_order_of_the_page() -> None:
    state = device(64, 1, 64, 64)
    put(state, kv())
    assert state.insert(kv(offset=1), 15, 1).status == Status.BAD_ARG  # also EXISTS, NO_SLOT
    assert state.insert(kv(), 15, 1).status == Status.EXISTS  # also NO_SLOT
    assert state.insert(kv(2), 15, 1).status == Status.NO_SLOT


def test_insert_takes_a_slot_of_its_tier_and_no_other() -> None:
    state = device(64, 0, 64, 64)
    assert state.insert(kv(), 15, 1).status == Status.NO_SLOT
    assert [pool.occupied for pool in state.pools] == [0, 0, 0, 0]


def test_insert_knows_no_reserve() -> None:
    state = device(64, 2, 64, 64)
    state.config.reserve[1] = 2
    assert put(state, kv(1)) != put(state, kv(2))
    assert state.pools[1].free == 0


def test_insert_of_the_same_block_in_another_tier_exists() -> None:
    state = device()
    put(state, kv(), tier=1)
    assert state.insert(kv(), 15, 2).status == Status.EXISTS
    assert state.pools[2].occupied == 0


# ---------------------------------------------------------------------- REMOVE, FREE_REQUEST


def test_remove_frees_entry_and_slot_at_once() -> None:
    state = device(64, 1, 64, 64)
    put(state, kv())
    assert state.remove(kv(offset=7)).status == Status.OK
    assert state.find(kv()) is None
    assert state.pools[1].free == 1
    assert state.insert(kv(2), 15, 1).status == Status.OK  # no fence needed
    assert state.remove(kv()).status == Status.MISS


def test_remove_of_a_referenced_block() -> None:
    state = device()
    put(state, kv(), ref_count=1)
    assert state.remove(kv()).status == Status.REFERENCED
    state.release(kv())
    assert state.remove(kv()).status == Status.OK


def test_free_request_removes_what_is_not_referenced() -> None:
    state = device()
    for block in range(10):
        put(state, kv(5, block), ref_count=block % 2)
        put(state, kv(6, block))
    put(state, kv(0, 1))
    before = [state.entry_bytes(state.find(kv(5, b)) or 0) for b in (1, 3)]
    result = state.free_request(5)
    assert (result.status, result.removed, result.stayed) == (Status.OK, 5, 5)
    assert [state.find(kv(5, b)) is not None for b in range(10)] == [False, True] * 5
    assert [state.entry_bytes(state.find(kv(5, b)) or 0) for b in (1, 3)] == before
    assert sum(1 for _, e in state.dump() if e.request_id == 6) == 10
    assert state.find(kv(0, 1)) is not None
    assert state.pools[1].occupied == 16
    assert state.free_request(5)[4:] == (0, 5)


def test_free_request_of_an_unknown_request_and_of_request_0() -> None:
    state = device()
    put(state, kv(0))
    assert state.free_request(77) == (Status.OK, 0, 0, 0, 0, 0)
    assert state.free_request(0).status == Status.BAD_ARG
    assert state.find(kv(0)) is not None


def test_free_entry_is_one_step_of_the_walk() -> None:
    state = device()
    mine, other = put(state, kv(5)), put(state, kv(6))
    kept = put(state, kv(5, 1), ref_count=2)
    assert state.free_entry(other, 5) is None
    assert state.free_entry(1023, 5) is None
    assert state.free_entry(kept, 5) is False
    assert state.free_entry(mine, 5) is True
    assert state.free_entry(mine, 5) is None


# ---------------------------------------------------------------------- MIGRATE


@pytest.mark.parametrize(
    ("source", "target", "channel"),
    [(0, 1, Channel.EVICT), (1, 3, Channel.EVICT), (3, 0, Channel.PREFETCH)],
)
def test_migrate_queues_on_the_channel_of_its_direction(source: int, target: int, channel: Channel) -> None:
    state = device()
    put(state, kv(), tier=source)
    assert state.migrate(kv(offset=3), target).status == Status.OK
    (item,) = state.queues[channel]
    assert (item.from_tier, item.target, item.by_migrate) == (source, target, True)
    assert not state.queues[1 - channel]


def test_migrate_refusals() -> None:
    state = device()
    assert state.migrate(kv(), 2).status == Status.MISS
    put(state, kv(), tier=1, ref_count=1)
    assert state.migrate(kv(), 1).status == Status.BAD_ARG
    assert state.migrate(kv(), 2).status == Status.REFERENCED
    assert state.migrate(kv(), 0).status == Status.OK  # a faster tier: references do not matter
    assert state.migrate(kv(), 0).status == Status.BUSY
    assert state.migrate(kv(), 2).status == Status.REFERENCED  # checked before BUSY
    assert len(state.queues[Channel.PREFETCH]) == 1


def test_migrate_is_busy_while_the_block_moves() -> None:
    state = device()
    put(state, kv())
    state.migrate(kv(), 2)
    item = begin(state)
    assert state.migrate(kv(), 3).status == Status.BUSY
    state.end(item)
    assert state.migrate(kv(), 3).status == Status.OK


def test_migrate_is_busy_when_the_queue_is_full_and_drops_nothing() -> None:
    state = device(0, 128, 128, 128)
    for block in range(65):
        cold(state, kv(block=block))
    codes = [state.migrate(kv(block=b), 2).status for b in range(65)]
    assert codes == [Status.OK] * 64 + [Status.BUSY]
    assert state.counters.dropped == [0, 0]
    assert state.entries.in_flight[state.find(kv(block=64)) or 0] == 0
    put(state, kv(9), tier=3)
    assert state.migrate(kv(9), 0).status == Status.OK  # the other queue has room
