"""device.md 4: steps, the scan's order and start, decisions and their queues."""

import numpy as np
import pytest

from model.directory import DeviceState
from model.types import Channel, Decision, Irq, Mismatch
from tests.model.helpers import advance, begin, cold, device, kv, put


def evicting() -> DeviceState:
    state = device(256, 256, 256, 256)
    state.config.evict_thresh = 65535
    return state


def test_step_advance_sets_the_step_and_one_scan_is_due() -> None:
    state = device()
    state.set_step(5)
    assert (state.step, state.scan_pending) == (5, True)
    cfg = state.scan_begin()
    assert (cfg.step, cfg.number, state.scan_pending) == (5, 1, False)
    state.scan_rows(0, state.rows)
    state.scan_end()
    assert (state.counters.scan_done, state.irq_status) == (1, Irq.SCAN_DONE)


def test_without_enable_only_the_step_is_set() -> None:
    state = device()
    state.config.enable = False
    state.set_step(5)
    assert (state.step, state.scan_pending) == (5, False)
    with pytest.raises(Mismatch, match="scan start"):
        state.scan_begin()


def test_steps_during_a_scan_coalesce_into_one_with_the_newest_step() -> None:
    state = device()
    state.set_step(1)
    state.scan_begin()
    for step in (2, 3, 4):
        state.set_step(step)
    assert state.counters.scan_coalesced == 2
    with pytest.raises(Mismatch, match="while it runs"):
        state.scan_begin()
    state.scan_end()
    assert state.scan_begin().step == 4
    assert not state.scan_pending


def test_a_scan_uses_what_stood_at_its_start() -> None:
    state = device()
    index = put(state, kv(), r=100, f=0)
    state.set_step(10)
    state.scan_begin()
    state.set_step(500)
    state.config.w_r, state.config.w_s, state.config.r_shift = 9, 0, 0
    state.scan_rows(0, state.rows)
    assert state.entry(index).priority == 64 * 100 + 64 * (255 - 10)
    assert state.entry(index).r == 100 - 12


def test_commands_use_the_newest_step_at_once() -> None:
    state = device()
    state.set_step(1)
    state.scan_begin()
    state.set_step(2)
    assert state.entry(put(state, kv())).access_step == 2


@pytest.mark.parametrize("lanes", [4, 16])
def test_scan_n_begins_an_eighth_further(lanes: int) -> None:
    state = device(lanes=lanes)
    rows = []
    for step in range(10):
        state.set_step(step)
        rows.append(state.scan_begin().start_row)
        state.scan_score(slice(None))
        state.scan_end()
    eighth = 1024 // lanes // 8
    assert rows == [n % 8 * eighth for n in range(10)]


def test_f_ages_in_every_2_to_the_f_age_th_scan() -> None:
    state = device()
    index = put(state, kv(), f=200)
    state.config.f_age = 2
    values = []
    for _ in range(8):
        advance(state)
        values.append(state.entry(index).f)
    assert values == [200, 200, 200, 100, 100, 100, 100, 50]


def test_priority_and_decay_are_written_back() -> None:
    state = device()
    index = put(state, kv(), r=80, f=2)
    advance(state, 1)
    assert (state.entry(index).priority, state.entry(index).r) == (64 * (80 + 2 + 254), 70)


