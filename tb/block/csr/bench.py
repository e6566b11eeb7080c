"""What the tests of BAR0 share: the bus, the driven surroundings, and the rules of a legal write."""

from __future__ import annotations

from dataclasses import dataclass, field

from cocotb.triggers import RisingEdge

from sw.regs import registers as regs
from sw.regs.register import Register
from tb.block.axil import OKAY, SLVERR, AxilMaster, response_name
from tb.block.reset import out_of_reset
from tb.block.structs import struct
from tb.harness.base_test import Context

BAR0_BYTES = 0x4000
RANGE_COMMANDS = {  # launching register: address register, code in rtl/kvcpu_pkg.sv
    regs.BOOST_LEN: (regs.BOOST_ADDR, 0),
    regs.IMEVICT_LEN: (regs.IMEVICT_ADDR, 1),
    regs.COOL_LEN: (regs.COOL_ADDR, 2),
    regs.PREFETCH_STEP: (regs.PREFETCH_ADDR, 3),
    regs.SHARE_LEN: (regs.SHARE_ADDR, 4),
    regs.RELEASE_LEN: (regs.RELEASE_ADDR, 5),
}
STEPS = (regs.STEP_ADVANCE, regs.STEP_ADVANCE_ALIAS)


@dataclass
class Surroundings:
    """What the device around BAR0 tells it."""

    initialised: bool = True
    cmd_full: bool = False
    dir_busy: bool = False
    unused: int = 0b1111


@dataclass
class Rules:
    """The legal writes of device.md 7 and 10, and what registers then hold: written from the contract alone."""

    entries: int
    ports: int
    block_tokens: int
    around: Surroundings = field(default_factory=Surroundings)
    values: dict[str, int] = field(default_factory=dict)
    pushed: int = 0
    refused_full: int = 0
    stepped: int = 0

    def __post_init__(self) -> None:
        for register in regs.REGISTERS:
            if register.reset is not None and not _event_driven(register):
                self.values[register.name] = 0 if self.absent(register) else register.reset

    def absent(self, register: Register) -> bool:
        """Whether the register belongs to a port that this build lacks."""
        return any(register in array[self.ports :] for array in (regs.PORT_REQ_LO, regs.PORT_REQ_HI))

    def write(self, offset: int, data: int, strb: int = 0xFF) -> int:
        """The response to a write; `values` and the counts follow."""
        register = regs.BY_OFFSET.get(offset)
        if register is None or strb != 0xFF or not register.writable or self.absent(register):
            return SLVERR
        if self._bad_value(register, data) or self._bad_launch(register, data):
            return SLVERR
        if register.launches and register not in STEPS:
            if self.around.cmd_full:
                self.refused_full += 1
                return SLVERR
            self.pushed += 1
        if register in STEPS:
            self.stepped += 1
            self.values["STEP_ADVANCE"] = data & 0xFFFFFFFF
        elif register is regs.THRESHOLDS:
            self._thresholds(data & 0xFFFF, data >> 16 & 0xFFFF)
        elif register is regs.CTRL:
            self.values[register.name] = data & 0b11
        elif register.name in self.values:
            self.values[register.name] = data & register.write_mask
        self._thresholds(self.values["EVICT_THRESH"], self.values["PREFETCH_THRESH"])
        return OKAY

    def read(self, offset: int) -> tuple[int, int] | None:
        """Data and response of a read; None where the surroundings decide."""
        register = regs.BY_OFFSET.get(offset)
        if register is None or not register.readable:
            return 0, SLVERR
        if register is regs.STEP_ADVANCE:
            return self.values.get(register.name, 0), OKAY
        return (self.values[register.name], OKAY) if register.name in self.values else None

    def _thresholds(self, evict: int, prefetch: int) -> None:
        self.values["EVICT_THRESH"], self.values["PREFETCH_THRESH"] = evict, prefetch
        self.values["THRESHOLDS"] = prefetch << 16 | evict

    def _bad_value(self, register: Register, data: int) -> bool:
        evict, prefetch = self.values["EVICT_THRESH"], self.values["PREFETCH_THRESH"]
        for tier in range(4):
            if register in (regs.TIER_BASE[tier], regs.TIER_SLOTS[tier]) and not self.around.unused >> tier & 1:
                return True
        if register is regs.EVICT_THRESH:
            return data & 0xFFFF > prefetch
        if register is regs.PREFETCH_THRESH:
            return evict > data & 0xFFFF
        if register is regs.THRESHOLDS:
            return data & 0xFFFF > data >> 16 & 0xFFFF
        if register is regs.BLOCK_BYTES:
            size = data & register.write_mask
            return self.around.unused != 0b1111 or size % 64 != 0 or not 256 <= size <= 65536
        if register in regs.TIER_SLOTS:
            return data & register.write_mask > self.entries
        if register in regs.TIER_BASE:
            return data % 4096 != 0
        return False

    def _bad_launch(self, register: Register, data: int) -> bool:
        if not register.launches:
            return False
        if not self.around.initialised:
            return True
        if register is regs.DIR_COMMAND:
            return self.around.dir_busy or data & 7 not in set(regs.Command)
        if register in STEPS:
            return False
        address = self.values[RANGE_COMMANDS[register][0].name]
        length = self.values["PREFETCH_LEN"] if register is regs.PREFETCH_STEP else data
        return self.bad_range(address, length)

    def bad_range(self, address: int, length: int) -> bool:
        """Whether a range with the current CMD_SPAN is refused."""
        first = address & 0xFFFFFFFF
        if length == 0 or first + length > 1 << 32:
            return True
        blocks = (first + length - 1) // self.block_tokens - first // self.block_tokens + 1
        span = regs.CMD_SPAN.unpack(self.values["CMD_SPAN"])
        layers, heads = max(1, span["LAYERS"]), max(1, span["HEADS"])
        return blocks > self.entries or (address >> 40 & 255) + layers > 256 or (address >> 32 & 255) + heads > 256


