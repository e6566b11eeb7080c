"""Chapter 6: queue items and moves, each move one step.

The contract leaves open how the starts of the two channels mix, and which slot a move gets. `drain` therefore takes
the completions that were seen and asks whether any mixture of the two queues, each in its own order, gives them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.oracle import tiers
from tests.oracle.state import QUEUE_DEPTH, TIERS, Entry, Item, Key, State, kv_address

OK, CANCELLED, NO_SLOT = 0, 1, 2


class Illegal(Exception):
    """The device did what the contract does not allow."""


@dataclass(frozen=True)
class Seen:
    """A completion that software read: {kv_addr, from, to, status}."""

    address: int
    source: int
    target: int
    status: int


Place = tuple[int, int]
"""(tier, PHYS_ADDR) of a block."""


def queue_evict(state: State, entry: Entry) -> bool:
    """An eviction: 6, "takes the nearest slower tier with a free slot", so its target is open."""
    return push(state, state.evict, Item(entry.key, entry.generation, entry.tier, None), "EVICT_DROPPED_COUNT")


def queue_prefetch(state: State, entry: Entry, target: int) -> bool:
    """A prefetch or promotion, with "its own target"."""
    item = Item(entry.key, entry.generation, entry.tier, target)
    return push(state, state.prefetch, item, "PREFETCH_DROPPED_COUNT")


def push(state: State, queue: list[Item], item: Item, counter: str) -> bool:
    """7 with decisions: a hint or promotion before a full queue is dropped and counted."""
    if len(queue) >= QUEUE_DEPTH:
        state.count(counter)
        return False
    queue.append(item)
    return True


def written_in_this_step(state: State, entry: Entry) -> bool:
    """3: "a block written in this step (DIRTY, HINT 0 and ACCESS_STEP = current step)"."""
    return entry.dirty and not entry.hint and entry.access_step == state.step


def cancelled_at_start(state: State, item: Item) -> bool:
    """ "When a move starts, the block is looked up again; the item ends CANCELLED when ..."."""
    entry = state.find(item.key)
    if entry is None or entry.generation != item.generation:
        return True  # "it is gone"
    if entry.tier != item.source:
        return True  # "its tier has changed"
    if written_in_this_step(state, entry):
        return True
    slower = item.target is None or item.target > entry.tier
    if slower and entry.ref_count > 0:
        return True
    if slower and not item.by_software:  # "(unless software asked by MIGRATE)"
        return entry.hot or (entry.r == 255 and not entry.evictable)
    return False


def drain(state: State, seen: list[Seen], place_of: Callable[[Key], Place | None]) -> None:
    """Both queues run empty: match the completions with the items, then do what they say.

    Raises:
        Illegal: no order of the two queues explains what was seen.
    """
    evictions, prefetches = list(state.evict), list(state.prefetch)
    items = evictions + prefetches
    cancelled = [cancelled_at_start(state, item) for item in items]
    ends = match(state, items, cancelled, list(seen), place_of)
    explain(state, evictions, prefetches, ends)
    for item, (status, target), prefetching in zip(
        items, ends, [False] * len(evictions) + [True] * len(prefetches), strict=True
    ):
        if status == OK:
            place = place_of(item.key)
            if place is None or place[0] != target:
                raise Illegal(f"block {item.key} completed OK to tier {target} and is at {place}")
            commit(state, state.directory[item.key], target, place[1], prefetching)
    state.evict.clear()
    state.prefetch.clear()
    for number in range(len(items)):  # "the completion queue is 64 deep; when it ... is full the new item is dropped"
        if number < QUEUE_DEPTH:
            state.event("COMPLETION")
        else:
            state.count("COMPLETION_DROPPED_COUNT")
            state.event("OVERFLOW")


def match(
    state: State, items: list[Item], cancelled: list[bool], seen: list[Seen], place_of: Callable[[Key], Place | None]
) -> list[tuple[int, int]]:
    """(status, target tier) of each item: "every item that entered a queue ends in exactly one completion"."""
    if len(seen) != min(len(items), QUEUE_DEPTH):
        raise Illegal(f"{len(items)} items in the queues, {len(seen)} completions")
    ends = []
    for item, gone in zip(items, cancelled, strict=True):
        mine = [one for one in seen if one.address == kv_address(item.key) and (one.status == CANCELLED) == gone]
        fitting = [one for one in mine if completion_fault(item, one) is None]
        if fitting:  # of two generations of one address they are alike, or only one fits
            seen.remove(fitting[0])
            ends.append((fitting[0].status, fitting[0].target))
        elif len(items) <= QUEUE_DEPTH:
            faults = [completion_fault(item, one) for one in mine]
            raise Illegal(f"{item} should end {'CANCELLED' if gone else 'OK or NO_SLOT'}: {faults} of {seen}")
        elif gone:
            ends.append((CANCELLED, 0))
        else:  # its completion was dropped: where the block is tells how it ended
            place = place_of(item.key)
            moved = place is not None and place[0] != item.source
            ends.append((OK, place[0]) if moved and place is not None else (NO_SLOT, 0))
    if seen:
        raise Illegal(f"completions of no item: {seen}")
    return ends


def completion_fault(item: Item, seen: Seen) -> str | None:
    """What is wrong with a completion of this item; `to` without a reserved slot is as docs/decisions.md has it."""
    if seen.status not in (OK, CANCELLED, NO_SLOT):
        return f"status {seen.status}, but nothing wrote to the block and no AXI error came"
    if seen.source != item.source:
        return f"the item was made in tier {item.source}"
    if item.target is not None and seen.target != item.target:
        return f"the item's own target is tier {item.target}"
    if item.target is None and seen.status != OK and seen.target != item.source:
        return "no target was reserved, so `to` is `from`"
    if item.target is None and seen.status == OK and seen.target <= item.source:
        return "an eviction moves to a slower tier"
    return None


def explain(state: State, evictions: list[Item], prefetches: list[Item], ends: list[tuple[int, int]]) -> None:
    """Is there an order of starts, each queue first in, first out, in which every item finds what its end says?

    While the queues run empty nothing gives a slot back (3: a slot that a migration left is held), so the free
    slots after some starts follow from how many of each channel have started.
    """
    first, second = ends[: len(evictions)], ends[len(evictions) :]
    reachable = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        i, j = waiting.pop()
        free = [len(state.tiers[tier].free) for tier in range(TIERS)]
        for status, target in first[:i] + second[:j]:
            if status == OK:
                free[target] -= 1
        following = []
        if i < len(evictions) and possible(state, evictions[i], first[i], free):
            following.append((i + 1, j))
        if j < len(prefetches) and possible(state, prefetches[j], second[j], free):
            following.append((i, j + 1))
        for pair in following:
            if pair not in reachable:
                reachable.add(pair)
                waiting.append(pair)
    if (len(evictions), len(prefetches)) not in reachable:
        free = [len(tier.free) for tier in state.tiers]
        raise Illegal(
            f"no order of starts explains these ends with {free} slots free: "
            f"evict {list(zip(evictions, first, strict=True))}, prefetch {list(zip(prefetches, second, strict=True))}"
        )


def possible(state: State, item: Item, end: tuple[int, int], free: list[int]) -> bool:
    """Whether an item that starts with so many slots free may end so."""
    status, target = end
    if status == CANCELLED:
        return True  # `match` has compared it with the start checks
    room = [free[tier] > state.registers[f"TIER{tier}_RESERVE"] for tier in range(TIERS)]
    if item.target is not None:  # "a prefetch or MIGRATE only its own target"
        return room[item.target] == (status == OK)
    slower = [tier for tier in range(item.source + 1, TIERS) if room[tier]]
    if status == NO_SLOT:
        return not slower
    return bool(slower) and target == slower[0]  # "the nearest slower tier with a free slot"


def commit(state: State, entry: Entry, target: int, address: int, prefetching: bool) -> None:
    """ "one step that no lookup sees half-done sets TIER and PHYS_ADDR and clears DIRTY"; 5: the old slot waits."""
    old = entry.tier
    assert entry.phys_addr is not None
    slot = tiers.slot_of(state, old, entry.phys_addr)
    tiers.occupy(state, target, address)
    state.tiers[old].held.add(slot)
    entry.tier = target
    entry.phys_addr = address
    entry.dirty = False
    state.count("PREFETCH_BYTES_MOVED" if prefetching else "EVICT_BYTES_MOVED", state.registers["BLOCK_BYTES"])
