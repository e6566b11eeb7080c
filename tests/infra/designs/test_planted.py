"""Tests with one planted defect each; the self-tests want every one of them red."""

import logging
import random
import time
from typing import Any

import cocotb
import numpy as np
import pyuvm
from cocotb.triggers import RisingEdge, Timer
from pyuvm import uvm_component

from tb.harness.base_test import Context, KvUvmTest, context, kv_test


def good(ctx: Context) -> None:
    """What a passing test has at least."""
    ctx.transaction()
    ctx.compare("nothing", 0, 0)


async def out_of_reset(ctx: Context) -> None:
    """Wait until the HDL clock's reset is released, and an edge more."""
    await RisingEdge(ctx.dut.rst_n)
    await RisingEdge(ctx.dut.clk)


@kv_test
async def rtl_error(ctx: Context) -> None:
    good(ctx)
    await out_of_reset(ctx)
    ctx.dut.fire_error.value = 1
    await ctx.cycles(10)


@kv_test
async def rtl_assertion(ctx: Context) -> None:
    good(ctx)
    await out_of_reset(ctx)
    ctx.dut.fire_assert.value = 1
    await ctx.cycles(10)


@cocotb.test(skip=True)
async def skipped(dut: Any) -> None:
    """Skipped, so it shows nothing."""


@cocotb.test()
async def bare_cocotb(dut: Any) -> None:
    """Passes for cocotb, counts nothing."""
    await Timer(1, "ns")


@kv_test
async def mismatch(ctx: Context) -> None:
    await out_of_reset(ctx)
    ctx.transaction()
    ctx.compare("SCORE", 100, 0x7F, entry=12, lane=3)


@kv_test
async def mismatch_array(ctx: Context) -> None:
    await out_of_reset(ctx)
    ctx.transaction()
    ctx.compare_array("SCORE", [1, 2, 3, 4], [1, 2, 9, 8], index="entry")


@kv_test
async def no_comparison(ctx: Context) -> None:
    ctx.transaction()
    await ctx.cycles(1)


@kv_test
async def no_transaction(ctx: Context) -> None:
    ctx.compare("nothing", 0, 0)
    await ctx.cycles(1)


@kv_test
async def lost_response(ctx: Context) -> None:
    good(ctx)
    channel = ctx.channel("lookup responses")
    channel.sent(3)
    channel.received(2)


@kv_test
async def empty_channel(ctx: Context) -> None:
    good(ctx)
    ctx.channel("lookup responses")


@kv_test
async def not_drained(ctx: Context) -> None:
    good(ctx)
    ctx.on_drain("dma queue", lambda: 2)


@kv_test
async def end_check_fails(ctx: Context) -> None:
    good(ctx)
    ctx.on_end("final state", lambda: ctx.compare("FREE_SLOTS", 7, 6, tier=1))


@kv_test
async def logs_error(ctx: Context) -> None:
    good(ctx)
    logging.getLogger("some.component").error("planted error record")


@kv_test
async def expects_error(ctx: Context) -> None:
    """Passes: the error is declared."""
    good(ctx)
    with ctx.expect_error("planted"):
        logging.getLogger("some.component").error("planted error record")


@kv_test
async def expects_missing_error(ctx: Context) -> None:
    good(ctx)
    with ctx.expect_error("planted"):
        pass


@kv_test
async def task_fails(ctx: Context) -> None:
    """The failure is in a task that is not awaited."""
    good(ctx)

    async def child() -> None:
        await ctx.cycles(5)
        raise ValueError("planted in a task")

    cocotb.start_soon(child())
    await ctx.cycles(100)


@kv_test(timeout_cycles=100_000, no_progress_cycles=300)
async def waits_for_ever(ctx: Context) -> None:
    good(ctx)
    with ctx.waiting("driver", "STEP done"):
        await ctx.wait(RisingEdge(ctx.dut.batch_done), who="lookup port 0", what="rsp_valid_o")


@kv_test(timeout_cycles=500, no_progress_cycles=400)
async def runs_for_ever(ctx: Context) -> None:
    while True:
        good(ctx)
        await ctx.cycles(10)


@kv_test
async def hangs_in_python(ctx: Context) -> None:
    good(ctx)
    time.sleep(600)


@kv_test
async def random_failure(ctx: Context) -> None:
    """Fails at a cycle and with a value that only the seed decides."""
    await out_of_reset(ctx)
    ctx.transaction()
    await ctx.cycles(ctx.rng.randrange(10, 5000))
    ctx.compare("random value", 0, (random.randrange(1 << 30) << 1) + 1, initial=int(ctx.dut.uninitialised.value))


@kv_test
async def numpy_failure(ctx: Context) -> None:
    """Fails with a value of NumPy's global generator, which only the seed decides."""
    good(ctx)
    ctx.compare("random value", -1, int(np.random.randint(1 << 30)))


@kv_test
class UvmNoObjection(KvUvmTest):
    async def run_phase(self) -> None:
        good(self.ctx)


@kv_test
class UvmLoggerError(KvUvmTest):
    async def body(self) -> None:
        good(self.ctx)
        self.logger.error("planted logger error")


class _LateChecker(uvm_component):  # type: ignore[misc]
    """Looks at the result some cycles after the test's body is done."""

    async def run_phase(self) -> None:
        await context().cycles(20)
        context().compare("late value", 1, 2)


@kv_test
class UvmLateAssert(KvUvmTest):
    def build_phase(self) -> None:
        super().build_phase()
        self.checker = _LateChecker("checker", self)

    async def body(self) -> None:
        good(self.ctx)


@kv_test
class UvmCheckPhase(KvUvmTest):
    async def body(self) -> None:
        good(self.ctx)

    def check_phase(self) -> None:
        self.ctx.compare("count at check_phase", 3, 4)


@pyuvm.test  # without parentheses: pyuvm drops the test without a word
class UvmDropped(KvUvmTest):
    async def body(self) -> None:
        good(self.ctx)
