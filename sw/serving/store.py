"""Where an engine keeps its KV blocks: the device with a runtime, or LRU with or without a slower tier.

All have one fast tier of the same size; blocks of running requests are pinned there. What an engine asks:

- `start`: a request begins; where its prompt's blocks were. They are in the fast tier afterwards, and pinned.
- `take`: a running request grows by a block.
- `finish`: a request ends or is preempted: its blocks are no longer pinned.
- `leave`: blocks of an answer stay, under the names by which the next turn finds them.

The slower tier may be two: what left the fast tier longest ago is then in the second one (`Below`). Which blocks that
are follows from the order in which they left, for all stores alike: no policy decides it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from model.policy import PolicyModel
from sw.policy.device import ABSENT, FAST, SLOW, Blocks
from sw.policy.runtime import Found, Runtime

Flags = npt.NDArray[np.bool_]


class Below:
    """Which blocks below the fast tier are in the second of two slower tiers: those that left it longest ago.

    Attributes:
        sunk: blocks moved from the first to the second so far.
    """

    def __init__(self, slots: int) -> None:
        """`slots` of the first; 0: there is no second."""
        self._slots = slots
        self._near: OrderedDict[int, None] = OrderedDict()
        self._far: set[int] = set()
        self._rose: set[int] = set()  # blocks of the fast tier that came from the second
        self.sunk = 0

    def left(self, blocks: Iterable[int]) -> None:
        """These have left the fast tier, in this order."""
        if not self._slots:
            return
        for block in blocks:
            self._rose.discard(block)
            self._near[block] = None
        while len(self._near) > self._slots:
            self._far.add(self._near.popitem(last=False)[0])
            self.sunk += 1

    def gone(self, blocks: Iterable[int]) -> None:
        """These are no longer below: they came up, or are nowhere."""
        for block in blocks:
            if block in self._far:
                self._far.discard(block)
                self._rose.add(block)
            else:
                self._near.pop(block, None)
                self._rose.discard(block)

    def far(self, blocks: Blocks) -> Flags:
        """Whether each is in the second tier, or was until it last came up."""
        return np.array([block in self._far or block in self._rose for block in blocks.tolist()], np.bool_)


class KvStore(Protocol):
    """What an engine needs of a KV store.

    Attributes:
        below: which blocks are in the second slower tier.
    """

    below: Below

    @property
    def down(self) -> int:
        """Blocks moved to the slower tier so far."""

    def take_prefetched(self) -> Blocks:
        """Blocks that a prefetch has begun to bring up since the last call."""

    def start(self, request: int, blocks: Blocks, arrived: int | None) -> Found:
        """A request begins; `arrived` requests have, None for one that begins again after a preemption."""

    def take(self, block: int) -> bool:
        """Pin a new block; False when there is no room."""

    def finish(self, request: int, blocks: Blocks, *, last: bool) -> None:
        """A request's prompt is no longer needed; `last`: as far as the runtime knows its session has ended."""

    def drop(self, blocks: Blocks) -> None:
        """Pinned blocks that `take` gave are of no use to anyone else."""

    def leave(self, blocks: Blocks) -> None:
        """Keep blocks, without a pin, as if just used."""

    @property
    def occupied(self) -> int:
        """Blocks of the fast tier."""


class DeviceStore:
    """The device at the policy level, under its runtime.

    Attributes:
        device: on which the runtime has done all that the engine asked for.
    """

    def __init__(self, device: PolicyModel, runtime: Runtime, slots: int, first_slots: int = 0) -> None:
        """`slots` of the fast tier; `first_slots` of the first slower one, 0 where there is no second."""
        self.device, self._runtime, self._slots = device, runtime, slots
        self._brought = device.brought.copy()
        self._where = device.where.copy()
        self.below = Below(first_slots)

    def _follow(self) -> None:
        """Note which blocks have left the fast tier, and which are no longer below."""
        before, now = self._where, self.device.where
        self.below.gone(np.flatnonzero((before == SLOW) & (now != SLOW)).tolist())
        self.below.left(np.flatnonzero((before != SLOW) & (now == SLOW)).tolist())
        self._where = now.copy()

    @property
    def down(self) -> int:
        """Blocks moved to the slower tier so far."""
        return self.device.evictions

    @property
    def occupied(self) -> int:
        """Blocks of the fast tier."""
        return self._slots - self.device.free

    def take_prefetched(self) -> Blocks:
        """Blocks that a prefetch has begun to bring up since the last call."""
        now = self.device.brought
        new: Blocks = np.flatnonzero(now & ~self._brought)
        self._brought = now.copy()
        return new

    def start(self, request: int, blocks: Blocks, arrived: int | None) -> Found:
        """A request begins, or begins again."""
        runtime = self._runtime
        found = runtime.place(blocks) if arrived is None else runtime.start(request, arrived)
        runtime.pin(blocks)
        self._follow()
        return found

    def take(self, block: int) -> bool:
        """Pin a new block; False when there is no room."""
        device, one = self.device, np.array([block])
        if not device.free:
            self._runtime.make_room(1)
            self._follow()
        if not device.free:
            return False
        device.insert(one)
        self._runtime.pin(one)
        return True

    def finish(self, request: int, blocks: Blocks, *, last: bool) -> None:
        """A request's prompt is no longer needed."""
        self._runtime.unpin(blocks)
        if last:
            self._runtime.end_session(request)
            self._follow()

    def drop(self, blocks: Blocks) -> None:
        """Pinned blocks that `take` gave are of no use to anyone else."""
        self._runtime.unpin(blocks)
        self.device.remove(blocks)

    def leave(self, blocks: Blocks) -> None:
        """Keep blocks, without a pin, as if just used."""
        new = blocks[self.device.where[blocks] == ABSENT]
        if self.device.free >= len(new):
            self.device.insert(new)


