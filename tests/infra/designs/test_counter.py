"""Tests of the counter: the infrastructure's proof that a good test passes."""

import ctypes

import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from tb.harness.base_test import Context, KvUvmTest, kv_test


async def out_of_reset(ctx: Context) -> None:
    """Wait until the HDL clock's reset is released."""
    await ctx.wait(RisingEdge(ctx.dut.rst_n), who="test", what="end of reset")


@kv_test(timeout_cycles=2_000, no_progress_cycles=500)
async def counts(ctx: Context) -> None:
    """Random steps through the pins; the model is a sum."""
    dut = ctx.dut
    await out_of_reset(ctx)
    width = ctx.parameters["Width"]
    total = 0
    steps = ctx.channel("steps")
    for _ in range(50):
        step = ctx.rng.randrange(1 << width)
        dut.step.value, dut.en.value = step, 1
        steps.sent()
        ctx.transaction()
        await RisingEdge(dut.clk)
        total = (total + step) % (1 << width)
        ctx.compare("count", total, int(dut.count.value))
        steps.received()


@kv_test(timeout_cycles=2_000, no_progress_cycles=500)
async def timing_model(ctx: Context) -> None:
    """After RisingEdge of the HDL clock Python reads the new value; what it then writes counts one edge later."""
    dut = ctx.dut
    await out_of_reset(ctx)
    await RisingEdge(dut.clk)
    before = int(dut.count.value)
    dut.step.value, dut.en.value = 1, 1
    await FallingEdge(dut.clk)
    ctx.compare("count before the edge that samples", before, int(dut.count.value))
    await RisingEdge(dut.clk)
    ctx.compare("count read right after the edge", before + 1, int(dut.count.value))
    dut.en.value = 0
    await RisingEdge(dut.clk)
    ctx.compare("count after en was taken away", before + 1, int(dut.count.value))
    ctx.compare("cycle of the context", int(dut.cycle.value), ctx.cycle)
    ctx.transaction(3)


@kv_test(timeout_cycles=5_000, no_progress_cycles=2_000)
async def dpi_queue(ctx: Context) -> None:
    """Steps handed over as one NumPy array through ctypes; Python wakes once, on an HDL event."""
    dut = ctx.dut
    process = ctypes.CDLL(None)
    steps = ctx.np_rng.integers(0, 200, 1000, dtype=np.uint32)
    await out_of_reset(ctx)
    process.counter_push(steps.ctypes.data_as(ctypes.c_void_p), ctypes.c_uint32(steps.size))
    ctx.transaction(steps.size)
    dut.from_queue.value = 1
    await ctx.wait(RisingEdge(dut.batch_done), who="test", what="batch_done")
    ctx.compare("count", int(steps.sum()) % 256, int(dut.count.value))


@kv_test(timeout_cycles=2_000)
async def initial_value(ctx: Context) -> None:
    """Prints what an uninitialised register starts with, for the self-test that compares seeds."""
    await Timer(1, "ns")
    print(f"uninitialised={int(ctx.dut.uninitialised.value):#x} random={ctx.rng.random()}")
    ctx.transaction()
    ctx.compare("seed", ctx.seed, int(ctx.seed))


@kv_test(timeout_cycles=2_000)
class UvmCounts(KvUvmTest):
    """The same counter under pyuvm."""

    async def body(self) -> None:
        """Ten fixed steps."""
        dut = self.ctx.dut
        await out_of_reset(self.ctx)
        dut.step.value, dut.en.value = 3, 1
        for i in range(10):
            await RisingEdge(dut.clk)
            self.ctx.transaction()
            self.ctx.compare("count", 3 * (i + 1), int(dut.count.value))
