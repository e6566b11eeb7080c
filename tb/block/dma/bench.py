"""Stand-in for everything around the DMA: the directory that answers its operations, the item queues, the memories.

The stand-in decides each operation when it is accepted, as the directory would at its commit point, and keeps the whole
truth: where every block lies, which slots are free, which item ended how. Every decision that the contract leaves to
others (a block removed, a write lookup, no free slot) comes from the test's random numbers.
"""

import ctypes
from collections import Counter, deque

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from tb.block.dma.items import Block, Chances, Item, Result, Totals
from tb.events.decode import decoded
from tb.events.records import (
    STREAM_DMA,
    DmaCompletionRecord,
    DmaFaultRecord,
    DmaKind,
    DmaReadRecord,
    DmaWriteRecord,
)
from tb.harness.base_test import Context
from tb.harness.link import Link

TIERS = 4
EVICT, PREFETCH = 0, 1
NAMES = ("evict", "prefetch")
QUEUE_DEPTH = 64
ANSWER_CYCLES = 8
# Bases whose first slots run over 2^33, 2^52 and 2^63, so that a block's addresses carry into every bit; multiples
# of 4,096 (device.md 5).
BASES = (0x0000_0000_0000_0000, 0x0000_0001_FFFF_F000, 0x000F_FFFF_FFFF_F000, 0x7FFF_FFFF_FFFF_F000)


def slot_number(slot: int) -> int:
    """What the directory calls a slot: all 16 bits are used, no two slots have the same number."""
    return (slot * 0x9E37 + 0x8001) & 0xFFFF