class Bench:
    """The block under its bus, with `rules` saying what must happen."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.dut = ctx.dut
        self.bus = AxilMaster(ctx)
        self.rules = Rules(ctx.parameters["ENTRIES"], ctx.parameters["PORTS"], ctx.parameters["BLOCK_TOKENS"])
        self.cfg = struct("cfg_t")
        self.cmd = struct("cmd_t")

    @classmethod
    async def start(cls, ctx: Context) -> Bench:
        """A bench after reset."""
        bench = cls(ctx)
        await out_of_reset(ctx)
        return bench

    def around(self, **changes: bool | int) -> None:
        """Change what the surroundings tell the block, and the rules."""
        for name, value in changes.items():
            setattr(self.rules.around, name, value)
            getattr(self.dut, name).value = int(value)

    async def write(self, register: Register | int, data: int, strb: int = 0xFF) -> int:
        """A write whose response must be what the rules say; returns it."""
        offset = register if isinstance(register, int) else register.offset
        expected = self.rules.write(offset, data, strb)
        seen = await self.bus.write(offset, data, strb)
        self.ctx.compare(
            "write of BAR0: BRESP",
            response_name(expected),
            response_name(seen),
            register=name(offset),
            data=hex(data),
            strobes=hex(strb),
        )
        return seen

    async def read(self, register: Register | int) -> int:
        """A read whose data and response must be what the rules say, where they say it; returns the data."""
        offset = register if isinstance(register, int) else register.offset
        expected = self.rules.read(offset)
        data, response = await self.bus.read(offset)
        if expected is not None:
            self.ctx.compare(
                "read of BAR0: RRESP", response_name(expected[1]), response_name(response), register=name(offset)
            )
            self.ctx.compare("read of BAR0: RDATA", hex(expected[0]), hex(data), register=name(offset))
        else:
            self.ctx.compare("read of BAR0: RRESP", response_name(OKAY), response_name(response), register=name(offset))
        return data

    async def field(self, register: Register, field_name: str) -> int:
        """One field of a register, read now."""
        return register[field_name].get(await self.read(register))

    async def check_all(self) -> None:
        """Every register reads what the rules say, and `cfg_o` agrees."""
        for register in regs.REGISTERS:
            if register is not regs.MISS_ADDR and register is not regs.COMPLETION_ADDR:
                await self.read(register)
        self.check_cfg()
        self.check_counts()

    def check_counts(self) -> None:
        """Commands, steps and refusals that came out are those that the rules let out."""
        self.ctx.compare("commands launched", self.rules.pushed, int(self.dut.pushes_seen.value))
        self.ctx.compare("commands refused by a full queue", self.rules.refused_full, int(self.dut.refused_seen.value))
        self.ctx.compare("STEP_ADVANCE pulses", self.rules.stepped, int(self.dut.steps_seen.value))

    def check_cfg(self) -> None:
        """The configuration as the device gets it is the one that registers hold."""
        seen = self.cfg.unpack(int(self.dut.cfg.value))
        for register_name, (field_name, width, index) in _cfg_fields().items():
            value = self.rules.values[register_name]
            if self.rules.absent(regs.BY_NAME[register_name]):
                continue
            self.ctx.compare(
                f"configuration that the device gets: {field_name}",
                hex(value & (1 << width) - 1),
                hex(seen[field_name] >> index * width & (1 << width) - 1),
                register=register_name,
            )
        demand = regs.CTRL["DEMAND"].get(self.rules.values["CTRL"])
        self.ctx.compare("configuration that the device gets: demand", demand, seen["demand"], register="CTRL")
        block_bytes = self.rules.values["BLOCK_BYTES"]
        self.ctx.compare("slot stride", (block_bytes - 1).bit_length(), seen["stride_shift"], block_bytes=block_bytes)

    async def pulse(self, **signals: int) -> None:
        """Give signals a value for one clock cycle."""
        for signal, value in signals.items():
            getattr(self.dut, signal).value = value
        await RisingEdge(self.dut.clk)
        for signal in signals:
            getattr(self.dut, signal).value = 0


def name(offset: int) -> str:
    """A register's name with its offset."""
    register = regs.BY_OFFSET.get(offset)
    return f"{register.name if register else 'none'} ({offset:#06x})"


