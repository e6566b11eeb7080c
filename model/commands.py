"""Lookups, range steps and directory commands: what they do to one entry (device.md 3, 7, 8)."""

from __future__ import annotations

import numpy as np

from model.base import StateBase
from model.slots import SlotState
from model.types import (
    QUEUE_DEPTH,
    U32,
    Channel,
    CommandResult,
    Insertion,
    Irq,
    LookupResponse,
    Mismatch,
    Status,
)

_MISS = LookupResponse(False, False, 0, 0, 0)
_DENIED = LookupResponse(False, True, 0, 0, 0)


class CommandOps(StateBase):
    """Transactions of the lookup ports and of the command queue.

    Where the hardware's timing may choose, a method takes what was seen (`pushed`: the item
    entered its queue; `slot`: the slot handed out), and raises Mismatch when it is not legal.
    """

    # ------------------------------------------------------------------ lookups

    def denies(self, port: int, kv_addr: int, write: bool) -> bool:
        """Whether the port's tenant window, as it is now, refuses the lookup (device.md 3)."""
        request = kv_addr >> 48
        if request == 0 and not write:
            return False
        return not self.config.req_lo[port] <= request <= self.config.req_hi[port]

    def lookup(
        self,
        port: int,
        kv_addr: int,
        write: bool,
        *,
        denied: bool | None = None,
        pushed: bool | None = None,
    ) -> LookupResponse:
        """A port's lookup.

        `denied`: what the window said when the lookup was accepted (default: the window as it is
        now). `pushed`: whether the promotion entered the prefetch queue.
        """
        if self.denies(port, kv_addr, write) if denied is None else denied:
            self.counters.denied += 1
            return _DENIED
        return self._lookup(kv_addr, write, pushed)

    def lookup_touch(self, kv_addr: int, *, pushed: bool | None = None) -> CommandResult:
        """LOOKUP touch: as a port's read lookup without a window."""
        answer = self._lookup(kv_addr, False, pushed)
        if not answer.hit:
            return CommandResult(Status.MISS)
        return CommandResult(Status.OK, answer.tier, answer.index, answer.phys_addr)

    def lookup_peek(self, kv_addr: int) -> CommandResult:
        """LOOKUP peek: the answer of a read lookup; changes and counts nothing."""
        e = self.entries
        index = self._find_token(kv_addr, kv_addr & self._token_mask, False)
        if index is None:
            return CommandResult(Status.MISS)
        tier = e.tier[index]
        return CommandResult(Status.OK, tier, index, self.phys_addr(tier, e.slot[index]))

    def _lookup(self, kv_addr: int, write: bool, pushed: bool | None) -> LookupResponse:
        offset = kv_addr & self._token_mask
        index = self._find_token(kv_addr, offset, write)
        if index is None:
            return self._miss(kv_addr)
        e = self.entries
        e.token_end[index] = max(e.token_end[index], offset)
        self.counters.hit += 1
        e.access_step[index] = self.step
        e.r[index] = 255
        f = e.f[index]
        if f != 255:
            e.f[index] = f + 1
        e.hint[index] = 0
        e.evictable[index] = 0
        if write:
            e.dirty[index] = 1
            if e.moving[index]:
                e.voided[index] = 1
        tier = e.tier[index]
        config = self.config
        if config.demand and tier > config.promote_tier and not e.in_flight[index]:
            self._push(index, Channel.PREFETCH, config.promote_tier, pushed)
        elif pushed:
            raise Mismatch(f"promotion of {kv_addr:#018x}", "none", "queued")
        return LookupResponse(True, False, tier, self.phys_addr(tier, e.slot[index]), index)

    def _find_token(self, kv_addr: int, offset: int, write: bool) -> int | None:
        """Index of the entry that a lookup of a token hits; a write may be one past TOKEN_END."""
        token = kv_addr & U32
        key = kv_addr ^ token | token >> self._token_bits
        index = self.index_of.get(key)
        if index is not None and offset > self.entries.token_end[index] + write:
            index = None
        if self.bad:
            self.parity_of_tags(key)
            if index in self.bad:
                self._parity_read(index)
                return None
        return index

    def _miss(self, kv_addr: int) -> LookupResponse:
        self.counters.miss += 1
        if len(self.miss_queue) < QUEUE_DEPTH:
            self.miss_queue.append(kv_addr)
            self.irq_status |= Irq.MISS
        else:
            self.counters.miss_dropped += 1
            self.irq_status |= Irq.OVERFLOW
        return _MISS

    def pop_miss(self) -> int | None:
        """Software reads the miss queue's last word: its head goes; None when it is empty."""
        return self.miss_queue.popleft() if self.miss_queue else None

    # ------------------------------------------------------------------ range steps
    # One block each; they answer whether the block is in the directory (else a hint miss counts).

    def _hint(self, kv_addr: int) -> int | None:
        index = self._readable(self.key_of(kv_addr))
        if index is None:
            self.counters.hint_miss += 1
        return index

    def boost(self, kv_addr: int) -> bool:
        """BOOST: HOT := 1, EVICTABLE := 0."""
        index = self._hint(kv_addr)
        if index is None:
            return False
        self.entries.hot[index] = 1
        self.entries.evictable[index] = 0
        return True

    def imevict(self, kv_addr: int, *, pushed: bool | None = None) -> bool:
        """IMEVICT: EVICTABLE := 1, HOT := 0, HINT := 0; a free block is queued for eviction."""
        index = self._hint(kv_addr)
        if index is None:
            return False
        e = self.entries
        e.evictable[index] = 1
        e.hot[index] = 0
        e.hint[index] = 0
        if not e.ref_count[index] and not e.in_flight[index] and e.tier[index] < 3:
            self._push(index, Channel.EVICT, None, pushed)
        elif pushed:
            raise Mismatch(f"IMEVICT of {kv_addr:#018x}", "no item", "queued")
        return True

    def cool(self, kv_addr: int) -> bool:
        """COOL: HOT := 0, EVICTABLE := 0."""
        index = self._hint(kv_addr)
        if index is None:
            return False
        self.entries.hot[index] = 0
        self.entries.evictable[index] = 0
        return True

    def prefetch(self, kv_addr: int, step: int, *, pushed: bool | None = None) -> bool:
        """PREFETCH: HINT := 1, EVICTABLE := 0, ACCESS_STEP := step; queued when it is near."""
        index = self._hint(kv_addr)
        if index is None:
            return False
        e = self.entries
        e.hint[index] = 1
        e.evictable[index] = 0
        e.access_step[index] = step
        config = self.config
        near = (step - self.step) & U32 <= config.lookahead  # a negative one is above it
        if near and e.tier[index] > config.promote_tier and not e.in_flight[index]:
            self._push(index, Channel.PREFETCH, config.promote_tier, pushed)
        elif pushed:
            raise Mismatch(f"PREFETCH of {kv_addr:#018x}", "no item", "queued")
        return True

    def share(self, kv_addr: int) -> bool:
        """SHARE: REF_COUNT + 1 (saturates at 255, counted), PREFIX := 1."""
        index = self._hint(kv_addr)
        if index is None:
            return False
        e = self.entries
        if e.ref_count[index] == 255:
            self.counters.ref_saturated += 1
        else:
            e.ref_count[index] += 1
        e.prefix[index] = 1
        return True

    def release(self, kv_addr: int) -> bool:
        """RELEASE: REF_COUNT - 1, never below 0 (underflow counted)."""
        index = self._hint(kv_addr)
        if index is None:
            return False
        e = self.entries
        if e.ref_count[index]:
            e.ref_count[index] -= 1
        else:
            self.counters.ref_underflow += 1
        return True

    # ------------------------------------------------------------------ directory commands

    def relocate(self, source: int, target: int) -> None:
        """One relocation of an INSERT's search; a running scan scores the entry first."""
        e = self.entries
        if not self._movable(source):
            raise Mismatch(f"relocation from {source}", "a valid entry", "none")
        if e.valid[target] or self._tag_is_bad(target):
            raise Mismatch(f"relocation to {target}", "a free place", "occupied")
        if self._places_of(source)[target % self.lanes] != target:
            raise Mismatch(f"relocation of {source}", "one of its places", target)
        self._before_relocation(source)
        self.bad.pop(target, None)  # overwritten
        if source in self.bad:
            self._parity_read(source)
            self.bad[target] = self.bad.pop(source)  # a bad entry moves with its mark
        e.relocate(source, target)
        self.index_of[e.key[target]] = target

    def insert(
        self,
        kv_addr: int,
        token_end: int,
        tier: int,
        *,
        prefix: bool = False,
        hot: bool = False,
        slot: int | None = None,
    ) -> CommandResult:
        """INSERT as a whole, with the relocations that its search needs.

        `token_end` is absolute, `slot` the slot handed out.
        """
        result = self.insert_begin(kv_addr, token_end, tier, prefix=prefix, hot=hot, slot=slot)
        if result is not None:
            return result
        assert self.inserting is not None
        if self.bad:
            for probed in self.inserting.plan.probed:
                self.parity_of_tags(self.entries.key[probed])
        for source, target in self.inserting.plan.relocations:
            self.relocate(source, target)
        return self.insert_end()

    def insert_begin(
        self,
        kv_addr: int,
        token_end: int,
        tier: int,
        *,
        prefix: bool = False,
        hot: bool = False,
        slot: int | None = None,
    ) -> CommandResult | None:
        """INSERT's first pass: its result, or None when all places are occupied.

        It then has its slot, `inserting.plan` says what the search must come to: `parity_of_tags` for the key of
        each entry that it probes, `relocate` for each of its relocations, then `insert_end`.
        """
        token = kv_addr & U32
        if token & self._token_mask or not token <= token_end <= token + self._token_mask:
            return CommandResult(Status.BAD_ARG)
        key = self.key_of(kv_addr)
        if self.bad:
            self._readable(key)
        if key in self.index_of:
            return CommandResult(Status.EXISTS)
        pool = self.pools[tier]
        if not pool.free:
            return CommandResult(Status.NO_SLOT)
        taken = pool.take(SlotState.IN_FLIGHT, slot)
        plan = self.plan_insert(kv_addr)
        self.inserting = Insertion(kv_addr, token_end, tier, prefix, hot, taken, plan)
        return self.insert_end() if plan.settled else None

    def insert_end(self) -> CommandResult:
        """INSERT's last pass: the new entry in its place, or FULL and the slot goes back."""
        if self.inserting is None:
            raise Mismatch("end of an INSERT", "after its begin", "none runs")
        kv_addr, token_end, tier, prefix, hot, slot, plan = self.inserting
        self.inserting = None
        if plan.index is None:
            self.pools[tier].give_back(slot)
            return CommandResult(Status.FULL)
        index = plan.index
        e = self.entries
        if e.valid[index]:
            raise Mismatch(f"place {index} of an INSERT", "relocated", "occupied")
        if index in self.bad:  # the meta word of an empty place, overwritten
            self._parity_read(index)
            del self.bad[index]
        self.pools[tier].occupy(slot)
        key = self.key_of(kv_addr)
        e.valid[index] = 1
        e.key[index] = key
        e.token_end[index] = token_end - (kv_addr & U32)
        e.tier[index] = tier
        e.slot[index] = slot
        e.access_step[index] = self.step
        e.r[index] = 255
        e.f[index] = 1
        e.prefix[index] = prefix
        e.hot[index] = hot
        e.scored[index] = 1  # a running scan leaves it to the next
        self.index_of[key] = index
        return CommandResult(Status.OK, 0, index, self.phys_addr(tier, slot))

    def remove(self, kv_addr: int) -> CommandResult:
        """REMOVE: frees entry and slot; REFERENCED when REF_COUNT > 0."""
        index = self._readable(self.key_of(kv_addr))
        if index is None:
            return CommandResult(Status.MISS)
        if self.entries.ref_count[index]:
            return CommandResult(Status.REFERENCED)
        self._remove_entry(index)
        return CommandResult(Status.OK)

    def free_entry(self, index: int, request_id: int) -> bool | None:
        """FREE_REQUEST's step on one entry: True removed, False stayed, None not its block."""
        if index in self.bad:
            self._parity_read(index)
            return None
        e = self.entries
        if not e.valid[index] or e.key[index] >> 48 != request_id:
            return None
        if e.ref_count[index]:
            return False
        self._remove_entry(index)
        return True

    def free_request(self, request_id: int) -> CommandResult:
        """FREE_REQUEST as a whole, entries by ascending index."""
        if request_id == 0:
            return CommandResult(Status.BAD_ARG)
        e = self.entries.arrays
        of_request = (e["key"] >> np.uint64(48) == request_id) & (e["valid"] == 1)
        indices = set(np.flatnonzero(of_request).tolist()) | set(self.bad)
        removed = stayed = 0
        for index in sorted(indices):
            went = self.free_entry(index, request_id)
            if went is not None:
                removed += went
                stayed += not went
        return CommandResult(Status.OK, removed=removed, stayed=stayed)

    def migrate(self, kv_addr: int, tier: int, *, pushed: bool | None = None) -> CommandResult:
        """MIGRATE: queues a move to `tier`, on the evict channel for slower targets."""
        index = self._readable(self.key_of(kv_addr))
        if index is None:
            return CommandResult(Status.MISS)
        e = self.entries
        own = e.tier[index]
        if tier == own:
            return CommandResult(Status.BAD_ARG)
        if tier > own and e.ref_count[index]:
            return CommandResult(Status.REFERENCED)
        channel = Channel.EVICT if tier > own else Channel.PREFETCH
        full = len(self.queues[channel]) >= QUEUE_DEPTH
        if e.in_flight[index] or (full and pushed is None):
            return CommandResult(Status.BUSY)
        if pushed is not None and pushed == full:
            raise Mismatch(f"MIGRATE of {kv_addr:#018x}", "BUSY" if full else "OK", pushed)
        if full:
            return CommandResult(Status.BUSY)
        self._push(index, channel, tier, pushed, by_migrate=True)
        return CommandResult(Status.OK)
