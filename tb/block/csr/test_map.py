"""The register map: what is there, what it holds, what a bad access gets (device.md 7 and 10)."""

from collections.abc import Callable

from cocotb.triggers import RisingEdge

from sw.regs import registers as regs
from sw.regs.register import Register
from tb.block.axil import SLVERR, response_name
from tb.block.csr.bench import BAR0_BYTES, Bench
from tb.block.structs import struct
from tb.harness.base_test import Context, kv_test

Draw = Callable[[int], int]  # a value of so many bits, or below so many
PATTERNS = (0, (1 << 64) - 1, 0x5555555555555555, 0xAAAAAAAAAAAAAAAA)
COUNTERS = {
    "hit": regs.RTBD_HIT_COUNT,
    "miss": regs.RTBD_MISS_COUNT,
    "denied": regs.DENIED_COUNT,
    "miss_dropped": regs.MISS_DROPPED_COUNT,
    "completion_dropped": regs.COMPLETION_DROPPED_COUNT,
    "evict_dropped": regs.EVICT_DROPPED_COUNT,
    "prefetch_dropped": regs.PREFETCH_DROPPED_COUNT,
    "scan_coalesced": regs.SCAN_COALESCED_COUNT,
    "scan_done": regs.SCAN_COUNT,
    "hint_miss": regs.HINT_MISS_COUNT,
    "ref_saturated": regs.REF_SATURATED_COUNT,
    "ref_underflow": regs.REF_UNDERFLOW_COUNT,
    "cmd_refused": regs.CMD_REFUSED_COUNT,
    "parity": regs.PARITY_COUNT,
}
CHANNEL_COUNTERS = {
    "bytes_moved": (regs.EVICT_BYTES_MOVED, regs.PREFETCH_BYTES_MOVED),
    "errors": (regs.EVICT_ERROR_COUNT, regs.PREFETCH_ERROR_COUNT),
    "voids": (regs.EVICT_VOID_COUNT, regs.PREFETCH_VOID_COUNT),
}
# The offsets that device.md 7 fixes, and their reset values: the one place outside the description, to check it.
FIXED = {
    0x0030: ("CONTEND_POLICY", 0),
    0x0100: ("STEP_ADVANCE", 0),
    0x0120: ("RTBD_HIT_COUNT", 0),
    0x0128: ("RTBD_MISS_COUNT", 0),
    0x0200: ("BOOST_ADDR", 0),
    0x0208: ("BOOST_LEN", 0),
    0x0210: ("IMEVICT_ADDR", 0),
    0x0218: ("IMEVICT_LEN", 0),
    0x0220: ("COOL_ADDR", 0),
    0x0228: ("COOL_LEN", 0),
    0x0300: ("PREFETCH_ADDR", 0),
    0x0308: ("PREFETCH_LEN", 0),
    0x0310: ("PREFETCH_STEP", 0),
    0x0400: ("SHARE_ADDR", 0),
    0x0408: ("SHARE_LEN", 0),
    0x0410: ("RELEASE_ADDR", 0),
    0x0418: ("RELEASE_LEN", 0),
    0x0500: ("WEIGHT_R", 64),
    0x0508: ("WEIGHT_F", 64),
    0x0510: ("WEIGHT_S", 64),
    0x0518: ("WEIGHT_D", 64),
    0x0520: ("EVICT_THRESH", 0),
    0x0528: ("PREFETCH_THRESH", 65535),
    0x0530: ("THRESHOLDS", 65535 << 16),
}
RESETS = {"R_SHIFT": 3, "F_AGE": 0, "LOOKAHEAD": 1, "HOLD": 0, "PROMOTE_TIER": 1, "EVICT_TIERS": 2,
          "MAX_RETRY": 3, "BLOCK_BYTES": 8192,
          "CMD_SPAN": 0x0101, "IRQ_STATUS": 0, "IRQ_ENABLE": 0, "CTRL": 0}  # fmt: skip


def _plain(register: Register) -> bool:
    """A register whose every value is legal and changes nothing else."""
    special = (regs.CTRL, regs.BLOCK_BYTES, regs.EVICT_THRESH, regs.PREFETCH_THRESH, regs.THRESHOLDS)
    return (
        register.access == "rw"
        and not register.launches
        and register not in special
        and register not in (*regs.TIER_BASE, *regs.TIER_SLOTS)
        and not any(field.access == "w1c" for field in register.fields)
    )


