"""The directory window: what a read gives while the entry changes under it (device.md 9)."""

from __future__ import annotations

from collections import defaultdict

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from sw.regs.registers import ENTRY_STRIDE
from tb.block.axil import OKAY, SLVERR, AxilMaster, ReadAccess, WriteAccess, response_name
from tb.block.reset import out_of_reset
from tb.block.structs import struct
from tb.harness.base_test import Context, kv_test

ENTRY_BITS = 240
ENTRY_WORDS = 4


class Directory:
    """Answers OpRead from `entries`, after a delay; the content may change at any time."""

    def __init__(self, ctx: Context, delays: tuple[int, int]) -> None:
        self.ctx = ctx
        self.dut = ctx.dut
        self.delays = delays
        self.count = ctx.parameters["ENTRIES"]
        self.entries: defaultdict[int, int] = defaultdict(lambda: ctx.rng.getrandbits(ENTRY_BITS))
        self.op = struct("op_t")

    def change(self) -> None:
        """Give every entry another content."""
        self.entries.clear()

    async def serve(self) -> None:
        """Accept and answer, for ever."""
        dut, rng = self.dut, self.ctx.rng
        while True:
            await RisingEdge(dut.clk)
            if not int(dut.op_valid.value):
                continue
            await ClockCycles(dut.clk, rng.randrange(self.delays[0]) + 1)
            dut.op_ready.value = 1
            index = self.op.unpack(int(dut.op.value))["index"]
            await RisingEdge(dut.clk)
            dut.op_ready.value = 0
            await ClockCycles(dut.clk, rng.randrange(self.delays[1]) + 1)
            dut.entry.value = self.entries[index]
            dut.rsp_valid.value = 1
            await RisingEdge(dut.clk)
            dut.rsp_valid.value = 0
            dut.entry.value = rng.getrandbits(ENTRY_BITS)

    def word(self, index: int, word: int) -> int:
        """What a fresh read of the word gives."""
        return self.entries[index] >> 64 * word & (1 << 64) - 1


async def _start(ctx: Context, delays: tuple[int, int] = (4, 8)) -> tuple[AxilMaster, Directory]:
    directory = Directory(ctx, delays)
    await out_of_reset(ctx)
    cocotb.start_soon(directory.serve())
    return AxilMaster(ctx), directory


@kv_test(timeout_cycles=100_000)
async def test_words_come_from_one_instant(ctx: Context) -> None:
    """Word 0 latches the entry; words 1 to 3 come from that latch, whatever has become of the entry."""
    bus, directory = await _start(ctx)
    for _ in range(150):
        index = ctx.rng.choice((0, directory.count - 1, ctx.rng.randrange(directory.count)))
        latched = [directory.word(index, word) for word in range(ENTRY_WORDS)]
        words = [0, *(ctx.rng.randrange(1, ENTRY_WORDS) for _ in range(4))]
        for word in words:
            data, response = await bus.read(index * ENTRY_STRIDE + 8 * word, r_delay=ctx.rng.choice((-1, 0, 5)))
            ctx.compare("read of BAR2: RRESP", response_name(OKAY), response_name(response), index=index, word=word)
            ctx.compare("read of BAR2: RDATA", hex(latched[word]), hex(data), index=index, word=word)
            directory.change()
    ctx.compare("one entry read of the directory for each word 0", 150, int(ctx.dut.ops_seen.value))


@kv_test(timeout_cycles=100_000)
async def test_other_index_reads_afresh(ctx: Context) -> None:
    """A word of an index that is not latched reads, and latches, that entry; word 0 always does."""
    bus, directory = await _start(ctx)
    latched_index, latched = -1, [0] * ENTRY_WORDS
    for _ in range(300):
        index, word = ctx.rng.randrange(3), ctx.rng.randrange(ENTRY_WORDS)
        if word == 0 or index != latched_index:
            latched_index, latched = index, [directory.word(index, w) for w in range(ENTRY_WORDS)]
        data, response = await bus.read(index * ENTRY_STRIDE + 8 * word)
        ctx.compare("read of BAR2: RRESP", response_name(OKAY), response_name(response), index=index, word=word)
        ctx.compare("read of BAR2: RDATA", hex(latched[word]), hex(data), index=index, word=word)
        directory.change()


@kv_test(timeout_cycles=100_000)
async def test_g3_every_bit_of_the_index(ctx: Context) -> None:
    """Each bit of the index names another entry, for the directory and for the latch, which answers its own only."""
    bus, directory = await _start(ctx)
    bits = [1 << bit for bit in range(directory.count.bit_length() - 1)]
    for index in (0, directory.count - 1, ctx.rng.randrange(directory.count)):
        for bit in bits:
            latched = [directory.word(index, word) for word in range(ENTRY_WORDS)]
            await bus.read(index * ENTRY_STRIDE)
            word = ctx.rng.randrange(1, ENTRY_WORDS)
            directory.change()
            data, _ = await bus.read(index * ENTRY_STRIDE + 8 * word)
            ctx.compare("word of the latched index", hex(latched[word]), hex(data), index=index, word=word)
            other = index ^ bit
            data, _ = await bus.read(other * ENTRY_STRIDE + 8 * word)
            expected = hex(directory.word(other, word))
            ctx.compare("word of another index", expected, hex(data), index=other, latched=index)


