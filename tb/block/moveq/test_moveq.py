"""The move queues against a reference that keeps one list per lane and queue (device.md 4)."""

from collections import deque
from dataclasses import dataclass, field

from cocotb.triggers import FallingEdge, RisingEdge

from tb.block.reset import out_of_reset
from tb.block.structs import struct
from tb.harness.base_test import Context, kv_test

QUEUE_DEPTH = 64
LANE_PLACES = 4
EVICT, PREFETCH = 0, 1
NAMES = ("evict", "prefetch")


@dataclass
class Waiting:
    """A decision that waits: its place in the scoring order and its item."""

    cycle: int
    lane: int
    item: int


@dataclass
class Queue:
    """One queue of the reference and the decisions that wait before it, in scoring order."""

    items: deque[int] = field(default_factory=deque)
    waiting: deque[Waiting] = field(default_factory=deque)
    refilling: bool = False  # it was full; what a pop frees is filled by those that wait

    def waiting_of(self, lane: int) -> int:
        """Places of `lane` that are taken."""
        return sum(w.lane == lane for w in self.waiting)

    @property
    def full(self) -> bool:
        """64 items are in the queue."""
        return len(self.items) == QUEUE_DEPTH


@dataclass
class Inputs:
    """What a cycle puts in. `lanes`: lane to (queue, item)."""

    lanes: dict[int, tuple[int, int]] = field(default_factory=dict)
    op: tuple[int, int] | None = None  # queue, item
    may: bool = False  # an operation may push, and does not
    pops: tuple[bool, bool] = (False, False)
    completion: int | None = None  # tier
    clear: bool = False


