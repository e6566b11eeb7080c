"""The slot pool against a deque (device.md 5): no slot is lost, none is handed out twice."""

from collections import deque
from dataclasses import dataclass, field

from cocotb.triggers import RisingEdge

from tb.block.reset import out_of_reset
from tb.harness.base_test import Context, kv_test

REFILL_CYCLES = 3  # after a take, a put or a fence, in which `avail` may be low although a slot is free
UNUSED_CYCLES = 2  # that `unused` is late


@dataclass
class Pool:
    """A tier's slots: `ring` holds the returned ones, its first `free_in_ring` are free, the rest is held.

    `offer` is the slot that the hardware shows; which free slot that is was decided when the one before it went.
    """

    slots: int
    offer: int | None = None
    fresh: int = 0
    free_in_ring: int = 0
    ring: deque[int] = field(default_factory=deque)
    out: set[int] = field(default_factory=set)

    @property
    def held(self) -> int:
        """Slots that a migration left, until the fence."""
        return len(self.ring) - self.free_in_ring

    @property
    def free(self) -> int:
        """Slots that can be taken."""
        return self.slots - self.fresh + self.free_in_ring + (self.offer is not None)

    def show(self, slot: int) -> bool:
        """The hardware offers `slot`; whether it may: a free one of the ring, or the next one never used."""
        if slot in list(self.ring)[: self.free_in_ring]:
            self.ring.remove(slot)
            self.free_in_ring -= 1
        elif slot == self.fresh < self.slots:
            self.fresh += 1
        else:
            return False
        self.offer = slot
        return True

    def take(self) -> None:
        """Hand out the slot offered."""
        assert self.offer is not None
        assert self.offer not in self.out
        self.out.add(self.offer)
        self.offer = None

    def put(self, slot: int, held: bool) -> None:
        """A slot comes back."""
        self.out.remove(slot)
        if held:
            self.ring.append(slot)
        else:
            self.ring.appendleft(slot)
            self.free_in_ring += 1

    def fence(self) -> None:
        """All held slots become free."""
        self.free_in_ring = len(self.ring)


class Bench:
    """Drives one cycle at a time and compares every output after it."""

    def __init__(self, ctx: Context) -> None:
        self.ctx, self.dut = ctx, ctx.dut
        self.pool = Pool(0)
        self.since_take = self.since_change = 99
        self.reserve = self.low = self.high = 0

    async def cycle(
        self, take: bool = False, put: int | None = None, held: bool = False, fence: bool = False,
        clear: bool = False, slots: int | None = None,
    ) -> None:  # fmt: skip
        """One clock cycle with these inputs; the model does take, put, fence in this order."""
        dut, pool, ctx = self.dut, self.pool, self.ctx
        dut.take.value = take
        dut.put.value = put is not None
        dut.put_held.value = held
        dut.put_slot.value = put if put is not None else ctx.rng.randrange(1 << 16)
        dut.fence.value = fence
        dut.clear.value = clear
        dut.config_we.value = slots is not None
        near = (0, 1, pool.free - 1, pool.free, pool.free + 1, pool.free + pool.held, pool.slots, (1 << 17) - 1)
        for name in ("reserve", "low", "high"):
            if ctx.rng.random() < 0.1:
                setattr(self, name, max(0, ctx.rng.choice(near)))
            getattr(dut, name).value = getattr(self, name)
        if slots is not None:
            dut.slots.value = slots
        await RisingEdge(dut.clk)
        ctx.transaction()
        self.since_take = 0 if take else self.since_take + 1
        self.since_change = 0 if take or put is not None or fence else self.since_change + 1
        if take:
            pool.take()
        if put is not None:
            pool.put(put, held)
        if fence:
            pool.fence()
        restarted = clear or slots is not None
        if restarted:
            self.pool = pool = Pool(pool.slots if slots is None else slots)
            self._idle()
            await RisingEdge(dut.clk)
            self.since_take, self.since_change = 99, 0
        self.check()
        self._idle()

    def _idle(self) -> None:
        """What was driven in a cycle is not driven on after it."""
        for name in ("take", "put", "fence", "clear", "config_we"):
            getattr(self.dut, name).value = 0

    async def refilled(self) -> None:
        """Until a head slot is ready, where one is free."""
        for _ in range(REFILL_CYCLES):
            await self.cycle()

    def check(self) -> None:
        """Every output against the model."""
        dut, pool, ctx = self.dut, self.pool, self.ctx
        ctx.compare("free slots", pool.free, int(dut.free_slots.value), slots=pool.slots)
        ctx.compare("a slot is free", pool.free > 0, bool(dut.some.value))
        ctx.compare("free above RESERVE", pool.free > self.reserve, bool(dut.above.value), reserve=self.reserve)
        ctx.compare("free below LOW", pool.free < self.low, bool(dut.below_low.value), low=self.low)
        ctx.compare("free at least HIGH", pool.free >= self.high, bool(dut.at_high.value), high=self.high)
        ctx.compare("held slots", pool.held, int(dut.held_slots.value), slots=pool.slots)
        if self.since_change >= UNUSED_CYCLES:
            ctx.compare("all slots unused", not pool.out and not pool.held, bool(dut.unused_all.value))
        conserved = pool.free + pool.held + len(pool.out)
        ctx.compare("free + handed out + held", pool.slots, conserved)
        avail = bool(dut.avail.value)
        if avail:
            slot = int(dut.slot.value)
            if pool.offer is None:
                ctx.compare("slot offered is a free one", True, pool.show(slot), slot=slot, free=pool.free)
            ctx.compare("slot offered", pool.offer, slot, free=pool.free, held=pool.held)
        elif self.since_change >= REFILL_CYCLES:
            ctx.compare("free slots while none is offered", 0, pool.free, cycles_since_change=self.since_change)


