"""Items and moves, replayed through the golden model: from the queue over start checks and tries to the completion."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model import DeviceState
from model.types import Channel, CompletionStatus, Item, MoveResult
from tb.events.records import CompletionRecord, DmaErrorRecord, OpRecord, PopRecord, PushRecord, Tier
from tb.harness.base_test import Context

COMPLETION_QUEUE = 64


@dataclass(slots=True)
class Popped:
    """An item that the DMA has taken and not begun: told from a later one of the same block by its generation."""

    item: Item
    key: int
    generation: int


def _place(tier: int, phys_addr: int) -> dict[str, Any]:
    return {"tier": Tier(tier).name, "PHYS_ADDR": f"{phys_addr:#x}"}


class Moves:
    """Replays Push, Pop, Completion and DmaError records and the operations START and END; links moves to items."""

    def __init__(self, ctx: Context, state: DeviceState, freed_late: list[int], count: Callable[[str], None]) -> None:
        self._ctx = ctx
        self._s = state
        self._freed_late = freed_late  # of each tier: slots that are freed and not yet in their pool
        self._count = count
        self.popped: list[Popped] = []
        self.moving: dict[int, Item] = {}  # by move id; those that are retried too
        self.ended: list[Item] = []
        self._errors: deque[DmaErrorRecord] = deque()

    def clear(self) -> None:
        """A reset: nothing is under way any more."""
        self.popped.clear()
        self.moving.clear()
        self.ended.clear()
        self._errors.clear()

    def _compare(self, subject: str, expected: dict[str, Any], seen: dict[str, Any], kv_addr: int, cycle: int) -> None:
        self._ctx.compare_fields(subject, expected, seen, block=kv_addr, at_cycle=cycle)

    def push(self, r: PushRecord) -> None:
        """A decision enters its queue."""
        self._s.queue_push(Channel(r.channel), self._s.kv_addr_of(r.item_key))
        self._ctx.comparisons += 1

    def pop(self, r: PopRecord) -> None:
        """The DMA takes an item."""
        channel = Channel(r.channel)
        item = self._s.pop(channel, self._s.kv_addr_of(r.item_key))
        seen = {
            "from": Tier(r.item_from_tier).name,
            "asked for by MIGRATE": r.item_by_migrate,
            "target": Tier(r.item_target).name if r.item_fixed else "nearest slower tier",
        }
        expected = {
            "from": Tier(item.from_tier).name,
            "asked for by MIGRATE": item.by_migrate,
            "target": "nearest slower tier" if item.target is None else Tier(item.target).name,
        }
        self._compare(f"item taken from the {channel.name.lower()} queue", expected, seen, item.kv_addr, r.cycle)
        self.popped.append(Popped(item, r.item_key, r.item_generation))

    def _item_to_start(self, r: OpRecord) -> Item | None:
        if r.retry:
            return self.moving.pop(r.move_id, None)
        found = next(
            (p for p in self.popped if p.key == r.item_key and p.generation == r.item_generation),
            None,
        )
        if found is None:
            return None
        self.popped.remove(found)
        return found.item

    def start(self, r: OpRecord) -> None:
        """START: the start check of a move; its slot is allocated."""
        item = self._item_to_start(r)
        if item is None:
            where = {"block": self._s.kv_addr_of(r.item_key), "at_cycle": r.cycle}
            self._ctx.compare("start of a move", "an item taken from a queue", "no such item", **where)
            return
        if r.result == MoveResult.RETRY:  # the pool refills its head slot: the start is retried
            self.moving[r.move_id] = item
            return
        expected = self._checked(item, r.taken_slot if r.result == MoveResult.OK else None)
        want, result = expected.result.name, MoveResult(r.result).name
        self._compare("start check of a move", {"result": want}, {"result": result}, item.kv_addr, r.cycle)
        if expected.result == MoveResult.OK:
            if item.tries == 1:
                enabled = {"CTRL.ENABLE": True}, {"CTRL.ENABLE": bool(self._s.config.enable)}
                self._compare("CTRL.ENABLE where the first try of a move starts", *enabled, item.kv_addr, r.cycle)
            self._compare(
                "move: from", _place(expected.tier, expected.phys_addr), _place(r.found_tier, r.phys_addr),
                item.kv_addr, r.cycle,
            )  # fmt: skip
            self._compare(
                "move: to", _place(expected.to_tier, expected.to_phys_addr), _place(r.to_tier, r.to_phys_addr),
                item.kv_addr, r.cycle,
            )  # fmt: skip
            self.moving[r.move_id] = item
        else:
            self.ended.append(item)
        self._count(f"start.{expected.result.name.lower()}.{item.channel.name.lower()}")

    def _checked(self, item: Item, slot: int | None) -> Any:
        """The golden model's start check; slots still on their way to the pool cannot be handed out."""
        reserve = self._s.config.reserve
        for tier in range(4):
            reserve[tier] += self._freed_late[tier]
        try:
            return self._s.start(item, slot=slot, complete=False)
        finally:
            for tier in range(4):
                reserve[tier] -= self._freed_late[tier]

    def error(self, r: DmaErrorRecord) -> None:
        """An AXI error; the end of its try follows."""
        self._errors.append(r)

    def _axi_error(self, item: Item, cycle: int) -> bool:
        """Compare the error that ends a try; True for one on the write side."""
        seen = self._errors.popleft() if self._errors else None
        self._compare(
            "AXI error at the end of a try",
            {"KV address": item.kv_addr, "channel": item.channel.name},
            {"KV address": seen.kv_addr, "channel": Channel(seen.channel).name} if seen else {},
            item.kv_addr,
            cycle,
        )
        return bool(seen and seen.on_write)

    def end(self, r: OpRecord) -> None:
        """END: a try ends; the commit of a move."""
        item = self.moving.get(r.move_id)
        if item is None:
            where = {"block": self._s.kv_addr_of(r.item_key), "at_cycle": r.cycle}
            self._ctx.compare("end of a move", "a move that runs", f"move {r.move_id}, which does not", **where)
            return
        on_write = self._axi_error(item, r.cycle) if r.error else False
        result = self._s.end(item, error=r.error, error_on_write=on_write, complete=False)
        want, seen = {"result": result.name}, {"result": MoveResult(r.result).name}
        self._compare("end of a move", want, seen, item.kv_addr, r.cycle)
        if result == MoveResult.OK:
            self._ctx.compare("place left by the move is held", True, r.held, block=item.kv_addr, at_cycle=r.cycle)
        if result != MoveResult.RETRY:
            del self.moving[r.move_id]
            self.ended.append(item)
        self._count(f"end.{result.name.lower()}.{item.channel.name.lower()}")

    def completion(self, r: CompletionRecord) -> None:
        """An item's one completion."""
        of_block = [item for item in self.ended if item.kv_addr == r.kv_addr]
        seen = (r.from_tier, r.to_tier, r.status)
        item = next((i for i in of_block if (i.from_tier, i.to_tier, i.status) == seen), next(iter(of_block), None))
        where = {"block": r.kv_addr, "at_cycle": r.cycle}
        if item is None:
            self._ctx.compare("completion of an item", "of one that has ended", "one more", **where)
            return
        self.ended.remove(item)
        full = len(self._s.completion_queue) >= COMPLETION_QUEUE
        record = self._s.complete(item)
        self._compare(
            "completion of an item",
            {"from": Tier(record.from_tier).name, "to": Tier(record.to_tier).name, "status": record.status.name},
            {
                "from": Tier(r.from_tier).name,
                "to": Tier(r.to_tier).name,
                "status": CompletionStatus(r.status).name,
            },
            r.kv_addr,
            r.cycle,
        )
        self._ctx.compare("completion dropped: queue full", full, r.dropped, **where)
        self._count(f"completion.{record.status.name.lower()}{'.dropped' if full else ''}")
