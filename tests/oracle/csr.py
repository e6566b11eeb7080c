"""Chapters 7 and 10: the registers of BAR0, which accesses are refused, and resets.

Offsets and field positions come from the one register description (`sw.regs.registers`); reset values, legal values
and effects are read from the contract again.
"""

from __future__ import annotations

from sw.regs import registers as regs
from tests.oracle import commands, scan, tiers
from tests.oracle.state import TIERS, Sizes, State

RANGE_LAUNCHES = {
    "BOOST_LEN": "BOOST",
    "IMEVICT_LEN": "IMEVICT",
    "COOL_LEN": "COOL",
    "SHARE_LEN": "SHARE",
    "RELEASE_LEN": "RELEASE",
}
COUNTERS = (
    "RTBD_HIT_COUNT",
    "RTBD_MISS_COUNT",
    "DENIED_COUNT",
    "MISS_DROPPED_COUNT",
    "SCAN_COUNT",
    "SCAN_COALESCED_COUNT",
    "EVICT_DROPPED_COUNT",
    "PREFETCH_DROPPED_COUNT",
    "HINT_MISS_COUNT",
    "REF_SATURATED_COUNT",
    "REF_UNDERFLOW_COUNT",
    "CMD_REFUSED_COUNT",
    "PARITY_COUNT",
    "COMPLETION_DROPPED_COUNT",
    "EVICT_BYTES_MOVED",
    "EVICT_ERROR_COUNT",
    "EVICT_VOID_COUNT",
    "PREFETCH_BYTES_MOVED",
    "PREFETCH_ERROR_COUNT",
    "PREFETCH_VOID_COUNT",
)


WRITTEN = (
    "CTRL",
    "CONTEND_POLICY",
    "IRQ_ENABLE",
    "DIR_ADDR",
    "DIR_ARG",
    "DIR_COMMAND",
    "BOOST_ADDR",
    "BOOST_LEN",
    "IMEVICT_ADDR",
    "IMEVICT_LEN",
    "COOL_ADDR",
    "COOL_LEN",
    "PREFETCH_ADDR",
    "PREFETCH_LEN",
    "PREFETCH_STEP",
    "SHARE_ADDR",
    "SHARE_LEN",
    "RELEASE_ADDR",
    "RELEASE_LEN",
)


def reset_registers() -> dict[str, int]:
    """7, "Reset values: ... all others 0"; names of registers that software writes and that keep their value."""
    values = dict.fromkeys(WRITTEN, 0)
    values |= {"WEIGHT_R": 64, "WEIGHT_F": 64, "WEIGHT_S": 64, "WEIGHT_D": 64, "R_SHIFT": 3, "F_AGE": 0}
    values |= {"LOOKAHEAD": 1, "HOLD": 0, "PROMOTE_TIER": 1, "EVICT_TIERS": 0b0010, "MAX_RETRY": 3}
    values |= {"EVICT_THRESH": 0, "PREFETCH_THRESH": 65535, "BLOCK_BYTES": 8192}
    values["CMD_SPAN"] = 1 + (1 << 8)  # "{LAYERS 7:0, HEADS 15:8} (reset 1, 1)"
    for port in range(8):
        values |= {f"PORT{port}_REQ_LO": 0, f"PORT{port}_REQ_HI": 65535}
    for tier in range(TIERS):
        values |= {f"TIER{tier}_{name}": 0 for name in ("BASE", "SLOTS", "RESERVE", "LOW", "HIGH")}
    return values


def power_on(sizes: Sizes) -> State:
    """The state after reset."""
    return State(sizes, reset_registers())


def soft_reset(state: State) -> State:
    """10: "Soft reset keeps the configuration registers"; directory, queues, counters, step are new."""
    fresh = State(state.sizes, state.registers, generations=state.generations)
    for tier in range(TIERS):
        fresh.tiers[tier].free = set(range(state.registers[f"TIER{tier}_SLOTS"]))
    return fresh


def absent_port(state: State, name: str) -> bool:
    """1: "of absent ports they read 0 and refuse writes"."""
    return name.startswith("PORT") and int(name[4]) >= state.sizes.ports


