"""Interrupts, queue heads and error latches, above all when events meet accesses (device.md 7)."""

import cocotb
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge

from sw.regs import registers as regs
from tb.block.axil import WriteAccess
from tb.block.csr.bench import Bench
from tb.block.structs import struct
from tb.harness.base_test import Context, kv_test

EVENTS = 8
WINDOW = 14  # cycles after a write begins in which an event is tried
LATENCY = 1  # cycles after its own in which an event counts


@kv_test(timeout_cycles=50_000)
async def test_irq_level(ctx: Context) -> None:
    """The output is IRQ_STATUS & IRQ_ENABLE; write 1 clears exactly those bits."""
    bench, dut = await Bench.start(ctx), ctx.dut
    status, enable = 0, 0
    for _ in range(150):
        match ctx.rng.randrange(3):
            case 0:
                events = ctx.rng.getrandbits(8) & ctx.rng.getrandbits(8)
                status |= events
                await bench.pulse(irq_event=events)
                await ClockCycles(dut.clk, LATENCY)
            case 1:
                clear = ctx.rng.getrandbits(64)
                status &= ~clear
                await bench.write(regs.IRQ_STATUS, clear)
            case _:
                enable = ctx.rng.getrandbits(8) & ctx.rng.getrandbits(8)
                await bench.write(regs.IRQ_ENABLE, enable)
        ctx.compare(
            "interrupt level", int(status & enable != 0), int(dut.irq.value), status=hex(status), enable=hex(enable)
        )
        ctx.compare("IRQ_STATUS", hex(status), hex(await bench.read(regs.IRQ_STATUS)))


@kv_test(timeout_cycles=50_000)
async def test_irq_event_in_the_cycle_of_its_clear(ctx: Context) -> None:
    """An event that counts in the very cycle in which its bit is cleared stays set; one cycle earlier it is cleared."""
    bench, dut = await Bench.start(ctx), ctx.dut
    await bench.write(regs.IRQ_ENABLE, 0xFF)
    for bit in range(EVENTS):
        mask = 1 << bit
        await bench.pulse(irq_event=mask)
        await ClockCycles(dut.clk, LATENCY)
        clearing = cocotb.start_soon(bench.bus.write(regs.IRQ_STATUS.offset, mask))
        cycles = 0
        while int(dut.irq.value):
            await RisingEdge(dut.clk)
            cycles += 1
        await clearing
        # The bit was seen 0 after `cycles` edges, so the clear took effect in the cycle before the last of them.
        for counts_at, expected in ((cycles - 2, 0), (cycles - 1, mask), (cycles, mask)):
            await bench.pulse(irq_event=mask)
            await ClockCycles(dut.clk, LATENCY)
            clearing = cocotb.start_soon(bench.bus.write(regs.IRQ_STATUS.offset, mask))
            await ClockCycles(dut.clk, counts_at - LATENCY)
            await bench.pulse(irq_event=mask)
            await clearing
            seen = await bench.read(regs.IRQ_STATUS)
            ctx.compare("IRQ_STATUS after clear and event", expected, seen, bit=bit, event_cycle=counts_at - cycles + 1)
            await bench.write(regs.IRQ_STATUS, 0xFF)


@kv_test(timeout_cycles=100_000)
async def test_miss_queue(ctx: Context) -> None:
    """MISS_INFO changes nothing, reading MISS_ADDR pops; empty reads 0 and pops nothing."""
    bench, dut, rng = await Bench.start(ctx), ctx.dut, ctx.rng
    held: list[int] = []
    for _ in range(300):
        action = rng.randrange(4)
        if action == 0 and len(held) < 64:
            held.append(rng.getrandbits(64))
            await bench.pulse(miss_push=1, miss_item=held[-1])
            await ClockCycles(dut.clk, 3)
        elif action == 1:
            expected = {"VALID": int(bool(held)), "LEVEL": len(held)}
            ctx.compare("MISS_INFO", expected, regs.MISS_INFO.unpack(await bench.read(regs.MISS_INFO)))
            ctx.compare("STATUS.MISS_LEVEL", len(held), await bench.field(regs.STATUS, "MISS_LEVEL"))
        elif action == 2:
            expected_head = held.pop(0) if held else 0
            ctx.compare("MISS_ADDR", hex(expected_head), hex(await bench.read(regs.MISS_ADDR)))
        else:
            await bench.bus.read(regs.MISS_ADDR.offset + rng.randrange(1, 8))
            await bench.write(regs.MISS_ADDR, 0)
            await bench.write(regs.MISS_INFO, 0)
    ctx.compare("items left", len(held), int(dut.miss_level.value))