class Bench:
    """Drives the RTL cycle by cycle, compares every output and follows with the reference."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.dut = ctx.dut
        self.lanes = ctx.parameters["LANES"]
        self.item = struct("item_t")
        self.number = 0
        self.tiers: tuple[int, ...] = (0, 1, 2, 3)  # where items come from
        self.reset_reference()
        self.dropped = [0, 0]
        self.replayed = 0
        self.popped: list[list[int]] = [[], []]

    def reset_reference(self) -> None:
        """The state after a reset or a clear."""
        self.queues = (Queue(), Queue())
        self.drops = [[0, 0], [0, 0]]  # of the last two cycles
        self.departures = [0, 0, 0, 0]
        self.out: list[int] = []  # tiers of items that have left a queue and not ended

    def new_item(self) -> int:
        """An item unlike every other."""
        self.number += 1
        rng = self.ctx.rng
        return self.item.pack(
            request_id=self.number & 0xFFFF,
            block=self.number | rng.getrandbits(16) << 16,
            layer_head=rng.getrandbits(16),
            fixed=rng.getrandbits(1),
            target=rng.randrange(4),
            by_migrate=rng.getrandbits(1),
            generation=rng.getrandbits(16),
            **{"from": rng.choice(self.tiers)},
        )

    async def cycle(self, put: Inputs) -> dict[int, str]:
        """One cycle; returns what became of each lane's decision: accept, drop or replay."""
        self._drive(put)
        await FallingEdge(self.dut.clk)
        fates = self._check(put)
        self._follow(put, fates)
        await RisingEdge(self.dut.clk)
        return fates

    def _drive(self, put: Inputs) -> None:
        dut, width = self.dut, self.item.width
        dut.lane_valid.value = sum(1 << lane for lane in put.lanes)
        dut.lane_evict.value = sum(1 << lane for lane, (queue, _) in put.lanes.items() if queue == EVICT)
        dut.lane_item.value = sum(item << (lane * width) for lane, (_, item) in put.lanes.items())
        dut.op_valid.value = int(put.op is not None)
        if put.op is not None:
            dut.op_channel.value, dut.op_item.value = put.op
        dut.op_may.value = int(put.op is not None or put.may)
        dut.q_pop.value = put.pops[EVICT] | put.pops[PREFETCH] << 1
        dut.compl_valid.value = int(put.completion is not None)
        dut.compl_from.value = put.completion or 0
        dut.clear.value = int(put.clear)

    def _check(self, put: Inputs) -> dict[int, str]:
        ctx, dut = self.ctx, self.dut
        levels = (int(dut.evict_level.value), int(dut.prefetch_level.value))
        heads = (int(dut.evict_item.value), int(dut.prefetch_item.value))
        full = (int(dut.evict_full.value), int(dut.prefetch_full.value))
        valid = int(dut.q_valid.value)
        for q, queue in enumerate(self.queues):
            ctx.compare(f"{NAMES[q]} queue level", len(queue.items), levels[q])
            ctx.compare(f"{NAMES[q]} queue has a head", int(bool(queue.items)), valid >> q & 1)
            ctx.compare(f"{NAMES[q]} queue full", int(queue.full), full[q])
            if queue.items:
                ctx.compare(
                    f"{NAMES[q]} queue head (scoring order)", self._named(queue.items[0]), self._named(heads[q])
                )
        ctx.compare("a decision waits", int(any(q.waiting for q in self.queues)), int(dut.waiting.value))
        width = len(self.departures)
        seen = int(dut.departures.value)
        ctx.compare(
            "departures in flight per tier", self.departures, [seen >> (17 * t) & 0x1FFFF for t in range(width)]
        )
        none = sum((count == 0) << t for t, count in enumerate(self.departures))
        ctx.compare("tiers without departures", none, int(dut.none_departs.value))
        fates = self._fates(put)
        accept, drop = int(dut.lane_accept.value), int(dut.lane_drop.value)
        for lane in range(self.lanes):
            fate = {(0, 0): "replay", (1, 0): "accept", (0, 1): "drop"}.get(
                (accept >> lane & 1, drop >> lane & 1), "both"
            )
            if lane in put.lanes:
                ctx.compare(
                    f"fate of a decision for the {NAMES[put.lanes[lane][0]]} queue", fates[lane], fate, lane=lane
                )
            else:
                ctx.compare("fate of a lane without decision", "replay", fate, lane=lane)
        drops = [sum(fates[lane] == "drop" and put.lanes[lane][0] == q for lane in fates) for q in (EVICT, PREFETCH)]
        if put.op is not None:
            ok = not self.queues[put.op[0]].full
            ctx.compare(f"place for an operation in the {NAMES[put.op[0]]} queue", int(ok), int(dut.op_ok.value))
            drops[put.op[0]] += not ok and not self.item.unpack(put.op[1])["by_migrate"]
        seen_drops = [int(dut.evict_dropped.value), int(dut.prefetch_dropped.value)]
        ctx.compare("drops counted for the two queues, two cycles later", self.drops[0], seen_drops)
        self.drops = [*self.drops[1:], drops]
        self.dropped = [a + b for a, b in zip(self.dropped, drops, strict=True)]
        return fates

    def _named(self, item: int) -> str:
        fields = self.item.unpack(item)
        return f"item {fields['block']} {fields}"

    def _fates(self, put: Inputs) -> dict[int, str]:
        fates = {}
        for lane, (q, _) in put.lanes.items():
            queue = self.queues[q]
            if queue.waiting_of(lane) < LANE_PLACES:
                fates[lane] = "accept"
            elif queue.full or queue.refilling:
                fates[lane] = "drop"
                # "only when both are full"
                self.ctx.compare(
                    "items in or before the queue at a drop >= 64", True, len(queue.items) + len(queue.waiting) >= 64
                )
            else:
                fates[lane] = "replay"
        return fates

    def _follow(self, put: Inputs, fates: dict[int, str]) -> None:
        if put.clear:
            self.reset_reference()
            return
        for q, queue in enumerate(self.queues):
            was_full, level, waited = queue.full, len(queue.items), bool(queue.waiting)
            popped = put.pops[q] and bool(queue.items)
            if popped:
                self.popped[q].append(queue.items.popleft())
                self.out.append(self.item.unpack(self.popped[q][-1])["from"])
            if not was_full:
                if put.op is not None and put.op[0] == q:
                    self._push(queue, put.op[1])
                elif queue.waiting and put.op is None and not put.may:
                    self._push(queue, queue.waiting.popleft().item)
            pushed = len(queue.items) > level - popped
            queue.refilling = was_full or (queue.refilling and waited and pushed)
            for lane in sorted(fates):
                if fates[lane] == "accept" and put.lanes[lane][0] == q:
                    queue.waiting.append(Waiting(self.ctx.cycle, lane, put.lanes[lane][1]))
        if put.completion is not None:
            self.departures[put.completion] -= 1
        self.replayed += sum(fate == "replay" for fate in fates.values())
        self.ctx.transaction(len(fates) + (put.op is not None) + sum(put.pops))

    def _push(self, queue: Queue, item: int) -> None:
        queue.items.append(item)
        self.departures[self.item.unpack(item)["from"]] += 1

    def completion(self, chance: float) -> int | None:
        """Now and then the end of an item that has left its queue."""
        if self.out and self.ctx.rng.random() < chance:
            return self.out.pop(self.ctx.rng.randrange(len(self.out)))
        return None

    async def empty(self) -> None:
        """Pop until nothing is left."""
        while any(q.items or q.waiting for q in self.queues) or self.out:
            await self.cycle(Inputs(pops=(True, True), completion=self.completion(1.0)))
        await self.cycle(Inputs())  # what was driven last is not driven on


