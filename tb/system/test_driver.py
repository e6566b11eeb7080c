"""The driver on the RTL: the same calls give the same outcomes as on the golden device model."""

from sw.driver import Driver
from sw.run import run
from sw.transport.model import ModelTransport
from tb.harness.base_test import Context, kv_test
from tb.harness.bench import Bench
from tb.harness.transport import RtlTransport
from tb.scoreboard.scoreboard import Scoreboard
from tb.system.driver_scenario import Outcome, commands, published, setup
from tb.system.model import same_model


def _compare(ctx: Context, expected: Outcome, seen: Outcome) -> None:
    for subject, outcome in expected.items():
        ctx.compare(subject, outcome, seen[subject])


@kv_test(timeout_cycles=2_000_000)
async def test_published_sequence(ctx: Context) -> None:
    """Step 128, HOT, EVICT, PREFETCH, SHARE, weights and thresholds at the fixed offsets; everything reads back."""
    bench = Bench(ctx)
    board = Scoreboard(ctx, bench)
    await bench.reset()
    transport = RtlTransport(bench)
    seen = await published(await Driver.probe(transport))
    ctx.compare("registers read back", seen["registers expected"], seen["registers read back"])
    ctx.compare("HOT of length 0 refused", True, seen["HOT of length 0 refused"])
    model = run(Driver.probe(ModelTransport(same_model(ctx))))
    _compare(ctx, run(published(model)), seen)
    await board.finish()


@kv_test(timeout_cycles=2_000_000)
async def test_driver(ctx: Context) -> None:
    """Every driver call against the RTL, checked by the scoreboard, and against the model, outcome by outcome."""
    bench = Bench(ctx)
    board = Scoreboard(ctx, bench)
    bench.link.fill_inserts(0)  # the scenario writes the bytes itself
    await bench.reset()
    transport = RtlTransport(bench)
    driver = await Driver.probe(transport)
    await setup(driver)
    seen = await commands(driver, transport)
    other = ModelTransport(same_model(ctx))
    model = run(Driver.probe(other))
    run(setup(model))
    _compare(ctx, run(commands(model, other)), seen)
    await board.finish()
