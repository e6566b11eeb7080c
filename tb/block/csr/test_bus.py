"""The AXI4-Lite side under load: any order of AW and W, many pending, responses held up (device.md 10)."""

import cocotb

from sw.regs import registers as regs
from tb.block.axil import ReadAccess, WriteAccess, response_name
from tb.block.csr.bench import BAR0_BYTES, Bench, name
from tb.harness.base_test import Context, kv_test

POPPING = (regs.MISS_ADDR.offset, regs.COMPLETION_ADDR.offset)


def _write(ctx: Context, delays: tuple[int, int, int]) -> WriteAccess:
    rng = ctx.rng
    register = rng.choice(regs.REGISTERS)
    offset = register.offset
    if rng.randrange(10) == 0:
        offset = rng.choice((offset + rng.randrange(1, 8), rng.randrange(0, BAR0_BYTES, 8), rng.getrandbits(16)))
    if offset == regs.CTRL.offset:
        offset = regs.WEIGHT_R.offset  # a soft reset has a test of its own
    data = rng.choice((rng.getrandbits(64), rng.randrange(1, 2000), rng.getrandbits(16) << 16 | rng.getrandbits(8)))
    strb = rng.getrandbits(8) if rng.randrange(10) == 0 else 0xFF
    aw, w, b = rng.randrange(delays[0] + 1), rng.randrange(delays[1] + 1), rng.randrange(-1, delays[2] + 1)
    return WriteAccess(offset, data, strb, aw, w, b)


async def _random_writes(ctx: Context, count: int, delays: tuple[int, int, int]) -> Bench:
    bench = await Bench.start(ctx)
    accesses = [_write(ctx, delays) for _ in range(count)]
    expected = [bench.rules.write(access.addr, access.data, access.strb) for access in accesses]
    channel = ctx.channel("writes")
    channel.sent(count)
    responses = await bench.bus.writes(accesses)
    for access, wanted, seen in zip(accesses, expected, responses, strict=True):
        channel.received()
        ctx.compare(
            "write of BAR0: BRESP",
            response_name(wanted),
            response_name(seen),
            register=name(access.addr),
            data=hex(access.data),
            strobes=hex(access.strb),
        )
    await bench.check_all()
    return bench


@kv_test(timeout_cycles=200_000)
async def test_writes_back_to_back(ctx: Context) -> None:
    """No pause on any channel, responses taken at once."""
    await _random_writes(ctx, 1500, (0, 0, -1))


@kv_test(timeout_cycles=200_000)
async def test_writes_any_order(ctx: Context) -> None:
    """AW before W, W before AW, responses held up."""
    await _random_writes(ctx, 800, (6, 6, 9))


@kv_test(timeout_cycles=300_000)
async def test_reads_and_writes_together(ctx: Context) -> None:
    """Reads never disturb writes and the other way round; every access is answered, each channel in its order."""
    bench, rng = await Bench.start(ctx), ctx.rng
    writes = [_write(ctx, (3, 3, 4)) for _ in range(600)]
    touched = {access.addr for access in writes} | {regs.THRESHOLDS.offset, regs.EVICT_THRESH.offset}
    touched |= {regs.PREFETCH_THRESH.offset, regs.STEP_ADVANCE.offset}
    reads = []
    for _ in range(900):
        offset = rng.choice((rng.choice(regs.REGISTERS).offset, rng.randrange(0, BAR0_BYTES), rng.getrandbits(16)))
        if offset not in POPPING:
            reads.append(ReadAccess(offset, rng.randrange(4), rng.randrange(-1, 5)))
    before = dict(bench.rules.values)
    expected_reads = [bench.rules.read(access.addr) for access in reads]
    expected_writes = [bench.rules.write(access.addr, access.data, access.strb) for access in writes]
    writing = cocotb.start_soon(bench.bus.writes(writes))
    answers = await bench.bus.reads(reads)
    for access, expected, (data, response) in zip(reads, expected_reads, answers, strict=True):
        if expected is None:
            continue
        ctx.compare(
            "read of BAR0: RRESP", response_name(expected[1]), response_name(response), register=name(access.addr)
        )
        register = regs.BY_OFFSET.get(access.addr)
        if register is None or access.addr not in touched:
            ctx.compare("read of BAR0: RDATA", hex(expected[0]), hex(data), register=name(access.addr))
    responses = await writing
    for write, wanted, seen in zip(writes, expected_writes, responses, strict=True):
        ctx.compare(
            "write of BAR0: BRESP",
            response_name(wanted),
            response_name(seen),
            register=name(write.addr),
            data=hex(write.data),
            strobes=hex(write.strb),
        )
    ctx.compare("registers were written meanwhile", True, before != bench.rules.values)
    await bench.check_all()
