"""An AXI4-Lite master for block tests: each channel on its own, with the delays the test asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tb.harness.base_test import Context

OKAY, SLVERR = 0, 2


def response_name(response: int) -> str:
    """A response by its name."""
    return {OKAY: "OKAY", SLVERR: "SLVERR"}.get(response, f"response {response}")


@dataclass(frozen=True)
class WriteAccess:
    """A write; delays in cycles before each channel's valid (B: before its ready, -1: ready before valid)."""

    addr: int
    data: int
    strb: int = 0xFF
    aw_delay: int = 0
    w_delay: int = 0
    b_delay: int = 0


@dataclass(frozen=True)
class ReadAccess:
    """A read; delays in cycles before the channel's valid (R: before its ready, -1: ready before valid)."""

    addr: int
    ar_delay: int = 0
    r_delay: int = 0


class AxilMaster:
    """Drives signals `awaddr`, `awvalid`, ... of the testbench top; several accesses may be under way."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.dut = ctx.dut
        self._b_resp = self._r_resp = self._r_data = 0

    async def write(self, addr: int, data: int, strb: int = 0xFF, **delays: int) -> int:
        """One write; returns the response."""
        return (await self.writes([WriteAccess(addr, data, strb, **delays)]))[0]

    async def read(self, addr: int, **delays: int) -> tuple[int, int]:
        """One read; returns data and response."""
        return (await self.reads([ReadAccess(addr, **delays)]))[0]

    async def writes(self, accesses: Sequence[WriteAccess]) -> list[int]:
        """Writes, each channel going ahead as far as the device lets it; responses in order."""
        address = cocotb.start_soon(self._addresses(accesses))
        data = cocotb.start_soon(self._data(accesses))
        responses = []
        for access in accesses:
            await self._wait_ready("bready", "bvalid", access.b_delay, "B")
            responses.append(self._b_resp)
            self.ctx.transaction()
        await address
        await data
        return responses

    async def reads(self, accesses: Sequence[ReadAccess]) -> list[tuple[int, int]]:
        """Reads, requests going ahead as far as the device lets them; data and responses in order."""
        requests = cocotb.start_soon(self._requests(accesses))
        answers = []
        for access in accesses:
            await self._wait_ready("rready", "rvalid", access.r_delay, "R")
            answers.append((self._r_data, self._r_resp))
            self.ctx.transaction()
        await requests
        return answers

    async def _addresses(self, accesses: Sequence[WriteAccess]) -> None:
        for access in accesses:
            await self._cycles(access.aw_delay)
            self.dut.awaddr.value = access.addr
            await self._valid("awvalid", "awready", "AW")

    async def _data(self, accesses: Sequence[WriteAccess]) -> None:
        for access in accesses:
            await self._cycles(access.w_delay)
            self.dut.wdata.value = access.data
            self.dut.wstrb.value = access.strb
            await self._valid("wvalid", "wready", "W")

    async def _requests(self, accesses: Sequence[ReadAccess]) -> None:
        for access in accesses:
            await self._cycles(access.ar_delay)
            self.dut.araddr.value = access.addr
            await self._valid("arvalid", "arready", "AR")

    async def _cycles(self, count: int) -> None:
        for _ in range(count):
            await RisingEdge(self.dut.clk)

    async def _valid(self, valid: str, ready: str, channel: str) -> None:
        """Raise valid until a clock edge meets ready."""
        signal: Any = getattr(self.dut, valid)
        signal.value = 1
        with self.ctx.waiting(f"AXI4-Lite {channel}", ready):
            while True:
                taken = int(getattr(self.dut, ready).value)
                await RisingEdge(self.dut.clk)
                if taken:
                    break
        signal.value = 0

    async def _wait_ready(self, ready: str, valid: str, delay: int, channel: str) -> None:
        """Take one response, ready `delay` cycles after its valid (-1: before it)."""
        signal: Any = getattr(self.dut, ready)
        if delay < 0:
            signal.value = 1
        with self.ctx.waiting(f"AXI4-Lite {channel}", valid):
            while not int(getattr(self.dut, valid).value):
                await RisingEdge(self.dut.clk)
        await self._cycles(max(0, delay))
        if channel == "B":
            self._b_resp = int(self.dut.bresp.value)
        else:
            self._r_data, self._r_resp = int(self.dut.rdata.value), int(self.dut.rresp.value)
        signal.value = 1
        await RisingEdge(self.dut.clk)
        signal.value = 0