@kv_test(timeout_cycles=100_000)
async def test_bad_accesses(ctx: Context) -> None:
    """Writes, unaligned reads and reads past the last entry get SLVERR, and ask nothing of the directory."""
    bus, directory = await _start(ctx)
    limit = directory.count * ENTRY_STRIDE
    rng = ctx.rng
    for offset in (
        *(limit << bit for bit in range(12) if limit << bit < 1 << 22),
        limit + 8,
        (1 << 22) - 8,
        *(rng.randrange(limit, 1 << 22) & ~7 for _ in range(40)),
    ):
        ctx.compare("read past the last entry: RDATA, RRESP", (0, SLVERR), await bus.read(offset), offset=hex(offset))
    for offset in (rng.randrange(limit) & ~7 | rng.randrange(1, 8) for _ in range(40)):
        ctx.compare("unaligned read of BAR2: RDATA, RRESP", (0, SLVERR), await bus.read(offset), offset=hex(offset))
    writes = [WriteAccess(rng.randrange(limit) & ~7, rng.getrandbits(64), rng.choice((0, 255)), rng.randrange(4),
                          rng.randrange(4), rng.randrange(-1, 4)) for _ in range(60)]  # fmt: skip
    ctx.compare("writes of BAR2: BRESP", [SLVERR] * len(writes), await bus.writes(writes))
    ctx.compare("entry reads asked of the directory", 0, int(ctx.dut.ops_seen.value))


@kv_test(timeout_cycles=100_000)
async def test_reads_pending(ctx: Context) -> None:
    """Many reads and writes pending: every one is answered, in order."""
    bus, directory = await _start(ctx)
    rng = ctx.rng
    reads = [ReadAccess(rng.randrange(directory.count) * ENTRY_STRIDE, rng.randrange(3), rng.randrange(-1, 4))
             for _ in range(300)]  # fmt: skip
    writing = cocotb.start_soon(bus.writes([WriteAccess(0, 0, b_delay=rng.randrange(-1, 5)) for _ in range(300)]))
    answers = await bus.reads(reads)
    expected = [(directory.word(access.addr // ENTRY_STRIDE, 0), OKAY) for access in reads]
    for access, wanted, seen in zip(reads, expected, answers, strict=True):
        ctx.compare("read of BAR2: RDATA, RRESP", wanted, seen, offset=hex(access.addr))
    ctx.compare("writes of BAR2: BRESP", [SLVERR] * 300, await writing)


@kv_test(timeout_cycles=100_000)
async def test_clear_and_initialising(ctx: Context) -> None:
    """Before the directory is initialised entries read 0; a clear answers the read that waits, and drops the latch."""
    bus, directory = await _start(ctx, delays=(1, 1))
    dut = ctx.dut
    index = 5
    for word in range(ENTRY_WORDS):
        await bus.read(index * ENTRY_STRIDE + 8 * word)
    dut.initialised.value = 0
    dut.clear.value = 1
    await RisingEdge(dut.clk)
    dut.clear.value = 0
    for word in (3, 0, 1, 2):
        ctx.compare("read while initialising", (0, OKAY), await bus.read(index * ENTRY_STRIDE + 8 * word), word=word)
    dut.initialised.value = 1
    expected = directory.word(index, 0)
    ctx.compare("read afterwards", (expected, OKAY), await bus.read(index * ENTRY_STRIDE))
    # A clear in any cycle of a read: the answer comes, and is the entry or 0.
    zeros = 0
    for cycle in range(12):
        reading = cocotb.start_soon(bus.read(index * ENTRY_STRIDE))
        await ClockCycles(dut.clk, cycle)
        dut.clear.value = 1
        await RisingEdge(dut.clk)
        dut.clear.value = 0
        with ctx.waiting("BAR2 read across a clear", "rvalid"):
            data, response = await reading
        ctx.compare("read of BAR2: RRESP", response_name(OKAY), response_name(response), clear_cycle=cycle)
        ctx.compare(
            "read of BAR2: RDATA is the entry's word or 0",
            True,
            data in (0, expected),
            clear_cycle=cycle,
            data=hex(data),
        )
        zeros += data == 0
        await ClockCycles(dut.clk, 12)
    ctx.compare("some reads met the clear, some did not", True, 0 < zeros < 12)
