"""The serial pins of a simulated board as the link of a `SerialTransport`."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.simtime import get_sim_time
from cocotb.triggers import Event, FallingEdge, First, Timer

from tb.harness.base_test import Context

BAUD = 3_000_000
_PS = 10**12


class PinLink:
    """Bits on `rx` and from `tx` of tb_board_top, at the baud rate; use after `press`."""

    def __init__(self, ctx: Context, baud: int = BAUD) -> None:
        """Both lines idle; a task listens to `tx` from now on."""
        self._ctx = ctx
        self._dut: Any = ctx.dut
        self._bit_ps = _PS // baud
        self._received = bytearray()
        self._came = Event()
        self._dut.rx.value = 1
        self._dut.hold_button.value = 0
        cocotb.start_soon(self._listen(), name="serial line to the host")

    async def press(self) -> None:
        """Hold the reset button for a while."""
        self._dut.hold_button.value = 1
        await self._ctx.cycles(20)
        self._dut.hold_button.value = 0
        await self._ctx.cycles(20)

    async def _listen(self) -> None:
        await Timer(self._bit_ps, "ps")  # the pin has no value before the first reset
        while True:
            await FallingEdge(self._dut.tx)
            await Timer(self._bit_ps // 2, "ps")
            if self._dut.tx.value != 0:
                continue  # a glitch of the reset
            byte = 0
            for bit in range(8):
                await Timer(self._bit_ps, "ps")
                byte |= int(self._dut.tx.value) << bit
            await Timer(self._bit_ps, "ps")
            self._ctx.compare("stop bit", 1, int(self._dut.tx.value))
            self._received.append(byte)
            self._came.set()

    def now(self) -> int:
        """Simulated time in ns."""
        return int(get_sim_time("ps")) // 1000

    async def sleep(self, ns: int) -> None:
        """Let simulated time pass."""
        await Timer(ns, "ns")

    async def send(self, data: bytes) -> None:
        """Send bytes back to back; returns after the last stop bit."""
        for byte in data:
            for bit in (0, *(byte >> i & 1 for i in range(8)), 1):
                self._dut.rx.value = bit
                await Timer(self._bit_ps, "ps")
        self._ctx.transaction(len(data))

    async def receive(self, timeout_ns: int) -> bytes:
        """Bytes that are there, or the first to come within `timeout_ns`."""
        if not self._received and timeout_ns > 0:
            self._came.clear()
            with self._ctx.waiting("host", "bytes from the board"):
                await First(self._came.wait(), Timer(timeout_ns, "ns"))
        data = bytes(self._received)
        self._received.clear()
        return data
