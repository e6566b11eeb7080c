"""The DMA between a stand-in for the directory and AXI4 memories (device.md 6)."""

from itertools import pairwise

from cocotb.triggers import RisingEdge

from tb.block.dma.bench import EVICT, PREFETCH, Bench
from tb.block.dma.items import Chances, Item
from tb.harness.base_test import Context, kv_test
from tb.harness.link import DECERR, SLVERR

ALL_TIERS = 0b1111
FOREVER = 0xFFFF_FFFF
EVERYWHERE = (0, (1 << 64) - 1)
ID_LIST_CYCLES = 70  # after a reset, until the lists of free ids are filled


def rough_memory(bench: Bench) -> None:
    """Random latencies, stalls, reordering and interleaving."""
    rng = bench.rng
    for tier in range(4):
        latencies, jitters = (rng.randrange(2, 60), rng.randrange(2, 60)), (rng.randrange(40), rng.randrange(40))
        bench.link.axi_timing(tier, *latencies, *jitters, 256, 256)
    bench.link.axi_port(*(rng.choice((0, 0, 40, 128, 160)) for _ in range(5)), 128, rng.choice((0, 100, 256)), 60, 120)
    bench.dut.op_stall256.value = rng.choice((0, 64, 200))


def bytes_of(ctx: Context, beats: int) -> int:
    """Block bytes of so many beats."""
    return beats * int(ctx.parameters["AXI_DATA_WIDTH"]) // 8


def errors(bench: Bench, write: int, per256: int, resp: int) -> None:
    """Answer a share of the bursts of one side with an error."""
    bench.link.axi_error(ALL_TIERS, write, *EVERYWHERE, FOREVER, per256, resp)


