"""What holds in every state of the device, whatever led to it (device.md 2, 4, 5, 6)."""

from __future__ import annotations

from model.base import StateBase
from model.slots import SlotState
from model.types import QUEUE_DEPTH, TIER_COUNT, BadParity, Channel, ItemState, Mismatch


def check(state: StateBase) -> None:
    """Mismatch names the first invariant that is broken."""
    valid = state.entries.arrays["valid"].nonzero()[0].tolist()
    _check_places(state, valid)
    keys = _check_keys(state, valid)
    for index in keys.values():
        _check_entry(state, index)
    _check_pools(state, valid)
    _check_items(state, keys)


def _check_places(state: StateBase, valid: list[int]) -> None:
    """No two valid entries share a (TIER, PHYS_ADDR), and each has its slot."""
    e = state.entries
    places: dict[tuple[int, int], int] = {}
    for index in valid:
        tier, slot = place = (e.tier[index], e.slot[index])
        if place in places:
            raise Mismatch(f"entries at tier {tier} slot {slot}", "one", [places[place], index])
        places[place] = index
        seen = state.pools[tier].state(slot)
        if seen != SlotState.OCCUPIED:
            raise Mismatch(f"slot {slot} of tier {tier} (entry {index})", "OCCUPIED", seen.name)


def _check_keys(state: StateBase, valid: list[int]) -> dict[int, int]:
    """No two valid entries have the same name; the names that can be compared, with indices."""
    keys: dict[int, int] = {}
    for index in valid:
        if state.bad.get(index, BadParity(0)) & BadParity.TAG:
            continue
        key = state.entries.key[index]
        if key in keys:
            raise Mismatch(f"entries of key {key:#018x}", "one", [keys[key], index])
        keys[key] = index
    if keys != state.index_of:
        raise Mismatch("keys in the directory", len(keys), len(state.index_of))
    return keys


def _check_entry(state: StateBase, index: int) -> None:
    e = state.entries
    key = e.key[index]
    if e.hot[index] and e.evictable[index]:
        raise Mismatch(f"entry {index}", "never both HOT and EVICTABLE", "both")
    if e.token_end[index] >= state.block_tokens:
        raise Mismatch(f"entry {index} TOKEN_END", "in the block", e.token_end[index])
    if index not in state.places(state.kv_addr_of(key)):
        raise Mismatch(f"key {key:#018x}", "at one of its places", index)
    # A word that cannot be read stays as it is, whatever becomes of its item.
    if index not in state.bad and bool(e.in_flight[index]) != (key in state.items):
        raise Mismatch(f"entry {index} in flight", key in state.items, bool(e.in_flight[index]))


def _check_pools(state: StateBase, valid: list[int]) -> None:
    """free + occupied + in flight + held = SLOTS."""
    occupied = [0] * TIER_COUNT
    for index in valid:
        occupied[state.entries.tier[index]] += 1
    for tier, pool in enumerate(state.pools):
        total = pool.free + pool.occupied + pool.in_flight + pool.held
        if total != pool.slots:
            raise Mismatch(f"tier {tier} slots in all", pool.slots, total)
        if pool.occupied != occupied[tier]:
            raise Mismatch(f"tier {tier} occupied slots", occupied[tier], pool.occupied)


def _check_items(state: StateBase, keys: dict[int, int]) -> None:
    """Every live item has its block; no queue holds more than it may."""
    for key, item in state.items.items():
        if not item.alive or item.state >= ItemState.ENDED:
            raise Mismatch(f"item of {item.kv_addr:#018x}", "alive", item.state.name)
        if key not in keys:
            raise Mismatch(f"item of {item.kv_addr:#018x}", "its entry", "none")
    for channel in Channel:
        level = len(state.queues[channel])
        if level > QUEUE_DEPTH:
            raise Mismatch(f"{channel.name.lower()} queue level", "at most 64", level)
