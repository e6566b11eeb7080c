"""FIFOs against a deque, memories against a list, every output in every cycle."""

from collections import deque

from cocotb.triggers import ReadOnly, RisingEdge, Timer

from tb.block.reset import out_of_reset
from tb.harness.base_test import Context, kv_test


@kv_test(timeout_cycles=50_000)
async def test_fifo(ctx: Context) -> None:
    """Order, level, full and drop under every mix of pushes, pops and clears; pushing while full changes nothing.

    The queue shows an item a cycle later than the FIFO; whether it drops one is decided in the cycle of the push.
    """
    dut, rng = ctx.dut, ctx.rng
    depth, width = ctx.parameters["Depth"], ctx.parameters["Width"]
    await out_of_reset(ctx)
    model: deque[int] = deque()
    queue: deque[int] = deque()
    entering: list[int] = []  # pushed into the queue and not seen there yet
    drops = 0
    for _ in range(40):
        pushes, pops, clears = rng.choice((0.1, 0.5, 0.9, 1.0)), rng.choice((0.1, 0.5, 0.9, 1.0)), rng.choice((0, 0.05))
        for _ in range(200):
            push, pop, clear = rng.random() < pushes, rng.random() < pops, rng.random() < clears
            data = rng.randrange(1 << width)
            dut.push.value, dut.pop.value, dut.clear.value, dut.data.value = push, pop, clear, data
            await RisingEdge(dut.clk)
            ctx.transaction()
            full = len(model) == depth
            if pop and model:
                model.popleft()
            if push and not full:
                model.append(data)
            queue_full = len(queue) + len(entering) == depth
            if pop and queue:
                queue.popleft()
            queue.extend(entering)
            entering = [data] if push and not queue_full else []
            drops += push and queue_full and not clear
            if clear:
                model.clear()
                queue.clear()
                entering.clear()
            ctx.compare("FIFO level", len(model), int(dut.level.value))
            ctx.compare("FIFO full", len(model) == depth, bool(dut.full.value))
            ctx.compare("FIFO valid", bool(model), bool(dut.valid.value))
            ctx.compare("queue level", len(queue), int(dut.queue_level.value))
            ctx.compare("queue valid", bool(queue), bool(dut.queue_valid.value))
            ctx.compare("items that the full queue dropped", drops, int(dut.drops.value))
            if model:
                ctx.compare("FIFO head", model[0], int(dut.head.value))
            if queue:
                ctx.compare("queue head", queue[0], int(dut.queue_head.value))
    ctx.compare("items dropped (at least 20)", max(20, drops), drops)


@kv_test(timeout_cycles=50_000)
async def test_memories(ctx: Context) -> None:
    """Writes and reads, often of the same word in the same cycle (the old word is read); outputs hold when not read."""
    dut, rng = ctx.dut, ctx.rng
    depth, width = ctx.parameters["Depth"], ctx.parameters["Width"]
    await out_of_reset(ctx)
    words: list[int | None] = [None] * depth
    seen: dict[str, int | None] = {"rdata": None, "a_rdata": None, "b_rdata": None}
    for _ in range(4000):
        we, re = rng.random() < 0.5, rng.random() < 0.6
        b_re = not we and rng.random() < 0.5
        waddr, wdata = rng.randrange(depth), rng.randrange(1 << width)
        raddr = waddr if rng.random() < 0.3 else rng.randrange(depth)
        dut.we.value, dut.re.value, dut.b_re.value = we, re, b_re
        dut.waddr.value, dut.wdata.value, dut.raddr.value = waddr, wdata, raddr
        await Timer(1, "ns")
        await ReadOnly()
        if words[raddr] is not None:
            ctx.compare("asynchronous read", words[raddr], int(dut.async_rdata.value), address=raddr)
        await RisingEdge(dut.clk)
        ctx.transaction()
        if re:
            seen["rdata"] = seen["a_rdata"] = words[raddr]
        if b_re:
            seen["b_rdata"] = words[waddr]
        if we:
            words[waddr] = wdata
        for name, value in seen.items():
            if value is not None:
                ctx.compare(f"memory output {name}", value, int(getattr(dut, name).value), read=re, address=raddr)