@kv_test(timeout_cycles=20_000)
async def test_order(ctx: Context) -> None:
    """Rows of decisions on all lanes come out by cycle, then by lane, over both queues; nothing is lost."""
    await out_of_reset(ctx)
    bench = Bench(ctx)
    bench.tiers = (1,)
    expected: list[list[int]] = [[], []]
    for row in range(200):
        lanes = {
            lane: (ctx.rng.randrange(2), bench.new_item()) for lane in range(bench.lanes) if ctx.rng.random() < 0.4
        }
        while lanes:
            pops = (ctx.rng.random() < 0.8, row % 3 != 0)
            fates = await bench.cycle(Inputs(lanes=lanes, pops=pops, completion=bench.completion(0.5)))
            for lane, fate in sorted(fates.items()):
                if fate == "accept":
                    expected[lanes[lane][0]].append(lanes[lane][1])
            lanes = {lane: lanes[lane] for lane, fate in fates.items() if fate == "replay"}
    await bench.empty()
    for q in (EVICT, PREFETCH):
        ctx.compare_array(
            f"order of the {NAMES[q]} queue",
            [i >> 22 & 0xFFFFFFFF for i in expected[q]],
            [i >> 22 & 0xFFFFFFFF for i in bench.popped[q]],
            index="item",
        )


@kv_test(timeout_cycles=20_000)
async def test_full(ctx: Context) -> None:
    """64 in the queue and 4 per lane before it are taken, repeated until then, dropped after; a pop makes one place."""
    await out_of_reset(ctx)
    bench = Bench(ctx)
    for q in (EVICT, PREFETCH):
        capacity = QUEUE_DEPTH + LANE_PLACES * bench.lanes
        taken = row = 0
        while bench.dropped[q] == 0:
            lanes = {lane: (q, bench.new_item()) for lane in range(bench.lanes)}
            fates = await bench.cycle(Inputs(lanes=lanes))
            taken += sum(fate == "accept" for fate in fates.values())
            row += 1
        ctx.compare(f"decisions taken before the first drop for the {NAMES[q]} queue", capacity, taken, rows=row)
        for _ in range(8):
            pops = (q == EVICT, q == PREFETCH)
            await bench.cycle(Inputs(pops=pops, lanes={lane: (q, bench.new_item()) for lane in range(bench.lanes)}))
            await bench.cycle(
                Inputs(lanes={lane: (q, bench.new_item()) for lane in range(bench.lanes)}, op=(q, bench.new_item()))
            )
        ctx.compare(f"{NAMES[q]} queue is full again", True, bench.queues[q].full)
        await bench.cycle(Inputs(op=(q, bench.new_item())))
        for _ in range(12):  # what a pop frees belongs to those that wait, however quick the pops
            every_lane = {lane: (q, bench.new_item()) for lane in range(bench.lanes)}
            await bench.cycle(Inputs(pops=(q == EVICT, q == PREFETCH), lanes=every_lane))
    ctx.compare("decisions were repeated while the queue filled", True, bench.replayed > 0)
    await bench.empty()


@kv_test(timeout_cycles=20_000)
async def test_latency(ctx: Context) -> None:
    """A decision is queued two cycles after S5, an operation's item one cycle after S3 and before those that wait."""
    await out_of_reset(ctx)
    bench = Bench(ctx)
    lane = bench.lanes - 1
    await bench.cycle(Inputs(lanes={lane: (EVICT, bench.new_item())}))
    await bench.cycle(Inputs())
    ctx.compare("evict queue level two cycles after S5", 1, int(ctx.dut.evict_level.value))
    await bench.cycle(Inputs(op=(PREFETCH, bench.new_item())))
    ctx.compare("prefetch queue level one cycle after S3", 1, int(ctx.dut.prefetch_level.value))
    await bench.cycle(Inputs(lanes={0: (EVICT, bench.new_item())}))
    first = bench.new_item()
    await bench.cycle(Inputs(op=(EVICT, first)))
    await bench.empty()
    ctx.compare("item of the operation before the waiting decision", first, bench.popped[EVICT][1])


@kv_test(timeout_cycles=30_000)
async def test_random(ctx: Context) -> None:
    """Phases of every load on lanes, operations, pops and completions; clears in between."""
    await out_of_reset(ctx)
    bench = Bench(ctx)
    rng = ctx.rng
    for phase in range(24):
        lane_load, op_load = rng.choice((0.02, 0.3, 1.0)), rng.choice((0.0, 0.1, 0.6))
        pop_load = (rng.choice((0.0, 0.2, 1.0)), rng.choice((0.0, 0.2, 1.0)))
        evict_share = rng.choice((0.0, 0.5, 1.0))
        held: dict[int, tuple[int, int]] = {}
        for _ in range(120):
            lanes = dict(held)
            for lane in range(bench.lanes):
                if lane not in lanes and rng.random() < lane_load:
                    lanes[lane] = (EVICT if rng.random() < evict_share else PREFETCH, bench.new_item())
            op = (rng.randrange(2), bench.new_item()) if rng.random() < op_load else None
            may = op is None and rng.random() < op_load
            pops = (rng.random() < pop_load[0], rng.random() < pop_load[1])
            fates = await bench.cycle(Inputs(lanes, op, may, pops, bench.completion(0.4)))
            held = {lane: lanes[lane] for lane, fate in fates.items() if fate == "replay"}
        if phase % 6 == 5:
            await bench.cycle(Inputs(clear=True))
    await bench.empty()
    ctx.compare("departures of every tier at the end", [0, 0, 0, 0], bench.departures)