@kv_test(timeout_cycles=100_000)
async def test_g3_queues_of_64(ctx: Context) -> None:
    """Miss and completion queue filled to 64: levels in STATUS and in the queue's own word, then emptied in order."""
    bench, dut, rng = await Bench.start(ctx), ctx.dut, ctx.rng
    misses = [rng.getrandbits(64) for _ in range(64)]
    ends = [{"kv_addr": rng.getrandbits(64), "from": n % 4, "to": (n + 1) % 4, "status": n % 5} for n in range(64)]
    for miss, end in zip(misses, ends, strict=True):
        await bench.pulse(miss_push=1, miss_item=miss, compl_push=1, compl_item=struct("completion_t").pack(**end))
    await ClockCycles(dut.clk, 3)
    for left in range(64, -1, -1):
        status = regs.STATUS.unpack(await bench.read(regs.STATUS))
        levels = (status["MISS_LEVEL"], status["COMPLETION_LEVEL"])
        ctx.compare("STATUS.MISS_LEVEL, COMPLETION_LEVEL", (left, left), levels)
        seen = regs.MISS_INFO.unpack(await bench.read(regs.MISS_INFO))
        ctx.compare("MISS_INFO", {"VALID": int(left > 0), "LEVEL": left}, seen)
        head = ends[64 - left] if left else {"kv_addr": 0, "from": 0, "to": 0, "status": 0}
        seen = regs.COMPLETION_INFO.unpack(await bench.read(regs.COMPLETION_INFO))
        wanted = {"VALID": int(left > 0), "LEVEL": left, "FROM": head["from"], "TO": head["to"]}
        ctx.compare("COMPLETION_INFO", wanted | {"STATUS": head["status"]}, seen)
        ctx.compare("MISS_ADDR", hex(misses[64 - left] if left else 0), hex(await bench.read(regs.MISS_ADDR)))
        ctx.compare("COMPLETION_ADDR", hex(head["kv_addr"]), hex(await bench.read(regs.COMPLETION_ADDR)))
        await ClockCycles(dut.clk, 3)


@kv_test(timeout_cycles=100_000)
async def test_completion_queue(ctx: Context) -> None:
    """COMPLETION_INFO changes nothing, reading COMPLETION_ADDR pops; responses held up pop once."""
    bench, dut, rng = await Bench.start(ctx), ctx.dut, ctx.rng
    completion = struct("completion_t")
    held: list[dict[str, int]] = []
    for _ in range(300):
        action = rng.randrange(4)
        if action == 0 and len(held) < 64:
            item = {"kv_addr": rng.getrandbits(64), "from": rng.randrange(4), "to": rng.randrange(4),
                    "status": rng.randrange(5)}  # fmt: skip
            held.append(item)
            await bench.pulse(compl_push=1, compl_item=completion.pack(**item))
            await ClockCycles(dut.clk, 3)
        elif action == 1:
            head = held[0] if held else {"from": 0, "to": 0, "status": 0}
            expected = {"VALID": int(bool(held)), "LEVEL": len(held), "FROM": head["from"], "TO": head["to"],
                        "STATUS": head["status"]}  # fmt: skip
            ctx.compare(
                "COMPLETION_INFO", expected, regs.COMPLETION_INFO.unpack(await bench.read(regs.COMPLETION_INFO))
            )
            ctx.compare("STATUS.COMPLETION_LEVEL", len(held), await bench.field(regs.STATUS, "COMPLETION_LEVEL"))
        else:
            expected_addr = held.pop(0)["kv_addr"] if held else 0
            delay = rng.choice((-1, 0, 9))
            data, _ = await bench.bus.read(regs.COMPLETION_ADDR.offset, r_delay=delay)
            ctx.compare("COMPLETION_ADDR", hex(expected_addr), hex(data), r_delay=delay)
    ctx.compare("items left", len(held), int(dut.compl_level.value))


