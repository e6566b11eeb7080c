"""Chapter 3: the lookup, by a port or by the LOOKUP command."""

from __future__ import annotations

from dataclasses import dataclass

from tests.oracle import moves
from tests.oracle.state import QUEUE_DEPTH, Entry, State


@dataclass
class Answer:
    """3: `{hit, denied, tier, phys_addr, index}`; place and index None where only the device knows them."""

    hit: bool = False
    denied: bool = False
    tier: int = 0
    phys_addr: int | None = 0
    index: int | None = 0


def port_lookup(state: State, port: int, address: int, write: bool) -> Answer:
    """A lookup of a port, with its tenant window."""
    request = address >> 48
    low, high = state.registers[f"PORT{port}_REQ_LO"], state.registers[f"PORT{port}_REQ_HI"]
    # "a lookup for a request outside it, other than a read of request 0, is denied ... a write to request 0 needs
    # REQ_LO = 0"
    outside = not low <= request <= high
    if request == 0:
        outside = write and low != 0
    if outside:
        state.count("DENIED_COUNT")  # "changes nothing, and counts in DENIED_COUNT (not as a miss)"
        return Answer(denied=True)
    return lookup(state, address, write)


def lookup(state: State, address: int, write: bool) -> Answer:
    """A lookup that is not denied."""
    entry = matching(state, address, write)
    if entry is None:
        missed(state, address)
        return Answer()
    token = address & 0xFFFFFFFF
    entry.token_end = max(entry.token_end, token)  # "and then TOKEN_END := token (the block grows)"
    entry.access_step = state.step
    entry.r = 255
    entry.f = min(entry.f + 1, 255)
    entry.hint = False
    entry.evictable = False
    if write:
        entry.dirty = True
    state.count("RTBD_HIT_COUNT")
    demand(state, entry)
    return Answer(True, False, entry.tier, entry.phys_addr, entry.index)


def matching(state: State, address: int, write: bool) -> Entry | None:
    """ "A lookup hits when a valid entry has the same request, layer and head, and TOKEN_START <= token <= TOKEN_END;

    a write lookup also hits at TOKEN_END + 1 inside the block". (Inside the block: `block_of` has cut the address.)
    """
    entry = state.find(state.block_of(address))
    if entry is None:
        return None
    token = address & 0xFFFFFFFF
    if token <= entry.token_end:
        return entry
    if write and token == entry.token_end + 1:
        return entry
    return None


def missed(state: State, address: int) -> None:
    """ "MISS_COUNT counts, and the KV address goes into the miss queue (64 deep; overflow drops the new one ...)"."""
    state.count("RTBD_MISS_COUNT")
    if len(state.misses) >= QUEUE_DEPTH:
        state.count("MISS_DROPPED_COUNT")
        state.event("OVERFLOW")
        return
    state.misses.append(address)
    state.event("MISS")


def demand(state: State, entry: Entry) -> None:
    """ "A hit in a tier slower than PROMOTE_TIER also queues a promotion, when CTRL.DEMAND is set."."""
    promote = state.registers["PROMOTE_TIER"]
    if state.registers["CTRL"] & 2 and entry.tier > promote and not state.in_flight(entry):
        moves.queue_prefetch(state, entry, promote)
