"""Writes that are refused, launches that are not, and what then leaves the block (device.md 7)."""

import cocotb
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge

from sw.regs import registers as regs
from sw.regs.register import Register
from tb.block.axil import OKAY, SLVERR, WriteAccess, response_name
from tb.block.csr.bench import RANGE_COMMANDS, STEPS, Bench
from tb.harness.base_test import Context, kv_test

DIR_COMMAND_CODES = {  # rtl/kvcpu_pkg.sv, cmd_e
    regs.Command.INSERT: 8,
    regs.Command.LOOKUP: 9,
    regs.Command.REMOVE: 10,
    regs.Command.FREE_REQUEST: 11,
    regs.Command.MIGRATE: 12,
}
MOST_TOKENS = 1 << 32


async def _launch_range(bench: Bench, register: Register, address: int, length: int, step: int) -> int:
    """Write address, length and launch; the launch is what may be refused."""
    await bench.write(RANGE_COMMANDS[register][0], address)
    if register is regs.PREFETCH_STEP:
        await bench.write(regs.PREFETCH_LEN, length)
        return await bench.write(register, step)
    return await bench.write(register, length)


def _check_range_command(bench: Bench, register: Register, address: int, length: int, step: int) -> None:
    seen = bench.cmd.unpack(int(bench.dut.last_cmd.value))
    span = regs.CMD_SPAN.unpack(bench.rules.values["CMD_SPAN"])
    expected = {
        "cmd": RANGE_COMMANDS[register][1],
        "kv_addr": address,
        "len": length,
        "span_layers": max(1, span["LAYERS"]),
        "span_heads": max(1, span["HEADS"]),
    }
    if register is regs.PREFETCH_STEP:
        expected["step"] = step & 0xFFFFFFFF
    seen = {name: seen[name] for name in expected}
    bench.ctx.compare(f"command launched by {register.name}", expected, seen)


@kv_test(timeout_cycles=100_000)
async def test_thresholds(ctx: Context) -> None:
    """EVICT_THRESH > PREFETCH_THRESH is refused in every order, and the old value stays."""
    bench = await Bench.start(ctx)
    for evict, prefetch in ((1024, 40960), (40961, 40960), (0, 0), (1, 0), (65535, 65535), (65535, 65534)):
        await bench.write(regs.THRESHOLDS, 0xFFFF << 16)
        await bench.write(regs.EVICT_THRESH, evict)
        await bench.write(regs.PREFETCH_THRESH, prefetch)
        await bench.write(regs.THRESHOLDS, 0xFFFF << 16)
        await bench.write(regs.PREFETCH_THRESH, prefetch)
        await bench.write(regs.EVICT_THRESH, evict)
        await bench.write(regs.THRESHOLDS, prefetch << 16 | evict)
        for register in (regs.EVICT_THRESH, regs.PREFETCH_THRESH, regs.THRESHOLDS):
            await bench.read(register)
    for _ in range(300):
        register = ctx.rng.choice((regs.EVICT_THRESH, regs.PREFETCH_THRESH, regs.THRESHOLDS))
        evict, prefetch = (bench.rules.values[r.name] for r in (regs.EVICT_THRESH, regs.PREFETCH_THRESH))
        near = max(0, min(65535, ctx.rng.choice((evict, prefetch)) + ctx.rng.randrange(-1, 2)))
        data = ctx.rng.choice((near, ctx.rng.getrandbits(16))) | ctx.rng.choice((near, prefetch, 0xFFFF)) << 16
        await bench.write(register, data | ctx.rng.getrandbits(32) << 32)
        await bench.read(regs.THRESHOLDS)
    await bench.check_all()


