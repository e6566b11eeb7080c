"""BAR0 at pin level: cocotb-bus's AXI4-Lite master, and an agent of our own for what it does not support.

Both offer `run(accesses, stop_on_refused)` as the fast transactor does, so that a test runs on any of the three
(`Bench.pins`). The clock is made in HDL: after a rising edge Python sees the values after it, so a handshake is seen
at the falling edge before the rising edge that makes it.
"""

from collections import deque
from typing import Any

import cocotb
from cocotb.triggers import Event, FallingEdge, ReadOnly, RisingEdge
from cocotb_bus.drivers.amba import AXI4LiteMaster, AXIProtocolError

from tb.harness.bench import Bench
from tb.harness.link import OKAY, READ, SLVERR, WAIT_IRQ, WRITE, Array

RESPONSE_LIMIT = 2000  # cycles


async def _wait_kind(bench: Bench, access: Any) -> None:
    """A wait inside a batch, polled at the pins."""
    limit = int(access["data"])
    for _ in range(limit + 1):
        if access["kind"] == WAIT_IRQ and bench.dut.irq.value == 1:
            access["resp"] = OKAY
            return
        await RisingEdge(bench.dut.clk)
    access["resp"] = OKAY if access["kind"] != WAIT_IRQ else 0xFE


class _HdlClockMaster(AXI4LiteMaster):
    """cocotb-bus's master waits for WREADY with the values before an edge; a clock made in HDL gives those after it."""

    async def _send_write_data(  # type: ignore[no-untyped-def]
        self, address, data, burst, size, delay, byte_enable, sync
    ) -> None:
        async with self.write_data_busy:
            await RisingEdge(self.clock)
            self.bus.WDATA.value = data[0]
            self.bus.WSTRB.value = 0xFF if byte_enable[0] is None else byte_enable[0]
            self.bus.WVALID.value = 1
            await ReadOnly()
            while not self.bus.WREADY.value:
                await RisingEdge(self.clock)
                await ReadOnly()
            await RisingEdge(self.clock)
            self.bus.WVALID.value = 0


class BusMaster:
    """The adapter for cocotb-bus: one transaction in flight, OKAY or an exception."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._master = _HdlClockMaster(bench.dut, "pin", bench.dut.clk)

    async def run(self, accesses: Array, stop_on_refused: bool) -> int:
        """Run a batch; returns how many accesses were made."""
        self._bench.dut.pin_select.value = 1
        for i, access in enumerate(accesses):
            if access["kind"] not in (READ, WRITE):
                await _wait_kind(self._bench, access)
                continue
            try:
                if access["kind"] == WRITE:
                    await self._master.write(int(access["addr"]), int(access["data"]), byte_enable=int(access["strb"]))
                else:
                    access["data"] = int(await self._master.read(int(access["addr"])))
                access["resp"] = OKAY
            except AXIProtocolError:
                access["resp"] = SLVERR
                access["data"] = 0 if access["kind"] == READ else access["data"]
            if stop_on_refused and access["resp"] != OKAY:
                return i + 1
        return len(accesses)


class PinAgent:
    """Our own AXI4-Lite master: outstanding transactions, random pauses and back-pressure, time limits.

    `outstanding`: reads and writes that may wait for their responses at once. `pause256`, `stall256`: chance (of 256)
    of a pause before an address or data, and of ready being low.
    """

    def __init__(self, bench: Bench, outstanding: int = 1, pause256: int = 0, stall256: int = 0) -> None:
        self._bench, self._dut = bench, bench.dut
        self.outstanding, self.pause256, self.stall256 = outstanding, pause256, stall256
        self._rng = bench.ctx.rng
        self._aw: deque[Any] = deque()
        self._w: deque[Any] = deque()
        self._ar: deque[Any] = deque()
        self._b: deque[tuple[Any, Event]] = deque()
        self._r: deque[tuple[Any, Event]] = deque()
        self.late = 0
        for channel in ("aw", "w", "ar"):
            cocotb.start_soon(self._send(channel), name=f"pin agent {channel}")
        for channel in ("b", "r"):
            cocotb.start_soon(self._receive(channel), name=f"pin agent {channel}")

    def _chance(self, per256: int) -> bool:
        return per256 > 0 and self._rng.randrange(256) < per256

    def _put(self, channel: str, access: Any) -> None:
        dut = self._dut
        if channel == "w":
            dut.pin_wdata.value = int(access["data"])
            dut.pin_wstrb.value = int(access["strb"])
        else:
            getattr(dut, f"pin_{channel}addr").value = int(access["addr"])

    async def _send(self, channel: str) -> None:
        queue = getattr(self, f"_{channel}")
        valid, ready = getattr(self._dut, f"pin_{channel}valid"), getattr(self._dut, f"pin_{channel}ready")
        while True:
            await RisingEdge(self._dut.clk)
            if not queue or self._chance(self.pause256):
                continue
            self._put(channel, queue.popleft())
            valid.value = 1
            await FallingEdge(self._dut.clk)
            while not ready.value:
                await FallingEdge(self._dut.clk)
            await RisingEdge(self._dut.clk)
            valid.value = 0

    async def _receive(self, channel: str) -> None:
        waiting = getattr(self, f"_{channel}")
        valid, ready = getattr(self._dut, f"pin_{channel}valid"), getattr(self._dut, f"pin_{channel}ready")
        while True:
            await RisingEdge(self._dut.clk)
            ready.value = int(not self._chance(self.stall256))
            await FallingEdge(self._dut.clk)
            if not (valid.value and ready.value and self._dut.pin_select.value):
                continue
            if not waiting:
                self._bench.ctx.fail(
                    AssertionError(f"BAR0 {channel}: expected no response without a request, seen one")
                )
            access, done = waiting.popleft()
            access["resp"] = int(getattr(self._dut, f"pin_{channel}resp").value)
            if channel == "r":
                access["data"] = int(self._dut.pin_rdata.value)
            done.set()

    def _begin(self, access: Any) -> Event:
        done = Event()
        if access["kind"] == WRITE:
            self._b.append((access, done))
            self._aw.append(access)
            self._w.append(access)
        else:
            self._r.append((access, done))
            self._ar.append(access)
        return done

    async def run(self, accesses: Array, stop_on_refused: bool) -> int:
        """Run a batch; with `stop_on_refused` one access after another, else up to `outstanding` at once.

        Reads and writes are never under way together: their order would be the device's choice.
        """
        self._dut.pin_select.value = 1
        open_ones: deque[tuple[Any, Event]] = deque()
        limit = 1 if stop_on_refused else self.outstanding
        for i, access in enumerate(accesses):
            if access["kind"] not in (READ, WRITE):
                await self._finish(open_ones, 0)
                await _wait_kind(self._bench, access)
                continue
            if open_ones and open_ones[-1][0]["kind"] != access["kind"]:
                await self._finish(open_ones, 0)
            open_ones.append((access, self._begin(access)))
            await self._finish(open_ones, limit - 1)
            if stop_on_refused and access["resp"] != OKAY:
                return i + 1
        await self._finish(open_ones, 0)
        return len(accesses)

    async def _finish(self, open_ones: deque[tuple[Any, Event]], leave: int) -> None:
        while len(open_ones) > leave:
            access, done = open_ones.popleft()
            begun = self._bench.cycle
            while not done.is_set():
                if self._bench.cycle - begun > RESPONSE_LIMIT:
                    self._bench.ctx.fail(
                        AssertionError(f"BAR0 at {int(access['addr']):#06x}: no response in {RESPONSE_LIMIT} cycles")
                    )
                await RisingEdge(self._dut.clk)
