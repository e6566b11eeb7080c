"""device.md 2: entries with bad parity."""

import pytest

from model.directory import DeviceState
from model.entries import EntryView
from model.types import BadParity, Channel, CompletionStatus, Irq, Mismatch, MoveResult, Status
from tests.model.helpers import advance, begin, cold, device, kv, last_completion, put

EACH = pytest.mark.parametrize("which", [BadParity.TAG, BadParity.META])


def broken(which: BadParity, **fields: int) -> tuple[DeviceState, int]:
    state = device()
    index = cold(state, kv(), **fields)
    state.inject_parity(index, which)
    return state, index


@EACH
def test_it_gives_no_hit_and_is_counted_and_latched(which: BadParity) -> None:
    state, index = broken(which)
    assert state.counters.parity == 0
    assert not state.lookup(0, kv(), write=True).hit
    assert (state.counters.parity, state.parity_index) == (1, index)
    assert Irq.PARITY in state.irq_status
    assert (state.counters.miss, list(state.miss_queue)) == (1, [kv()])
    assert state.lookup_peek(kv()).status == Status.MISS
    assert state.counters.parity == 2


@EACH
def test_it_gives_no_decision_and_no_score(which: BadParity) -> None:
    state, index = broken(which, r=50)
    state.config.evict_thresh = 65535
    advance(state)
    assert not any(state.waiting)
    assert not any(state.queues)
    assert (state.entries.r[index], state.entries.prio[index]) == (50, 0)
    assert state.counters.parity == 1
    assert state.last_histogram is not None
    assert state.last_histogram.sum() == 0
    state.set_step(9)
    state.scan_begin()
    assert state.scan_one(index) is None
    assert state.counters.parity == 2


@EACH
def test_its_slot_stays_occupied_until_reset(which: BadParity) -> None:
    state, _ = broken(which)
    assert state.remove(kv()).status == Status.MISS
    assert state.free_request(1) == (Status.OK, 0, 0, 0, 0, 0)
    assert state.pools[1].occupied == 1
    state.set_step(5)
    assert state.pools[1].occupied == 1
    state.check()
    state.soft_reset()
    assert state.pools[1].free == 64
    assert state.insert(kv(), 15, 1).status == Status.OK
    assert state.lookup(0, kv(), write=False).hit


@EACH
def test_commands_do_not_find_it(which: BadParity) -> None:
    state, index = broken(which)
    before = bytes(state.entries.arrays["hot"])
    for name in ("boost", "imevict", "cool", "share", "release"):
        assert getattr(state, name)(kv()) is False
    assert state.prefetch(kv(), 3) is False
    assert state.migrate(kv(), 2).status == Status.MISS
    assert state.counters.hint_miss == 6
    assert bytes(state.entries.arrays["hot"]) == before
    assert state.entry(index).hot == state.entry(index).evictable == 0


def test_a_bad_tag_hides_the_name_a_bad_meta_word_does_not() -> None:
    state, index = broken(BadParity.TAG)
    second = state.insert(kv(), 15, 1)
    assert second.status == Status.OK
    assert second.index != index
    assert state.lookup(0, kv(), write=False).index == second.index
    state.check()
    state, _ = broken(BadParity.META)
    assert state.insert(kv(), 15, 1).status == Status.EXISTS


def test_a_lookup_counts_each_bad_tag_among_its_places() -> None:
    state = device()
    places = state.places(kv())
    put(state, kv())
    for place in places[1:3]:
        state.inject_parity(place, BadParity.TAG)
    assert state.lookup(0, kv(), write=False).hit
    assert state.counters.parity == 2
    assert state.parity_index == places[1]


def test_a_token_that_is_not_valid_reads_no_meta_word() -> None:
    state = device()
    index = state.insert(kv(), 3, 1).index
    state.inject_parity(index, BadParity.META)
    state.lookup(0, kv(offset=9), write=False)
    assert state.counters.parity == 0
    state.lookup(0, kv(offset=4), write=True)
    assert state.counters.parity == 1


