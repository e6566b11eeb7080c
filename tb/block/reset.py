"""The start of every block test."""

from cocotb.triggers import RisingEdge

from tb.harness.base_test import Context


async def out_of_reset(ctx: Context) -> None:
    """Wait for the release of the clock block's reset and the clock edge after it."""
    await ctx.wait(RisingEdge(ctx.dut.rst_n), who="test", what="end of reset")
    await RisingEdge(ctx.dut.clk)