@kv_test(timeout_cycles=100_000)
async def test_illegal_values(ctx: Context) -> None:
    """BLOCK_BYTES, SLOTS and BASE at their limits; windows of absent ports."""
    bench = await Bench.start(ctx)
    sizes = (0, 64, 192, 255, 256, 257, 320, 4096, 8191, 8192, 8256, 65472, 65535, 65536, 65600, 131071)
    for size in (*sizes, *(1 << bit for bit in range(17)), *(65536 + (1 << bit) for bit in range(16))):
        await bench.write(regs.BLOCK_BYTES, size)
        await bench.read(regs.BLOCK_BYTES)
        await RisingEdge(ctx.dut.clk)
        bench.check_cfg()
    entries = ctx.parameters["ENTRIES"]
    for tier in range(4):
        for slots in (entries, entries + 1, 2 * entries, 131071, *(1 << bit for bit in range(17)), 0, 1):
            await bench.write(regs.TIER_SLOTS[tier], slots)
            await RisingEdge(ctx.dut.clk)
            bench.check_cfg()
        for base in (1, 2048, 4095, 4096, (1 << 64) - 4096, (1 << 64) - 1, ctx.rng.getrandbits(52) << 12):
            await bench.write(regs.TIER_BASE[tier], base)
            await bench.read(regs.TIER_BASE[tier])
            bench.check_cfg()
    for port in range(8):
        for register in (regs.PORT_REQ_LO[port], regs.PORT_REQ_HI[port]):
            await bench.write(register, 0x1234 + port)
    await bench.check_all()


@kv_test(timeout_cycles=100_000)
async def test_in_use(ctx: Context) -> None:
    """BASE and SLOTS of a tier in use, BLOCK_BYTES while any slot is: refused, old value stays."""
    bench = await Bench.start(ctx)
    for unused in (*(0b1111 & ~(1 << tier) for tier in range(4)), 0b0000, 0b1111, 0b0110):
        bench.around(unused=unused)
        for tier in range(4):
            await bench.write(regs.TIER_SLOTS[tier], ctx.rng.randrange(1, 1000))
            await bench.write(regs.TIER_BASE[tier], ctx.rng.getrandbits(40) << 12)
            await bench.write(regs.TIER_RESERVE[tier], ctx.rng.randrange(1, 1000))
        await bench.write(regs.BLOCK_BYTES, 64 * ctx.rng.randrange(4, 1024))
        await bench.check_all()


@kv_test(timeout_cycles=20_000)
async def test_slots_change_alone(ctx: Context) -> None:
    """A write of SLOTS waits until nothing takes slots, judges then, and keeps takers out until it counts."""
    bench, dut = await Bench.start(ctx), ctx.dut
    for tier in range(4):
        for used_meanwhile in (False, True):
            before = int(dut.slots_we_seen.value)
            dut.slots_quiet.value = 0
            writing = cocotb.start_soon(bench.bus.write(regs.TIER_SLOTS[tier].offset, 100 + tier))
            await ClockCycles(dut.clk, 20)
            ctx.compare(
                "slot operations are held while a write of SLOTS waits", 1, int(dut.slots_hold.value), tier=tier
            )
            ctx.compare(
                "response of the write of SLOTS before slot operations are over (BVALID)",
                0,
                int(dut.bvalid.value),
                tier=tier,
            )
            dut.unused.value = 0b1111 & ~(int(used_meanwhile) << tier)
            dut.slots_quiet.value = 1
            response = await writing
            ctx.compare(
                "write of BAR0: BRESP",
                response_name(SLVERR if used_meanwhile else OKAY),
                response_name(response),
                tier=tier,
                in_use=used_meanwhile,
            )
            await ClockCycles(dut.clk, 4)
            ctx.compare("slot operations are held at rest", 0, int(dut.slots_hold.value), tier=tier)
            pulses = int(dut.slots_we_seen.value) - before
            ctx.compare("changes of SLOTS that reach the pools", 0 if used_meanwhile else 1, pulses, tier=tier)
            dut.unused.value = 0b1111


