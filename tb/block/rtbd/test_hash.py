"""The row of a key in every bank against the model's tables (docs/microarchitecture.md 1)."""

from cocotb.triggers import ReadOnly, RisingEdge

from model.placement import Placement
from tb.block.reset import out_of_reset
from tb.harness.base_test import Context, kv_test

ROW_BITS = 14


@kv_test(timeout_cycles=20_000)
async def test_g3_every_digit_of_the_key(ctx: Context) -> None:
    """Each value of each of the key's digits, alone and among random ones, picks the model's row in every bank."""
    await out_of_reset(ctx)
    lanes, rows = ctx.parameters["LANES"], ctx.parameters["ROWS"]
    placement = Placement(lanes * rows, lanes)
    keys = [value << 4 * digit for digit in range(16) for value in range(16)] + [(1 << 64) - 1]
    keys += [ctx.rng.getrandbits(64) for _ in range(500)]
    reached = 0
    for key in keys:
        ctx.dut.key.value = key
        await ReadOnly()
        seen = [int(ctx.dut.rows.value) >> ROW_BITS * bank & (1 << ROW_BITS) - 1 for bank in range(lanes)]
        wanted = [place // lanes for place in placement.places(key)]
        ctx.compare("row in each bank", wanted, seen, key=hex(key))
        ctx.transaction()
        for row in seen:
            reached |= row
        await RisingEdge(ctx.dut.clk)
    ctx.compare("bits of a row that were 1", hex(rows - 1), hex(reached))
