"""BAR0 of the device model: every register of the register description, with its refusals.

Offsets and fields come from the generated constants (`sw.regs`), which is all of `sw` that the
model knows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from model.command_queue import Command, CommandQueue, Kind
from model.directory import DeviceState
from model.errors import Slverr
from model.register_rules import RegisterRules, range_of, tiers_to_be_unused
from model.timing import Timing
from model.types import TIER_COUNT, CommandResult, Status
from sw.regs import registers as regs
from sw.regs.register import Register

# registers of one field that the device takes as they are: register -> Config attribute
_SCALARS = {
    regs.CONTEND_POLICY: "contend_policy",
    regs.R_SHIFT: "r_shift",
    regs.F_AGE: "f_age",
    regs.LOOKAHEAD: "lookahead",
    regs.HOLD: "hold",
    regs.PROMOTE_TIER: "promote_tier",
    regs.EVICT_TIERS: "evict_tiers",
    regs.WEIGHT_R: "w_r",
    regs.WEIGHT_F: "w_f",
    regs.WEIGHT_S: "w_s",
    regs.WEIGHT_D: "w_d",
    regs.MAX_RETRY: "max_retry",
}
_LISTS = {
    regs.PORT_REQ_LO: "req_lo",
    regs.PORT_REQ_HI: "req_hi",
    regs.TIER_RESERVE: "reserve",
    regs.TIER_LOW: "low",
    regs.TIER_HIGH: "high",
}
# counters: register -> Counters attribute, and the channel of those that have one
_COUNTERS = {
    regs.RTBD_HIT_COUNT: "hit",
    regs.RTBD_MISS_COUNT: "miss",
    regs.DENIED_COUNT: "denied",
    regs.MISS_DROPPED_COUNT: "miss_dropped",
    regs.SCAN_COUNT: "scan_done",
    regs.SCAN_COALESCED_COUNT: "scan_coalesced",
    regs.HINT_MISS_COUNT: "hint_miss",
    regs.REF_SATURATED_COUNT: "ref_saturated",
    regs.REF_UNDERFLOW_COUNT: "ref_underflow",
    regs.CMD_REFUSED_COUNT: "cmd_refused",
    regs.PARITY_COUNT: "parity",
    regs.COMPLETION_DROPPED_COUNT: "completion_dropped",
}
_CHANNEL_COUNTERS = {
    regs.EVICT_DROPPED_COUNT: ("dropped", 0),
    regs.PREFETCH_DROPPED_COUNT: ("dropped", 1),
    regs.EVICT_BYTES_MOVED: ("bytes_moved", 0),
    regs.PREFETCH_BYTES_MOVED: ("bytes_moved", 1),
    regs.EVICT_ERROR_COUNT: ("errors", 0),
    regs.PREFETCH_ERROR_COUNT: ("errors", 1),
    regs.EVICT_VOID_COUNT: ("voids", 0),
    regs.PREFETCH_VOID_COUNT: ("voids", 1),
}
_RANGES = {
    regs.BOOST_LEN: Kind.BOOST,
    regs.IMEVICT_LEN: Kind.IMEVICT,
    regs.COOL_LEN: Kind.COOL,
    regs.PREFETCH_STEP: Kind.PREFETCH,
    regs.SHARE_LEN: Kind.SHARE,
    regs.RELEASE_LEN: Kind.RELEASE,
}
_DIRECTORY = {
    regs.Command.INSERT: Kind.INSERT,
    regs.Command.LOOKUP: Kind.LOOKUP,
    regs.Command.REMOVE: Kind.REMOVE,
    regs.Command.FREE_REQUEST: Kind.FREE_REQUEST,
    regs.Command.MIGRATE: Kind.MIGRATE,
}


class _Refused(Exception):
    """A write handler's verdict; Bar0.write turns it into Slverr."""