@kv_test(timeout_cycles=200_000)
async def test_random(ctx: Context) -> None:
    """Random takes, returns, fences, clears, resets and new sizes, with every mix of their rates."""
    bench, rng = Bench(ctx), ctx.rng
    await out_of_reset(ctx)
    for _ in range(60):
        slots = rng.choice((1, 2, 3, 5, 17, 100, ctx.parameters["ENTRIES"]))
        await bench.cycle(slots=slots)
        takes, puts, holds, fences = (rng.choice((0.02, 0.2, 0.5, 0.9)) for _ in range(4))
        spacing = rng.choice((1, 3, 4, 6))
        for _ in range(rng.choice((50, 250, 600))):
            pool = bench.pool
            may_take = bool(ctx.dut.avail.value) and bench.since_take >= spacing
            out = list(pool.out)
            await bench.cycle(
                take=may_take and rng.random() < takes,
                put=rng.choice(out) if out and rng.random() < puts else None,
                held=rng.random() < holds,
                fence=rng.random() < fences * 0.2,
                clear=rng.random() < 0.001,
            )
        for slot in list(bench.pool.out):
            await bench.cycle(put=slot, held=rng.random() < 0.5)
        await bench.cycle(fence=True)
        ctx.compare("free slots after all came back", slots, int(ctx.dut.free_slots.value))


@kv_test(timeout_cycles=200_000)
async def test_every_slot_once(ctx: Context) -> None:
    """All slots of the largest pool are handed out once, all come back held, the fence frees them, and again."""
    bench, entries = Bench(ctx), ctx.parameters["ENTRIES"]
    await out_of_reset(ctx)
    await bench.cycle(slots=entries)
    for _ in range(3):
        while bench.pool.free:
            await bench.cycle(take=bool(ctx.dut.avail.value))
        ctx.compare("slots handed out", entries, len(bench.pool.out))
        order = sorted(bench.pool.out)
        ctx.rng.shuffle(order)
        for slot in order:
            await bench.cycle(put=slot, held=True)
        ctx.compare("held slots before the fence", entries, int(ctx.dut.held_slots.value))
        await bench.cycle(fence=True)
        ctx.compare("free slots after the fence", entries, int(ctx.dut.free_slots.value))


@kv_test(timeout_cycles=50_000)
async def test_g3_every_bit_of_a_slot(ctx: Context) -> None:
    """Slots come back with every bit of their number, free and held, and are handed out again as they are."""
    bench, entries = Bench(ctx), ctx.parameters["ENTRIES"]
    await out_of_reset(ctx)
    names = sorted({entries - 1, *(1 << bit for bit in range(entries.bit_length() - 1))}, reverse=True)
    for held in (False, True):
        await bench.cycle(slots=entries)
        for _ in names:
            await bench.refilled()
            await bench.cycle(take=True)
        bench.pool.out = set(names)  # the pool knows slots by their numbers alone
        for slot in names:
            await bench.cycle(put=slot, held=held)
        await bench.cycle(fence=True)
        seen = []
        for _ in range(len(names) + 1):
            await bench.refilled()
            seen.append(int(ctx.dut.slot.value))
            await bench.cycle(take=True)
        ctx.compare("slots handed out again", names, sorted(set(seen) & set(names), reverse=True), held=held)


