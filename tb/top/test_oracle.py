"""The RTL against the second reading of the contract (tests/oracle), which knows neither the RTL nor the model."""

from sw.transport.base import TransportError
from tb.harness.base_test import Context, kv_test
from tb.harness.bench import Bench
from tb.harness.transport import RtlTransport
from tests.oracle import stream
from tests.oracle.compare import Comparison, Difference
from tests.oracle.state import Sizes

STREAMS = 6
LENGTH = 60  # operations of a stream after its set-up


async def _difference(bench: Bench, sizes: Sizes, ops: list[stream.Op]) -> str:
    """Reset the device and run a stream: what differs, or nothing."""
    await bench.reset()
    comparison = Comparison(RtlTransport(bench), sizes)
    try:
        await comparison.run(ops)
        await comparison.check_window()
    except (Difference, TransportError) as error:
        return str(error)
    return ""


@kv_test(timeout_cycles=20_000_000)
async def test_streams(ctx: Context) -> None:
    """Random command streams through MMIO and the ports; every value that software can read is the oracle's."""
    bench = Bench(ctx)
    bench.link.fill_inserts(0)  # the comparison writes the bytes of the blocks itself
    sizes = Sizes(bench.entries, bench.lanes, bench.ports, bench.block_tokens)
    for number in range(int(ctx.settings.get("streams", STREAMS))):
        seed = ctx.seed + number
        ops = stream.make(seed, sizes, LENGTH)
        seen = await _difference(bench, sizes, ops)
        ctx.compare(f"difference to the oracle in the stream of seed {seed}", "", seen)
