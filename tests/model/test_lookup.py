"""device.md 3: lookups, tenant windows, the miss queue, demand promotions."""

import pytest

from model.types import Channel, Irq, LookupResponse, Status
from tests.model.helpers import cold, device, kv, put

MISS = LookupResponse(False, False, 0, 0, 0)
DENIED = LookupResponse(False, True, 0, 0, 0)


def partly(tokens: int = 4) -> tuple:
    state = device()
    result = state.insert(kv(), tokens - 1, 1)
    return state, result.index


def test_a_hit_answers_place_and_index() -> None:
    state = device()
    index = put(state, kv(3, 2), tier=2)
    entry = state.entry(index)
    answer = state.lookup(0, kv(3, 2, offset=9), write=False)
    assert answer == (True, False, 2, entry.phys_addr, index)
    assert state.counters.hit == 1


def test_phys_addr_is_base_plus_slot_times_stride() -> None:
    state = device()
    state.set_block_bytes(1088)  # stride 2,048
    addresses = [state.entry(put(state, kv(block=b), tier=1)).phys_addr for b in range(3)]
    assert addresses == [state.config.base[1] + n * 2048 for n in range(3)]


@pytest.mark.parametrize(("size", "stride"), [(256, 256), (320, 512), (4096, 4096), (4160, 8192), (65536, 65536)])
def test_the_stride_is_the_next_power_of_two(size: int, stride: int) -> None:
    state = device()
    state.set_block_bytes(size)
    assert state.stride == stride


@pytest.mark.parametrize("other", [kv(2), kv(1, layer=1), kv(1, head=1), kv(1, 1), kv(0)])
def test_another_block_is_a_miss(other: int) -> None:
    state = device()
    put(state, kv(1))
    assert state.lookup(0, other, write=False) == MISS


def test_the_token_must_be_valid() -> None:
    state, _ = partly(4)
    hits = [state.lookup(0, kv(offset=t), write=False).hit for t in range(16)]
    assert hits == [True] * 4 + [False] * 12


def test_a_write_grows_the_block_by_one_token() -> None:
    state, index = partly(4)
    assert not state.lookup(0, kv(offset=5), write=True).hit
    assert state.entry(index).token_end == 3
    assert state.lookup(0, kv(offset=4), write=True).hit
    assert state.entry(index).token_end == 4
    assert not state.lookup(0, kv(offset=5), write=False).hit


def test_a_block_does_not_grow_past_its_end() -> None:
    state = device()
    index = put(state, kv())
    assert state.lookup(0, kv(block=1), write=True) == MISS
    assert state.entry(index).token_end == 15


def test_an_inner_write_does_not_shrink_the_block() -> None:
    state, index = partly(4)
    state.lookup(0, kv(offset=1), write=True)
    assert state.entry(index).token_end == 3


def test_what_a_hit_changes() -> None:
    state = device()
    index = put(state, kv(), r=3, f=7, hint=1, evictable=1, ref_count=2, prefix=1, prio=99)
    state.set_step(40)
    before = state.entry(index)
    state.lookup(0, kv(), write=False)
    after = state.entry(index)
    assert (after.access_step, after.r, after.f) == (40, 255, 8)
    assert (after.hint, after.evictable, after.dirty) == (0, 0, 0)
    assert (after.ref_count, after.prefix, after.priority) == (2, 1, 99)
    assert after.phys_addr == before.phys_addr
    state.lookup(0, kv(), write=True)
    assert state.entry(index).dirty == 1


def test_a_hit_leaves_hot_alone() -> None:
    state = device()
    index = put(state, kv(), hot=1)
    state.lookup(0, kv(), write=True)
    assert state.entry(index).hot == 1


def test_f_saturates() -> None:
    state = device()
    index = put(state, kv(), f=254)
    for _ in range(3):
        state.lookup(0, kv(), write=False)
    assert state.entry(index).f == 255


def test_a_miss_changes_nothing_and_is_queued() -> None:
    state, _ = partly(4)
    before = state.image()
    address = kv(offset=9)
    assert state.lookup(0, address, write=False) == MISS
    assert state.image() == before
    assert (state.counters.miss, state.counters.hit) == (1, 0)
    assert list(state.miss_queue) == [address]
    assert state.irq_status == Irq.MISS


def test_the_miss_queue_holds_64_and_counts_what_it_drops() -> None:
    state = device()
    for block in range(66):
        state.lookup(0, kv(block=block), write=False)
    assert (state.counters.miss, state.counters.miss_dropped) == (66, 2)
    assert state.irq_status == Irq.MISS | Irq.OVERFLOW
    assert [state.pop_miss() for _ in range(65)] == [kv(block=b) for b in range(64)] + [None]


