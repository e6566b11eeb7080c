"""Chapter 4: the step and the scan."""

from __future__ import annotations

from tests.oracle import moves, tiers
from tests.oracle.state import Entry, State, signed


def step_advance(state: State, step: int) -> None:
    """ "STEP_ADVANCE sets the current step and starts a scan."; 10: "with CTRL.ENABLE = 0 ... only sets the step"."""
    state.step = step
    tiers.fence(state)
    state.decided = False
    if state.registers["CTRL"] & 1:
        scan(state)


def scan(state: State) -> None:
    """One scan over every valid entry."""
    state.scan_number += 1
    tiers.judge_pressure(state)
    histogram = [[0] * 256 for _ in range(4)]
    for entry in in_scoring_order(state):
        if entry.bad:
            state.bad_read(entry)  # 2: "an entry read with bad parity gives ... no decision, is counted"
            continue
        score(state, entry)
        decide(state, entry, histogram)
    state.histogram = histogram
    state.scan_done = True
    state.count("SCAN_COUNT")
    state.event("SCAN_DONE")


def in_scoring_order(state: State) -> list[Entry]:
    """ "Scan n ... begins at row (n - 1) * (ROWS / 8) mod ROWS"; LANES entries of a row "by ascending index"."""
    lanes = state.sizes.lanes
    rows = state.sizes.entries // lanes
    first = (state.scan_number - 1) * (rows // 8) % rows

    def place(entry: Entry) -> tuple[int, int]:
        if entry.bad:
            return (0, 0)  # nothing is decided for it, so its turn does not matter
        assert entry.index is not None
        return ((entry.index // lanes - first) % rows, entry.index % lanes)

    return sorted(state.directory.values(), key=place)


def score(state: State, entry: Entry) -> None:
    """P from the values found, then the decay of R and the ageing of F."""
    entry.priority = priority(state, entry)
    if entry.r > 0:
        entry.r -= max(1, entry.r >> state.registers["R_SHIFT"])
    age = state.registers["F_AGE"]
    if age > 0 and state.scan_number % 2**age == 0:
        entry.f = entry.f >> 1


def priority(state: State, entry: Entry) -> int:
    """The formula of the contract."""
    if entry.hot:
        return 65535
    if entry.evictable:
        return 0
    dist = abs(signed(state.step - entry.access_step))
    s = 255 - min(dist, 255)
    d = 255 if entry.prefix else 0
    total = state.registers["WEIGHT_R"] * entry.r
    total += state.registers["WEIGHT_F"] * entry.f
    total += state.registers["WEIGHT_S"] * s
    total += state.registers["WEIGHT_D"] * d
    return min(65535, total)


def hint_within(state: State, entry: Entry, limit: int) -> bool:
    """HINT and 0 <= ACCESS_STEP - step <= limit (signed)."""
    return entry.hint and 0 <= signed(entry.access_step - state.step) <= limit


def decide(state: State, entry: Entry, histogram: list[list[int]]) -> None:
    """ "Decisions, per entry, none for a block in flight"."""
    if state.in_flight(entry):
        return
    registers = state.registers
    promote = registers["PROMOTE_TIER"]
    if entry.tier > promote and (
        entry.priority > registers["PREFETCH_THRESH"] or hint_within(state, entry, registers["LOOKAHEAD"])
    ):
        state.decided = True
        moves.queue_prefetch(state, entry, promote)
        return
    if not may_be_evicted(state, entry):
        return
    histogram[entry.tier][entry.priority >> 8] += 1  # 5: "met every eviction condition but the threshold"
    tier = state.tiers[entry.tier]
    below = entry.priority < registers["EVICT_THRESH"]
    if tier.under_pressure and entry.priority < tier.auto_thresh:
        below = True
    if below:
        state.decided = True
        moves.queue_evict(state, entry)


def may_be_evicted(state: State, entry: Entry) -> bool:
    """Every condition of an eviction but the threshold."""
    registers = state.registers
    if entry.ref_count != 0 or entry.hot:
        return False
    if hint_within(state, entry, max(registers["LOOKAHEAD"], registers["HOLD"])):
        return False
    if not registers["EVICT_TIERS"] >> entry.tier & 1:
        return False
    return entry.tier < 3  # "a slower tier exists"
