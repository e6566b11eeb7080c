"""device.md 7, 10: reset values, reset, soft reset; device.md 1: legal sizes."""

import pytest

from model.directory import DeviceState
from model.types import BadParity, Channel, Config, Counters
from tests.model.helpers import begin, cold, device, kv, put


def test_reset_values() -> None:
    c = Config()
    assert (c.w_r, c.w_f, c.w_s, c.w_d) == (64, 64, 64, 64)
    assert (c.r_shift, c.f_age, c.lookahead, c.hold, c.promote_tier, c.evict_tiers) == (3, 0, 1, 0, 1, 0b0010)
    assert (c.evict_thresh, c.prefetch_thresh, c.max_retry, c.block_bytes) == (0, 65535, 3, 8192)
    assert c.req_hi == [65535] * 8
    zeros = [c.req_lo, c.base, c.reserve, c.low, c.high]
    assert all(not any(values) for values in zeros)
    assert (c.enable, c.demand, c.contend_policy) == (False, False, 0)


def busy() -> DeviceState:
    """A device with something in every part of its state."""
    state = device()
    state.config.w_r = 9
    state.config.low[1] = 70
    state.config.evict_thresh = 65535
    for block in range(30):
        cold(state, kv(block=block))
    state.set_step(8)
    state.run_scan()
    state.queue_push(Channel.EVICT)
    begin(state)
    state.lookup(0, kv(99), write=False)
    state.inject_parity(put(state, kv(7)), BadParity.META)
    state.lookup(0, kv(7), write=False)
    state.set_step(9)
    state.scan_begin()
    state.set_step(10)
    return state


def assert_empty(state: DeviceState) -> None:
    state.check()
    assert state.image() == bytes(1024 * 32)
    assert not state.index_of
    assert not state.items
    assert not state.bad
    assert not any([*state.queues, *state.waiting, state.miss_queue, state.completion_queue])
    assert state.counters == Counters()
    assert (state.step, state.scan_number, state.scan, state.scan_pending) == (0, 0, None, False)
    assert (state.irq_status, state.dma_error, state.parity_index) == (0, None, None)
    assert (state.pressure, state.auto_thresh) == ([False] * 3, [0] * 3)
    assert state.last_histogram is None
    assert state.departures == [0] * 4
    assert state.lane_waiting == ([0] * 4, [0] * 4)


def test_reset_empties_everything() -> None:
    state = busy()
    state.reset()
    assert_empty(state)
    assert state.config == Config()
    assert [pool.slots for pool in state.pools] == [0] * 4


def test_soft_reset_keeps_the_configuration() -> None:
    state = busy()
    config = state.config
    state.soft_reset()
    assert_empty(state)
    assert state.config is config
    assert config.w_r == 9
    assert config.enable
    assert [(pool.slots, pool.free) for pool in state.pools] == [(64, 64)] * 4
    assert put(state, kv()) >= 0
    assert state.pools[1].state(0).name == "OCCUPIED"


@pytest.mark.parametrize(
    "sizes",
    [
        {"entries": 1000},
        {"entries": 512},
        {"entries": 131072},
        {"lanes": 2},
        {"lanes": 12},
        {"ports": 0},
        {"ports": 9},
        {"block_tokens": 0},
        {"block_tokens": 24},
        {"block_tokens": 512},
    ],
)
def test_illegal_sizes_are_refused_in_one_line(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"not {next(iter(sizes.values()))}$"):
        DeviceState(**sizes)


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("entries", [1024, 65536])
def test_legal_sizes(entries: int, lanes: int) -> None:
    state = DeviceState(entries=entries, lanes=lanes, ports=8, block_tokens=256)
    assert state.rows * lanes == entries