@kv_test(timeout_cycles=400_000)
async def test_g3_more_than_32768_slots(ctx: Context) -> None:
    """A pool of 65,536: more than half are handed out, held, and freed by the fence; counts and order are exact."""
    dut, most = ctx.dut, 33_000
    await out_of_reset(ctx)
    await Bench(ctx).cycle(slots=ctx.parameters["ENTRIES"])
    out: list[int] = []

    async def take(count: int) -> list[int]:
        taken: list[int] = []
        while len(taken) < count:
            avail = int(dut.avail.value)
            if avail:
                taken.append(int(dut.slot.value))
            dut.take.value = avail
            await RisingEdge(dut.clk)
            dut.take.value = 0
            await RisingEdge(dut.clk)
        ctx.transaction(count)
        return taken

    out += await take(most)
    ctx.compare_array("slots handed out", list(range(most)), out, index="take")
    dut.put_held.value = dut.put.value = 1
    for slot in reversed(out):
        dut.put_slot.value = slot
        await RisingEdge(dut.clk)
    dut.put.value = 0
    await RisingEdge(dut.clk)
    left = ctx.parameters["ENTRIES"] - most
    seen = (int(dut.free_slots.value), int(dut.held_slots.value))
    ctx.compare("free, held slots before the fence", (left, most), seen)
    dut.fence.value = 1
    await RisingEdge(dut.clk)
    dut.fence.value = 0
    for _ in range(REFILL_CYCLES):
        await RisingEdge(dut.clk)
    seen = (int(dut.free_slots.value), int(dut.held_slots.value))
    ctx.compare("free, held slots after the fence", (left + most, 0), seen)
    again = await take(6)
    wanted = [most, *out[::-1][:5]]  # the one that was ready, then those that came back first
    ctx.compare("slots handed out after the fence", wanted, again)


@kv_test(timeout_cycles=50_000)
async def test_g3_limits_of_17_bits(ctx: Context) -> None:
    """RESERVE, LOW and HIGH at every power of two, with free slots around it where there are so many."""
    bench, entries = Bench(ctx), ctx.parameters["ENTRIES"]
    await out_of_reset(ctx)
    for bit in range(17):
        limit = 1 << bit
        for slots in sorted({min(entries, max(1, limit + d)) for d in (-1, 0, 1)} | {min(entries, 5)}):
            await bench.cycle(slots=slots)
            for value in (limit, limit - 1, limit | 1, limit + slots, (1 << 17) - 1):
                bench.reserve = bench.low = bench.high = min(value, (1 << 17) - 1)
                await bench.cycle()
                bench.reserve = bench.low = bench.high = min(value, (1 << 17) - 1)
                await bench.cycle()


@kv_test(timeout_cycles=50_000)
async def test_fence(ctx: Context) -> None:
    """A held slot is handed out only after the fence; one that comes back in the fence's cycle is free after it."""
    bench, dut = Bench(ctx), ctx.dut
    await out_of_reset(ctx)
    await bench.cycle(slots=2)
    for _ in range(2):
        await bench.refilled()
        await bench.cycle(take=True)
    ctx.compare("slot offered with all handed out", 0, int(dut.avail.value))
    await bench.cycle(put=1, held=True)
    for _ in range(5):
        await bench.cycle()
        ctx.compare("slot offered while the only one back is held", 0, int(dut.avail.value))
    await bench.cycle(put=0, held=True, fence=True)
    ctx.compare("free slots after the fence", 2, int(dut.free_slots.value))
    for taken in range(2):
        await bench.refilled()
        ctx.compare("slot offered after the fence", 1, int(dut.avail.value), taken=taken)
        await bench.cycle(take=True)
    await bench.cycle(put=1, held=False)
    await bench.cycle()
    ctx.compare("slot offered: the only one that came back", (1, 1), (int(dut.avail.value), int(dut.slot.value)))


@kv_test(timeout_cycles=50_000)
async def test_order(ctx: Context) -> None:
    """Slots that came back free go out first, the last one first; then those of the fence, the first one first."""
    bench, dut = Bench(ctx), ctx.dut
    await out_of_reset(ctx)
    await bench.cycle(slots=9)
    seen: list[int] = []

    async def take() -> None:
        while not int(dut.avail.value):
            await bench.cycle()
        seen.append(int(dut.slot.value))
        await bench.cycle(take=True)

    for _ in range(8):
        await take()
    await bench.refilled()  # 8 is the head slot
    for slot in (3, 5):
        await bench.cycle(put=slot, held=True)
    await bench.cycle(fence=True)
    for slot in (1, 6, 2):
        await bench.cycle(put=slot)
    for _ in range(6):
        await take()
    ctx.compare("order of the slots", [0, 1, 2, 3, 4, 5, 6, 7, 8, 2, 6, 1, 3, 5], seen)


@kv_test(timeout_cycles=50_000)
async def test_reset(ctx: Context) -> None:
    """A hard reset at any moment gives all slots back; no preload is needed."""
    bench, dut, rng = Bench(ctx), ctx.dut, ctx.rng
    await out_of_reset(ctx)
    await bench.cycle(slots=50)
    for _ in range(20):
        for _ in range(rng.randrange(1, 80)):
            out = list(bench.pool.out)
            await bench.cycle(
                take=bool(dut.avail.value) and rng.random() < 0.6,
                put=rng.choice(out) if out and rng.random() < 0.4 else None,
                held=rng.random() < 0.5,
            )
        dut.hard_reset.value = 1
        dut.take.value = dut.put.value = 0
        await RisingEdge(dut.clk)
        dut.hard_reset.value = 0
        bench.pool, bench.since_take, bench.since_change = Pool(50), 99, 0
        await RisingEdge(dut.clk)  # SLOTS is taken over
        await RisingEdge(dut.clk)
        bench.check()