class Bench:
    """One DMA with its surroundings."""

    def __init__(self, ctx: Context) -> None:
        self.ctx, self.dut, self.rng = ctx, ctx.dut, ctx.rng
        self.link = Link()
        self.link.axi_seed(ctx.seed)
        self._failed = ctypes.CDLL(None).kvpy_dma_move_failed
        self.block_tokens = ctx.parameters.get("BLOCK_TOKENS", 16)
        self.block_bytes = self.stride = 8192
        self.chances = Chances()
        self.side: int | None = None  # the only side on which errors are injected, if it is known
        self.max_retry = 3
        self.blocks: list[Block] = []
        self.free: list[deque[int]] = [deque() for _ in range(TIERS)]
        self.queued: list[deque[Item]] = [deque(), deque()]
        self.moves: dict[int, Item] = {}
        self.expected: deque[tuple[int, int, int, int]] = deque()  # kv_addr, status, from, to
        self.expected_errors: deque[tuple[int, int]] = deque()  # kv_addr, channel
        self.pushed = self.completed = self.starts = self.tries = 0
        self.ends: Counter[Result] = Counter()
        self.start_order: list[int] = []
        self.totals = Totals()
        self.reads: list[tuple[int, int]] = []  # cycle, address of each AR handshake
        self.writes: list[tuple[int, int]] = []
        self.pops: list[tuple[int, int, int]] = []  # cycle, channel, q_valid at the pop
        self._epoch = 0
        self._answer = 0
        self._generation = 1
        self._aborts = 0

    # ------------------------------------------------------------------ set-up
    async def begin(self, block_bytes: int, blocks: int, slots: int, reset_cycles: int = 8) -> None:
        """Reset, map memories with `slots` slots per tier, and place `blocks` blocks with random bytes."""
        dut = self.dut
        self.configure(block_bytes, blocks, slots)
        for signal in ("abort_now", "push", "halt", "clear", "op_stall256"):
            getattr(dut, signal).value = 0
        dut.answer_push.value = self._answer
        dut.enable.value = 1
        await self.reset(reset_cycles)
        cocotb.start_soon(self._serve(), name="directory stand-in")
        self.ctx.on_drain("items without completion", lambda: self.pushed - self.take_records())
        self.ctx.on_end("DMA at rest", self.check_end)

    def configure(self, block_bytes: int, blocks: int, slots: int) -> None:
        """New block size and fresh memories; nothing may be in flight."""
        self.block_bytes, self.stride = block_bytes, 1 << max(8, (block_bytes - 1).bit_length())
        self.dut.block_bytes.value = block_bytes
        self.blocks.clear()
        for tier in range(TIERS):
            if not self.link.memory_map(tier, BASES[tier], slots * self.stride):
                raise RuntimeError(f"no memory for {slots} slots of {self.stride} bytes")
            order = list(range(slots))
            self.rng.shuffle(order)
            self.free[tier] = deque(order)
        for _ in range(blocks):
            self.place(self.rng.choice([tier for tier in range(TIERS) if self.free[tier]]), 1)

    def place(self, tier: int, count: int) -> None:
        """`count` new blocks with random bytes in this tier."""
        used = {(block.request_id, block.layer_head, block.number) for block in self.blocks}
        for _ in range(count):
            key = self._key()
            while key in used:
                key = self._key()
            used.add(key)
            block = Block(*key, tier, self.free[tier].popleft())
            data = self.ctx.np_rng.integers(0, 256, self.block_bytes, dtype=np.uint8).tobytes()
            self.link.memory_write(tier, self.address(tier, block.slot), data)
            self.blocks.append(block)

    def _key(self) -> tuple[int, int, int]:
        rng = self.rng
        return rng.randrange(1 << 16), rng.randrange(1 << 16), rng.randrange((1 << 32) // self.block_tokens)

    async def reset(self, cycles: int) -> None:
        """Hard reset now; whatever was on its way is gone without a completion."""
        now = self.link.cycle()
        self.link.reset(0 if now == 0 else now + 1, now + 1 + cycles)
        self.forget()
        await self.wait(cycles + 4)

    def forget(self) -> None:
        """After a reset: no item is in flight, what was reserved is free."""
        self.take_records()
        self._epoch += 1
        for item in [*self.moves.values(), *self.queued[0], *self.queued[1]]:
            item.block.in_flight = False
            item.copying = False
            if item.slot is not None:
                self.free[item.chosen or 0].append(item.slot)
        self.moves.clear()
        for queue in self.queued:
            queue.clear()
        self.expected.clear()
        self.expected_errors.clear()
        self.pushed = self.completed = 0
        self.totals = Totals()

    def address(self, tier: int, slot: int) -> int:
        """Byte address of a slot."""
        return (BASES[tier] + slot * self.stride) % (1 << 64)

    async def wait(self, cycles: int) -> None:
        """Some cycles, then right after a clock edge."""
        await self.ctx.cycles(cycles)
        await RisingEdge(self.dut.clk)

    # ------------------------------------------------------------------ items
    def idle_blocks(self) -> list[Block]:
        """Blocks that have no item."""
        return [block for block in self.blocks if not block.in_flight]

    def make_item(self, block: Block, channel: int) -> Item | None:
        """A legal item of this channel for this block."""
        if channel == EVICT:
            if block.tier == TIERS - 1:
                return None
            fixed = self.rng.random() < 0.3
            target = self.rng.randrange(block.tier + 1, TIERS)
        else:
            if block.tier == 0:
                return None
            fixed, target = True, self.rng.randrange(block.tier)
        self._generation = (self._generation + 1) & 0xFFFF
        return Item(block, channel, block.tier, fixed, target, self._generation, fixed and self.rng.random() < 0.5)

    async def push(self, item: Item) -> None:
        """One item into its queue, in one cycle."""
        dut, block = self.dut, item.block
        dut.item_request_id.value = block.request_id
        dut.item_layer_head.value = block.layer_head
        dut.item_block.value = block.number
        dut.item_generation.value = item.generation
        dut.item_from.value = item.source
        dut.item_target.value = item.target
        dut.item_fixed.value = item.fixed
        dut.item_by_migrate.value = item.by_migrate
        dut.push.value = 1 << item.channel
        block.in_flight = True
        self.queued[item.channel].append(item)
        self.pushed += 1
        self.ctx.transaction()
        await RisingEdge(dut.clk)
        dut.push.value = 0

    async def traffic(self, count: int, depth: int = QUEUE_DEPTH - 4, gap: float = 0.0) -> None:
        """Push `count` items on random blocks and channels, keeping at most `depth` in each queue."""
        done = 0
        while done < count:
            idle = self.idle_blocks()
            channel = self.rng.randrange(2)
            if idle and len(self.queued[channel]) < depth:
                item = self.make_item(self.rng.choice(idle), channel)
                if item:
                    await self.push(item)
                    done += 1
                    if self.rng.random() >= gap:
                        continue
            await self.wait(self.rng.randrange(1, 40))
        await self.settled()

    async def settled(self) -> None:
        """Until every item has its completion."""
        with self.ctx.waiting("test", "the completions of all items"):
            while self.pushed != self.take_records():
                await self.wait(20)

    # ------------------------------------------------------------------ the directory
    async def _serve(self) -> None:
        dut = self.dut
        while True:
            await dut.op_count.value_change
            if not int(dut.rst_n.value) or int(dut.op_count.value) == 0:
                continue
            if int(dut.seen_end.value):
                self._end()
            else:
                self._start()
            self._answer ^= 1
            dut.answer_push.value = self._answer

    def _say(self, result: Result, item: Item) -> None:
        dut = self.dut
        dut.answer_move.value = int(result)
        dut.answer_tier.value = item.block.tier
        dut.answer_phys_addr.value = self.address(item.block.tier, item.block.slot)
        known = result is Result.OK and item.slot is not None
        dut.answer_dst_tier.value = item.chosen if known and item.chosen is not None else self.rng.randrange(4)
        named = known and item.slot is not None
        dut.answer_dst_slot.value = slot_number(item.slot or 0) if named else self.rng.randrange(1 << 16)
        dst = self.address(item.chosen, item.slot) if known and item.chosen is not None and item.slot is not None else 0
        dut.answer_dst_phys.value = dst

    def _check_item(self, item: Item) -> None:
        dut, block = self.dut, item.block
        seen = (
            int(dut.seen_request_id.value),
            int(dut.seen_layer_head.value),
            int(dut.seen_block.value),
            int(dut.seen_generation.value),
            int(dut.seen_from.value),
            int(dut.seen_target.value),
            bool(dut.seen_fixed.value),
            bool(dut.seen_by_migrate.value),
        )
        key = (block.request_id, block.layer_head, block.number)
        want = (*key, item.generation, item.source, item.target, item.fixed, item.by_migrate)
        self.ctx.compare("item of an operation", want, seen, move=int(dut.seen_move.value))
        self.ctx.compare("KV address of an operation", block.kv_addr(self.block_tokens), int(dut.seen_kv_addr.value))

    def _start(self) -> None:
        dut, ctx = self.dut, self.ctx
        move, retry = int(dut.seen_move.value), bool(dut.seen_retry.value)
        self.starts += 1
        if retry:
            item = self.moves.get(move)
            waits = item is not None and not item.copying
            ctx.compare("start check of a later try: its move waits for one", True, waits, move=move)
            assert item is not None
        else:
            key = (int(dut.seen_request_id.value), int(dut.seen_layer_head.value), int(dut.seen_block.value))
            heads = [queue[0] for queue in self.queued if queue]
            found = [i for i in heads if (i.block.request_id, i.block.layer_head, i.block.number) == key]
            ctx.compare("start check: items of that block at the head of a queue", 1, len(found), move=move)
            item = found[0]
            ctx.compare("start check: move id in use", False, move in self.moves, move=move)
            self.queued[item.channel].popleft()
            self.start_order.append(item.channel)
            item.move = move
            self.moves[move] = item
            limit = ctx.parameters.get("MOVES", 64)
            ctx.compare(f"moves at the same time (at most {limit})", min(limit, len(self.moves)), len(self.moves))
        self._check_item(item)
        if self.rng.random() < self.chances.put_off:
            self._say(Result.RETRY, item)
            return
        item.tries += 1
        self.tries += 1
        chances = self.chances
        result = Result.OK
        if item.gone or self.rng.random() < (chances.gone_at_retry if retry else chances.gone_at_start):
            result = Result.CANCELLED
        else:
            tiers = [item.target] if item.fixed else [t for t in range(item.source + 1, TIERS) if self.free[t]][:1]
            if not tiers or not self.free[tiers[0]] or self.rng.random() < chances.no_slot:
                result = Result.NO_SLOT
            else:
                item.chosen = tiers[0]
                item.slot = self.free[item.chosen].popleft()
                item.src_slot = item.block.slot
                item.copying, item.voided = True, False
        self._say(result, item)
        if result is not Result.OK:
            self.ends[result] += 1
            self._finish(item, result)
            return
        for chance, gone in ((chances.void, False), (chances.removed, True)):
            if self.rng.random() < chance:
                delay = ANSWER_CYCLES + 1 + self.rng.randrange(chances.abort_within)
                cocotb.start_soon(self._abort_later(item, item.tries, delay, gone), name="abort")

    def _end(self) -> None:
        dut, ctx = self.dut, self.ctx
        move = int(dut.seen_move.value)
        item = self.moves.get(move)
        ctx.compare("end of a try: its copy runs", True, item is not None and item.copying, move=move)
        assert item is not None
        self._check_item(item)
        place = (int(dut.seen_dst_tier.value), int(dut.seen_dst_slot.value))
        reserved = (item.chosen, None if item.slot is None else slot_number(item.slot))
        ctx.compare("target place at the end of a try", reserved, place, move=move)
        error = bool(self._failed(move))
        where = {"move": move, "tries": item.tries, "max_retry": self.max_retry}
        ctx.compare("AXI error reported at the end of a try", error, bool(dut.seen_error.value), **where)
        ctx.compare("tries of a move at the end of one", item.tries, int(dut.seen_tries.value), **where)
        last = item.tries >= max(1, self.max_retry)
        if error:
            self.totals.errors[item.channel] += 1
            self.expected_errors.append((item.block.kv_addr(self.block_tokens), item.channel))
        item.copying = False
        if item.gone:
            result = Result.CANCELLED
        elif item.voided:
            result = Result.VOID
        elif error:
            result = Result.ERROR if last else Result.RETRY
        elif self.rng.random() < self.chances.referenced_at_commit:
            result = Result.CANCELLED
        else:
            result = Result.OK
        self._say(result, item)
        assert item.chosen is not None
        assert item.slot is not None
        if result is Result.OK:
            self.free[item.block.tier].append(item.block.slot)
            item.block.tier, item.block.slot = item.chosen, item.slot
        else:
            self.free[item.chosen].append(item.slot)
        item.slot = None
        self.ends[result] += 1
        if result is not Result.RETRY:
            self._finish(item, result)

    def _finish(self, item: Item, result: Result) -> None:
        assert item.move is not None
        del self.moves[item.move]
        item.block.in_flight = False
        never_chosen = item.target if item.fixed else item.source
        to = never_chosen if item.chosen is None else item.chosen
        self.expected.append((item.block.kv_addr(self.block_tokens), int(result), item.source, to))
        if result is Result.OK:
            self.totals.bytes_moved[item.channel] += self.block_bytes
        if result is Result.VOID:
            self.totals.voids[item.channel] += 1

    async def _abort_later(self, item: Item, tries: int, delay: int, gone: bool) -> None:
        epoch = self._epoch
        await self.wait(delay)
        if epoch == self._epoch and item.copying and item.tries == tries:
            await self.abort(item, gone)

    async def abort(self, item: Item, gone: bool) -> None:
        """A write lookup (or, with `gone`, a removal) hits the block while it moves."""
        assert item.move is not None
        item.voided, item.gone = True, item.gone or gone
        bit = 1 << item.move
        self._aborts |= bit
        self.dut.abort_now.value = self._aborts
        await RisingEdge(self.dut.clk)
        self._aborts &= ~bit
        self.dut.abort_now.value = self._aborts

    # ------------------------------------------------------------------ what came out
    def take_records(self) -> int:
        """Check what the DMA put out since the last call; returns the completions so far."""
        for record in decoded(self.link.take_records(STREAM_DMA), DmaKind):
            if isinstance(record, DmaCompletionRecord):
                self._completion(record)
            elif isinstance(record, DmaFaultRecord):
                self._fault(record)
            elif isinstance(record, DmaReadRecord):
                self.reads.append((record.cycle, record.address))
            elif isinstance(record, DmaWriteRecord):
                self.writes.append((record.cycle, record.address))
            else:
                self.pops.append((record.cycle, record.channel, record.waiting))
        self.check_violations()
        return self.completed

    def _completion(self, r: DmaCompletionRecord) -> None:
        where = {"block": r.kv_addr, "at_cycle": r.cycle}
        self.ctx.compare("completions only for items that ended", True, bool(self.expected), **where)
        names = ("KV address", "status", "from", "to")
        want = dict(zip(names, self.expected.popleft(), strict=True))
        seen = dict(zip(names, (r.kv_addr, r.status, r.from_tier, r.to_tier), strict=True))
        self.ctx.compare_fields("completion of an item", want, seen, at_cycle=r.cycle)
        self.completed += 1

    def _fault(self, r: DmaFaultRecord) -> None:
        where = {"block": r.kv_addr, "at_cycle": r.cycle}
        self.ctx.compare("DMA_ERR only for tries that met an error", True, bool(self.expected_errors), **where)
        kv_addr, channel = self.expected_errors.popleft()
        seen = {"KV address": r.kv_addr, "channel": NAMES[r.channel]}
        self.ctx.compare_fields(
            "error reported (DMA_ERR)", {"KV address": kv_addr, "channel": NAMES[channel]}, seen, at_cycle=r.cycle
        )
        if self.side is not None:
            self.ctx.compare("DMA_ERR side (0 read, 1 write)", self.side, int(r.on_write), **where)

    def check_violations(self) -> None:
        """No protocol or data checker has complained."""
        found = self.link.violations()
        at, text = found[0] if found else (0, "none")
        self.ctx.compare("violations seen by the checkers", "none", text, cycle=at)

    def check_end(self) -> None:
        """Everything at rest: counters, queues, outstanding bursts, slots, every byte of memory."""
        ctx, dut = self.ctx, self.dut
        self.take_records()
        ctx.compare("completions of items", self.pushed, self.completed)
        ctx.compare("DMA_ERR events still missing", 0, len(self.expected_errors))
        ctx.compare("moves still active", 0, int(dut.active.value))
        ctx.compare("DMA is idle at the end", 1, int(dut.idle.value))
        ctx.compare("AXI bursts outstanding", 0, self.link.axi_outstanding())
        for channel in range(2):
            for name in ("bytes_moved", "errors", "voids"):
                want, seen = getattr(self.totals, name)[channel], getattr(dut, f"{name}_{channel}").value
                ctx.compare(f"{name} of the {NAMES[channel]} channel", want, int(seen))
        bad, compared, text = self.link.memory_compare()
        ctx.compare("differing pages of tier memory", 0, bad, first=text or "none")
        ctx.compare("tier memory was compared", True, compared > 0)
        ctx.compare("checks made by the checkers", True, self.link.checks() > 0)

    def traffic_line(self) -> str:
        """One line of what happened."""
        ends = " ".join(f"{result.name}={n}" for result, n in sorted(self.ends.items()))
        return f"items={self.pushed} start checks={self.starts} ends of tries: {ends}"
