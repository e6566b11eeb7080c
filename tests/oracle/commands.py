"""Chapters 7 and 8: range commands and directory commands, each wholly done before the next."""

from __future__ import annotations

from tests.oracle import lookup as lookups
from tests.oracle import moves, tiers
from tests.oracle.state import QUEUE_DEPTH, Entry, Item, Key, Result, State, kv_address, signed

OK, MISS, EXISTS, FULL, NO_SLOT, REFERENCED, BAD_ARG, BUSY = range(8)
INSERT, LOOKUP, REMOVE, FREE_REQUEST, MIGRATE = 1, 2, 3, 4, 5


# Range commands (7)


def range_is_legal(state: State, address: int, length: int) -> bool:
    """1: "it may not run past token 2^32 - 1 nor over more than ENTRIES blocks"; 7: "LEN = 0 ... SLVERR".

    CMD_SPAN past layer or head 255 is refused too (docs/decisions.md).
    """
    token = address & 0xFFFFFFFF
    if length == 0 or token + length - 1 > 2**32 - 1:
        return False
    block = state.sizes.block_tokens
    if (token + length - 1) // block - token // block + 1 > state.sizes.entries:
        return False
    layers, heads = span(state)
    return (address >> 40 & 255) + layers - 1 <= 255 and (address >> 32 & 255) + heads - 1 <= 255


def span(state: State) -> tuple[int, int]:
    """CMD_SPAN {LAYERS 7:0, HEADS 15:8}; 0 acts as 1 (docs/decisions.md)."""
    value = state.registers["CMD_SPAN"]
    return (max(1, value & 255), max(1, value >> 8 & 255))


def blocks_of(state: State, address: int, length: int) -> list[Key]:
    """1: "every block whose span of BLOCK_TOKENS tokens overlaps it, whole blocks, ascending", for each layer, head."""
    request, layer, head, first = state.block_of(address)
    last = (address & 0xFFFFFFFF) + length - 1
    layers, heads = span(state)
    keys = []
    for layer_number in range(layer, layer + layers):
        for head_number in range(head, head + heads):
            for token in range(first, last + 1, state.sizes.block_tokens):
                keys.append((request, layer_number, head_number, token))
    return keys


def range_command(state: State, name: str, address: int, length: int, step: int = 0) -> None:
    """A range command that was not refused: "walk their blocks one by one"."""
    for key in blocks_of(state, address, length):
        entry = state.find(key)
        if entry is None:
            state.count("HINT_MISS_COUNT")  # "count as hint misses, not errors"
        elif name == "PREFETCH":
            prefetch(state, entry, step)
        else:
            {"BOOST": boost, "IMEVICT": imevict, "COOL": cool, "SHARE": share, "RELEASE": release}[name](state, entry)
    state.event("COMMAND_DONE")


def boost(_state: State, entry: Entry) -> None:
    """ "HOT := 1, EVICTABLE := 0"."""
    entry.hot = True
    entry.evictable = False


def imevict(state: State, entry: Entry) -> None:
    """ "EVICTABLE := 1, HOT := 0, HINT := 0, and each block that is neither referenced nor in flight and has a slower
    tier is queued for eviction at once, whatever EVICT_TIERS".
    """
    entry.evictable = True
    entry.hot = False
    entry.hint = False
    if entry.ref_count == 0 and not state.in_flight(entry) and entry.tier < 3:
        moves.queue_evict(state, entry)


def cool(_state: State, entry: Entry) -> None:
    """ "HOT := 0, EVICTABLE := 0"."""
    entry.hot = False
    entry.evictable = False


def prefetch(state: State, entry: Entry, step: int) -> None:
    """ "HINT := 1, EVICTABLE := 0, ACCESS_STEP := step; a block not in flight, in a tier slower than PROMOTE_TIER, with
    0 <= step - current <= LOOKAHEAD is queued at once".
    """
    entry.hint = True
    entry.evictable = False
    entry.access_step = step
    promote = state.registers["PROMOTE_TIER"]
    near = 0 <= signed(step - state.step) <= state.registers["LOOKAHEAD"]
    if not state.in_flight(entry) and entry.tier > promote and near:
        moves.queue_prefetch(state, entry, promote)


def share(state: State, entry: Entry) -> None:
    """ "REF_COUNT + 1, PREFIX := 1"; 2: "saturates at 255 (counted), never wraps"."""
    entry.prefix = True
    if entry.ref_count == 255:
        state.count("REF_SATURATED_COUNT")
    else:
        entry.ref_count += 1


def release(state: State, entry: Entry) -> None:
    """ "REF_COUNT - 1, never below 0 (underflow counted); PREFIX stays"."""
    if entry.ref_count == 0:
        state.count("REF_UNDERFLOW_COUNT")
    else:
        entry.ref_count -= 1


