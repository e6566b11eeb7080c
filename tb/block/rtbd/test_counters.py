"""Every counter against a sum in Python (device.md 7)."""

from cocotb.triggers import ClockCycles, RisingEdge

from tb.block.reset import out_of_reset
from tb.block.structs import struct
from tb.harness.base_test import Context, kv_test

SINGLE = ("hit", "miss", "denied", "miss_dropped", "completion_dropped", "scan_coalesced", "scan_done", "hint_miss",
          "ref_saturated", "ref_underflow", "cmd_refused")  # fmt: skip
MANY = {"evict_dropped": 17, "prefetch_dropped": 17, "parity": 32}  # the most in one cycle
LATENCY = 2  # cycles from an event to its count
LONG = (1 << 16) + 3  # cycles that no 16-bit counter survives


@kv_test(timeout_cycles=100_000)
async def test_g3_each_counter_counts_its_own_events(ctx: Context) -> None:
    """Each event alone, then all at random: each counter holds its own, wide ones their number; a clear clears all."""
    await out_of_reset(ctx)
    dut, rng = ctx.dut, ctx.rng
    counts = dict.fromkeys((*SINGLE, *MANY), 0)
    alone = [{name: 1} for name in SINGLE] + [{name: most} for name, most in MANY.items()]
    quiet: list[dict[str, int]] = [{}] * LATENCY
    mixed = [
        {name: rng.randrange(2) for name in SINGLE} | {name: rng.randrange(most + 1) for name, most in MANY.items()}
        for _ in range(1500)
    ]
    for events in [step for one in alone for step in (one, *quiet)] + mixed + quiet:
        dut.events.value = sum(events.get(name, 0) << bit for bit, name in enumerate(SINGLE))
        for name in MANY:
            getattr(dut, name).value = events.get(name, 0)
            counts[name] += events.get(name, 0)
        for name in SINGLE:
            counts[name] += events.get(name, 0)
        await RisingEdge(dut.clk)
        ctx.transaction()
        if not events:
            _check(ctx, counts)
    moved = {name: [rng.getrandbits(64), rng.getrandbits(64)] for name in ("bytes_moved", "errors", "voids")}
    for name, pair in moved.items():
        getattr(dut, name).value = pair[0] | pair[1] << 64
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    seen = struct("counters_t").unpack(int(dut.counters.value))
    for name, pair in moved.items():
        shown = [seen[name] >> 64 * channel & (1 << 64) - 1 for channel in (0, 1)]
        ctx.compare(f"{name} of both channels", [hex(n) for n in pair], [hex(n) for n in shown])
    await _long(ctx, counts)
    dut.count_clear.value = 1
    dut.events.value = (1 << len(SINGLE)) - 1
    await RisingEdge(dut.clk)
    dut.count_clear.value = 0
    dut.events.value = 0
    await ClockCycles(dut.clk, LATENCY)
    _check(ctx, dict.fromkeys(counts, 0))


async def _long(ctx: Context, counts: dict[str, int]) -> None:
    """The most of every event in every cycle, beyond 16 bits of count."""
    dut = ctx.dut
    for cycles, on in ((LONG, 1), (LATENCY, 0)):
        dut.events.value = on * ((1 << len(SINGLE)) - 1)
        for name, most in MANY.items():
            getattr(dut, name).value = on * most
        await ClockCycles(dut.clk, cycles)
        for name in counts:
            counts[name] += on * cycles * MANY.get(name, 1)
    _check(ctx, counts)


def _check(ctx: Context, counts: dict[str, int]) -> None:
    seen = struct("counters_t").unpack(int(ctx.dut.counters.value))
    for name, count in counts.items():
        ctx.compare(f"counter {name}", count, seen[name])