@kv_test(timeout_cycles=50_000)
async def test_reset_values(ctx: Context) -> None:
    """The contract's fixed offsets and reset values; a reset in the middle brings them back."""
    bench = await Bench.start(ctx)
    for offset, (register_name, reset) in FIXED.items():
        ctx.compare("register at the offset", register_name, regs.BY_OFFSET[offset].name, offset=hex(offset))
        data, response = await bench.bus.read(offset)
        ctx.compare("read of BAR0: RRESP", response_name(0), response_name(response), register=register_name)
        ctx.compare("reset value", reset, data, register=register_name)
    for register_name, reset in RESETS.items():
        ctx.compare("reset value", reset, await bench.read(regs.BY_NAME[register_name]), register=register_name)
    for port in range(8):
        expected = 65535 if port < ctx.parameters["PORTS"] else 0
        ctx.compare("reset value", expected, await bench.read(regs.PORT_REQ_HI[port]), register=f"PORT{port}_REQ_HI")
    await bench.check_all()
    # A reset in the middle of everything brings them back.
    for register in filter(_plain, regs.REGISTERS):
        await bench.write(register, (1 << 64) - 1)
    await bench.pulse(hold_reset=1)
    await RisingEdge(ctx.dut.clk)
    await Bench(ctx).check_all()


@kv_test(timeout_cycles=200_000)
async def test_read_write_bits(ctx: Context) -> None:
    """Every bit of every field holds what is written; bits without a field read 0."""
    bench = await Bench.start(ctx)
    for register in filter(_plain, regs.REGISTERS):
        if bench.rules.absent(register):
            continue
        for pattern in (*PATTERNS, ctx.rng.getrandbits(64)):
            await bench.write(register, pattern)
            await bench.read(register)
            await RisingEdge(ctx.dut.clk)
            bench.check_cfg()
    await bench.check_all()
    for register in filter(_plain, regs.REGISTERS):
        await bench.write(register, ctx.rng.getrandbits(64))
    await bench.check_all()


@kv_test(timeout_cycles=200_000)
async def test_map_sweep(ctx: Context) -> None:
    """Every word of the 16 KiB, and words past it, read and written with a value that is legal wherever it can be."""
    bench = await Bench.start(ctx)
    popping = (regs.MISS_ADDR.offset, regs.COMPLETION_ADDR.offset)
    beyond = [BAR0_BYTES + 8 * ctx.rng.randrange(0x1800) for _ in range(64)]
    for offset in (*range(0, BAR0_BYTES, 8), *beyond):
        if offset not in popping:
            await bench.read(offset)
        register = regs.BY_OFFSET.get(offset)
        if register is None or not (register.writable and (register.launches or register is regs.CTRL)):
            await bench.write(offset, 0xFFFF0000)
    for register in regs.REGISTERS:  # no register answers to an address that differs in an upper bit
        for bit in (13, 14, 15):
            await bench.read(register.offset ^ 1 << bit)
            await bench.write(register.offset ^ 1 << bit, 0x100)
    await bench.check_all()


@kv_test(timeout_cycles=200_000)
async def test_unaligned_and_strobes(ctx: Context) -> None:
    """Unaligned accesses and partial strobes get SLVERR and change nothing."""
    bench = await Bench.start(ctx)
    for register in regs.REGISTERS:
        low = ctx.rng.randrange(1, 8)
        data, response = await bench.bus.read(register.offset + low)
        ctx.compare(
            "RRESP of an unaligned read",
            response_name(SLVERR),
            response_name(response),
            register=register.name,
            low_bits=low,
        )
        ctx.compare("RDATA of an unaligned read", 0, data, register=register.name, low_bits=low)
        response = await bench.bus.write(register.offset + low, 0x100)
        ctx.compare(
            "BRESP of an unaligned write",
            response_name(SLVERR),
            response_name(response),
            register=register.name,
            low_bits=low,
        )
        await bench.write(register, 0x100, ctx.rng.randrange(255))
    for strobes in range(255):
        await bench.write(regs.CONTEND_POLICY, 0xFF, strobes)
    await bench.check_all()


@kv_test(timeout_cycles=50_000)
async def test_hardware_values(ctx: Context) -> None:
    """CAPS, STATUS, counters, tiers and results show what the device tells: each its own value, and every bit (G3)."""
    bench = await Bench.start(ctx)
    caps = regs.CAPS.unpack(await bench.read(regs.CAPS))
    for parameter, seen in caps.items():
        ctx.compare(f"CAPS.{parameter}", ctx.parameters[parameter], seen)
    draws: list[Draw] = [lambda bits: (1 << bits) - 1, lambda bits: 1 << bits - 1, lambda _: 0, ctx.rng.getrandbits]
    for draw in draws:
        await _check_counters(bench, draw)
        await _check_tiers_and_cycles(bench, draw)
        await _check_directory_result(bench, draw)