class LruStore:
    """Two levels of LRU, as engines have them today: prefix cache, and offloading of what leaves it (0 slots: none)."""

    def __init__(self, slots: int, slow_slots: int, first_slots: int = 0) -> None:
        """Slots of the fast tier and below it; of those in the first slower tier, 0 where there is no second."""
        self._slots, self._slow_slots = slots, slow_slots
        self.below = Below(first_slots)
        self._fast: OrderedDict[int, None] = OrderedDict()
        self._slow: OrderedDict[int, None] = OrderedDict()
        self._pins: dict[int, int] = {}
        self._down = 0

    @property
    def down(self) -> int:
        """Blocks moved to the slower tier so far."""
        return self._down

    @property
    def occupied(self) -> int:
        """Blocks of the fast tier."""
        return len(self._fast)

    def take_prefetched(self) -> Blocks:
        """No block: nothing is brought back before its use."""
        return np.zeros(0, np.int64)

    def start(self, request: int, blocks: Blocks, arrived: int | None) -> Found:
        """A request begins, or begins again."""
        del request, arrived  # a blind policy
        where = np.full(len(blocks), ABSENT, np.uint8)
        for place, block in enumerate(blocks.tolist()):
            if block in self._fast:
                where[place] = FAST
            elif self._slow.pop(block, 0) is None:
                where[place] = SLOW
                self.below.gone((block,))
            self._pin(block)
        self._shrink()
        return Found(where, np.zeros(len(blocks), np.bool_))

    def _pin(self, block: int) -> None:
        self._fast[block] = None
        self._fast.move_to_end(block)
        self._pins[block] = self._pins.get(block, 0) + 1

    def _unpin(self, block: int) -> None:
        self._pins[block] -= 1
        if not self._pins[block]:
            del self._pins[block]

    def _shrink(self) -> None:
        """The least recently used blocks without a pin leave."""
        if len(self._fast) <= self._slots:
            return
        victims: list[int] = []
        for block in self._fast:
            if len(self._fast) - len(victims) <= self._slots:
                break
            if block not in self._pins:
                victims.append(block)
        for block in victims:
            del self._fast[block]
            if self._slow_slots:
                self._slow[block] = None
                self._down += 1
        if self._slow_slots:
            self.below.left(victims)
        while len(self._slow) > self._slow_slots:
            self.below.gone((self._slow.popitem(last=False)[0],))

    def take(self, block: int) -> bool:
        """Pin a new block; False when there is no room."""
        self._pin(block)
        self._shrink()
        if len(self._fast) <= self._slots:
            return True
        self._unpin(block)
        del self._fast[block]
        return False

    def finish(self, request: int, blocks: Blocks, *, last: bool) -> None:
        """A request's prompt is no longer needed."""
        del request, last
        for block in blocks[::-1].tolist():  # the end of a prompt leaves first: its beginning is of use without it
            self._unpin(block)
            self._fast.move_to_end(block)
        self._shrink()

    def drop(self, blocks: Blocks) -> None:
        """Pinned blocks that `take` gave are of no use to anyone else."""
        for block in blocks.tolist():
            self._unpin(block)
            del self._fast[block]

    def leave(self, blocks: Blocks) -> None:
        """Keep blocks, without a pin, as if just used."""
        for block in blocks.tolist():
            self._slow.pop(block, None)
            self.below.gone((block,))
            self._fast[block] = None
            self._fast.move_to_end(block)
        self._shrink()
