"""FREE_REQUEST over all banks: counts, the walk's end, slots that come back, copies that stop (device.md 8)."""

from collections import deque
from dataclasses import dataclass

from cocotb.triggers import FallingEdge, RisingEdge

from tb.block.reset import out_of_reset
from tb.harness.base_test import Context, kv_test

SLOT_BITS, MOVE_BITS = 16, 7


@dataclass(frozen=True)
class Freed:
    """A slot that a bank has freed."""

    tier: int
    slot: int
    moving: int
    move_id: int


class Banks:
    """The banks' side: pulses of the walks, FIFOs of freed slots, and what came of them."""

    def __init__(self, ctx: Context) -> None:
        self.ctx, self.dut, self.rng = ctx, ctx.dut, ctx.rng
        self.lanes = ctx.parameters["LANES"]
        self.fifos: list[deque[Freed]] = [deque() for _ in range(self.lanes)]
        self.waited = [0] * self.lanes
        self.holds = False  # other slots are given back meanwhile
        self.removed = self.stayed = self.put = self.aborts = 0

    def freed(self, moving: bool) -> Freed:
        """A slot with every bit of its number, of an entry that moves or not."""
        bits, moves = self.rng.getrandbits(SLOT_BITS), self.rng.getrandbits(MOVE_BITS)
        slot = self.rng.choice((bits, 1 << self.rng.randrange(SLOT_BITS), (1 << SLOT_BITS) - 1))
        return Freed(self.rng.randrange(4), slot, int(moving), self.rng.choice((moves, 1 << MOVE_BITS - 1)))

    async def cycle(self, removed: int = 0, stayed: int = 0, done: int | None = None, hold: bool = False) -> int:
        """One cycle; masks of banks that remove an entry, keep one, have walked to their end. Returns `done_o`."""
        dut = self.dut
        everyone = (1 << self.lanes) - 1
        dut.bank_removed.value, dut.bank_stayed.value = removed, stayed
        dut.bank_done.value = everyone if done is None else done
        dut.hold.value = int(hold)
        heads = [fifo[0] if fifo else Freed(*(self.rng.getrandbits(n) for n in (2, 16, 1, 7))) for fifo in self.fifos]
        dut.freed_valid.value = sum(1 << b for b, fifo in enumerate(self.fifos) if fifo)
        dut.freed_tier.value = sum(h.tier << 2 * b for b, h in enumerate(heads))
        dut.freed_slot.value = sum(h.slot << SLOT_BITS * b for b, h in enumerate(heads))
        dut.freed_moving.value = sum(h.moving << b for b, h in enumerate(heads))
        dut.freed_move_id.value = sum(h.move_id << MOVE_BITS * b for b, h in enumerate(heads))
        await FallingEdge(dut.clk)
        self._puts(hold)
        over = int(dut.done.value)
        self.removed += removed.bit_count()
        self.stayed += stayed.bit_count()
        for bank in range(self.lanes):
            if removed >> bank & 1:
                self.fifos[bank].append(self.freed(self.rng.random() < 0.3))
        await RisingEdge(dut.clk)
        self.ctx.transaction()
        return over

    def _puts(self, hold: bool) -> None:
        dut, ctx = self.dut, self.ctx
        popped = int(dut.freed_pop.value)
        ctx.compare("slots that go to their pools in one cycle (at most 1)", True, popped.bit_count() <= 1)
        if hold:
            ctx.compare("slot that goes while another one does", 0, popped)
        elif int(dut.put_valid.value):
            ctx.compare("bank whose slot goes", True, popped != 0)
        aborts = int(dut.aborts.value)
        if not popped:
            ctx.compare("copy stopped without a slot that goes", 0, aborts)
            return
        bank = popped.bit_length() - 1
        ctx.compare("bank that has freed a slot", True, bool(self.fifos[bank]), bank=bank)
        head = self.fifos[bank].popleft()
        seen = (int(dut.put_tier.value), int(dut.put_slot.value), aborts)
        ctx.compare("tier, slot, copy stopped", (head.tier, head.slot, head.moving), seen, bank=bank)
        if head.moving:
            ctx.compare("move whose copy stops", head.move_id, int(dut.abort_move_id.value), bank=bank)
        self.put += 1
        self.aborts += head.moving
        for other, fifo in enumerate(self.fifos):
            self.waited[other] = 0 if other == bank or not fifo else self.waited[other] + 1
        # A turn is chosen a cycle ahead, and passes where another slot is given back in its cycle.
        fair = self.holds or max(self.waited) <= self.lanes + 1
        ctx.compare("slots of others before a bank's turn (at most LANES + 1)", True, fair, waited=self.waited)