def test_a_denied_lookup_reads_nothing() -> None:
    state, _ = broken(BadParity.META)
    state.config.req_lo[0] = 9
    state.lookup(0, kv(), write=False)
    assert state.counters.parity == 0


def test_the_first_index_is_kept_until_cleared() -> None:
    state = device()
    first, second = put(state, kv(1)), put(state, kv(2))
    state.inject_parity(first, BadParity.META)
    state.inject_parity(second, BadParity.META)
    state.lookup(0, kv(2), write=False)
    state.lookup(0, kv(1), write=False)
    assert (state.parity_index, state.counters.parity) == (second, 2)
    state.clear_irq(Irq.PARITY)
    assert state.parity_index == second
    state.clear_parity_latch()
    state.lookup(0, kv(1), write=False)
    assert state.parity_index == first
    assert Irq.PARITY in state.irq_status


def test_a_place_with_a_bad_tag_is_never_used() -> None:
    state = device()
    places = state.places(kv())
    for place in places[:3]:
        state.inject_parity(place, BadParity.TAG)
    assert state.insert(kv(), 15, 1).index == places[3]
    state.remove(kv())
    state.inject_parity(places[3], BadParity.TAG)
    assert state.insert(kv(), 15, 1).status == Status.FULL
    state.check()


def test_an_empty_place_with_a_bad_meta_word_is_read_and_overwritten() -> None:
    state = device()
    place = state.places(kv())[0]
    state.inject_parity(place, BadParity.META)
    assert state.insert(kv(), 15, 1).index == place
    assert (state.counters.parity, state.parity_index) == (1, place)
    assert state.lookup(0, kv(), write=False).hit


def test_a_relocated_entry_keeps_its_bad_meta_word() -> None:
    state, index = broken(BadParity.META)
    target = next(p for p in state.places(kv()) if p != index)
    state.relocate(index, target)
    assert state.counters.parity == 1
    assert not state.lookup(0, kv(), write=False).hit
    assert state.insert(kv(), 15, 1).status == Status.EXISTS
    state.check()
    state, index = broken(BadParity.TAG)
    with pytest.raises(Mismatch, match="a valid entry"):
        state.relocate(index, target)


def test_g2_a_relocation_counts_a_bad_entry_once() -> None:
    for scanning in (False, True):
        state, index = broken(BadParity.META)
        if scanning:
            state.set_step(1)
            state.scan_begin()
        target = next(p for p in state.places(kv()) if p != index)
        state.relocate(index, target)
        assert state.counters.parity == 1
        assert state.insert(kv(2), 15, 1).status == Status.OK
        assert state.counters.parity == 1


@EACH
def test_a_move_of_it_ends_cancelled_and_its_slot_stays(which: BadParity) -> None:
    state = device()
    index = cold(state, kv())
    state.migrate(kv(), 2)
    item = begin(state)
    state.inject_parity(index, which)
    assert state.end(item) == MoveResult.CANCELLED
    assert last_completion(state) == CompletionStatus.CANCELLED
    assert (state.pools[1].occupied, state.pools[2].free) == (1, 64)
    state.check()


@EACH
def test_a_queued_item_of_it_ends_cancelled(which: BadParity) -> None:
    state = device()
    index = cold(state, kv())
    state.migrate(kv(), 2)
    state.inject_parity(index, which)
    assert state.start(state.pop(Channel.EVICT)).result == MoveResult.CANCELLED
    assert state.departures == [0] * 4


def test_bar2_counts_it_and_shows_it_as_it_stands() -> None:
    state, index = broken(BadParity.META)
    data = state.read_entry(index)
    assert EntryView.unpack(data).request_id == 1
    assert (state.counters.parity, state.parity_index) == (1, index)
    assert state.read_entry((index + 1) % 1024) == bytes(32)
    assert state.counters.parity == 1


def test_free_request_reads_every_entry() -> None:
    state = device()
    tag, meta = put(state, kv(1)), put(state, kv(2))
    state.inject_parity(tag, BadParity.TAG)
    state.inject_parity(meta, BadParity.META)
    state.free_request(9)
    assert (state.counters.parity, state.parity_index) == (2, min(tag, meta))
