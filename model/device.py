"""DeviceModel: the golden model behind MMIO, in discrete time ("mock device").

What it does is `DeviceState`, transaction by transaction; when it does it is the timing model
(`Timing`), which is no particular cycle of the RTL.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from model.clock import Clock
from model.command_queue import CommandQueue
from model.directory import DeviceState
from model.dma_engine import DmaEngine
from model.errors import PortNotReady, Slverr
from model.memory import TierMemory
from model.mmio import Bar0
from model.timing import Timing
from model.types import BadParity, LookupResponse


class DeviceModel:
    """A device at its pins: BAR0, BAR2, lookup ports, interrupt, tier memories.

    Every access takes its time; whatever is due meanwhile happens. `state` is the golden model
    inside, `clock.cycle` the time, `memory` the bytes of all tiers.
    """

    def __init__(
        self,
        *,
        entries: int = 65536,
        lanes: int = 16,
        ports: int = 3,
        block_tokens: int = 16,
        axi_data_width: int = 512,
        timing: Timing | None = None,
    ) -> None:
        self.timing = timing or Timing()
        self.axi_data_width = axi_data_width
        self.state = DeviceState(entries=entries, lanes=lanes, ports=ports, block_tokens=block_tokens)
        self.clock = Clock()
        self.memory = TierMemory()
        self.dma = DmaEngine(self.state, self.clock, self.memory, self.timing, axi_data_width, self._kick)
        self.commands = CommandQueue(self.state, self.clock, self.timing, self._kick)
        self.bar0 = Bar0(self)
        self._bar2_index: int | None = None
        self._bar2_latch = bytes(32)
        self.reset()

    # ------------------------------------------------------------------ reset

    def reset(self) -> None:
        """Reset pin: everything but the bytes in memory."""
        self.state.reset()
        self.bar0.reset()
        self._restart()

    def soft_reset(self) -> None:
        """CTRL.SOFT_RESET: the configuration registers stay."""
        self.state.soft_reset()
        self._restart()

    def _restart(self) -> None:
        self.clock.clear()
        self.dma.clear()
        self.commands.clear()
        self._scan_busy = False
        self._step_cycle = 0
        self._scan_begin_cycle = 0
        self._bar2_index = None
        self.scan_cycles = 0
        self.first_decision_cycles = 0
        self.ready_at = self.clock.cycle + self.state.rows + 8

    @property
    def initialised(self) -> bool:
        """The directory is empty and ready; launches before get SLVERR."""
        return self.clock.cycle >= self.ready_at

    @property
    def scanning(self) -> bool:
        """A scan runs or waits for its start."""
        return self.state.scan is not None or self.state.scan_pending

    @property
    def idle(self) -> bool:
        """STATUS.IDLE: initialised, and no scan, command, queued move or running move."""
        s = self.state
        moves = self.dma.running or any(s.queues) or any(s.waiting)
        return self.initialised and not (self.scanning or self.commands.pending or moves)

    # ------------------------------------------------------------------ time and interrupt

    @property
    def now_ns(self) -> int:
        """Device time in ns since the model was made."""
        return self.clock.cycle * 1000 // self.timing.clock_mhz

    @property
    def irq(self) -> bool:
        """The interrupt line."""
        return bool(self.state.irq_status & self.bar0.irq_enable)

    def advance(self, cycles: int) -> None:
        """Let time pass."""
        self.clock.advance(cycles)

    def wait_irq(self, limit: int) -> bool:
        """Let time pass until the interrupt line is high, at most `limit` cycles; is it?"""
        return self._wait(limit, for_irq=True)

    def wait_idle(self, limit: int) -> bool:
        """Let time pass until the device is idle, at most `limit` cycles; is it?"""
        return self._wait(limit, for_irq=False)

    def _wait(self, limit: int, *, for_irq: bool) -> bool:
        end = self.clock.cycle + limit
        while not (self.irq if for_irq else self.idle):
            due = self.clock.next_event
            if not for_irq and not self.initialised:
                due = self.ready_at if due is None else min(due, self.ready_at)
            if due is None or due > end:
                self.clock.advance(end - self.clock.cycle)
                break
            self.clock.advance(due - self.clock.cycle)
        return self.irq if for_irq else self.idle

    # ------------------------------------------------------------------ MMIO

    def read(self, offset: int) -> int:
        """Read a BAR0 register; Slverr when the device refuses."""
        self.clock.advance(self.timing.mmio_read)
        return self.bar0.read(offset)

    def write(self, offset: int, value: int, strobe: int = 0xFF) -> None:
        """Write a BAR0 register; Slverr when the device refuses (nothing has changed)."""
        self.clock.advance(self.timing.mmio_write)
        self.bar0.write(offset, value, strobe)
        self._kick()

    def read_bar2(self, offset: int) -> int:
        """Read a word of the directory window; Slverr outside it or unaligned."""
        self.clock.advance(self.timing.mmio_read)
        if offset % 8 or not 0 <= offset < self.state.entry_count * 32:
            raise Slverr(offset, write=False)
        index, word = divmod(offset // 8, 4)
        if word == 0 or index != self._bar2_index:
            self._bar2_latch = self.state.read_entry(index)
            self._bar2_index = index
        return int.from_bytes(self._bar2_latch[word * 8 : word * 8 + 8], "little")

    def write_bar2(self, offset: int, value: int) -> None:
        """BAR2 is read only."""
        self.clock.advance(self.timing.mmio_write)
        raise Slverr(offset, write=True)

    # ------------------------------------------------------------------ the accelerator's side

    def lookup(self, port: int, kv_addr: int, write: bool = False) -> LookupResponse:
        """One lookup, request to answer; PortNotReady, ValueError for an absent port."""
        return self.lookups(port, [(kv_addr, write)])[0]

    def lookups(self, port: int, requests: Iterable[tuple[int, bool]]) -> list[LookupResponse]:
        """Lookups of one port in a row, one a cycle: (kv_addr, write) each; answers in order."""
        if not 0 <= port < self.state.ports:
            raise ValueError(f"port {port} of {self.state.ports}")
        answers = []
        for kv_addr, write in requests:
            if not (self.state.config.enable and self.initialised):
                raise PortNotReady(f"lookup port {port} is not ready")
            self.clock.advance(1)
            answers.append(self.state.lookup(port, kv_addr, write))
        self.clock.advance(self.timing.lookup_latency - 1)
        self._kick()
        return answers

    def mem_read(self, tier: int, phys_addr: int, length: int) -> bytes:
        """Bytes of tier memory, as the accelerator reads them."""
        return self.memory.read(tier, phys_addr, length)

    def mem_write(self, tier: int, phys_addr: int, data: bytes) -> None:
        """Bytes into tier memory; the lookup that gave the address was a write."""
        self.memory.write(tier, phys_addr, data)

    def inject_parity(self, index: int, which: BadParity) -> None:
        """Flip a bit in the directory's memory."""
        self.state.inject_parity(index, which)

    # ------------------------------------------------------------------ steps and scans

    def step_advance(self, step: int) -> None:
        """STEP_ADVANCE is written."""
        self.state.set_step(step)
        self._step_cycle = self.clock.cycle
        self._scan_when_due()

    def _scan_when_due(self) -> None:
        if self.state.scan_pending and not self._scan_busy:
            self._scan_busy = True
            self.clock.after(1, self._scan_begin)

    def _scan_begin(self) -> None:
        self.state.scan_begin()
        self._scan_begin_cycle = self.clock.cycle
        self.first_decision_cycles = 0
        self.clock.after(self.timing.scan_start - 1, lambda: self._scan_chunk(0))

    def _scan_chunk(self, first: int) -> None:
        rows = min(self.timing.scan_chunk, self.state.rows - first)
        scored = self.state.scan_rows(first, rows)
        if not self.first_decision_cycles and scored.accepted.any():
            row = first + int(np.argmax(scored.accepted)) // self.state.lanes
            begun = self._scan_begin_cycle - self._step_cycle + self.timing.scan_start - 1
            self.first_decision_cycles = begun + row + self.timing.decision
        last = first + rows
        if last < self.state.rows:
            self.clock.after(rows, lambda: self._scan_chunk(last))
        else:
            self.clock.after(rows + self.timing.scan_tail, self._scan_end)
        self._kick()

    def _scan_end(self) -> None:
        self.state.scan_end()
        self.scan_cycles = self.clock.cycle - self._scan_begin_cycle + 1
        self.clock.after(self.timing.scan_gap, self._scan_free)

    def _scan_free(self) -> None:
        self._scan_busy = False
        self._scan_when_due()

    def _kick(self) -> None:
        self.dma.kick()