async def _check_counters(bench: Bench, draw: Draw) -> None:
    """Every counter reads what the device tells; `draw` gives a value of so many bits."""
    counters = {counter: draw(64) for counter in COUNTERS}
    channels = {counter: [draw(64), draw(64)] for counter in CHANNEL_COUNTERS}
    bench.dut.counters.value = struct("counters_t").pack(**counters, **channels)
    await RisingEdge(bench.dut.clk)
    for counter, register in COUNTERS.items():
        bench.ctx.compare(register.name, counters[counter], await bench.read(register))
    for counter, pair in CHANNEL_COUNTERS.items():
        for channel, register in enumerate(pair):
            bench.ctx.compare(register.name, channels[counter][channel], await bench.read(register))


async def _check_tiers_and_cycles(bench: Bench, draw: Draw) -> None:
    """FREE and AUTO_THRESH of every tier, SCAN_CYCLES, FIRST_DECISION_CYCLES; `draw` as above."""
    ctx, dut = bench.ctx, bench.dut
    free, thresholds = [draw(17) for _ in range(4)], [draw(17) for _ in range(3)]
    dut.free.value = sum(value << 17 * tier for tier, value in enumerate(free))
    dut.auto_thresh.value = sum(value << 17 * tier for tier, value in enumerate(thresholds))
    cycles = (draw(32), draw(32))
    dut.scan_cycles.value, dut.first_decision_cycles.value = cycles
    await RisingEdge(dut.clk)
    for tier in range(4):
        ctx.compare(f"FREE of tier {tier}", free[tier], await bench.read(regs.TIER_FREE[tier]))
        expected = thresholds[tier] if tier < 3 else 0
        ctx.compare(f"AUTO_THRESH of tier {tier}", expected, await bench.read(regs.TIER_AUTO_THRESH[tier]))
    ctx.compare("SCAN_CYCLES", cycles[0], await bench.read(regs.SCAN_CYCLES))
    ctx.compare("FIRST_DECISION_CYCLES", cycles[1], await bench.read(regs.FIRST_DECISION_CYCLES))


async def _check_directory_result(bench: Bench, draw: Draw) -> None:
    """DIR_STATUS, DIR_PHYS_ADDR and DIR_FREED; `draw` as above."""
    ctx = bench.ctx
    result = {"status": draw(3), "tier": draw(2), "index": draw(16)}
    result |= {"phys_addr": draw(64), "removed": draw(17), "stayed": draw(17)}
    ctx.dut.dir_result.value = struct("dir_result_t").pack(**result)
    await RisingEdge(ctx.dut.clk)
    status = regs.DIR_STATUS.unpack(await bench.read(regs.DIR_STATUS))
    for part in ("status", "tier", "index"):
        ctx.compare(f"DIR_STATUS.{part.upper()}", result[part], status[part.upper()])
    ctx.compare("DIR_PHYS_ADDR", result["phys_addr"], await bench.read(regs.DIR_PHYS_ADDR))
    freed = regs.DIR_FREED.unpack(await bench.read(regs.DIR_FREED))
    ctx.compare("DIR_FREED", {"REMOVED": result["removed"], "STAYED": result["stayed"]}, freed)


@kv_test(timeout_cycles=50_000)
async def test_status(ctx: Context) -> None:
    """STATUS shows what the device tells, from empty to full; IDLE never before it is initialised."""
    bench = await Bench.start(ctx)
    draws: list[Draw] = [lambda values: values - 1, lambda _: 0, *[ctx.rng.randrange] * 40]
    for draw in draws:
        told = {"idle": draw(2), "scanning": draw(2), "dir_busy": draw(2), "initialised": draw(2),
                "cmd_pending": draw(18), "pressure": draw(8)}  # fmt: skip
        levels = (draw(65), draw(65))
        for signal, value in told.items():
            getattr(ctx.dut, signal).value = value
        ctx.dut.q_level.value = levels[1] << 7 | levels[0]
        await RisingEdge(ctx.dut.clk)
        expected = {"IDLE": told["idle"] & told["initialised"], "SCANNING": told["scanning"],
                    "INITIALISED": told["initialised"], "DIR_BUSY": told["dir_busy"], "COMMANDS": told["cmd_pending"],
                    "EVICT_LEVEL": levels[0], "PREFETCH_LEVEL": levels[1], "MISS_LEVEL": 0, "COMPLETION_LEVEL": 0,
                    "PRESSURE": told["pressure"]}  # fmt: skip
        ctx.compare("fields of STATUS", expected, regs.STATUS.unpack(await bench.read(regs.STATUS)))
        ctx.compare("DIR_STATUS.BUSY", told["dir_busy"], await bench.field(regs.DIR_STATUS, "BUSY"))