class BehindBar0(Protocol):
    """What the registers need of the device behind them."""

    axi_data_width: int
    timing: Timing
    state: DeviceState
    commands: CommandQueue
    scan_cycles: int
    first_decision_cycles: int

    @property
    def initialised(self) -> bool:
        """The directory is empty and ready."""

    @property
    def scanning(self) -> bool:
        """A scan runs or waits for its start."""

    @property
    def idle(self) -> bool:
        """STATUS.IDLE."""

    def soft_reset(self) -> None:
        """CTRL.SOFT_RESET is written."""

    def step_advance(self, step: int) -> None:
        """STEP_ADVANCE is written."""


class Bar0:
    """The registers: what software wrote (`values`, by offset) and what the device shows."""

    def __init__(self, device: BehindBar0) -> None:
        self._device = device
        self._rules = RegisterRules(device.state.entry_count, device.state.block_tokens)
        ports = device.state.ports
        absent = regs.PORT_REQ_LO[ports:] + regs.PORT_REQ_HI[ports:]
        self._absent = {register.offset for register in absent}
        self._readers = {r.offset: f for r, f in self._make_readers().items()}
        self._writers = {r.offset: f for r, f in self._make_writers().items()}
        self.reset()

    def reset(self) -> None:
        """Reset values of the fields that software writes."""
        self.values = {r.offset: sum(f.put(f.reset or 0) for f in r.fields if f.access == "rw") for r in regs.REGISTERS}

    @property
    def irq_enable(self) -> int:
        """IRQ_ENABLE."""
        return self.values[regs.IRQ_ENABLE.offset]

    # ------------------------------------------------------------------ access

    def read(self, offset: int) -> int:
        """A read's data; Slverr when unmapped, unaligned or write-only."""
        register = regs.BY_OFFSET.get(offset)
        if register is None or not register.readable:
            raise Slverr(offset, write=False)
        if offset in self._absent:
            return 0
        reader = self._readers.get(offset)
        return self.values[offset] if reader is None else reader()

    def write(self, offset: int, value: int, strobe: int = 0xFF) -> None:
        """A write; Slverr when unmapped, unaligned, read-only, partial, or not legal now."""
        register = regs.BY_OFFSET.get(offset)
        refused = strobe != 0xFF or offset in self._absent
        if register is None or not register.writable or refused:
            raise Slverr(offset, write=True)
        value &= register.write_mask
        in_use = any(self._device.state.pools[tier].in_use for tier in tiers_to_be_unused(register))
        if in_use or self._rules.problem(register, value, self._held):
            raise Slverr(offset, write=True)
        try:
            writer = self._writers.get(offset)
            if writer is not None:
                writer(value)
        except _Refused:
            raise Slverr(offset, write=True) from None
        self.values[offset] = value

    def _held(self, register: Register) -> int:
        """The value of a register whose reads change nothing."""
        reader = self._readers.get(register.offset)
        return self.values[register.offset] if reader is None else reader()

    # ------------------------------------------------------------------ reading

    def _make_readers(self) -> dict[Register, Callable[[], int]]:
        device = self._device
        state = device.state
        readers: dict[Register, Callable[[], int]] = {
            regs.ID: lambda: regs.ID.reset or 0,
            regs.VERSION: lambda: regs.VERSION.reset or 0,
            regs.CAPS: lambda: regs.CAPS.pack(
                ENTRIES=state.entry_count,
                LANES=state.lanes,
                PORTS=state.ports,
                BLOCK_TOKENS=state.block_tokens,
                AXI_DATA_WIDTH=device.axi_data_width,
                CLOCK_MHZ=device.timing.clock_mhz,
            ),
            regs.CTRL: lambda: regs.CTRL.pack(ENABLE=state.config.enable, DEMAND=state.config.demand),
            regs.STATUS: self._status,
            regs.IRQ_STATUS: lambda: int(state.irq_status),
            regs.STEP_ADVANCE: lambda: state.step,
            regs.SCAN_CYCLES: lambda: device.scan_cycles,
            regs.FIRST_DECISION_CYCLES: lambda: device.first_decision_cycles,
            regs.PARITY_INFO: lambda: (
                0 if state.parity_index is None else regs.PARITY_INFO.pack(VALID=1, INDEX=state.parity_index)
            ),
            regs.THRESHOLDS: lambda: regs.THRESHOLDS.pack(
                PREFETCH=state.config.prefetch_thresh, EVICT=state.config.evict_thresh
            ),
            regs.EVICT_THRESH: lambda: state.config.evict_thresh,
            regs.PREFETCH_THRESH: lambda: state.config.prefetch_thresh,
            regs.DIR_STATUS: self._dir_status,
            regs.DIR_PHYS_ADDR: lambda: self._result().phys_addr,
            regs.DIR_FREED: lambda: regs.DIR_FREED.pack(REMOVED=self._result().removed, STAYED=self._result().stayed),
            regs.MISS_INFO: lambda: (
                regs.MISS_INFO.pack(VALID=1, LEVEL=len(state.miss_queue)) if state.miss_queue else 0
            ),
            regs.MISS_ADDR: lambda: state.pop_miss() or 0,
            regs.COMPLETION_INFO: self._completion_info,
            regs.COMPLETION_ADDR: self._completion_addr,
            regs.DMA_ERROR_INFO: self._dma_error_info,
            regs.DMA_ERROR_ADDR: lambda: state.dma_error.kv_addr if state.dma_error else 0,
        }
        for register, name in _COUNTERS.items():
            readers[register] = partial(self._counter, name)
        for register, (name, channel) in _CHANNEL_COUNTERS.items():
            readers[register] = partial(self._channel_counter, name, channel)
        for tier in range(TIER_COUNT):
            readers[regs.TIER_FREE[tier]] = partial(self._free, tier)
            readers[regs.TIER_AUTO_THRESH[tier]] = partial(self._auto_thresh, tier)
        return readers

    def _counter(self, name: str) -> int:
        value: int = getattr(self._device.state.counters, name)
        return value

    def _channel_counter(self, name: str, channel: int) -> int:
        value: int = getattr(self._device.state.counters, name)[channel]
        return value

    def _free(self, tier: int) -> int:
        return self._device.state.pools[tier].free

    def _auto_thresh(self, tier: int) -> int:
        return self._device.state.auto_thresh[tier] if tier < 3 else 0

    def _status(self) -> int:
        device, state = self._device, self._device.state
        return regs.STATUS.pack(
            IDLE=device.idle,
            SCANNING=device.scanning,
            INITIALISED=device.initialised,
            DIR_BUSY=device.commands.dir_busy,
            COMMANDS=device.commands.pending,
            EVICT_LEVEL=len(state.queues[0]),
            PREFETCH_LEVEL=len(state.queues[1]),
            MISS_LEVEL=len(state.miss_queue),
            COMPLETION_LEVEL=len(state.completion_queue),
            PRESSURE=sum(on << tier for tier, on in enumerate(state.pressure)),
        )

    def _result(self) -> CommandResult:
        return self._device.commands.result or CommandResult(Status.OK)

    def _dir_status(self) -> int:
        r = self._result()
        busy = self._device.commands.dir_busy
        return regs.DIR_STATUS.pack(STATUS=r.status, BUSY=busy, TIER=r.tier, INDEX=r.index)

    def _completion_info(self) -> int:
        queue = self._device.state.completion_queue
        if not queue:
            return 0
        head = queue[0]
        return regs.COMPLETION_INFO.pack(
            VALID=1, LEVEL=len(queue), FROM=head.from_tier, TO=head.to_tier, STATUS=head.status
        )

    def _completion_addr(self) -> int:
        head = self._device.state.pop_completion()
        return head.kv_addr if head else 0

    def _dma_error_info(self) -> int:
        error = self._device.state.dma_error
        if error is None:
            return 0
        return regs.DMA_ERROR_INFO.pack(VALID=1, CHANNEL=error.channel, WRITE=error.write)

    # ------------------------------------------------------------------ writing

    def _make_writers(self) -> dict[Register, Callable[[int], None]]:
        device = self._device
        state = device.state
        writers: dict[Register, Callable[[int], None]] = {
            regs.STEP_ADVANCE: self._step,
            regs.STEP_ADVANCE_ALIAS: self._step,
            regs.CTRL: self._ctrl,
            regs.IRQ_STATUS: state.clear_irq,
            regs.BLOCK_BYTES: state.set_block_bytes,
            regs.PARITY_INFO: lambda v: state.clear_parity_latch() if v & 1 else None,
            regs.DMA_ERROR_INFO: lambda v: state.clear_dma_error() if v & 1 else None,
            regs.EVICT_THRESH: lambda v: self._thresholds(v, state.config.prefetch_thresh),
            regs.PREFETCH_THRESH: lambda v: self._thresholds(state.config.evict_thresh, v),
            regs.THRESHOLDS: lambda v: self._thresholds(
                regs.THRESHOLDS["EVICT"].get(v), regs.THRESHOLDS["PREFETCH"].get(v)
            ),
            regs.DIR_COMMAND: self._dir_command,
        }
        for register, name in _SCALARS.items():
            writers[register] = partial(self._set, name)
        for registers, name in _LISTS.items():
            for index, register in enumerate(registers):
                writers[register] = partial(self._set_item, name, index)
        for tier in range(TIER_COUNT):
            writers[regs.TIER_BASE[tier]] = partial(self._set_item, "base", tier)
            writers[regs.TIER_SLOTS[tier]] = partial(state.set_slots, tier)
        for register, kind in _RANGES.items():
            writers[register] = partial(self._range, register, kind)
        return writers

    def _set(self, name: str, value: int) -> None:
        setattr(self._device.state.config, name, value)

    def _set_item(self, name: str, index: int, value: int) -> None:
        getattr(self._device.state.config, name)[index] = value

    def _ctrl(self, value: int) -> None:
        fields = regs.CTRL.unpack(value)
        config = self._device.state.config
        config.enable = bool(fields["ENABLE"])
        config.demand = bool(fields["DEMAND"])
        if fields["SOFT_RESET"]:
            self._device.soft_reset()

    def _step(self, value: int) -> None:
        if not self._device.initialised:
            raise _Refused
        self._device.step_advance(value)

    def _thresholds(self, evict: int, prefetch: int) -> None:
        config = self._device.state.config
        config.evict_thresh = evict
        config.prefetch_thresh = prefetch

    # ------------------------------------------------------------------ launches

    def _launch(self, command: Command) -> None:
        device = self._device
        if not device.initialised:
            raise _Refused
        if not command.kind.is_range and device.commands.dir_busy:
            raise _Refused
        if device.commands.full:
            device.state.counters.cmd_refused += 1
            raise _Refused
        device.commands.push(command)

    def _range(self, launch: Register, kind: Kind, value: int) -> None:
        asked = range_of(launch, value, self._held)
        step = value if kind is Kind.PREFETCH else 0
        self._launch(Command(kind, asked.kv_addr, asked.length, step, span_layers=asked.layers, span_heads=asked.heads))

    def _dir_command(self, value: int) -> None:
        arg = regs.DIR_ARG.unpack(self.values[regs.DIR_ARG.offset])
        self._launch(
            Command(
                _DIRECTORY[regs.Command(value)],
                self.values[regs.DIR_ADDR.offset],
                token_end=arg["TOKEN_END"],
                tier=arg["TIER"],
                prefix=bool(arg["PREFIX"]),
                hot=bool(arg["HOT"]),
                touch=bool(arg["TOUCH"]),
            )
        )