async def walk(banks: Banks, rows: int, removing: float, staying: float, holds: float) -> None:
    """One FREE_REQUEST: every bank walks `rows` rows at its own pace; `holds`: share of cycles with another slot."""
    ctx, rng, lanes = banks.ctx, banks.rng, banks.lanes
    banks.removed = banks.stayed = 0
    banks.holds, banks.waited = holds > 0, [0] * lanes
    ctx.dut.start.value = 1
    await banks.cycle()
    ctx.dut.start.value = 0
    left = [rows] * lanes
    ended = 0
    while any(left) or any(banks.fifos):
        removed = stayed = 0
        for bank in range(lanes):
            if left[bank] and len(banks.fifos[bank]) < 8 and rng.random() < 0.9:
                left[bank] -= 1
                draw = rng.random()
                removed |= (draw < removing) << bank
                stayed |= (removing <= draw < removing + staying) << bank
        done = sum(1 << b for b in range(lanes) if not (left[b] or banks.fifos[b] or removed >> b & 1))
        if done == (1 << lanes) - 1:
            done = 0  # their ends come below
        ended += await banks.cycle(removed, stayed, done, rng.random() < holds)
        ctx.compare("end before all banks are through", 0, ended)
    for missing in range(lanes):
        ended += await banks.cycle(done=((1 << lanes) - 1) ^ 1 << missing)
    ctx.compare("end while one bank is not through", 0, ended)
    ended += await banks.cycle()
    ctx.compare("FREE_REQUEST has ended", 1, ended)
    counts = (int(ctx.dut.removed.value), int(ctx.dut.stayed.value))
    ctx.compare("blocks that went, that stayed", (banks.removed, banks.stayed), counts, lanes=lanes)
    for _ in range(3):
        ctx.compare("a second end", 0, await banks.cycle())


@kv_test(timeout_cycles=100_000)
async def test_g3_free_request_of_all_banks(ctx: Context) -> None:
    """Every bank's entries are counted, its slots go back once, in turn; a removed block's copy stops."""
    await out_of_reset(ctx)
    banks = Banks(ctx)
    for removing, staying in ((1.0, 0.0), (0.0, 1.0), (0.4, 0.3), (0.05, 0.0), (0.0, 0.0)):
        for holds in (0.0, 0.2):
            await walk(banks, 40, removing, staying, holds)
    ctx.compare("slots put, copies stopped (at least 100, 20)", (True, True), (banks.put >= 100, banks.aborts >= 20))


@kv_test(timeout_cycles=200_000)
async def test_g3_counts_of_65536(ctx: Context) -> None:
    """All entries of the largest directory: 65,536 that go, or stay, in steps of all lanes at once."""
    await out_of_reset(ctx)
    banks = Banks(ctx)
    everyone = (1 << banks.lanes) - 1
    for went in (True, False):
        ctx.dut.start.value = 1
        await banks.cycle()
        ctx.dut.start.value = 0
        ctx.dut.bank_done.value = 0
        for name in ("bank_removed", "bank_stayed"):
            getattr(ctx.dut, name).value = everyone if (name == "bank_removed") == went else 0
        for _ in range(65536 // banks.lanes):
            await RisingEdge(ctx.dut.clk)
        ctx.dut.bank_removed.value = ctx.dut.bank_stayed.value = 0
        await RisingEdge(ctx.dut.clk)
        seen = (int(ctx.dut.removed.value), int(ctx.dut.stayed.value))
        ctx.compare("blocks that went, that stayed", (65536, 0) if went else (0, 65536), seen)
        await banks.cycle()
        await banks.cycle()