def test_each_entry_is_scored_exactly_once_whatever_the_order() -> None:
    states = [device(256, 256, 256, 256) for _ in range(3)]
    for state in states:
        for block in range(200):
            put(state, kv(block=block), tier=block % 4, r=block, f=block // 2)
        state.set_step(3)
        state.scan_begin()
    whole, single, pieces = states
    whole.scan_score(slice(None))
    for index in reversed(range(1024)):
        single.scan_one(index)
        assert single.scan_one(index) is None
    pieces.scan_rows(100, 100)
    pieces.scan_score(np.arange(0, 1024, 3))
    pieces.scan_rows(0, pieces.rows)
    for state in states:
        state.scan_end()
    assert whole.image() == single.image() == pieces.image()
    assert (whole.last_histogram == single.last_histogram).all()
    assert (whole.last_histogram == pieces.last_histogram).all()


def test_an_entry_inserted_during_a_scan_waits_for_the_next() -> None:
    state = device()
    state.set_step(1)
    state.scan_begin()
    index = put(state, kv())
    state.scan_rows(0, state.rows)
    state.scan_end()
    assert (state.entry(index).priority, state.entry(index).r) == (0, 255)
    advance(state)
    assert state.entry(index).priority > 0


def test_an_entry_removed_during_a_scan_is_not_missed() -> None:
    state = device()
    put(state, kv())
    state.set_step(1)
    state.scan_begin()
    state.remove(kv())
    state.scan_end()


def test_the_end_of_a_scan_names_entries_left_out() -> None:
    state = device()
    index = put(state, kv())
    state.set_step(1)
    state.scan_begin()
    with pytest.raises(Mismatch, match=rf"did not score: expected 0, seen \[{index}\]"):
        state.scan_end()


def test_a_relocation_during_a_scan_scores_first_and_once() -> None:
    state = evicting()
    index = cold(state, kv(), r=9)
    state.set_step(1)
    state.scan_begin()
    places = state.places(kv())
    target = next(p for p in places if p != index)
    state.relocate(index, target)
    assert state.entry(target).r == 8
    assert len(state.waiting[Channel.EVICT]) == 1
    state.scan_rows(0, state.rows)
    state.scan_end()
    assert state.entry(target).r == 8
    assert len(state.waiting[Channel.EVICT]) == 1


def test_an_operation_before_the_scan_reaches_its_entry_is_seen_by_the_score() -> None:
    state = device()
    index = put(state, kv(), r=0, f=0)
    state.set_step(100)
    state.scan_begin()
    state.lookup(0, kv(), write=False)
    state.scan_rows(0, state.rows)
    assert state.entry(index).priority == 64 * (255 + 1 + 255)


# ---------------------------------------------------------------------- decisions


def test_a_decision_puts_the_block_in_flight_and_the_next_scan_leaves_it() -> None:
    state = evicting()
    index = cold(state, kv())
    advance(state)
    assert state.entries.in_flight[index] == 1
    assert [i.kv_addr for i in state.waiting[Channel.EVICT]] == [kv()]
    advance(state)
    assert len(state.waiting[Channel.EVICT]) == 1
    item = state.queue_push(Channel.EVICT)
    assert (item.target, item.from_tier, item.by_migrate) == (None, 1, False)


def test_a_waiting_decision_makes_migrate_busy_and_imevict_quiet() -> None:
    state = evicting()
    cold(state, kv())
    advance(state)
    assert state.migrate(kv(), 3).status.name == "BUSY"
    state.imevict(kv())
    assert not state.queues[Channel.EVICT]


def test_prefetch_decisions_go_to_promote_tier_of_the_scan() -> None:
    state = device()
    state.config.promote_tier = 0
    put(state, kv(), tier=2, hint=1, access_step=1)
    state.set_step(1)
    state.scan_begin()
    state.config.promote_tier = 1
    state.scan_rows(0, state.rows)
    (item,) = state.waiting[Channel.PREFETCH]
    assert item.target == 0


def test_decisions_stand_in_scoring_order_from_the_start_row() -> None:
    state = evicting()
    for block in range(12):
        cold(state, kv(block=block))
    advance(state)
    indices = [state.find(i.kv_addr) for i in state.waiting[Channel.EVICT]]
    assert indices == sorted(indices)
    state = evicting()
    advance(state)  # the next scan begins an eighth further
    for block in range(12):
        cold(state, kv(block=block))
    advance(state)
    first = state.rows // 8 * state.lanes
    indices = [(state.find(i.kv_addr) - first) % 1024 for i in state.waiting[Channel.EVICT]]
    assert indices == sorted(indices)


def fill(state: DeviceState, count: int) -> None:
    for block in range(count):
        cold(state, kv(block=block))


def test_64_queue_and_4_per_lane_wait_the_rest_is_dropped_and_counted() -> None:
    state = evicting()
    fill(state, 200)
    advance(state)
    assert len(state.queues[Channel.EVICT]) + len(state.waiting[Channel.EVICT]) <= 64 + 16
    kept = len(state.queues[Channel.EVICT]) + len(state.waiting[Channel.EVICT])
    assert state.counters.dropped == [200 - kept, 0]
    assert sum(state.entries.in_flight) == kept
    lanes = {index % 4 for index in state.index_of.values()}
    assert state.lane_waiting[Channel.EVICT] == [4 if lane in lanes else 0 for lane in range(4)]
    assert len(state.queues[Channel.EVICT]) == 64
    state.check()


def test_dropped_decisions_are_made_again() -> None:
    state = evicting()
    fill(state, 100)
    advance(state)
    lost = state.counters.dropped[0]
    assert lost > 0
    moved = 0
    for _ in range(10):
        while state.waiting[Channel.EVICT] and len(state.queues[Channel.EVICT]) < 64:
            state.queue_push(Channel.EVICT)
        while state.queues[Channel.EVICT]:
            state.end(begin(state))
            moved += 1
        advance(state)
    assert moved == 100


def test_a_decision_is_dropped_only_when_lane_and_queue_are_full() -> None:
    state = evicting()
    fill(state, 120)
    state.set_step(1)
    state.scan_begin()
    queue, lanes = state.queues[Channel.EVICT], state.lane_waiting[Channel.EVICT]
    for index in sorted(state.index_of.values()):
        before = state.counters.dropped[0]
        state.scan_one(index)
        if state.counters.dropped[0] > before:
            assert lanes[index % 4] == 4
            assert len(queue) == 64
            assert state.drop_is_legal(Channel.EVICT, index % 4)
    assert state.counters.dropped[0] > 0


def test_when_a_told_drop_is_legal() -> None:
    state = evicting()
    fill(state, 130)
    state.set_step(1)
    state.scan_begin()
    lane = min(index % 4 for index in state.index_of.values())
    mine = [index for index in state.index_of.values() if index % 4 == lane]
    assert not state.drop_is_legal(Channel.EVICT, lane)
    for count, index in enumerate(mine):
        state.scan_one(index, accepted=True)
        state.queue_push(Channel.EVICT)
        assert not state.drop_is_legal(Channel.EVICT, lane)
        if count == 60:
            break
    for index in mine[61:65]:
        assert not state.drop_is_legal(Channel.EVICT, lane)
        state.scan_one(index, accepted=True)
    assert len(state.queues[Channel.EVICT]) + len(state.waiting[Channel.EVICT]) == 65
    assert state.drop_is_legal(Channel.EVICT, lane)
    assert not state.drop_is_legal(Channel.EVICT, lane + 1)
    assert not state.drop_is_legal(Channel.PREFETCH, lane)


def test_both_queues_fill_on_their_own() -> None:
    state = evicting()
    state.config.promote_tier = 1
    for block in range(68):  # four of each wait, in whatever lanes: each has room for four
        cold(state, kv(1, block), tier=1)
        put(state, kv(2, block), tier=3, hint=1, access_step=1)
    advance(state, 1)
    kinds = [len(state.queues[c]) + len(state.waiting[c]) for c in Channel]
    assert kinds == [68, 68]
    assert state.counters.dropped == [0, 0]


def test_told_acceptance_is_followed_and_checked() -> None:
    state = evicting()
    a, b = cold(state, kv(1)), cold(state, kv(2))
    warm = put(state, kv(3), tier=0)
    state.set_step(1)
    state.scan_begin()
    state.scan_one(a, accepted=True)
    accepted = np.zeros(1024, np.bool_)
    scored = state.scan_score(slice(None), accepted)
    assert scored.decision[b] == Decision.EVICT
    assert not scored.scored[a]
    assert scored.scored[warm]
    assert scored.decision[warm] == Decision.NONE
    assert [i.kv_addr for i in state.waiting[Channel.EVICT]] == [kv(1)]
    assert state.counters.dropped == [1, 0]
    state.scan_end()
    state.set_step(2)
    state.scan_begin()
    accepted[warm] = True
    with pytest.raises(Mismatch, match=f"decision for entry {warm}"):
        state.scan_score(slice(None), accepted)


def test_scoring_needs_a_running_scan() -> None:
    state = device()
    with pytest.raises(Mismatch, match="while a scan runs only"):
        state.scan_score(slice(None))
