"""The slot pool against a deque (device.md 5): no slot is lost, none is handed out twice."""

from collections import deque
from dataclasses import dataclass, field

from cocotb.triggers import RisingEdge

from tb.base_test import Context, kv_test
from tb.block.reset import out_of_reset

REFILL_CYCLES = 2  # after a take, in which `avail` may be low although a slot is free


@dataclass
class Pool:
    """A tier's slots: `ring` holds the returned ones, its first `free_in_ring` are free, the rest is held."""

    slots: int
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
        return self.slots - self.fresh + self.free_in_ring

    def next(self) -> int:
        """The slot that a take gets."""
        return self.ring[0] if self.free_in_ring else self.fresh

    def take(self) -> None:
        """Hand out the next slot."""
        slot = self.next()
        if self.free_in_ring:
            self.ring.popleft()
            self.free_in_ring -= 1
        else:
            self.fresh += 1
        assert slot not in self.out
        self.out.add(slot)

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
        self.since_take = 99
        self.reserve = 0

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
        if ctx.rng.random() < 0.1:
            self.reserve = max(0, ctx.rng.choice((0, 1, pool.free - 1, pool.free, pool.free + 1, pool.slots)))
        dut.reserve.value = self.reserve
        if slots is not None:
            dut.slots.value = slots
        await RisingEdge(dut.clk)
        ctx.transaction()
        self.since_take = 0 if take else self.since_take + 1
        if take:
            pool.take()
        if put is not None:
            pool.put(put, held)
        if fence:
            pool.fence()
        restarted = clear or slots is not None
        if restarted:
            self.pool = pool = Pool(pool.slots if slots is None else slots)
            for name in ("take", "put", "fence", "clear", "config_we"):
                getattr(dut, name).value = 0
            await RisingEdge(dut.clk)
            self.since_take = 99
        self.check()

    def check(self) -> None:
        """Every output against the model."""
        dut, pool, ctx = self.dut, self.pool, self.ctx
        ctx.compare("free slots", pool.free, int(dut.free_slots.value), slots=pool.slots)
        ctx.compare("a slot is free", pool.free > 0, bool(dut.some.value))
        ctx.compare("free above RESERVE", pool.free > self.reserve, bool(dut.above.value), reserve=self.reserve)
        ctx.compare("held slots", pool.held, int(dut.held_slots.value), slots=pool.slots)
        ctx.compare("all slots unused", not pool.out and not pool.held, bool(dut.unused_all.value))
        conserved = pool.free + pool.held + len(pool.out)
        ctx.compare("free + handed out + held", pool.slots, conserved)
        avail = bool(dut.avail.value)
        if avail:
            ctx.compare("free slots while one is offered", True, pool.free > 0)
            ctx.compare("slot offered", pool.next(), int(dut.slot.value), free=pool.free, held=pool.held)
        elif self.since_take >= REFILL_CYCLES:
            ctx.compare("free slots while none is offered", 0, pool.free, cycles_since_take=self.since_take)


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
async def test_fence(ctx: Context) -> None:
    """A held slot is handed out only after the fence; one that comes back in the fence's cycle is free after it."""
    bench, dut = Bench(ctx), ctx.dut
    await out_of_reset(ctx)
    await bench.cycle(slots=2)
    for _ in range(2):
        await bench.cycle(take=True)
    ctx.compare("slot offered with all handed out", 0, int(dut.avail.value))
    await bench.cycle(put=1, held=True)
    for _ in range(5):
        await bench.cycle()
        ctx.compare("slot offered while the only one back is held", 0, int(dut.avail.value))
    await bench.cycle(put=0, held=True, fence=True)
    ctx.compare("slot offered after the fence", 1, int(dut.avail.value))
    ctx.compare("free slots after the fence", 2, int(dut.free_slots.value))
    await bench.cycle(take=True, put=None)
    await bench.cycle(put=1, held=False)
    ctx.compare("slot offered: the one that came back last", 1, int(dut.slot.value))


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
        bench.pool, bench.since_take = Pool(50), 99
        await RisingEdge(dut.clk)
        bench.check()