def _event_driven(register: Register) -> bool:
    """Whether events set it (write 1 to clear)."""
    return any(f.access == "w1c" for f in register.fields)


def _cfg_fields() -> dict[str, tuple[str, int, int]]:
    """Register to field of cfg_t: name, bits, place in an array."""
    table = {
        "CONTEND_POLICY": ("contend_policy", 8, 0),
        "WEIGHT_R": ("w_r", 8, 0),
        "WEIGHT_F": ("w_f", 8, 0),
        "WEIGHT_S": ("w_s", 8, 0),
        "WEIGHT_D": ("w_d", 8, 0),
        "EVICT_THRESH": ("evict_thresh", 16, 0),
        "PREFETCH_THRESH": ("prefetch_thresh", 16, 0),
        "R_SHIFT": ("r_shift", 3, 0),
        "F_AGE": ("f_age", 5, 0),
        "LOOKAHEAD": ("lookahead", 31, 0),
        "HOLD": ("hold", 31, 0),
        "PROMOTE_TIER": ("promote_tier", 2, 0),
        "EVICT_TIERS": ("evict_tiers", 4, 0),
        "MAX_RETRY": ("max_retry", 8, 0),
        "BLOCK_BYTES": ("block_bytes", 17, 0),
        "CTRL": ("enable", 1, 0),
    }
    for port in range(8):
        table[f"PORT{port}_REQ_LO"] = ("req_lo", 16, port)
        table[f"PORT{port}_REQ_HI"] = ("req_hi", 16, port)
    for tier in range(4):
        table[f"TIER{tier}_BASE"] = ("base", 64, tier)
        for part in ("slots", "reserve", "low", "high"):
            table[f"TIER{tier}_{part.upper()}"] = (part, 17, tier)
    return table
