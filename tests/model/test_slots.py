"""device.md 5: slot pools; no slot lost or handed out twice."""

import random

import pytest

from model.slots import SlotPool, SlotState
from model.types import Mismatch
from tests.model.helpers import begin, cold, device, kv, put


def pool_of(slots: int) -> SlotPool:
    pool = SlotPool(1)
    pool.resize(slots)
    return pool


def take(pool: SlotPool, choice: int | None = None) -> int:
    return pool.take(SlotState.OCCUPIED, choice)


def test_slots_never_used_come_in_order() -> None:
    pool = pool_of(4)
    assert [take(pool) for _ in range(4)] == [0, 1, 2, 3]
    assert pool.free == 0


def test_order_returned_last_first_then_held_then_fresh() -> None:
    pool = pool_of(8)
    for _ in range(6):
        take(pool)
    pool.hold(0)
    pool.give_back(3)
    pool.hold(1)
    pool.give_back(4)
    assert [take(pool), take(pool)] == [4, 3]
    assert take(pool) == 6  # 0 and 1 are held
    pool.fence()
    assert [take(pool), take(pool), take(pool)] == [0, 1, 7]


def test_held_slots_are_not_free_until_the_fence() -> None:
    pool = pool_of(1)
    pool.hold(take(pool))
    assert (pool.free, pool.held, pool.in_use) == (0, 1, True)
    with pytest.raises(Mismatch, match="free slots"):
        take(pool)
    pool.fence()
    assert (pool.free, pool.held, pool.in_use) == (1, 0, False)
    assert take(pool) == 0


def test_a_choice_must_be_free() -> None:
    pool = pool_of(4)
    assert take(pool, 2) == 2
    for slot, text in ((2, "OCCUPIED"), (4, "below SLOTS 4"), (-1, "below SLOTS 4")):
        with pytest.raises(Mismatch, match=text):
            take(pool, slot)
    assert [take(pool) for _ in range(3)] == [0, 1, 3]


@pytest.mark.parametrize("seed", range(5))
def test_choices_and_own_order_mixed_never_hand_out_twice(seed: int) -> None:
    rng = random.Random(seed)
    pool = pool_of(16)
    out: set[int] = set()
    held: set[int] = set()
    for _ in range(3000):
        action = rng.randrange(5)
        free = set(range(16)) - out - held
        assert pool.free == len(free)
        if action <= 1 and free:
            slot = take(pool, rng.choice(sorted(free)) if action else None)
            assert slot in free
            out.add(slot)
        elif action <= 3 and out:
            slot = rng.choice(sorted(out))
            out.remove(slot)
            if action == 2:
                pool.hold(slot)
                held.add(slot)
            else:
                pool.give_back(slot)
        elif action == 4 and rng.random() < 0.2:
            pool.fence()
            held.clear()
        assert pool.free + pool.occupied + pool.held == 16
        assert len(pool._ring) <= 3 * 16  # stale names do not pile up


def test_every_slot_is_free_occupied_in_flight_or_held() -> None:
    state = device(64, 8, 8, 8)
    for block in range(4):
        cold(state, kv(block=block))
        state.migrate(kv(block=block), 2)
    items = [begin(state) for _ in range(3)]
    state.end(items[0])
    state.end(items[1], error=True)
    one, two = state.pools[1], state.pools[2]
    assert (one.free, one.occupied, one.in_flight, one.held) == (4, 3, 0, 1)
    assert (two.free, two.occupied, two.in_flight, two.held) == (6, 1, 1, 0)
    state.set_step(1)
    assert (one.free, one.held) == (5, 0)
    state.check()


@pytest.mark.parametrize("use", ["occupied", "held", "in flight"])
def test_slots_and_block_bytes_of_a_tier_in_use_refuse(use: str) -> None:
    state = device(64, 4, 4, 4)
    cold(state, kv())
    state.migrate(kv(), 2)
    item = begin(state)
    tier = {"occupied": 1, "in flight": 2, "held": 1}[use]
    if use == "held":
        state.end(item)
        state.remove(kv())
    with pytest.raises(Mismatch, match=f"tier {tier} SLOTS in use"):
        state.set_slots(tier, 3)
    with pytest.raises(Mismatch, match="BLOCK_BYTES in use"):
        state.set_block_bytes(512)
    state.set_slots(3, 3)


def test_slots_are_at_most_entries() -> None:
    state = device()
    with pytest.raises(Mismatch, match="at most 1024"):
        state.set_slots(0, 1025)
    state.set_slots(0, 1024)


def test_check_finds_a_lost_slot_and_a_shared_slot() -> None:
    state = device()
    a, b = put(state, kv(1)), put(state, kv(2))
    state.check()
    state.pools[1].give_back(state.entries.slot[a])
    with pytest.raises(Mismatch, match=r"slot 0 of tier 1 .* expected OCCUPIED, seen FREE"):
        state.check()
    state = device()
    a, b = put(state, kv(1)), put(state, kv(2))
    state.entries.slot[b] = state.entries.slot[a]
    with pytest.raises(Mismatch, match="entries at tier 1 slot 0: expected one"):
        state.check()


def test_check_finds_two_entries_of_one_block() -> None:
    state = device()
    a, b = put(state, kv(1)), put(state, kv(2))
    state.entries.key[b] = state.entries.key[a]
    with pytest.raises(Mismatch, match="expected one"):
        state.check()