@kv_test(timeout_cycles=400_000)
async def test_ranges(ctx: Context) -> None:
    """Every boundary of a legal range, for every range command; what is launched is what was written."""
    bench, rng = await Bench.start(ctx), ctx.rng
    tokens, entries = ctx.parameters["BLOCK_TOKENS"], ctx.parameters["ENTRIES"]
    most = tokens * entries
    lengths = (0, 1, tokens, most - 1, most, most + 1, most + tokens, MOST_TOKENS - 1, MOST_TOKENS, MOST_TOKENS + 1,
               1 << 33, (1 << 33) + 1, 1 << 34, 1 << 63, (1 << 64) - 1)  # fmt: skip
    firsts = (
        0,
        1,
        tokens - 1,
        tokens,
        MOST_TOKENS - 1,
        MOST_TOKENS - tokens,
        MOST_TOKENS - most,
        MOST_TOKENS - most - 1,
    )
    cases = [(first, length) for first in firsts for length in lengths]
    cases += [(0, 1 << bit | 1) for bit in range(64)]
    for _ in range(60):
        first = rng.choice((rng.getrandbits(32), MOST_TOKENS - 1 - rng.randrange(3 * tokens)))
        cases.append((first, max(0, rng.choice((most - first % tokens, MOST_TOKENS - first)) + rng.randrange(-2, 3))))
    launched = 0
    for number, (first, length) in enumerate(cases):
        register = list(RANGE_COMMANDS)[number % len(RANGE_COMMANDS)]
        address = rng.getrandbits(16) << 48 | rng.getrandbits(8) << 40 | rng.getrandbits(8) << 32 | first
        step = rng.getrandbits(64)
        if await _launch_range(bench, register, address, length, step) == OKAY:
            launched += 1
            await RisingEdge(ctx.dut.clk)
            _check_range_command(bench, register, address, length, step)
        bench.check_counts()
        await bench.read(register)
    ctx.compare("some ranges are legal", True, launched > 20)


@kv_test(timeout_cycles=200_000)
async def test_span(ctx: Context) -> None:
    """CMD_SPAN may not run past layer 255 or head 255; 0 acts as 1."""
    bench, rng = await Bench.start(ctx), ctx.rng
    for _ in range(60):
        layer, head = rng.choice((0, 1, 100, 254, 255)), rng.choice((0, 1, 100, 254, 255))
        layers = max(0, min(255, rng.choice((256 - layer, 1, 0)) + rng.randrange(-1, 2)))
        heads = max(0, min(255, rng.choice((256 - head, 1, 0)) + rng.randrange(-1, 2)))
        await bench.write(regs.CMD_SPAN, regs.CMD_SPAN.pack(LAYERS=layers, HEADS=heads))
        register = rng.choice(list(RANGE_COMMANDS))
        address = rng.getrandbits(16) << 48 | layer << 40 | head << 32 | rng.getrandbits(31)
        step = rng.getrandbits(32)
        if await _launch_range(bench, register, address, 5, step) == OKAY:
            await RisingEdge(ctx.dut.clk)
            _check_range_command(bench, register, address, 5, step)
    bench.check_counts()


@kv_test(timeout_cycles=100_000)
async def test_directory_commands(ctx: Context) -> None:
    """Every command code with random arguments; one at a time."""
    bench, rng = await Bench.start(ctx), ctx.rng
    for code in (*range(8), *(rng.randrange(1, 6) for _ in range(20))):
        kv_addr, argument = rng.getrandbits(64), rng.getrandbits(64)
        await bench.write(regs.DIR_ADDR, kv_addr)
        await bench.write(regs.DIR_ARG, argument)
        if await bench.write(regs.DIR_COMMAND, code | rng.getrandbits(61) << 3) == OKAY:
            await RisingEdge(ctx.dut.clk)
            fields = regs.DIR_ARG.unpack(argument)
            expected = {"cmd": DIR_COMMAND_CODES[regs.Command(code)], "kv_addr": kv_addr,
                        **{part.lower(): value for part, value in fields.items()}}  # fmt: skip
            seen = bench.cmd.unpack(int(ctx.dut.last_cmd.value))
            ctx.compare("directory command", expected, {part: seen[part] for part in expected})
        bench.check_counts()
        await bench.read(regs.DIR_COMMAND)
    # A launch while one waits or runs is refused; ranges are not.
    bench.around(dir_busy=True)
    await bench.write(regs.DIR_COMMAND, regs.Command.LOOKUP)
    await bench.write(regs.DIR_ADDR, 77)
    await bench.write(regs.BOOST_LEN, 1)
    bench.around(dir_busy=False)
    await bench.write(regs.DIR_COMMAND, regs.Command.REMOVE)
    await bench.check_all()


