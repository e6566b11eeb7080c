"""The runtime of a trace at the policy level: starts requests, makes room, and tells the device what it knows.

For each request in the order of its start: hints for what waits behind it, room for what is missing (a scan with the
watermarks at what is needed), lookups, demand moves, INSERTs. When a request ends that has no further turn, as far as
the runtime knows, its blocks without another user get EVICT. The step number counts the turnover of the fast tier, not
time: S then orders blocks as recency does, at every capacity and rate of arrivals.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sw.policy.device import ABSENT, FAST, SLOW, Blocks, PolicyDevice
from sw.policy.sessions import Sessions
from sw.policy.tuner import SelfTuner

Flags = npt.NDArray[np.bool_]
SCANS = 8  # to make room for one request, at most
FAR = 1 << 20
"""Steps ahead of a hint for a request that waits: it ends with the lookups of its start, not with a step."""
LEAST_SLOW = 512  # free slots of the slower tier, kept by REMOVE of the least recently used
REMOVED = 2048


@dataclass(frozen=True, slots=True)
class Work:
    """What is to run: requests in the order of their start.

    Attributes:
        blocks: block of each reference; `unique` different ones.
        first: place of each request's first reference, and the total.
        start_ms, end_ms: of each request.
        arrived: requests that have arrived when each starts.
        ends: whether each is its session's last turn, as far as the runtime knows; None: it knows nothing.
    """

    blocks: Blocks
    unique: int
    first: Blocks
    start_ms: Blocks
    end_ms: Blocks
    arrived: Blocks
    ends: Flags | None = None

    def of(self, request: int) -> Blocks:
        """The blocks of a request's prompt."""
        return self.blocks[self.first[request] : self.first[request + 1]]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the runtime does with what it knows.

    Attributes:
        queue: requests that wait whose blocks are held, counted from the next to start.
        prefetch: requests that wait whose blocks are brought back from the slower tier.
        held_share: of the fast tier that may be held for requests that wait.
        steps: steps in which the fast tier is turned over once.
    """

    queue: int = 0
    prefetch: int = 0
    held_share: float = 0.75
    steps: int = 16


@dataclass(slots=True)
class Log:
    """What happened, one element for each reference: kept, brought back by a prefetch, blocks moved since the last."""

    retention: Flags
    prefetch: Flags
    moved: Blocks
    scans: int = 0
    bypassed: int = field(default=0)


class Runtime:
    """Runs a workload on a device; `tuner` chooses weights while it runs."""

    def __init__(
        self, device: PolicyDevice, work: Work, behaviour: Behaviour, slots: int, tuner: SelfTuner | None = None
    ) -> None:
        """`slots` of the fast tier. Nothing is done before `run`."""
        self._device, self._work, self._behaviour, self._tuner = device, work, behaviour, tuner
        self._slots = slots
        self._sessions = Sessions(work.unique, len(work.start_ms))
        self._waiting = np.zeros(work.unique, np.int64)  # requests that wait and need this block
        self._known = 0  # requests before this one have started or are hinted
        self._prefetched = 0
        self._placed = 0
        self._now = 0  # the step that the device is in
        self._moved = 0
        self._held = 0  # blocks of the fast tier that requests which wait need
        self._running: list[tuple[int, int]] = []
        count = len(work.blocks)
        self.log = Log(np.zeros(count, np.bool_), np.zeros(count, np.bool_), np.zeros(count, np.int64))
        device.configure(hold=2 * FAR, lookahead=1)

    def run(self, progress: Callable[[int], None] = lambda _request: None) -> Log:
        """Run all of it; `progress` gets the number of each request."""
        for request in range(len(self._work.start_ms)):
            self._end_sessions(int(self._work.start_ms[request]))
            self._start(request)
            progress(request)
        return self.log

    @property
    def _step(self) -> int:
        return 1 + self._placed * self._behaviour.steps // self._slots

    # ------------------------------------------------------------------ a request

    def _start(self, request: int) -> None:
        device, blocks = self._device, self._work.of(request)
        self._see_queue(request)
        missing = int((device.where[blocks] != FAST).sum())
        self._make_room(missing)
        brought = device.brought[blocks]
        where = device.lookup(blocks)
        place = slice(self._work.first[request], self._work.first[request + 1])
        self.log.retention[place] = (where == FAST) & ~brought
        self.log.prefetch[place] = (where == FAST) & brought
        self.log.bypassed += max(0, missing - device.free)
        device.promote(blocks[where == SLOW])
        device.insert(blocks[where == ABSENT])
        self._placed += missing
        self._note(request, blocks)
        self._bring_next(request)
        if len(blocks):
            self.log.moved[place.start] = device.moves - self._moved
            self._moved = device.moves

    def _note(self, request: int, blocks: Blocks) -> None:
        """What the runtime keeps of a request that has started."""
        self._sessions.see(request, blocks)
        needed = blocks[self._waiting[blocks] > 0]  # the lookups have ended their hints
        if len(needed):
            self._device.hint(needed, self._now + FAR)
            self._held += self._fast(needed)
        if self._tuner is not None and self._tuner.observe(blocks):
            self._device.configure(**self._tuner.weights)
        if self._work.ends is not None and self._work.ends[request]:
            heapq.heappush(self._running, (int(self._work.end_ms[request]), request))

    def _end_sessions(self, now_ms: int) -> None:
        """EVICT for the blocks of sessions that have ended, without those that other sessions use as well."""
        while self._running and self._running[0][0] <= now_ms:
            _, request = heapq.heappop(self._running)
            own = self._sessions.own(request, self._work.of(request))
            self._device.evict(own[self._waiting[own] == 0])

    # ------------------------------------------------------------------ room

    def _make_room(self, needed: int) -> None:
        """Free slots for so many blocks, as far as what is held allows."""
        device = self._device
        if device.slow_free < LEAST_SLOW:
            below = np.flatnonzero(device.where == SLOW)
            oldest = np.argpartition(self._sessions.last[below], min(REMOVED, len(below) - 1))[:REMOVED]
            device.remove(below[oldest])
        if device.free >= needed:
            return
        if self._tuner is not None and self._tuner.exact:
            device.low = device.high = 0
            device.evict(self._tuner.oldest(needed - device.free, device.where, self._waiting))
            self._scan()
            return
        device.low = device.high = needed
        for _ in range(SCANS):
            self._scan()
            if device.free >= needed:
                break

    def _scan(self) -> None:
        self._now = self._step
        self._device.step(self._now)
        self.log.scans += 1

    # ------------------------------------------------------------------ the queue

    def _fast(self, blocks: Blocks) -> int:
        return int((self._device.where[blocks] == FAST).sum())

    def _see_queue(self, request: int) -> None:
        """Hold what the requests behind this one need, as deep as the runtime looks."""
        own = self._work.of(request)
        self._held -= self._fast(own[self._waiting[own] > 0])  # until their lookups
        if request < self._known:
            self._waiting[own] -= 1
        self._known = max(self._known, request + 1)
        until = min(int(self._work.arrived[request]), request + 1 + self._behaviour.queue)
        limit = self._behaviour.held_share * self._slots
        while self._known < until:
            blocks = self._work.of(self._known)
            new = blocks[self._waiting[blocks] == 0]
            here = new[self._device.where[new] == FAST]
            if self._held + len(here) > limit:
                return
            self._waiting[blocks] += 1
            if len(here):
                self._device.hint(here, self._now + FAR)
                self._held += len(here)
            self._known += 1

    def _bring_next(self, request: int) -> None:
        """Bring back what the next requests need and the slower tier has."""
        until = min(int(self._work.arrived[request]), request + 1 + self._behaviour.prefetch, self._known)
        for waiting in range(max(self._prefetched, request + 1), until):
            blocks = self._work.of(waiting)
            below = blocks[self._device.where[blocks] == SLOW]
            if len(below):
                self._make_room(len(below))
                below = blocks[self._device.where[blocks] == SLOW]
                self._placed += len(below)
                self._device.hint(below, self._now)
                here = below[self._device.where[below] == FAST]
                self._device.hint(here, self._now + FAR)
                self._held += len(here)
            self._prefetched = waiting + 1
