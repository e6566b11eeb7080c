"""The driver through the UART pins of the board top: the smoke sequence, outcome by outcome as on the device model."""

from typing import Any

from fpga import smoke
from model.device import DeviceModel
from sw.driver import Driver
from sw.run import run
from sw.transport.model import ModelTransport
from sw.transport.serial import SerialTransport
from tb.board.pins import PinLink
from tb.harness.base_test import Context, kv_test

# The time limit of the driver, counted in simulated time, in which a request takes some 50 microseconds.
TIMEOUT_NS = 20_000_000


async def board_test(ctx: Context, name: str) -> None:
    """Run one smoke test on the pins and on the model of a device of the same size."""
    link = PinLink(ctx)
    await link.press()
    transport = await SerialTransport.connect(link, TIMEOUT_NS)
    driver = await Driver.probe(transport, TIMEOUT_NS)
    seen = await smoke.run_test(name, driver, transport)
    other = ModelTransport(_model(driver))
    expected: dict[str, Any] = run(smoke.run_test(name, run(Driver.probe(other)), other))
    for subject, outcome in expected.items():
        ctx.compare(f"{name}: {subject}", outcome, seen[subject])


def _model(driver: Driver) -> DeviceModel:
    caps = driver.caps
    return DeviceModel(
        entries=caps.entries,
        lanes=caps.lanes,
        ports=caps.ports,
        block_tokens=caps.block_tokens,
        axi_data_width=caps.axi_data_width,
    )


@kv_test(timeout_cycles=20_000_000, no_progress_cycles=1_000_000)
async def test_registers(ctx: Context) -> None:
    """The published sequence reads back; refused accesses are refused, and stop a batch."""
    await board_test(ctx, "registers")


@kv_test(timeout_cycles=20_000_000, no_progress_cycles=1_000_000)
async def test_directory(ctx: Context) -> None:
    """INSERT, LOOKUP, REMOVE, FREE_REQUEST, the window."""
    await board_test(ctx, "directory")


@kv_test(timeout_cycles=20_000_000, no_progress_cycles=1_000_000)
async def test_lookups(ctx: Context) -> None:
    """Reads, a write that makes a block grow, a miss, a denial."""
    await board_test(ctx, "lookups")


@kv_test(timeout_cycles=20_000_000, no_progress_cycles=1_000_000)
async def test_moves(ctx: Context) -> None:
    """Moves between all tiers, with their bytes, and their completions by interrupt."""
    await board_test(ctx, "moves")


@kv_test(timeout_cycles=20_000_000, no_progress_cycles=1_000_000)
async def test_steps(ctx: Context) -> None:
    """Scans: scores, decay, evictions by threshold, the fence."""
    await board_test(ctx, "steps")