@kv_test(timeout_cycles=50_000)
async def test_first_dma_error(ctx: Context) -> None:
    """The first error is kept until its latch is released; one in the cycle of the release is the new first."""
    bench, rng = await Bench.start(ctx), ctx.rng

    def error() -> dict[str, int]:
        return {"err_kv_addr": rng.getrandbits(64), "err_channel": rng.getrandbits(1), "err_write": rng.getrandbits(1)}

    async def check(expected: dict[str, int] | None, **where: int) -> None:
        info = regs.DMA_ERROR_INFO.unpack(await bench.read(regs.DMA_ERROR_INFO))
        ctx.compare("DMA_ERROR_INFO.VALID", int(expected is not None), info["VALID"], **where)
        if expected is not None:
            seen = {"err_kv_addr": await bench.read(regs.DMA_ERROR_ADDR), "err_channel": info["CHANNEL"],
                    "err_write": info["WRITE"]}  # fmt: skip
            ctx.compare("first DMA error", expected, seen, **where)

    await check(None)
    for _ in range(10):
        first = error()
        await bench.pulse(irq_event=1 << 4, **first)
        await bench.pulse(irq_event=1 << 4, **error())
        await check(first)
        await bench.write(regs.DMA_ERROR_INFO, 0)
        await bench.write(regs.IRQ_STATUS, 0xFF)
        await check(first)
        await bench.write(regs.DMA_ERROR_INFO, 1)
        await check(None)
    # Sweep a second error over the cycles around the release: it is dropped before, new from the release on.
    outcomes = []
    for at in range(WINDOW):
        first, second = error(), error()
        await bench.pulse(irq_event=1 << 4, **first)
        releasing = cocotb.start_soon(bench.bus.write(regs.DMA_ERROR_INFO.offset, 1))
        await ClockCycles(ctx.dut.clk, at)
        await bench.pulse(irq_event=1 << 4, **second)
        await releasing
        valid = await bench.field(regs.DMA_ERROR_INFO, "VALID")
        await check(second if valid else None, event_cycle=at)
        outcomes.append(valid)
        await bench.write(regs.DMA_ERROR_INFO, 1)
    ctx.compare("errors before the release are dropped, later ones latched", sorted(outcomes), outcomes)
    ctx.compare("both were tried", {0, 1}, set(outcomes))


@kv_test(timeout_cycles=50_000)
async def test_first_parity_index(ctx: Context) -> None:
    """The index of the first entry with bad parity is kept until its latch is released."""
    bench, rng = await Bench.start(ctx), ctx.rng
    for _ in range(10):
        indices = [rng.getrandbits(16) for _ in range(3)]
        for index in indices:
            await bench.pulse(irq_event=1 << 7, parity_index=index)
        info = regs.PARITY_INFO.unpack(await bench.read(regs.PARITY_INFO))
        ctx.compare("PARITY_INFO", {"VALID": 1, "INDEX": indices[0]}, info)
        ctx.compare("IRQ_STATUS.PARITY", 1, await bench.field(regs.IRQ_STATUS, "PARITY"))
        await bench.write(regs.PARITY_INFO, 1)
        ctx.compare("PARITY_INFO.VALID", 0, await bench.field(regs.PARITY_INFO, "VALID"))
        await bench.write(regs.IRQ_STATUS, 0xFF)


@kv_test(timeout_cycles=50_000)
async def test_step_readback_follows_the_device(ctx: Context) -> None:
    """Reading STEP_ADVANCE gives the device's current step, also right after a write and after a reset of it."""
    bench, dut = await Bench.start(ctx), ctx.dut
    for step in (0, 1, 0xFFFFFFFF, 0x80000000, ctx.rng.getrandbits(32)):
        expected = bench.rules.write(regs.STEP_ADVANCE.offset, step)
        accesses = [WriteAccess(regs.STEP_ADVANCE.offset, step, b_delay=-1)]
        ctx.compare("write of BAR0: BRESP", expected, (await bench.bus.writes(accesses))[0])
        await ReadOnly()
        ctx.compare("step at the directory", step, int(dut.current_step.value))
        await RisingEdge(dut.clk)
        ctx.compare("STEP_ADVANCE", step, await bench.read(regs.STEP_ADVANCE))