@pytest.mark.parametrize(
    ("window", "tenant", "write", "allowed"),
    [
        ((5, 9), 5, False, True),
        ((5, 9), 9, True, True),
        ((5, 9), 4, False, False),
        ((5, 9), 10, True, False),
        ((5, 9), 0, False, True),
        ((5, 9), 0, True, False),
        ((0, 9), 0, True, True),
        ((0, 0), 0, True, True),
        ((9, 5), 7, False, False),
        ((9, 5), 0, False, True),
    ],
)
def test_tenant_windows(window: tuple[int, int], tenant: int, write: bool, allowed: bool) -> None:
    state = device()
    put(state, kv(tenant))
    before = state.image()
    state.config.req_lo[1], state.config.req_hi[1] = window
    answer = state.lookup(1, kv(tenant), write)
    assert answer.hit == allowed
    if not allowed:
        assert answer == DENIED
        assert state.image() == before
    assert state.counters.denied == (not allowed)
    assert state.counters.miss == 0
    assert not state.miss_queue


def test_a_denied_lookup_of_a_missing_block_is_no_miss() -> None:
    state = device()
    state.config.req_lo[0] = 10
    assert state.lookup(0, kv(3), write=False) == DENIED
    assert (state.counters.denied, state.counters.miss) == (1, 0)


def test_each_port_has_its_own_window() -> None:
    state = device()
    put(state, kv(7))
    state.config.req_hi[2] = 6
    assert [state.lookup(p, kv(7), write=False).hit for p in range(3)] == [True, True, False]


def test_commands_know_no_window() -> None:
    state = device()
    put(state, kv(7))
    for port in range(3):
        state.config.req_lo[port] = 100
    assert state.lookup_touch(kv(7)).status == Status.OK


def test_a_demand_hit_queues_one_promotion() -> None:
    state = device()
    index = cold(state, kv(), tier=3)
    state.lookup(0, kv(), write=False)
    assert not state.queues[Channel.PREFETCH]
    state.config.demand = True
    state.lookup(0, kv(), write=False)
    state.lookup(0, kv(), write=False)
    (item,) = state.queues[Channel.PREFETCH]
    assert (item.kv_addr, item.from_tier, item.target) == (kv(), 3, 1)
    assert state.entries.in_flight[index] == 1
    assert state.departures == [0, 0, 0, 1]


@pytest.mark.parametrize("tier", range(4))
def test_promotions_are_for_tiers_slower_than_promote_tier(tier: int) -> None:
    state = device()
    state.config.demand = True
    state.config.promote_tier = 2
    put(state, kv(), tier=tier)
    state.lookup(0, kv(), write=False)
    assert len(state.queues[Channel.PREFETCH]) == (tier == 3)


def test_a_promotion_before_a_full_queue_is_dropped_and_counted() -> None:
    state = device(0, 64, 64, 256)
    state.config.demand = True
    for block in range(66):
        put(state, kv(block=block), tier=3)
        assert state.lookup(0, kv(block=block), write=False).hit
    assert len(state.queues[Channel.PREFETCH]) == 64
    assert state.counters.dropped == [0, 2]
    assert state.entries.in_flight[state.find(kv(block=65)) or 0] == 0
    assert Irq.OVERFLOW not in state.irq_status


def test_touch_is_a_read_lookup_and_peek_is_nothing() -> None:
    state = device()
    index = put(state, kv(), tier=2, r=5, f=5)
    before = state.image()
    peek = state.lookup_peek(kv(offset=3))
    assert (peek.status, peek.tier, peek.index) == (Status.OK, 2, index)
    assert peek.phys_addr == state.entry(index).phys_addr
    assert state.lookup_peek(kv(9)).status == Status.MISS
    assert state.image() == before
    assert (state.counters.hit, state.counters.miss) == (0, 0)
    assert state.lookup_touch(kv()) == peek
    assert state.entry(index).r == 255
    assert state.lookup_touch(kv(9)).status == Status.MISS
    assert (state.counters.hit, state.counters.miss) == (1, 1)
    assert list(state.miss_queue) == [kv(9)]


def test_touch_and_peek_obey_token_end() -> None:
    state, _ = partly(4)
    assert state.lookup_peek(kv(offset=3)).status == Status.OK
    assert state.lookup_peek(kv(offset=4)).status == Status.MISS
    assert state.lookup_touch(kv(offset=4)).status == Status.MISS
