"""device.md 5: pressure and the automatic threshold."""

import numpy as np
import pytest

from model.scoring import auto_threshold
from model.types import Channel, Irq
from tests.model.helpers import advance, begin, cold, device, kv


def counts(**bins: int) -> np.ndarray:
    out = np.zeros(256, np.int64)
    for name, n in bins.items():
        out[int(name[1:])] = n
    return out


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(-3, 0), (0, 0), (1, 256), (2, 256), (3, 11 * 256), (7, 11 * 256), (8, 65000), (9, 65000)],
)
def test_the_smallest_multiple_of_256_with_enough_below(wanted: int, expected: int) -> None:
    assert auto_threshold(counts(b0=2, b10=5, b255=1), wanted, 65000) == expected


def test_t_is_at_most_prefetch_thresh() -> None:
    assert auto_threshold(counts(b10=5), 1, 2815) == 2815
    assert auto_threshold(counts(b10=5), 1, 2816) == 2816
    assert auto_threshold(counts(b10=5), 1, 65535) == 2816
    assert auto_threshold(counts(b254=5), 1, 65535) == 65280
    assert auto_threshold(counts(b255=5), 1, 65535) == 65535


def test_t_is_0_before_a_scan_has_completed() -> None:
    assert auto_threshold(None, 5, 65535) == 0


def pressed(free: list[int], low: int, high: int) -> list[bool]:
    """Whether tier 1 is under pressure at scans that find these free slots."""
    state = device()
    state.config.low[1], state.config.high[1] = low, high
    found = []
    for n in free:
        state.set_step(state.step + 1)
        state.scan_begin(free=[64, n, 64, 64])
        found.append(state.pressure[1])
        state.scan_rows(0, state.rows)
        state.scan_end()
    return found


def test_on_below_low_off_at_high_else_as_before() -> None:
    free = [20, 10, 9, 10, 15, 19, 20, 19, 10, 9]
    on = [False, False, True, True, True, True, False, False, False, True]
    assert pressed(free, low=10, high=20) == on


def test_high_below_low_acts_as_low() -> None:
    assert pressed([9, 10, 9], low=10, high=3) == [True, False, True]


def test_pressure_is_judged_at_scan_start_only() -> None:
    state = device(64, 8, 64, 64)
    state.config.low[1] = state.config.high[1] = 4
    for block in range(6):
        cold(state, kv(block=block))
    assert state.pressure == [False] * 3
    advance(state)
    assert state.pressure == [False, True, False]
    state.free_request(1)
    assert state.pressure[1]
    advance(state)
    assert not state.pressure[1]


def test_pressure_raises_its_interrupt_when_it_begins() -> None:
    state = device(64, 8, 64, 64)
    state.config.low[1] = 9
    advance(state)
    assert Irq.PRESSURE in state.irq_status
    state.clear_irq(0xFF)
    advance(state)
    assert Irq.PRESSURE not in state.irq_status


def test_tier_3_knows_no_pressure() -> None:
    state = device()
    state.config.low[3] = state.config.high[3] = 65
    advance(state)
    assert state.pressure == [False] * 3


def test_under_pressure_the_coldest_leave_in_the_next_scan() -> None:
    state = device(64, 8, 64, 64)
    state.config.w_r = state.config.w_f = state.config.w_s = 0
    state.config.w_d = 0
    state.config.w_r = 255
    state.config.low[1], state.config.high[1] = 2, 4
    for block in range(7):
        cold(state, kv(block=block), r=10 * block)
    advance(state)  # pressure, but no histogram yet: T = 0
    assert (state.pressure[1], state.auto_thresh[1]) == (True, 0)
    assert not state.waiting[Channel.EVICT]
    # free 1, HIGH 4: three are wanted; P of the first scan was 255 * r
    advance(state)
    assert state.auto_thresh[1] == 256 * (255 * 20 // 256 + 1)
    leaving = {i.kv_addr for i in state.waiting[Channel.EVICT]}
    assert leaving >= {kv(block=b) for b in range(3)}


def test_departures_count_from_queue_entry_to_completion() -> None:
    state = device(64, 8, 64, 64)
    state.config.evict_thresh = 65535
    state.config.low[1], state.config.high[1] = 9, 9
    for block in range(3):
        cold(state, kv(block=block), r=9)
    advance(state)
    assert state.departures == [0] * 4  # decided, but not yet in the queue
    for _ in range(3):
        state.queue_push(Channel.EVICT)
    assert state.departures == [0, 3, 0, 0]
    item = begin(state)
    assert state.departures == [0, 3, 0, 0]
    state.end(item)
    assert state.departures == [0, 2, 0, 0]


def test_departures_lower_what_is_wanted() -> None:
    state = device(64, 8, 64, 64)
    state.config.low[1], state.config.high[1] = 8, 8
    for block in range(5):
        cold(state, kv(block=block), r=0)
    advance(state)
    state.set_step(state.step + 1)
    assert state.scan_begin(departures=[0, 5, 0, 0]).auto_thresh[1] == 0
    state.scan_score(slice(None))
    state.scan_end()
    state.set_step(state.step + 1)
    assert state.scan_begin(departures=[0, 4, 0, 0]).auto_thresh[1] > 0


def test_held_slots_are_free_before_pressure_is_judged() -> None:
    state = device(64, 4, 64, 64)
    state.config.low[1] = 2
    for block in range(3):
        cold(state, kv(block=block))
    state.migrate(kv(), 2)
    state.end(begin(state))
    assert state.pools[1].free == 1
    advance(state)
    assert not state.pressure[1]


def test_the_histogram_counts_who_met_all_but_the_threshold() -> None:
    state = device()
    state.config.evict_tiers = 0b0111
    cold(state, kv(1), tier=1)
    cold(state, kv(2), tier=2)
    cold(state, kv(3), tier=1, ref_count=1)
    cold(state, kv(4), tier=1, hot=1)
    cold(state, kv(5), tier=1, hint=1, access_step=1)
    cold(state, kv(6), tier=3)
    cold(state, kv(7), tier=1)
    state.migrate(kv(7), 2)
    advance(state, 1)
    assert state.last_histogram is not None
    assert state.last_histogram.sum(axis=1).tolist() == [0, 1, 1]
    assert state.last_histogram[1, 64 * 254 >> 8] == 1


def test_auto_thresh_reads_0_without_pressure() -> None:
    state = device(64, 8, 64, 64)
    state.config.low[1], state.config.high[1] = 8, 8
    cold(state, kv())
    advance(state)
    advance(state)
    assert state.auto_thresh[1] > 0
    state.config.low[1] = state.config.high[1] = 0
    advance(state)
    assert state.auto_thresh[1] == 0