def refused(state: State, offset: int, value: int) -> bool:
    """Whether a 64-bit write gets SLVERR (and then has no effect); `value` as written."""
    register = regs.BY_OFFSET.get(offset)
    if register is None or not register.writable or absent_port(state, register.name):
        return True  # 10: "Unmapped addresses, unaligned addresses, ... writes to read-only"
    name = register.name
    value &= register.write_mask  # 7: "bits without a field ... are ignored"
    get = state.registers
    if name == "EVICT_THRESH":  # 4: "EVICT_THRESH > PREFETCH_THRESH is refused at the write"
        return value > get["PREFETCH_THRESH"]
    if name == "PREFETCH_THRESH":
        return get["EVICT_THRESH"] > value
    if name == "THRESHOLDS":
        return value & 0xFFFF > value >> 16
    if name == "BLOCK_BYTES":
        legal = value % 64 == 0 and 256 <= value <= 65536
        return not legal or any(tiers.in_use(state, tier) for tier in range(TIERS))
    if name.startswith("TIER") and name.endswith("_BASE"):
        return value % 4096 != 0 or tiers.in_use(state, int(name[4]))
    if name.startswith("TIER") and name.endswith("_SLOTS"):
        return value > state.sizes.entries or tiers.in_use(state, int(name[4]))
    if name in RANGE_LAUNCHES:
        return not commands.range_is_legal(state, get[f"{RANGE_LAUNCHES[name]}_ADDR"], value)
    if name == "PREFETCH_STEP":  # "ADDR (and LEN of PREFETCH) are taken at launch"
        return not commands.range_is_legal(state, get["PREFETCH_ADDR"], get["PREFETCH_LEN"])
    if name == "DIR_COMMAND":
        return not 1 <= value <= 5
    return False


def write(state: State, offset: int, value: int) -> State:
    """A write that is not refused; the state afterwards (another one after a soft reset)."""
    register = regs.BY_OFFSET[offset]
    name = register.name
    value &= register.write_mask
    if name in ("STEP_ADVANCE", "STEP_ADVANCE_ALIAS"):
        scan.step_advance(state, value)
    elif name == "CTRL":
        state.registers["CTRL"] = value & 3
        return soft_reset(state) if value >> 8 & 1 else state
    elif name == "IRQ_STATUS":
        state.irq_status &= ~value  # "write 1 to clear"
    elif name == "PARITY_INFO":
        state.parity_latched = state.parity_latched and not value & 1
    elif name == "DMA_ERROR_INFO":
        pass  # no AXI error reaches the oracle's device
    elif name == "THRESHOLDS":
        state.registers["EVICT_THRESH"], state.registers["PREFETCH_THRESH"] = value & 0xFFFF, value >> 16
    else:
        state.registers[name] = value
        written(state, name, value)
    return state


def written(state: State, name: str, value: int) -> None:
    """What a register that keeps its value does when it is written."""
    get = state.registers
    if name.startswith("TIER") and name.endswith("_SLOTS"):
        state.tiers[int(name[4])].free = set(range(value))
    elif name in RANGE_LAUNCHES:
        command = RANGE_LAUNCHES[name]
        commands.range_command(state, command, get[f"{command}_ADDR"], value)
    elif name == "PREFETCH_STEP":
        commands.range_command(state, "PREFETCH", get["PREFETCH_ADDR"], get["PREFETCH_LEN"], value)
    elif name == "DIR_COMMAND":
        commands.directory_command(state, value, get["DIR_ADDR"], regs.DIR_ARG.unpack(get["DIR_ARG"]))


def read(state: State, offset: int) -> tuple[int | None, bool]:
    """(value, refused) of a read between two commands; None where only the device can know the value."""
    register = regs.BY_OFFSET.get(offset)
    if register is None or not register.readable:
        return 0, True  # 10: "reads of write-only registers: SLVERR ... (reads: data 0)"
    name = register.name
    if absent_port(state, name):
        return 0, False
    if name in state.registers:
        return state.registers[name], False
    if name in COUNTERS:
        return state.counters.get(name, 0), False
    return special(state, name), False


def special(state: State, name: str) -> int | None:
    """The registers that show something else than a value that was written."""
    if name == "MISS_ADDR":
        return state.misses.pop(0) if state.misses else 0  # "reading its last word pops"
    if name.startswith("TIER"):
        tier = state.tiers[int(name[4])]
        return len(tier.free) if name.endswith("_FREE") else tier.auto_thresh
    level, result = len(state.misses), state.result
    known = {
        "STEP_ADVANCE": state.step,
        "THRESHOLDS": state.registers["PREFETCH_THRESH"] * 65536 + state.registers["EVICT_THRESH"],
        "IRQ_STATUS": state.irq_status,
        "ID": int.from_bytes(b"KVCPU", "little"),
        "VERSION": 1 << 16,
        "MISS_INFO": level * 256 + (1 if level else 0),
        "DMA_ERROR_INFO": 0,  # no AXI error reaches the oracle's device
        "DMA_ERROR_ADDR": 0,
        "DIR_FREED": result.removed + result.stayed * 2**32,
        "DIR_PHYS_ADDR": result.phys_addr,
        "DIR_STATUS": None,
    }
    if result.index is not None:
        known["DIR_STATUS"] = result.status + result.tier * 2**16 + result.index * 2**32
    return known.get(name)


def pressure_bits(state: State) -> int:
    """STATUS.PRESSURE: tiers 0 to 2, as judged at the last scan start."""
    return sum(1 << tier for tier in (0, 1, 2) if state.tiers[tier].under_pressure)


def queues_idle(state: State) -> bool:
    """Whether nothing waits for the DMA."""
    return not state.evict and not state.prefetch
