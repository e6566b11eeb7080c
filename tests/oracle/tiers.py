"""Chapter 5: slots and pressure."""

from __future__ import annotations

from tests.oracle.state import Entry, State


class BadSlot(Exception):
    """The device handed out an address that the contract does not allow."""


def stride(state: State) -> int:
    """1: "a slot's stride is the next power of two" of BLOCK_BYTES."""
    size = 1
    while size < state.registers["BLOCK_BYTES"]:
        size *= 2
    return size


def slot_of(state: State, tier: int, address: int) -> int:
    """The slot at an address: "PHYS_ADDR = BASE + slot * stride" (modulo 2^64, docs/decisions.md).

    Raises:
        BadSlot: no slot of the tier begins there.
    """
    offset = (address - state.registers[f"TIER{tier}_BASE"]) % 2**64
    slot, rest = divmod(offset, stride(state))
    if rest or slot >= state.registers[f"TIER{tier}_SLOTS"]:
        raise BadSlot(f"{address:#x} is no slot of tier {tier}")
    return slot


def occupy(state: State, tier: int, address: int) -> None:
    """The device chose this slot: it must have been free ("no slot is ever ... handed out twice").

    Raises:
        BadSlot: it was not.
    """
    slot = slot_of(state, tier, address)
    if slot not in state.tiers[tier].free:
        raise BadSlot(f"slot {slot} of tier {tier} was handed out and is not free")
    state.tiers[tier].free.remove(slot)


def give_back(state: State, entry: Entry) -> None:
    """ "REMOVE and FREE_REQUEST give slots back at once."."""
    assert entry.phys_addr is not None
    state.tiers[entry.tier].free.add(slot_of(state, entry.tier, entry.phys_addr))


def in_use(state: State, tier: int) -> bool:
    """Whether any slot is occupied, in flight or held."""
    return len(state.tiers[tier].free) != state.registers[f"TIER{tier}_SLOTS"]


def fence(state: State) -> None:
    """3: "until that write, a slot that a migration left is held"."""
    for tier in state.tiers:
        tier.free |= tier.held
        tier.held = set()


def judge_pressure(state: State) -> None:
    """ "judged per tier at scan start only: on when free < LOW, off when free >= max(LOW, HIGH), else as before"."""
    for number in (0, 1, 2):
        tier = state.tiers[number]
        free = len(tier.free)
        low, high = state.registers[f"TIER{number}_LOW"], state.registers[f"TIER{number}_HIGH"]
        before = tier.under_pressure
        if free < low:
            tier.under_pressure = True
        elif free >= max(low, high):
            tier.under_pressure = False
        if tier.under_pressure and not before:
            state.event("PRESSURE")
        tier.auto_thresh = automatic_threshold(state, number) if tier.under_pressure else 0


def automatic_threshold(state: State, number: int) -> int:
    """T of a tier under pressure."""
    departures = sum(item.source == number for item in state.evict + state.prefetch)
    needed = state.registers[f"TIER{number}_HIGH"] - len(state.tiers[number].free) - departures
    if not state.scan_done or needed <= 0:
        return 0
    limit = state.registers["PREFETCH_THRESH"]
    below = 0
    for bin_number in range(255):  # multiples of 256 up to 65,280
        below += state.histogram[number][bin_number]
        if below >= needed:  # "the smallest multiple of 256 with at least N entries below it"
            return min((bin_number + 1) * 256, limit)  # "PREFETCH_THRESH where ... T exceeds it"
    return limit  # "PREFETCH_THRESH where none exists"