@kv_test(timeout_cycles=900_000)
async def test_copies(ctx: Context) -> None:
    """Blocks of many sizes move through rough memories and arrive whole; every item completes once."""
    bench = Bench(ctx)
    sizes = [256, 320, 512, 4032, 4096, 4160, 8192, 65536]
    ctx.rng.shuffle(sizes)
    await bench.begin(sizes[0], blocks=60, slots=40)
    for size in sizes:
        await bench.settled()
        bench.configure(size, blocks=60, slots=40)
        await RisingEdge(ctx.dut.clk)
        rough_memory(bench)
        await bench.traffic(max(4, min(80, 16 * bytes_of(ctx, 1024) // size)), depth=ctx.rng.choice((1, 8, 60)))
        bad, _, text = bench.link.memory_compare()
        ctx.compare("differing pages of tier memory", 0, bad, block_bytes=size, first=text or "none")
    print(bench.traffic_line())


@kv_test(timeout_cycles=400_000)
async def test_ends(ctx: Context) -> None:
    """Blocks gone, no slot, write lookups and removals at any moment of a move, references at the commit."""
    bench = Bench(ctx)
    bench.chances = Chances(
        gone_at_start=0.1, no_slot=0.1, put_off=0.1, void=0.3, removed=0.2, referenced_at_commit=0.1
    )
    await bench.begin(bytes_of(ctx, 32), blocks=80, slots=60)
    for _ in range(4):
        rough_memory(bench)
        await bench.traffic(200)
    ctx.compare("statuses seen", 4, len(bench.ends), seen=dict(bench.ends))
    print(bench.traffic_line())


@kv_test(timeout_cycles=600_000)
async def test_errors(ctx: Context) -> None:
    """SLVERR and DECERR on both sides, with every MAX_RETRY of interest, while blocks come and go."""
    bench = Bench(ctx)
    await bench.begin(bytes_of(ctx, 72), blocks=60, slots=30)
    for side, resp in ((0, SLVERR), (1, DECERR), (0, DECERR), (1, SLVERR)):
        await bench.settled()
        bench.side = side
        bench.max_retry = ctx.rng.choice((0, 1, 2, 3, 7))
        bench.link.axi_clear_errors()
        errors(bench, side, 24, resp)
        rough_memory(bench)
        await bench.traffic(60)
    bench.side = None
    bench.chances = Chances(
        gone_at_retry=0.2, no_slot=0.1, put_off=0.2, void=0.2, removed=0.1, referenced_at_commit=0.1
    )
    for max_retry in (0, 3):
        await bench.settled()
        bench.max_retry = max_retry
        errors(bench, 0, 20, SLVERR)
        errors(bench, 1, 20, DECERR)
        rough_memory(bench)
        await bench.traffic(120)
    ctx.compare("statuses seen", 6, len(bench.ends), seen=dict(bench.ends))
    print(bench.traffic_line())


@kv_test(timeout_cycles=100_000)
async def test_retries_are_counted(ctx: Context) -> None:
    """A block that cannot be read is tried exactly MAX_RETRY times, 0 means once; 255 works too."""
    bench = Bench(ctx)
    await bench.begin(256, blocks=20, slots=20)
    errors(bench, 0, 256, SLVERR)
    bench.chances = Chances(put_off=0.2)
    for max_retry in (0, 1, 2, 3, 255):
        bench.max_retry = max_retry
        before = bench.tries
        item = None
        while item is None:
            item = bench.make_item(ctx.rng.choice(bench.idle_blocks()), PREFETCH)
        await bench.push(item)
        await bench.settled()
        ctx.compare("tries until ERROR", max(1, max_retry), bench.tries - before, max_retry=max_retry)


async def saturate(bench: Bench, moves: int) -> float:
    """Keep both queues filled for `moves` moves after a start-up; read beats per cycle of them."""
    ctx = bench.ctx
    total, warm = moves + 200, 100
    counted = False
    pushed = bench.pushed
    while bench.pushed - pushed < total:
        for channel in (EVICT, PREFETCH):
            if len(bench.queued[channel]) < 60:
                tier = 1 if channel == EVICT else 2
                block = next((b for b in bench.blocks if not b.in_flight and b.tier == tier), None)
                if block is not None:
                    await bench.push(Item(block, channel, tier, True, 3 - tier, 1, False))
                    continue
            await RisingEdge(ctx.dut.clk)
        done = bench.completed if bench.pushed % 16 else bench.take_records()
        if not counted and done >= warm:
            counted = True
            bench.link.axi_clear_counts()
    counts = bench.link.axi_counts()
    await bench.settled()
    return counts["read_beats"] / (counts["last_read_cycle"] - counts["first_read_cycle"] + 1)


async def utilisation(ctx: Context, name: str, block_bytes: int, target: float) -> None:
    """Both channels busy at 200 cycles to read data and 200 to the write response."""
    bench = Bench(ctx)
    await bench.begin(block_bytes, blocks=0, slots=600)
    bench.place(1, 250)
    bench.place(2, 250)
    for tier in range(4):
        bench.link.axi_timing(tier, 200, 200, 0, 0, 256, 256)
    value = await saturate(bench, 1000)
    print(f"{name} = {value:.4f} (target {target}), {bench.traffic_line()}")
    ctx.compare(f"{name} (at least {target})", round(max(value, target), 4), round(value, 4))
    a, b = bench.start_order.count(EVICT), bench.start_order.count(PREFETCH)
    limit = (a + b) // 10
    ctx.compare("difference of the channels' moves (at most 10 %)", min(limit, abs(a - b)), abs(a - b))


@kv_test(timeout_cycles=400_000)
async def test_utilisation_8k(ctx: Context) -> None:
    """dma_util_8k of targets.md."""
    await utilisation(ctx, "dma_util_8k", 8192, 0.99)


@kv_test(timeout_cycles=200_000)
async def test_utilisation_512(ctx: Context) -> None:
    """dma_util_512 of targets.md."""
    await utilisation(ctx, "dma_util_512", 512, 0.95)


@kv_test(timeout_cycles=200_000)
async def test_neither_channel_starves(ctx: Context) -> None:
    """While both queues hold items, moves start in turn; a block of the other channel waits for one move at most."""
    bench = Bench(ctx)
    await bench.begin(bytes_of(ctx, 32), blocks=160, slots=80)
    rough_memory(bench)
    await bench.traffic(400)
    both = [(cycle, channel) for cycle, channel, valid in bench.pops if valid == 0b11]
    ctx.compare("moves started while both queues held items (at least 50)", max(50, len(both)), len(both))
    pops = [(channel, valid) for _, channel, valid in bench.pops]
    for (last, _), (channel, valid) in pairwise(pops):
        if valid == 0b11:
            ctx.compare("channel after the other one, while both ask", 1 - last, channel)


@kv_test(timeout_cycles=50_000)
async def test_first_read(ctx: Context) -> None:
    """From an item at the head of an idle queue to ARVALID at most 13 cycles, 8 of them the start check's."""
    bench = Bench(ctx)
    await bench.begin(8192, blocks=20, slots=20)
    await bench.wait(ID_LIST_CYCLES)
    for _ in range(8):
        item = None
        while item is None:
            item = bench.make_item(ctx.rng.choice(bench.idle_blocks()), ctx.rng.randrange(2))
        bench.reads.clear()
        bench.pops.clear()
        await bench.push(item)
        visible = bench.link.cycle() + 1  # the cycle whose edge samples q_valid first
        await bench.settled()
        seen = bench.reads[0][0] - visible
        ctx.compare(
            "cycles from an item at the head of its queue to the first read request (at most 13)", min(13, seen), seen
        )
        ctx.compare("the item leaves its queue in the cycle it appears", visible, bench.pops[0][0])


@kv_test(timeout_cycles=100_000)
async def test_abort_stops_the_copy(ctx: Context) -> None:
    """After a write lookup no further burst is read or written, and the end waits for the last response."""
    bench = Bench(ctx)
    await bench.begin(65536, blocks=8, slots=8)
    bursts = 65536 * 8 // (16 * ctx.parameters["AXI_DATA_WIDTH"])
    for tier in range(4):
        bench.link.axi_timing(tier, 60, 300, 0, 0, 256, 256)
    for delay in (9, 12, 40, 90, 200):
        item = None
        while item is None:
            item = bench.make_item(ctx.rng.choice(bench.idle_blocks()), EVICT)
        await bench.push(item)
        while not item.copying:
            await RisingEdge(ctx.dut.clk)
        await bench.wait(delay)
        bench.reads.clear()
        bench.writes.clear()
        at = bench.link.cycle()
        await bench.abort(item, gone=delay == 40)
        await bench.settled()
        late_reads = [cycle for cycle, _ in bench.reads if cycle > at + 4]
        late_writes = [cycle for cycle, _ in bench.writes if cycle > at + 4 + 4 * 17]
        ctx.compare("reads begun after a write lookup", 0, len(late_reads), delay=delay, bursts=bursts)
        ctx.compare("writes begun long after a write lookup", 0, len(late_writes), delay=delay, bursts=bursts)


@kv_test(timeout_cycles=100_000)
async def test_enable(ctx: Context) -> None:
    """With CTRL.ENABLE = 0 no item leaves its queue, running moves (their retries too) end; then all goes on."""
    bench = Bench(ctx)
    dut = ctx.dut
    await bench.begin(bytes_of(ctx, 64), blocks=60, slots=40)
    errors(bench, 0, 20, SLVERR)
    pushed = 0
    for _ in range(4):
        dut.enable.value = 0
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        with ctx.waiting("test", "the end of running moves with CTRL.ENABLE = 0"):
            while int(dut.active.value):
                await bench.wait(20)
        for block in bench.idle_blocks()[:20]:
            item = bench.make_item(block, ctx.rng.randrange(2))
            if item:
                await bench.push(item)
                pushed += 1
        left = len(bench.queued[0]) + len(bench.queued[1])
        await bench.wait(100)
        ctx.compare("items still queued with CTRL.ENABLE = 0", left, int(dut.level_0.value) + int(dut.level_1.value))
        dut.enable.value = 1
        await bench.wait(ctx.rng.randrange(40, 400))
    ctx.compare("items pushed (at least 20)", max(20, pushed), pushed)
    await bench.settled()


@kv_test(timeout_cycles=200_000)
async def test_soft_reset(ctx: Context) -> None:
    """halt stops new bursts, idle comes after the last response, clear forgets all; then moves work as before."""
    bench = Bench(ctx)
    dut = ctx.dut
    await bench.begin(bytes_of(ctx, 64), blocks=80, slots=40)
    for round_ in range(6):
        rough_memory(bench)
        for block in bench.idle_blocks()[:40]:
            item = bench.make_item(block, ctx.rng.randrange(2))
            if item:
                await bench.push(item)
        await bench.wait(ctx.rng.randrange(1, 400))
        if round_ == 0:
            await bench.settled()
        dut.halt.value = 1
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        bench.take_records()
        bench.reads.clear()
        bench.writes.clear()
        asked = int(dut.op_count.value)
        with ctx.waiting("test", "idle_o under halt"):
            while not int(dut.idle.value):
                await bench.wait(5)
        ctx.compare("AXI bursts outstanding when idle", 0, bench.link.axi_outstanding())
        bench.take_records()
        ctx.compare("reads begun under halt (the one already offered)", min(1, len(bench.reads)), len(bench.reads))
        ctx.compare("writes begun under halt (those already queued)", min(4, len(bench.writes)), len(bench.writes))
        for item in [bench.make_item(block, EVICT) for block in bench.idle_blocks()[:4]]:
            if item:
                await bench.push(item)
        await bench.wait(20)
        ctx.compare("operations asked for under halt", asked, int(dut.op_count.value))
        ctx.compare("still idle under halt", 1, int(dut.idle.value))
        await RisingEdge(dut.clk)
        dut.clear.value = 1
        await RisingEdge(dut.clk)
        dut.clear.value = 0
        bench.forget()
        await RisingEdge(dut.clk)
        for name in ("active", "level_0", "level_1", "bytes_moved_0", "bytes_moved_1", "errors_0", "voids_1"):
            ctx.compare(f"{name} after a soft reset", 0, int(getattr(dut, name).value))
        dut.halt.value = 0
        await bench.traffic(60)


@kv_test(timeout_cycles=200_000)
async def test_reset_in_mid_burst(ctx: Context) -> None:
    """A hard reset in the middle of everything; afterwards moves work as before."""
    bench = Bench(ctx)
    await bench.begin(bytes_of(ctx, 64), blocks=80, slots=40)
    errors(bench, 1, 10, SLVERR)
    for _ in range(6):
        rough_memory(bench)
        for block in bench.idle_blocks()[:40]:
            item = bench.make_item(block, ctx.rng.randrange(2))
            if item:
                await bench.push(item)
        await bench.wait(ctx.rng.randrange(1, 400))
        await bench.reset(ctx.rng.randrange(1, 12))
        await bench.traffic(60)
