"""The shortest way through everything: insert, look up, step, move, remove."""

from sw.regs import registers as regs
from tb.env.registers import IRQ_COMMAND_DONE, Registers, kv
from tb.harness.base_test import Context, kv_test
from tb.harness.bench import Bench
from tb.scoreboard.scoreboard import Scoreboard


@kv_test(timeout_cycles=400_000)
async def test_smoke(ctx: Context) -> None:
    """Without pyuvm, in the order in which a newcomer would try things."""
    bench = Bench(ctx)
    board = Scoreboard(ctx, bench)
    r = Registers(bench)
    await bench.reset()
    await r.wait_initialised()
    await r.tiers([64, 64, 128, 256], block_bytes=512)
    await r.write(IRQ_ENABLE=IRQ_COMMAND_DONE, CTRL=1)
    board.drain()
    blocks = [(kv(1 + i // 16, (i % 16) * bench.block_tokens), 1 + i % bench.block_tokens, i % 4) for i in range(96)]
    results = await r.insert_many(blocks)
    board.drain()
    assert all(x.status == regs.Status.OK for x in results), results
    for port in range(bench.ports):
        await bench.lookups(port, [b[0] for b in blocks[port::2]], [i % 2 for i in range(len(blocks[port::2]))])
    board.drain()
    await r.step(1)
    board.drain()
    await r.write(EVICT_THRESH=0x8000, EVICT_TIERS=7)
    for step in range(2, 8):
        await r.step(step)
        await bench.cycles(500)
        board.drain()
    await r.range("BOOST", kv(2, 0), 64)
    await r.range("SHARE", kv(1, 16), 64)
    await r.range("IMEVICT", kv(2, 0), 256)
    await r.range("PREFETCH", kv(3, 0), 256, 9)
    await r.step(9)
    await r.wait_idle()
    board.drain()
    await board.finish()