@kv_test(timeout_cycles=100_000)
async def test_queue_full_and_uninitialised(ctx: Context) -> None:
    """Launches into a full queue are refused and counted; before the directory is initialised, refused."""
    bench = await Bench.start(ctx)
    launches = (*RANGE_COMMANDS, regs.DIR_COMMAND, *STEPS)
    await bench.write(regs.PREFETCH_LEN, 1)
    for initialised in (True, False):
        for cmd_full in (True, False):
            for dir_busy in (True, False):
                bench.around(initialised=initialised, cmd_full=cmd_full, dir_busy=dir_busy)
                for register in launches:
                    await bench.write(register, 1)
                    await bench.write(register, 0)
                await bench.write(regs.WEIGHT_R, ctx.rng.getrandbits(8))
                await RisingEdge(ctx.dut.clk)
                bench.check_counts()
    bench.around(initialised=True, cmd_full=False, dir_busy=False)
    await bench.check_all()


@kv_test(timeout_cycles=50_000)
async def test_soft_reset(ctx: Context) -> None:
    """CTRL.SOFT_RESET: a pulse; launches refused until the clear; configuration stays, events and latches go."""
    bench, dut = await Bench.start(ctx), ctx.dut
    await bench.write(regs.WEIGHT_F, 99)
    await bench.write(regs.IRQ_ENABLE, 0xFF)
    await bench.write(regs.CTRL, regs.CTRL.pack(ENABLE=1, DEMAND=1))
    await bench.pulse(irq_event=0xFF, parity_index=5, err_kv_addr=7, err_channel=1, err_write=1)
    ctx.compare("IRQ_STATUS", 0xFF, await bench.read(regs.IRQ_STATUS))
    dut.idle.value = 1
    await bench.write(regs.CTRL, regs.CTRL.pack(ENABLE=1, DEMAND=1, SOFT_RESET=1))
    await bench.read(regs.CTRL)
    ctx.compare("soft reset pulses", 1, int(dut.soft_resets_seen.value))
    status = regs.STATUS.unpack(await bench.read(regs.STATUS))
    ctx.compare("STATUS.IDLE and INITIALISED before the clear", (0, 0), (status["IDLE"], status["INITIALISED"]))
    bench.rules.around.initialised = False
    for register in (regs.BOOST_LEN, regs.STEP_ADVANCE, regs.DIR_COMMAND):
        await bench.write(register, 1)
    dut.initialised.value = 0
    dut.irq_event.value = 0xFF  # whatever happens in the cycle of the clear is gone with it
    dut.clear.value = 1
    await RisingEdge(dut.clk)
    dut.clear.value = 0
    dut.irq_event.value = 0
    await ReadOnly()
    ctx.compare("interrupt after the clear", 0, int(dut.irq.value))
    await RisingEdge(dut.clk)
    await bench.write(regs.BOOST_LEN, 1)
    bench.around(initialised=True)
    await bench.write(regs.BOOST_LEN, 1)
    for register in (regs.IRQ_STATUS, regs.PARITY_INFO, regs.DMA_ERROR_INFO, regs.DMA_ERROR_ADDR):
        ctx.compare("cleared by a soft reset", 0, await bench.read(register), register=register.name)
    await bench.check_all()


@kv_test(timeout_cycles=50_000)
async def test_step_latency(ctx: Context) -> None:
    """STEP_ADVANCE takes effect one cycle after the later of its handshakes, in every order, through both offsets."""
    bench, dut = await Bench.start(ctx), ctx.dut
    for register in STEPS:
        for aw_delay, w_delay in ((0, 0), (0, 1), (1, 0), (0, 5), (5, 0), (3, 4)):
            for b_delay in (-1, 0, 7):
                step = ctx.rng.getrandbits(64)
                expected = bench.rules.write(register.offset, step)
                access = WriteAccess(register.offset, step, aw_delay=aw_delay, w_delay=w_delay, b_delay=b_delay)
                response = (await bench.bus.writes([access]))[0]
                ctx.compare(
                    "write of BAR0: BRESP", response_name(expected), response_name(response), register=register.name
                )
                latency = int(dut.step_cycle.value) - int(dut.write_cycle.value)
                ctx.compare("cycles from the later handshake to the step", 1, latency, aw=aw_delay, w=w_delay)
                ctx.compare("current step", step & 0xFFFFFFFF, await bench.read(regs.STEP_ADVANCE))
    bench.check_counts()
