"""BAR0 as the contract describes it: what each access must answer, and what each accepted write must cause."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from model import DeviceState
from model.register_rules import RegisterRules, range_of, tiers_to_be_unused
from model.types import CommandResult
from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.regs.register import Register
from tb.events.records import Cmd, MmioRecord, Response
from tb.harness.base_test import Context
from tb.harness.link import OKAY, SLVERR
from tb.scoreboard.commands import QUEUE_DEPTH, Command, CommandCheck
from tb.scoreboard.configuration import ConfigCheck
from tb.scoreboard.counters import counter_values
from tb.scoreboard.interrupts import InterruptCheck

U32 = 0xFFFF_FFFF
SETTLE = 64  # cycles in which what an access depends on may change under it

_RANGES = {
    "BOOST_LEN": int(Cmd.BOOST),
    "IMEVICT_LEN": int(Cmd.IMEVICT),
    "COOL_LEN": int(Cmd.COOL),
    "PREFETCH_STEP": int(Cmd.PREFETCH),
    "SHARE_LEN": int(Cmd.SHARE),
    "RELEASE_LEN": int(Cmd.RELEASE),
}
_DIRECTORY = {
    regs.Command.INSERT: int(Cmd.INSERT),
    regs.Command.LOOKUP: int(Cmd.LOOKUP),
    regs.Command.REMOVE: int(Cmd.REMOVE),
    regs.Command.FREE_REQUEST: int(Cmd.FREE_REQUEST),
    regs.Command.MIGRATE: int(Cmd.MIGRATE),
}
_STEPS = ("STEP_ADVANCE", "STEP_ADVANCE_ALIAS")


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
        self.popped: dict[str, deque[int]] = {"MISS_ADDR": deque(), "COMPLETION_ADDR": deque()}
        self.counter_floor: dict[str, int] = {}
        self.busy_until = 0
        self.configuration = ConfigCheck(ctx, state)
        self.interrupts = InterruptCheck(ctx, state)
        self.counts: dict[str, int] = {}
        self.hard_reset(0)

    # ------------------------------------------------------------------ resets

    def hard_reset(self, cycle: int) -> None:
        """All registers at their reset values; accesses under way are lost."""
        for register in regs.REGISTERS:
            self.values[register.name] = register.reset or 0
        self.configuration.clear()
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
        self.interrupts.reset()

    # ------------------------------------------------------------------ accesses

    def access(self, r: MmioRecord) -> None:
        """An access of BAR0."""
        addr, resp, asked = r.address, r.response, r.cycle - r.took
        if r.write:
            self._write(addr, r.data, r.strobes, resp, asked, r.cycle)
        else:
            self._read(addr, r.data, resp, asked, r.cycle)
        name = regs.BY_OFFSET[addr].name if addr in regs.BY_OFFSET else "unmapped"
        key = f"{'write' if r.write else 'read'}.{name}.{'okay' if resp == OKAY else 'slverr'}"
        self.counts[key] = self.counts.get(key, 0) + 1

    def _compare(self, subject: str, expected: Any, seen: Any, cycle: int) -> None:
        self._ctx.compare(subject, expected, seen, at_cycle=cycle)

    def _compare_fields(self, subject: str, expected: Mapping[str, Any], seen: Mapping[str, Any], cycle: int) -> None:
        self._ctx.compare_fields(subject, expected, seen, at_cycle=cycle)

    # ------------------------------------------------------------------ writes

    def _write(self, addr: int, data: int, strobes: int, resp: int, asked: int, cycle: int) -> None:
        register = regs.BY_OFFSET.get(addr)
        name = register.name if register else f"unmapped {addr:#06x}"
        legal = {SLVERR}
        if register and register.writable and strobes == 0xFF and not self._absent_port(name):
            legal = self._legal(register, data, asked, cycle)
        if resp not in legal:
            expected = "OKAY" if OKAY in legal else "SLVERR"
            self._compare(f"write of {data:#x} to {name}: response", expected, Response(resp).name, cycle)
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
            return self._unused(tiers)
        if name in _STEPS or name in _RANGES or name == "DIR_COMMAND":
            return self._launch_legal(name, asked, cycle)
        return {OKAY}

    def _value(self, register: Register) -> int:
        return self.values[register.name]

    def _unused(self, tiers: Sequence[int]) -> set[int]:
        return {SLVERR if any(self._s.pools[t].in_use for t in tiers) else OKAY}

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
            self.interrupts.cleared(data, asked, cycle)
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
            self._compare("step that the write of STEP_ADVANCE sets", data & U32, step, cycle)
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
                    prefix=bool(arg["PREFIX"]),
                    hot=bool(arg["HOT"]),
                    touch=bool(arg["TOUCH"]),
                ),
                cycle,
            )
        self.configuration.written(name, self.values, cycle)

    def _launched(self, expected: Command, cycle: int) -> None:
        seen = self.launches.popleft() if self.launches else None
        self._compare_fields("command launched", expected.named(), seen.named() if seen else {}, cycle)

    # ------------------------------------------------------------------ reads

    def _read(self, addr: int, data: int, resp: int, asked: int, cycle: int) -> None:
        register = regs.BY_OFFSET.get(addr)
        if register is None or not register.readable:
            name = register.name if register else f"unmapped {addr:#06x}"
            want, seen = {"response": "SLVERR", "data": 0}, {"response": Response(resp).name, "data": data}
            self._compare_fields(f"read of {name}", want, seen, cycle)
            return
        name = register.name
        self._compare(f"read of {name}: response", "OKAY", Response(resp).name, cycle)
        if self._absent_port(name):
            self._compare(f"read of absent {name}", 0, data, cycle)
            return
        counters = counter_values(self._s)
        if name in counters:
            self._counter(name, counters[name], data, cycle)
        elif name == "IRQ_STATUS":
            self.interrupts.read(data, asked, cycle)
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
            self._holds(register, self.values[name], data, cycle)

    def _holds(self, register: Register, expected: int, data: int, cycle: int) -> None:
        """A read gives the value that the register holds, field by field."""
        if expected == data or len(register.fields) < 2:
            self._compare(f"read of {register.name}", expected, data, cycle)
        else:
            self._compare_fields(f"read of {register.name}", register.unpack(expected), register.unpack(data), cycle)
            self._compare(f"read of {register.name}: bits without a field", expected, data, cycle)

    def _counter(self, name: str, now: int, data: int, cycle: int) -> None:
        """A counter read under way lies between its last value read and the model's (which is a little late)."""
        floor = self.counter_floor.get(name, 0)
        if not floor <= data <= now:
            self._compare(f"read of {name}", f"{floor} to {now}", data, cycle)
        self._ctx.comparisons += 1
        self.counter_floor[name] = data

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
        launched = [f"{Cmd(c.cmd).name} of {KvAddress.unpack(c.kv_addr)}" for c in self.launches]
        self._ctx.compare("commands that entered the queue without a launching write", [], launched)
        self._ctx.compare("steps that were set without a write of STEP_ADVANCE", [], list(self.steps))
        self.configuration.finish()
