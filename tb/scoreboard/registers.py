"""BAR0 as the contract describes it: what each access must answer, and what each accepted write must cause."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from model import DeviceState
from model.register_rules import RegisterRules, range_of, tiers_to_be_unused
from model.types import CommandResult
from sw.regs import registers as regs
from sw.regs.register import Register
from tb.events.records import Cmd, sv_enum
from tb.harness.base_test import Context
from tb.harness.link import OKAY, SLVERR
from tb.scoreboard.commands import QUEUE_DEPTH, Command, CommandCheck

U32 = 0xFFFF_FFFF
SETTLE = 64  # cycles in which what an access depends on may change under it

_RANGES = {
    "BOOST_LEN": int(Cmd.Boost),
    "IMEVICT_LEN": int(Cmd.Imevict),
    "COOL_LEN": int(Cmd.Cool),
    "PREFETCH_STEP": int(Cmd.Prefetch),
    "SHARE_LEN": int(Cmd.Share),
    "RELEASE_LEN": int(Cmd.Release),
}
_DIRECTORY = {
    regs.Command.INSERT: int(Cmd.Insert),
    regs.Command.LOOKUP: int(Cmd.Lookup),
    regs.Command.REMOVE: int(Cmd.Remove),
    regs.Command.FREE_REQUEST: int(Cmd.FreeRequest),
    regs.Command.MIGRATE: int(Cmd.Migrate),
}
_STEPS = ("STEP_ADVANCE", "STEP_ADVANCE_ALIAS")


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


CONFIG_FIELDS = [_snake(n[3:]) for n in sv_enum("tb/hdl/kvcpu_tb_pkg.sv", "cfg_field_e")]
"""Field names of EvConfig records, by number; as in model.Config."""

_CONFIG_REGISTERS = {
    "CTRL": [("enable", "ENABLE"), ("demand", "DEMAND")],
    "CONTEND_POLICY": [("contend_policy", "POLICY")],
    "WEIGHT_R": [("w_r", "WEIGHT")],
    "WEIGHT_F": [("w_f", "WEIGHT")],
    "WEIGHT_S": [("w_s", "WEIGHT")],
    "WEIGHT_D": [("w_d", "WEIGHT")],
    "EVICT_THRESH": [("evict_thresh", "THRESHOLD")],
    "PREFETCH_THRESH": [("prefetch_thresh", "THRESHOLD")],
    "R_SHIFT": [("r_shift", "SHIFT")],
    "F_AGE": [("f_age", "AGE")],
    "LOOKAHEAD": [("lookahead", "STEPS")],
    "HOLD": [("hold", "STEPS")],
    "PROMOTE_TIER": [("promote_tier", "TIER")],
    "EVICT_TIERS": [("evict_tiers", "MASK")],
    "MAX_RETRY": [("max_retry", "TRIES")],
    "BLOCK_BYTES": [("block_bytes", "BYTES")],
}


def counter_values(state: DeviceState) -> dict[str, int]:
    """Every counter register and its value in the model."""
    c = state.counters
    return {
        "RTBD_HIT_COUNT": c.hit,
        "RTBD_MISS_COUNT": c.miss,
        "DENIED_COUNT": c.denied,
        "MISS_DROPPED_COUNT": c.miss_dropped,
        "COMPLETION_DROPPED_COUNT": c.completion_dropped,
        "EVICT_DROPPED_COUNT": c.dropped[0],
        "PREFETCH_DROPPED_COUNT": c.dropped[1],
        "SCAN_COUNT": c.scan_done,
        "SCAN_COALESCED_COUNT": c.scan_coalesced,
        "HINT_MISS_COUNT": c.hint_miss,
        "REF_SATURATED_COUNT": c.ref_saturated,
        "REF_UNDERFLOW_COUNT": c.ref_underflow,
        "CMD_REFUSED_COUNT": c.cmd_refused,
        "PARITY_COUNT": c.parity,
        "EVICT_BYTES_MOVED": c.bytes_moved[0],
        "PREFETCH_BYTES_MOVED": c.bytes_moved[1],
        "EVICT_ERROR_COUNT": c.errors[0],
        "PREFETCH_ERROR_COUNT": c.errors[1],
        "EVICT_VOID_COUNT": c.voids[0],
        "PREFETCH_VOID_COUNT": c.voids[1],
    }


class RegisterCheck:
    """Predicts BAR0. Where the moment decides (in use, queue full, not yet initialised) it accepts what was legal at
    some moment between request and response."""

    def __init__(self, ctx: Context, state: DeviceState, commands: CommandCheck, cycles_to_init: int) -> None:
        self._ctx = ctx
        self._s = state
        self._commands = commands
        self._cycles_to_init = cycles_to_init
        self._rules = RegisterRules(state.entry_count, state.block_tokens)
        self.values: dict[str, int] = {}
        self.reset_cycle = 0
        self.resetting = False  # a soft reset is asked for and has not come yet
        self.launches: deque[Command] = deque()  # seen to enter the queue, their write's response is due
        self.steps: deque[int] = deque()
        self.refusals: deque[int] = deque()  # cycles at which the device says that the command queue was full
        self.config_due: dict[tuple[str, int], int] = {}  # seen to change, the write's response is due
        self.popped: dict[str, deque[int]] = {"MISS_ADDR": deque(), "COMPLETION_ADDR": deque()}
        self.in_use_changed = [-SETTLE] * 4
        self.counter_floor: dict[str, int] = {}
        self.busy_until = 0
        self.last_config = ""
        self.irq_cycle = [-1] * 8
        self.irq_clear = [(-1, -1)] * 8
        self.counts: dict[str, int] = {}
        self.hard_reset(0)

    # ------------------------------------------------------------------ resets

    def hard_reset(self, cycle: int) -> None:
        """All registers at their reset values; accesses under way are lost."""
        for register in regs.REGISTERS:
            self.values[register.name] = register.reset or 0
        self.config_due.clear()
        self.launches.clear()
        self.steps.clear()
        self.soft_reset(cycle)

    def soft_reset(self, cycle: int) -> None:
        """Configuration stays; launches are refused until the directory is empty."""
        self.reset_cycle = cycle
        self.resetting = False
        self.refusals.clear()
        for queue in self.popped.values():
            queue.clear()
        self.counter_floor.clear()
        self.irq_cycle = [-1] * 8
        self.irq_clear = [(-1, -1)] * 8

    # ------------------------------------------------------------------ what monitors see inside

    def config(self, w: list[int]) -> None:
        """EvConfig: a field has a new value. The model takes it here, where the device does."""
        name, index, value = CONFIG_FIELDS[w[1] >> 8 & 0xFF], w[1] >> 16 & 0xFF, w[2]
        self.last_config = name
        s = self._s
        if w[0] - self.reset_cycle <= 1:
            self._ctx.compare(f"reset value of {name}", self._reset_value(name, index), value, index=index)
        else:
            self.config_due[name, index] = value
        if name == "slots":
            s.set_slots(index, value)
        elif name == "block_bytes":
            s.set_block_bytes(value)
        elif isinstance(getattr(s.config, name), list):
            getattr(s.config, name)[index] = value
        else:
            kind = type(getattr(s.config, name))
            setattr(s.config, name, kind(value))

    def _reset_value(self, name: str, index: int) -> int:
        register, field = self._register_of(name, index)
        return register[field].reset or 0

    @staticmethod
    def _register_of(name: str, index: int) -> tuple[Register, str]:
        if name.startswith("req_"):
            return regs.BY_NAME[f"PORT{index}_{name.upper()}"], "REQUEST_ID"
        if name in ("base", "slots", "reserve", "low", "high"):
            return regs.BY_NAME[f"TIER{index}_{name.upper()}"], "ADDR" if name == "base" else "COUNT"
        for register, pairs in _CONFIG_REGISTERS.items():
            for config_name, field in pairs:
                if config_name == name:
                    return regs.BY_NAME[register], field
        raise KeyError(name)

    def irq(self, w: list[int]) -> None:
        """EvIrq: event pulses."""
        for bit in range(8):
            if w[1] >> 8 >> bit & 1:
                self.irq_cycle[bit] = w[0]

    def irq_settled(self) -> int:
        """Bits of IRQ_STATUS whose last event and last clear did not meet."""
        met = [
            first - 2 <= event <= last + 2 for event, (first, last) in zip(self.irq_cycle, self.irq_clear, strict=True)
        ]
        return sum(1 << bit for bit in range(8) if not met[bit] or self.irq_cycle[bit] < 0)

    # ------------------------------------------------------------------ accesses

    def access(self, w: list[int]) -> None:
        """EvMmio of BAR0."""
        write, resp = bool(w[1] >> 8 & 1), w[1] >> 16 & 0xFF
        strobes, addr, data = w[1] >> 32 & 0xFF, w[2], w[3]
        asked = w[0] - w[4]
        if write:
            self._write(addr, data, strobes, resp, asked, w[0])
        else:
            self._read(addr, data, resp, asked, w[0])
        name = regs.BY_OFFSET[addr].name if addr in regs.BY_OFFSET else "unmapped"
        key = f"{'write' if write else 'read'}.{name}.{'okay' if resp == OKAY else 'slverr'}"
        self.counts[key] = self.counts.get(key, 0) + 1

    def _compare(self, subject: str, expected: Any, seen: Any, cycle: int) -> None:
        self._ctx.compare(subject, expected, seen, at_cycle=cycle)

    # ------------------------------------------------------------------ writes

    def _write(self, addr: int, data: int, strobes: int, resp: int, asked: int, cycle: int) -> None:
        register = regs.BY_OFFSET.get(addr)
        name = register.name if register else f"unmapped {addr:#06x}"
        legal = {SLVERR}
        if register and register.writable and strobes == 0xFF and not self._absent_port(name):
            legal = self._legal(register, data, asked, cycle)
        if resp not in legal:
            expected = "OKAY" if OKAY in legal else "SLVERR"
            self._compare(
                f"write of {data:#x} to {name}", expected, "OKAY" if resp == OKAY else f"response {resp}", cycle
            )
        self._ctx.comparisons += 1
        if resp == OKAY and register:
            self._effect(register, data, asked, cycle)

    def _absent_port(self, name: str) -> bool:
        return name.startswith("PORT") and int(name[4]) >= self._s.ports

    def _legal(self, register: Register, data: int, asked: int, cycle: int) -> set[int]:
        name = register.name
        if self._rules.problem(register, data & register.write_mask, self._value):
            return {SLVERR}
        tiers = tiers_to_be_unused(register)
        if tiers:
            return self._unused(tiers, asked)
        if name in _STEPS or name in _RANGES or name == "DIR_COMMAND":
            return self._launch_legal(name, asked, cycle)
        return {OKAY}

    def _value(self, register: Register) -> int:
        return self.values[register.name]

    def _unused(self, tiers: Sequence[int], asked: int) -> set[int]:
        legal = {SLVERR if any(self._s.pools[t].in_use for t in tiers) else OKAY}
        if any(self.in_use_changed[t] >= asked - SETTLE for t in tiers):
            return {OKAY, SLVERR}
        return legal

    def _launch_legal(self, name: str, asked: int, cycle: int) -> set[int]:
        legal = {OKAY}
        if self.resetting or asked - self.reset_cycle <= self._cycles_to_init:
            legal = {OKAY, SLVERR}  # STATUS tells when; before, refused
        if name in _STEPS:
            return legal
        if name == "DIR_COMMAND":
            waits = self._commands.directory_busy
            if waits and self.launches and not self.launches[-1].is_range:
                waits = len([c for c in self._commands.queue if not c.is_range]) > 1
            if waits:
                return {SLVERR}
            if self.busy_until >= asked:
                return {OKAY, SLVERR}
        waiting = len(self._commands.queue) - len(self.launches)
        if self.refusals and self.refusals[0] <= cycle:
            self.refusals.popleft()
            if waiting < QUEUE_DEPTH:
                self._compare(
                    "launch refused because the command queue is full", f"{QUEUE_DEPTH} waiting", waiting, cycle
                )
            self._s.counters.cmd_refused += 1
            return {SLVERR}
        return legal

    def _effect(self, register: Register, data: int, asked: int, cycle: int) -> None:
        """An accepted write has done what it says, and nothing else."""
        name = register.name
        if name == "IRQ_STATUS":
            for bit in range(8):
                if data >> bit & 1:
                    self.irq_clear[bit] = (asked, cycle)
            kept = sum(1 << b for b in range(8) if data >> b & 1 and self.irq_cycle[b] >= asked)
            self._s.clear_irq(data & 0xFF & ~kept)
            return
        if name in ("DMA_ERROR_INFO", "PARITY_INFO"):
            return
        self.values[name] = data & register.write_mask
        if name == "CTRL":
            self.resetting = bool(data >> 8 & 1)
            self.values[name] &= 3  # SOFT_RESET reads 0
        if name == "THRESHOLDS":
            self.values["EVICT_THRESH"], self.values["PREFETCH_THRESH"] = data & 0xFFFF, data >> 16 & 0xFFFF
        if name in ("EVICT_THRESH", "PREFETCH_THRESH"):
            self.values["THRESHOLDS"] = self.values["EVICT_THRESH"] | self.values["PREFETCH_THRESH"] << 16
        if name in _STEPS:
            step = self.steps.popleft() if self.steps else None
            self._compare("STEP_ADVANCE takes effect", data & U32, step, cycle)
            self.values["STEP_ADVANCE"] = data & U32
        elif name in _RANGES:
            asked_for = range_of(register, data, self._value)
            launched = Command(_RANGES[name], asked_for.kv_addr, asked_for.length, data & U32)
            self._launched(replace(launched, layers=asked_for.layers, heads=asked_for.heads), cycle)
        elif name == "DIR_COMMAND":
            arg = regs.BY_NAME["DIR_ARG"].unpack(self.values["DIR_ARG"])
            self._launched(
                Command(
                    _DIRECTORY[regs.Command(data & 7)],
                    self.values["DIR_ADDR"],
                    token_end=arg["TOKEN_END"],
                    tier=arg["TIER"],
                    prefix=arg["PREFIX"],
                    hot=arg["HOT"],
                    touch=arg["TOUCH"],
                ),
                cycle,
            )
        self._config_written(name, cycle)

    def _launched(self, expected: Command, cycle: int) -> None:
        seen = self.launches.popleft() if self.launches else None
        self._compare("command launched", expected.key(), seen.key() if seen else None, cycle)

    def _config_written(self, name: str, cycle: int) -> None:
        """Configuration that the write names holds the new value."""
        pairs: list[tuple[str, int, int]] = []
        if name == "THRESHOLDS":
            pairs = [
                ("evict_thresh", 0, self.values["EVICT_THRESH"]),
                ("prefetch_thresh", 0, self.values["PREFETCH_THRESH"]),
            ]
        elif name in _CONFIG_REGISTERS:
            pairs = [(n, 0, regs.BY_NAME[name][f].get(self.values[name])) for n, f in _CONFIG_REGISTERS[name]]
        elif name.startswith(("PORT", "TIER")):
            pairs = [(name[6:].lower(), int(name[4]), self.values[name])]
        for config_name, index, value in pairs:
            self.config_due.pop((config_name, index), None)
            held = self._held(config_name, index)
            if held is not None:
                self._compare(f"{name} holds the value written", value, held, cycle)

    def _held(self, name: str, index: int) -> int | None:
        if name == "slots":
            return self._s.pools[index].slots
        held = getattr(self._s.config, name)
        return int(held[index] if isinstance(held, list) else held)

    # ------------------------------------------------------------------ reads

    def _read(self, addr: int, data: int, resp: int, asked: int, cycle: int) -> None:
        register = regs.BY_OFFSET.get(addr)
        if register is None or not register.readable:
            name = register.name if register else f"unmapped {addr:#06x}"
            self._compare(f"read of {name}: response, data", (SLVERR, 0), (resp, data), cycle)
            return
        name = register.name
        self._compare(f"read of {name}: response", OKAY, resp, cycle)
        if self._absent_port(name):
            self._compare(f"read of absent {name}", 0, data, cycle)
            return
        counters = counter_values(self._s)
        if name in counters:
            self._counter(name, counters[name], data, cycle)
        elif name == "IRQ_STATUS":
            self._irq_status(data, asked, cycle)
        elif name in self.popped:
            self._compare(f"read of {name}", self.popped[name].popleft() if self.popped[name] else 0, data, cycle)
        elif name in ("DIR_STATUS", "DIR_PHYS_ADDR", "DIR_FREED"):
            self._directory_result(register, data, cycle)
        elif name == "STEP_ADVANCE":
            self._compare("read of STEP_ADVANCE", self._s.step, data, cycle)
        elif name == "CAPS":
            self._compare("read of CAPS: ENTRIES", self._s.entry_count, register["ENTRIES"].get(data), cycle)
            self._compare("read of CAPS: LANES", self._s.lanes, register["LANES"].get(data), cycle)
            self._compare("read of CAPS: PORTS", self._s.ports, register["PORTS"].get(data), cycle)
            self._compare("read of CAPS: BLOCK_TOKENS", self._s.block_tokens, register["BLOCK_TOKENS"].get(data), cycle)
        elif all(f.access == "rw" for f in register.fields) or (
            register.reset is not None and not name.endswith("_INFO")
        ):
            self._compare(f"read of {name}", self.values[name], data, cycle)

    def _counter(self, name: str, now: int, data: int, cycle: int) -> None:
        """A counter read under way lies between its last value read and the model's (which is a little late)."""
        floor = self.counter_floor.get(name, 0)
        if not floor <= data <= now:
            self._compare(f"read of {name}", f"{floor} to {now}", data, cycle)
        self._ctx.comparisons += 1
        self.counter_floor[name] = data

    def _irq_status(self, data: int, asked: int, cycle: int) -> None:
        for bit in range(8):
            last, (clear_from, clear_to) = self.irq_cycle[bit], self.irq_clear[bit]
            if last < 0 or last < clear_from - 2:
                expected: int | None = 0
            elif last > clear_to + 2:
                expected = 1 if last < asked - 2 else None
            else:
                expected = None
            if expected is not None:
                self._compare(f"read of IRQ_STATUS bit {bit}", expected, data >> bit & 1, cycle)

    def _directory_result(self, register: Register, data: int, cycle: int) -> None:
        result: CommandResult | None = self._commands.last_result
        fields = register.unpack(data)
        if self._commands.directory_busy or fields.get("BUSY") or result is None or self.busy_until + SETTLE > cycle:
            return
        expected = {
            "STATUS": int(result.status),
            "TIER": fields.get("TIER") if result.tier == 0 else result.tier,
            "INDEX": result.index,
            "ADDR": result.phys_addr,
            "REMOVED": result.removed,
            "STAYED": result.stayed,
        }
        for name, value in fields.items():
            if name in expected:
                self._compare(f"read of {register.name}.{name}", expected[name], value, cycle)

    # ------------------------------------------------------------------ end

    def finish(self) -> None:
        """Nothing that the device did is left without the write that asked for it."""
        self._ctx.compare("commands without a launching write", 0, len(self.launches))
        self._ctx.compare("steps without STEP_ADVANCE", 0, len(self.steps))
        self._ctx.compare("configuration changes without a write", {}, self.config_due)
