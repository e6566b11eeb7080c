"""Operations on the directory, replayed through the golden model at their commit points.

Each handler gets the words of one EvOp record (layout: tb/monitors/kvcpu_mon_rtbd.sv), does the same transaction on
the model and compares response, choice and the entry afterwards.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model import DeviceState
from model.slots import SlotState
from model.types import Channel, Item, MoveResult, Status
from tb.events.records import Client, Op
from tb.harness.base_test import Context
from tb.scoreboard.commands import CommandCheck
from tb.scoreboard.ports import Commit
from tb.scoreboard.scan import ScanCheck

U8, U16, U32 = 0xFF, 0xFFFF, 0xFFFF_FFFF
STATUS_AGAIN = Status.BUSY  # of OpInsert: the pool refills its head, the operation comes again

HIT, TAG_WE, META_WE, PUSH, PUSH_OK, PUSH_CHANNEL, TAKE, PUT, HELD, FINAL, WRITE, DENIED, RETRY, ERROR = (
    1 << i for i in range(14)
)
WINDOW_SETTLES = 256  # cycles between a lookup's acceptance, where its window counts, and its commit


@dataclass(slots=True)
class Popped:
    """An item that the DMA has taken and not begun: told from a later one of the same block by its generation."""

    item: Item
    key: int
    generation: int


class Operations:
    """Replays EvOp, EvReloc, EvFree and queue records; owns what links moves to items."""

    def __init__(self, ctx: Context, state: DeviceState, scan: ScanCheck) -> None:
        self._ctx = ctx
        self._s = state
        self._scan = scan
        self.cycle = 0
        self.popped: list[Popped] = []
        self.moving: dict[int, Item] = {}  # by move id; those that come again too
        self.ended: list[Item] = []
        self.errors: deque[tuple[int, int, int]] = deque()  # KV address, channel, write side
        self.freed_late = [0, 0, 0, 0]  # slots that FREE_REQUEST or a search freed and the pools do not have yet
        self.search_slot: tuple[int, int] | None = None  # tier, slot that a searching INSERT holds
        self.window_changed = -WINDOW_SETTLES
        self.commands: CommandCheck | None = None  # whose operations come next
        self.results: deque[Any] = deque()  # results of directory commands
        self.lookups: list[list[Commit]] = [[] for _ in range(state.ports)]
        self.counts: dict[str, int] = {}
        self._handlers = {
            int(Op.Lookup): self._lookup,
            int(Op.Peek): self._peek,
            int(Op.Boost): self._range,
            int(Op.Imevict): self._range,
            int(Op.Cool): self._range,
            int(Op.Prefetch): self._range,
            int(Op.Share): self._range,
            int(Op.Release): self._range,
            int(Op.Insert): self._insert,
            int(Op.Remove): self._remove,
            int(Op.Migrate): self._migrate,
            int(Op.Start): self._start,
            int(Op.End): self._end,
        }
        self._range_method: dict[int, Callable[[int], bool]] = {
            int(Op.Boost): state.boost,
            int(Op.Cool): state.cool,
            int(Op.Share): state.share,
            int(Op.Release): state.release,
        }

    def clear(self) -> None:
        """A reset: nothing is under way any more."""
        self.popped.clear()
        self.moving.clear()
        self.ended.clear()
        self.errors.clear()
        self.results.clear()
        self.freed_late = [0, 0, 0, 0]
        self.search_slot = None

    def count(self, what: str) -> None:
        """Count one event by name (coverage, the end token)."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def compare(self, subject: str, expected: Any, seen: Any, kv_addr: int) -> None:
        """One comparison of an operation, with its block and cycle."""
        if expected == seen:
            self._ctx.comparisons += 1
            return
        self._ctx.compare(subject, expected, seen, block=f"{kv_addr:#018x}", at_cycle=self.cycle)

    # ------------------------------------------------------------------ one operation

    def operation(self, w: list[int]) -> None:
        """Replay one EvOp record."""
        self.cycle = w[0]
        head = w[1]
        op, client, flags = head >> 8 & U8, head >> 16 & U8, head >> 32
        if op in (Op.Read, Op.None_):
            return
        if flags & HIT:
            self._scan.touch(w[3] & U16, w[0])
        handler = self._handlers.get(op)
        if handler is None:
            self._ctx.compare("operation at the commit point", "one of the contract's", f"code {op}", at_cycle=w[0])
            return
        if client == Client.Cmd and not self._again(op, w, flags):
            self._expect_command_op(op, w)
        handler(op, client, flags, w)
        self._entry(op, flags, w)

    def _again(self, op: int, w: list[int], flags: int) -> bool:
        """Steps of one INSERT that are not its beginning."""
        return op == Op.Insert and (bool(flags & FINAL) or (w[8] & U8) == STATUS_AGAIN)

    def _expect_command_op(self, op: int, w: list[int]) -> None:
        kv_addr = w[2]
        expected = self.commands.next_op() if self.commands else None
        if expected is None:
            self.compare("operation of a command", "none left", Op(op).name, kv_addr)
            return
        want_op, want_addr, fields = expected
        self.compare(
            "operation of the command", (Op(want_op).name, hex(want_addr)), (Op(op).name, hex(kv_addr)), kv_addr
        )
        seen = {
            "step": w[3] >> 32,
            "tier": w[8] >> 56,
            "token_end": w[8] >> 48 & U8,
            "prefix": w[8] >> 40 & U8,
            "hot": w[8] >> 32 & U8,
        }
        for name, value in fields.items():
            self.compare(f"operation of the command: {name}", value, seen[name], kv_addr)

    def _entry(self, op: int, flags: int, w: list[int]) -> None:
        """The entry as the operation leaves it."""
        if flags & META_WE if op == Op.Insert else flags & HIT:
            self.compare_entry(w[3] & U16, w[4], w[5], w[6], f"entry after {Op(op).name}", w[2])

    def compare_entry(self, index: int, key: int, word1: int, word2: int, subject: str, kv_addr: int) -> None:
        """An entry as a monitor saw it (three words, see kvcpu_tb_pkg.sv) against the model's."""
        e = self._s.entries
        if index in self._s.bad:
            return
        want1 = e.access_step[index] | e.r[index] << 32 | e.ref_count[index] << 40 | e.prio[index] << 48
        meta_flags = (
            e.prefix[index]
            | e.dirty[index] << 1
            | e.hot[index] << 2
            | e.evictable[index] << 3
            | e.hint[index] << 4
            | e.in_flight[index] << 6
            | e.moving[index] << 7
            | e.voided[index] << 8
        )
        want2 = (
            e.valid[index]
            | e.token_end[index] << 8
            | e.slot[index] << 16
            | e.tier[index] << 32
            | meta_flags << 40
            | e.f[index] << 56
        )
        seen2 = word2 & ~(1 << 45)  # without the epoch bit, which is the hardware's own
        if e.key[index] == key and want1 == word1 and want2 == seen2:
            self._ctx.comparisons += 1
            return
        expected, seen = _shown(e.key[index], want1, want2), _shown(key, word1, seen2)
        where: dict[str, Any] = {"index": index, "at_cycle": self.cycle}
        if kv_addr:
            where["block"] = f"{kv_addr:#018x}"
        self._ctx.compare(subject, expected, seen, **where)

    # ------------------------------------------------------------------ lookups

    def _lookup(self, op: int, client: int, flags: int, w: list[int]) -> None:
        kv_addr, pushed = w[2], bool(flags & PUSH_OK)
        s = self._s
        if client == Client.Cmd:
            result = s.lookup_touch(kv_addr, pushed=pushed)
            self._answer(result.status == Status.OK, result.tier, result.phys_addr, result.index, flags, w)
            self.results.append(result)
            return
        port = w[1] >> 24 & U8
        write, denied = bool(flags & WRITE), bool(flags & DENIED)
        wanted = s.denies(port, kv_addr, write)
        if wanted != denied and self.cycle - self.window_changed > WINDOW_SETTLES:
            self.compare(f"port {port} lookup denied", wanted, denied, kv_addr)
        answer = s.lookup(port, kv_addr, write, denied=denied, pushed=pushed)
        self._answer(answer.hit, answer.tier, answer.phys_addr, answer.index, flags, w)
        self.lookups[port].append((kv_addr, write, answer.hit, denied, answer.tier, answer.phys_addr, answer.index))
        kind = "denied" if denied else "hit" if answer.hit else "miss"
        self.count(f"lookup.{'write' if write else 'read'}.{kind}")

    def _answer(self, hit: bool, tier: int, phys_addr: int, index: int, flags: int, w: list[int]) -> None:
        seen = (bool(flags & HIT), w[8] >> 16 & U8, w[9], w[7] & U16) if flags & HIT else (False, 0, 0, 0)
        self.compare("lookup: hit, tier, PHYS_ADDR, index", (hit, tier, phys_addr, index), seen, w[2])

    def _peek(self, op: int, client: int, flags: int, w: list[int]) -> None:
        result = self._s.lookup_peek(w[2])
        self._answer(result.status == Status.OK, result.tier, result.phys_addr, result.index, flags, w)
        self.results.append(result)

    # ------------------------------------------------------------------ range and directory commands

    def _range(self, op: int, client: int, flags: int, w: list[int]) -> None:
        kv_addr, pushed = w[2], bool(flags & PUSH_OK)
        name = Op(op).name
        if op == Op.Imevict:
            found = self._s.imevict(kv_addr, pushed=pushed)
        elif op == Op.Prefetch:
            found = self._s.prefetch(kv_addr, w[3] >> 32, pushed=pushed)
        else:
            found = self._range_method[op](kv_addr)
        self.compare(f"{name}: block is in the directory", found, bool(flags & HIT), kv_addr)
        self.count(f"range.{name.lower()}.{'hit' if found else 'miss'}{'.queued' if pushed else ''}")

    def _insert(self, op: int, client: int, flags: int, w: list[int]) -> None:
        status = Status(w[8] & U8)
        if status == STATUS_AGAIN and not flags & FINAL:
            return
        kv_addr, tier, slot = w[2], w[8] >> 56, w[7] >> 16 & U16
        pool = self._s.pools[tier]
        if status == Status.FULL and not flags & FINAL:
            # Every place is taken: a slot is kept aside while the search goes on.
            pool.take(SlotState.IN_FLIGHT, slot)
            self.search_slot = (tier, slot)
            return
        if flags & FINAL:
            status, slot = Status.OK, self._search_ends()
        result = self._s.insert(
            kv_addr,
            (kv_addr & U32) + (w[8] >> 48 & U8),
            tier,
            prefix=bool(w[8] >> 40 & U8),
            hot=bool(w[8] >> 32 & U8),
            slot=slot if status == Status.OK else None,
        )
        self.compare("INSERT status", result.status.name, status.name, kv_addr)
        if result.status == Status.OK:
            self.compare("INSERT index", result.index, w[3] & U16, kv_addr)
        if not (self.commands and self.commands.settle(result)):
            self.results.append(result)
        self.count(f"insert.{result.status.name.lower()}{'.relocated' if flags & FINAL else ''}.tier{tier}")

    def _search_ends(self) -> int:
        """The slot kept aside is free for the model's INSERT to take, or stays free."""
        if self.search_slot is None:
            self._ctx.compare(
                "INSERT's search", "after an INSERT that found no place", "without one", at_cycle=self.cycle
            )
            return 0
        tier, slot = self.search_slot
        self.search_slot = None
        self._s.pools[tier].give_back(slot)
        return slot

    def insert_full(self, w: list[int]) -> None:
        """EvInsertFull: the search has found nothing."""
        self.cycle = w[0]
        self._search_ends()
        kv_addr, tier = w[2], w[3] >> 16
        self.freed_late[tier] += 1
        result = self._s.insert(kv_addr, kv_addr & U32, tier)
        self.compare("INSERT status", result.status.name, Status.FULL.name, kv_addr)
        self.results.append(result)
        self.count("insert.full")

    def relocate(self, w: list[int]) -> None:
        """EvReloc: an entry moves to another of its places."""
        self.cycle = w[0]
        key, target = w[2], w[1] >> 32
        source = self._s.index_of.get(key)
        if source is None:
            self._ctx.compare("relocation: entry of the directory", "a valid one", hex(key), at_cycle=w[0])
            return
        self._scan.touch(source, w[0])
        # The device scores an entry of a running scan before it moves it; where the scan has only just begun and
        # no bank walks yet, at its new place. The end of the scan sees whether each was scored once.
        running, self._s.scan = self._s.scan, None
        self._s.relocate(source, target)
        self._s.scan = running
        self.count("relocation")

    def _remove(self, op: int, client: int, flags: int, w: list[int]) -> None:
        moving = bool(flags & HIT) and bool(self._s.entries.moving[w[3] & U16])
        result = self._s.remove(w[2])
        self.compare("REMOVE status", result.status.name, Status(w[8] & U8).name, w[2])
        self.results.append(result)
        self.count(f"remove.{result.status.name.lower()}{'.moving' if moving else ''}")

    def _migrate(self, op: int, client: int, flags: int, w: list[int]) -> None:
        result = self._s.migrate(w[2], w[8] >> 56)
        self.compare("MIGRATE status", result.status.name, Status(w[8] & U8).name, w[2])
        self.compare("MIGRATE queued", result.status == Status.OK, bool(flags & PUSH_OK), w[2])
        self.results.append(result)
        self.count(f"migrate.{result.status.name.lower()}")

    def free_entry(self, w: list[int]) -> None:
        """EvFree: FREE_REQUEST meets a block of its request."""
        self.cycle = w[0]
        index = w[1] >> 32
        self._scan.touch(index, w[0])
        tier = self._s.entries.tier[index]
        went = self._s.free_entry(index, w[2] & U16)
        self._ctx.compare("FREE_REQUEST: removed", went, bool(w[2] >> 16 & 1), index=index, at_cycle=w[0])
        if went:
            self.freed_late[tier] += 1
        self.count(f"free.{'removed' if went else 'stayed'}")

    # ------------------------------------------------------------------ moves

    def push(self, w: list[int]) -> None:
        """EvPush: a decision enters its queue."""
        self._s.queue_push(Channel(w[1] >> 32), self._s.kv_addr_of(w[2]))
        self._ctx.comparisons += 1

    def pop(self, w: list[int]) -> None:
        """EvPop: the DMA takes an item."""
        item = self._s.pop(Channel(w[1] >> 32), self._s.kv_addr_of(w[2]))
        rest = w[3]
        seen = (rest & U8, rest >> 24 & U8, rest >> 8 & U8 if rest >> 16 & U8 else None)
        self.cycle = w[0]
        self.compare(
            "item: from, by MIGRATE, target", (item.from_tier, item.by_migrate, item.target), seen, item.kv_addr
        )
        self.popped.append(Popped(item, w[2], rest >> 32 & U16))

    def _start(self, op: int, client: int, flags: int, w: list[int]) -> None:
        result = w[8] >> 8 & U8
        move_id, key, generation = w[13] & U8, w[11], w[12] >> 32 & U16
        if flags & RETRY:
            item = self.moving.pop(move_id, None)
        else:
            found = next((p for p in self.popped if p.key == key and p.generation == generation), None)
            item = None if found is None else found.item
            if found is not None:
                self.popped.remove(found)
        if item is None:
            self._ctx.compare("start of a move", "an item taken from a queue", hex(key), at_cycle=self.cycle)
            return
        if result == MoveResult.RETRY:  # the pool refills its head: the start comes again, as one that is repeated
            self.moving[move_id] = item
            return
        s = self._s
        for tier in range(4):  # slots still on their way to the pool cannot be handed out
            s.config.reserve[tier] += self.freed_late[tier]
        try:
            expected = s.start(item, slot=w[7] >> 16 & U16 if result == MoveResult.OK else None, complete=False)
        finally:
            for tier in range(4):
                s.config.reserve[tier] -= self.freed_late[tier]
        self.compare("start check of a move", expected.result.name, MoveResult(result).name, item.kv_addr)
        if expected.result == MoveResult.OK:
            if item.tries == 1:
                self.compare("CTRL.ENABLE where the first try of a move starts", True, s.config.enable, item.kv_addr)
            seen = (w[8] >> 16 & U8, w[9], w[8] >> 24 & U8, w[10])
            want = (expected.tier, expected.phys_addr, expected.to_tier, expected.to_phys_addr)
            self.compare("move: from tier, address, to tier, address", want, seen, item.kv_addr)
            self.moving[move_id] = item
        else:
            self.ended.append(item)
        self.count(f"start.{expected.result.name.lower()}.{item.channel.name.lower()}")

    def _end(self, op: int, client: int, flags: int, w: list[int]) -> None:
        move_id = w[13] & U8
        item = self.moving.get(move_id)
        if item is None:
            self._ctx.compare("end of a move", "a move that runs", f"move {move_id}", at_cycle=self.cycle)
            return
        error = bool(flags & ERROR)
        on_write = 0
        if error:
            kv_addr, channel, on_write = self.errors.popleft() if self.errors else (0, 0, 0)
            self.compare(
                "AXI error: KV address, channel", (item.kv_addr, int(item.channel)), (kv_addr, channel), item.kv_addr
            )
        result = self._s.end(
            item,
            error=error,
            error_on_write=bool(on_write),
            complete=False,
        )
        self.compare("end of a move", result.name, MoveResult(w[8] >> 8 & U8).name, item.kv_addr)
        if result == MoveResult.OK:
            self.compare("place left by the move is held", True, bool(flags & HELD), item.kv_addr)
        if result != MoveResult.RETRY:
            del self.moving[move_id]
            self.ended.append(item)
        self.count(f"end.{result.name.lower()}.{item.channel.name.lower()}")

    def completion(self, w: list[int]) -> None:
        """EvCompletion: an item's one completion."""
        self.cycle = w[0]
        kv_addr = w[2]
        seen = (w[1] >> 16 & U8, w[1] >> 24 & U8, w[1] >> 8 & U8)
        item = next(
            (i for i in self.ended if i.kv_addr == kv_addr and (i.from_tier, i.to_tier, i.status) == seen),
            next((i for i in self.ended if i.kv_addr == kv_addr), None),
        )
        if item is None:
            self.compare("completion", "of an item that has ended", "one more", kv_addr)
            return
        self.ended.remove(item)
        full = len(self._s.completion_queue) >= 64
        record = self._s.complete(item)
        self.compare(
            "completion: from, to, status", (record.from_tier, record.to_tier, int(record.status)), seen, kv_addr
        )
        self.compare("completion dropped: queue full", full, bool(w[1] >> 32 & 1), kv_addr)
        self.count(f"completion.{record.status.name.lower()}{'.dropped' if full else ''}")


def _shown(key: int, word1: int, word2: int) -> str:
    """An entry's words in the contract's names."""
    flags = word2 >> 40 & U16
    names = ("PREFIX", "DIRTY", "HOT", "EVICTABLE", "HINT", "", "in flight", "moving", "voided")
    on = " ".join(name for i, name in enumerate(names) if name and flags >> i & 1)
    return (
        f"[key {key:#018x} VALID {word2 & 1} TOKEN_END +{word2 >> 8 & U8} TIER {word2 >> 32 & U8} "
        f"slot {word2 >> 16 & U16}"
        f" ACCESS_STEP {word1 & U32} R {word1 >> 32 & U8} REF_COUNT {word1 >> 40 & U8} PRIORITY {word1 >> 48}"
        f" F {word2 >> 56}{' ' + on if on else ''}]"
    )