# Directory commands (8)


def directory_command(state: State, command: int, address: int, argument: dict[str, int]) -> None:
    """A directory command; its result into `state.result`."""
    if command == INSERT:
        state.result = insert(state, address, argument)
    elif command == LOOKUP:
        state.result = lookup(state, address, bool(argument["TOUCH"]))
    elif command == REMOVE:
        state.result = remove(state, address)
    elif command == FREE_REQUEST:
        state.result = free_request(state, address >> 48)
    else:
        state.result = migrate(state, address, argument["TIER"])
    state.event("COMMAND_DONE")


def insert(state: State, address: int, argument: dict[str, int]) -> Result:
    """ "checked in the order BAD_ARG, EXISTS, NO_SLOT, FULL". FULL and the place are the device's: see `inserted`."""
    key = state.block_of(address)
    token_end, tier = argument["TOKEN_END"], argument["TIER"]
    if kv_address(key) != address or not key[3] <= token_end <= key[3] + state.sizes.block_tokens - 1:
        return Result(BAD_ARG)
    if key in state.directory:
        state.find(key)  # a bad entry is read, and counted
        return Result(EXISTS)
    if not state.tiers[tier].free:
        return Result(NO_SLOT)
    state.generations += 1
    state.directory[key] = Entry(
        *key, token_end, tier, state.step, state.generations, bool(argument["PREFIX"]), bool(argument["HOT"])
    )
    return Result(OK, index=None, phys_addr=None)


def inserted(state: State, address: int, status: int, index: int, phys_addr: int) -> str | None:
    """The device's part of an INSERT that the oracle finds OK; a message when the contract does not allow it."""
    key = state.block_of(address)
    entry = state.directory[key]
    if status == FULL:
        del state.directory[key]
        state.result = Result(FULL)
        crowded = len(state.directory) * 2 >= state.sizes.entries
        return None if crowded else f"FULL with {len(state.directory)} of {state.sizes.entries} entries"
    if status != OK:
        return f"INSERT ended {status}, not OK"
    if index >= state.sizes.entries:
        return f"INSERT gave index {index}"
    tiers.occupy(state, entry.tier, phys_addr)
    entry.index, entry.phys_addr = index, phys_addr
    state.result = Result(OK, index=index, phys_addr=phys_addr)
    return None


def lookup(state: State, address: int, touch: bool) -> Result:
    """ "as a port's lookup; peek changes nothing"; 3: "BAR0 commands know no window"."""
    if touch:
        answer = lookups.lookup(state, address, write=False)
        if not answer.hit:
            return Result(MISS)
        return Result(OK, answer.tier, answer.index, answer.phys_addr)
    entry = lookups.matching(state, address, write=False)
    if entry is None:
        return Result(MISS)
    return Result(OK, entry.tier, entry.index, entry.phys_addr)


def remove(state: State, address: int) -> Result:
    """ "frees entry and slot; REFERENCED when REF_COUNT > 0"."""
    entry = state.find(state.block_of(address))
    if entry is None:
        return Result(MISS)
    if entry.ref_count > 0:
        return Result(REFERENCED)
    tiers.give_back(state, entry)
    del state.directory[entry.key]
    return Result(OK)


def free_request(state: State, request: int) -> Result:
    """ "entry by entry removes all its blocks that are not referenced"; request 0: BAD_ARG."""
    if request == 0:
        return Result(BAD_ARG)
    result = Result(OK)
    for entry in list(state.directory.values()):
        if entry.bad:
            state.bad_read(entry)
        elif entry.request == request and entry.ref_count > 0:
            result.stayed += 1
        elif entry.request == request:
            tiers.give_back(state, entry)
            del state.directory[entry.key]
            result.removed += 1
    return result


def migrate(state: State, address: int, tier: int) -> Result:
    """ "queues a move on the evict channel for slower targets, else on the prefetch channel; BAD_ARG for its own tier,
    REFERENCED for a slower one with REF_COUNT > 0, BUSY when in flight or the queue is full".
    """
    entry = state.find(state.block_of(address))
    if entry is None:
        return Result(MISS)
    if tier == entry.tier:
        return Result(BAD_ARG)
    if tier > entry.tier and entry.ref_count > 0:
        return Result(REFERENCED)
    queue = state.evict if tier > entry.tier else state.prefetch
    if state.in_flight(entry) or len(queue) >= QUEUE_DEPTH:
        return Result(BUSY)
    queue.append(Item(entry.key, entry.generation, entry.tier, tier, by_software=True))
    return Result(OK)
