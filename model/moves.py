"""Queue items, the DMA's start checks and commits, completions (device.md 6)."""

from __future__ import annotations

from model.base import StateBase
from model.slots import SlotState
from model.types import (
    QUEUE_DEPTH,
    TIER_COUNT,
    Channel,
    Completion,
    CompletionStatus,
    DmaError,
    Irq,
    Item,
    ItemState,
    Mismatch,
    MoveResult,
    StartResult,
)


class MoveOps(StateBase):
    """Transactions of the DMA: pop, start, end, complete."""

    def pop(self, channel: Channel, kv_addr: int | None = None) -> Item:
        """The DMA takes the queue's head (`kv_addr`: the block seen to be taken)."""
        queue = self.queues[channel]
        name = channel.name.lower()
        if not queue:
            raise Mismatch(f"item taken from the {name} queue", "none", kv_addr)
        if kv_addr is not None and queue[0].kv_addr != kv_addr:
            raise Mismatch(f"item taken from the {name} queue", f"{queue[0].kv_addr:#018x}", f"{kv_addr:#018x}")
        item = queue.popleft()
        item.state = ItemState.STARTING
        return item

    # ------------------------------------------------------------------ start

    def start(self, item: Item, *, slot: int | None = None, complete: bool = True) -> StartResult:
        """The start checks of an item's next try; OK reserves the target and the copy may run.

        `slot`: the target slot handed out. Anything but OK ends the item: its completion follows
        at once, or with `complete` False when the caller calls `complete`.
        """
        if item.state != ItemState.STARTING:
            raise Mismatch(f"start of {item.kv_addr:#018x}", "a popped item", item.state.name)
        index = self.find(item.kv_addr) if item.alive else None
        if self.bad:
            self._readable(item.key)
        target: int | None = None
        result = MoveResult.CANCELLED
        if index is not None and self._may_start(item, index):
            target = self._target(item)
            result = MoveResult.NO_SLOT if target is None else MoveResult.OK
        if index is None or target is None:
            self._end(item, index, result, complete)
            return StartResult(result)
        item.to_tier = target
        item.to_slot = self.pools[target].take(SlotState.IN_FLIGHT, slot)
        item.state = ItemState.MOVING
        item.tries += 1
        e = self.entries
        e.moving[index] = 1
        e.voided[index] = 0
        return StartResult(
            MoveResult.OK,
            item.from_tier,
            self.phys_addr(item.from_tier, e.slot[index]),
            target,
            item.to_slot,
            self.phys_addr(target, item.to_slot),
        )

    def _may_start(self, item: Item, index: int) -> bool:
        e = self.entries
        if e.tier[index] != item.from_tier:
            return False
        if e.dirty[index] and not e.hint[index] and e.access_step[index] == self.step:
            return False  # written in this step: its writer may not be done
        if item.target is not None and item.target < item.from_tier:
            return True
        if e.ref_count[index]:
            return False
        warm = e.hot[index] or (e.r[index] == 255 and not e.evictable[index])
        return item.by_migrate or not warm

    def _target(self, item: Item) -> int | None:
        """The tier that an item moves to now; a migration leaves RESERVE slots."""
        if item.target is not None:
            tiers = range(item.target, item.target + 1)
        else:
            tiers = range(item.from_tier + 1, TIER_COUNT)
        for tier in tiers:
            if self.pools[tier].free > self.config.reserve[tier]:
                return tier
        return None

    # ------------------------------------------------------------------ end

    def end(
        self,
        item: Item,
        *,
        error: bool = False,
        error_on_write: bool = False,
        complete: bool = True,
    ) -> MoveResult:
        """A try's last response has come: commit, or the reason why not.

        `error`: this try met an AXI error, on the write side with `error_on_write`.
        After RETRY the item wants `start` again.
        """
        if item.state != ItemState.MOVING:
            raise Mismatch(f"end of a try of {item.kv_addr:#018x}", "a moving item", item.state.name)
        last = item.tries >= max(1, self.config.max_retry)
        index = self.find(item.kv_addr) if item.alive else None
        if self.bad:
            self._readable(item.key)
        if error:
            self.counters.errors[item.channel] += 1
            self.irq_status |= Irq.DMA_ERR
            if self.dma_error is None:
                self.dma_error = DmaError(item.kv_addr, item.channel, error_on_write)
        result = self._outcome(item, index, error, last)
        if index is not None:
            self.entries.moving[index] = 0
            self.entries.voided[index] = 0
        if result == MoveResult.OK and index is not None:
            self._commit(item, index)
        else:
            self.pools[item.to_tier].give_back(item.to_slot)
        if result == MoveResult.RETRY:
            item.state = ItemState.STARTING
        else:
            self._end(item, index, result, complete)
        return result

    def _outcome(self, item: Item, index: int | None, error: bool, last: bool) -> MoveResult:
        """How a try came out, causes in the order of their weight."""
        e = self.entries
        if index is None:
            return MoveResult.CANCELLED
        if e.voided[index]:
            self.counters.voids[item.channel] += 1
            return MoveResult.VOID
        if error:
            return MoveResult.ERROR if last else MoveResult.RETRY
        if item.to_tier > item.from_tier and e.ref_count[index]:
            return MoveResult.CANCELLED
        return MoveResult.OK

    def _commit(self, item: Item, index: int) -> None:
        """The block is in its new place; its old slot is quarantined until the next STEP_ADVANCE."""
        e = self.entries
        self.pools[item.from_tier].hold(e.slot[index])
        self.pools[item.to_tier].occupy(item.to_slot)
        e.tier[index] = item.to_tier
        e.slot[index] = item.to_slot
        e.dirty[index] = 0
        self.counters.bytes_moved[item.channel] += self.config.block_bytes

    def _end(self, item: Item, index: int | None, result: MoveResult, complete: bool) -> None:
        """The item ends: its block is not in flight any more, its completion is due."""
        if item.alive:
            self.items.pop(item.key, None)
            item.alive = False
        if index is not None:
            self.entries.in_flight[index] = 0
        item.status = CompletionStatus(int(result))
        item.state = ItemState.ENDED
        if complete:
            self.complete(item)

    def complete(self, item: Item) -> Completion:
        """The item's one completion; dropped and counted when the completion queue is full."""
        if item.state != ItemState.ENDED or item.status is None:
            raise Mismatch(f"completion of {item.kv_addr:#018x}", "an ended item", item.state.name)
        item.state = ItemState.COMPLETED
        self.departures[item.from_tier] -= 1
        record = Completion(item.kv_addr, item.from_tier, item.to_tier, item.status)
        if len(self.completion_queue) < QUEUE_DEPTH:
            self.completion_queue.append(record)
            self.irq_status |= Irq.COMPLETION
        else:
            self.counters.completion_dropped += 1
            self.irq_status |= Irq.OVERFLOW
        return record

    def clear_dma_error(self) -> None:
        """DMA_ERROR_INFO.VALID cleared: the next error is latched."""
        self.dma_error = None

    def pop_completion(self) -> Completion | None:
        """Software reads the completion queue's last word: its head goes; None when empty."""
        return self.completion_queue.popleft() if self.completion_queue else None
