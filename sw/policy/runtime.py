"""The runtime of a trace at the policy level: starts requests, makes room, and tells the device what it knows.

For each request in the order of its start: hints for what waits behind it, room for what is missing (a scan with the
watermarks at what is needed), lookups, demand moves, INSERTs. When a request ends that has no further turn, as far as
the runtime knows, its blocks without another user get EVICT. The step number counts the turnover of the fast tier, not
time: S then orders blocks as recency does, at every capacity and rate of arrivals.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from sw.policy.device import ABSENT, FAST, SLOW, Blocks, PolicyDevice
from sw.policy.sessions import NONE, Sessions
from sw.policy.tuner import SelfTuner

Flags = npt.NDArray[np.bool_]
U16 = 0xFFFF
SCANS = 16  # to make room for one request, at most
GAPS_NEW, GAPS_KEPT = 32, 512
"""Pauses of sessions: a new estimate after so many, from so many."""
CHUNK = 48
"""Blocks that a scan is asked for by its watermarks: it takes some more, all below a multiple of 256."""
QUEUED = 64
"""Decisions that the evict queue takes in one scan, however slow the DMA is."""
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
        hold: HOLD; 0: nothing is held for requests that wait.
        lookahead: LOOKAHEAD.
        low, high: watermarks LOW and HIGH; 0: what each request needs.
        exact: EVICT_THRESH is set to the scores of the blocks that must leave, in place of the watermarks, whose
            threshold is a multiple of 256; blocks of one score are named by EVICT. No scan then decides on more than
            QUEUED blocks.
        returns: a session's blocks are hinted for the step by which, so far, this share of the sessions that went on
            had done so: S then rises until that step and falls after it. 0: no such hint. Room is made by EVICT for the
            blocks with the lowest scores (their hint must not bring them back).
        force: blocks that are held for requests that wait leave when there is no other room for one that runs.
    """

    queue: int = 0
    prefetch: int = 0
    held_share: float = 0.75
    steps: int = 16
    hold: int = 2 * FAR
    lookahead: int = 1
    low: int = 0
    high: int = 0
    exact: bool = False
    returns: float = 0.0
    force: bool = False


@dataclass(slots=True)
class Log:
    """What happened, one element for each reference: kept, brought back by a prefetch, blocks moved since the last."""

    retention: Flags
    prefetch: Flags
    moved: Blocks

    @classmethod
    def empty(cls, references: int) -> Self:
        """Nothing has happened yet."""
        return cls(np.zeros(references, np.bool_), np.zeros(references, np.bool_), np.zeros(references, np.int64))


@dataclass(frozen=True, slots=True)
class Found:
    """Of each block of a request that starts: where it was, and whether a prefetch had brought it there."""

    where: npt.NDArray[np.uint8]
    brought: Flags


class Runtime:
    """What a runtime tells one device, request by request; `tuner` chooses weights while it runs.

    Attributes:
        scans: so far.
    """

    def __init__(
        self,
        device: PolicyDevice,
        of: Callable[[int], Blocks],
        sizes: tuple[int, int, int],
        behaviour: Behaviour,
        tuner: SelfTuner | None = None,
    ) -> None:
        """`of` gives the blocks of a request that has arrived; `sizes`: blocks, requests, slots of the fast tier.

        Requests have numbers from 0 on in the order of their arrival, which is that of their start.
        """
        self._device, self._of, self._behaviour, self._tuner = device, of, behaviour, tuner
        blocks, requests, self._slots = sizes
        self._sessions = Sessions(blocks, requests)
        self._waiting = np.zeros(blocks, np.int64)  # requests that wait and need this block
        self._pins = np.zeros(blocks, np.int64)  # running requests that need it
        self._known = 0  # requests before this one have started or are hinted
        self._prefetched = 0
        self._placed = 0
        self._now = 0  # the step that the device is in
        self._held = 0  # blocks of the fast tier that requests which wait need
        self.scans = 0
        self._started = np.zeros(requests, np.int64)  # step in which each started
        self._gaps: list[int] = []  # steps from a turn to the one after it
        self._gap = 0
        self._ahead = min(FAR, behaviour.hold)
        device.configure(hold=behaviour.hold, lookahead=behaviour.lookahead)

    @property
    def _step(self) -> int:
        return 1 + self._placed * self._behaviour.steps // self._slots

    # ------------------------------------------------------------------ a request

    def start(self, request: int, arrived: int) -> Found:
        """A request starts, the first `arrived` ones have arrived: hints, room, lookups, moves, INSERTs."""
        blocks = self._of(request)
        self._see_queue(request, arrived)
        found = self.place(blocks)
        before = self._sessions.see(request, blocks)
        if self._behaviour.returns:
            self._expect_return(request, before)
        self._bring_next(request, arrived)
        return found

    def place(self, blocks: Blocks) -> Found:
        """Blocks are used: all of them are in the fast tier afterwards, as far as it has room."""
        device = self._device
        missing = int((device.where[blocks] != FAST).sum())
        self.make_room(missing)
        if self._now != self._step:  # blocks of different age must not have the same
            device.low, device.high = self._behaviour.low, self._behaviour.high
            self._scan()
        brought = device.brought[blocks]
        where = device.lookup(blocks)
        device.promote(blocks[where == SLOW])
        device.insert(blocks[where == ABSENT])
        self._placed += missing
        self._hold(blocks[self._waiting[blocks] > 0])  # the lookups have ended their hints
        if self._tuner is not None and self._tuner.observe(blocks):
            self._device.configure(**self._tuner.weights)
        return Found(where, brought)

    def _expect_return(self, request: int, before: int) -> None:
        """Hint the blocks of a session for the step at which it is likely to go on."""
        self._started[request] = self._now
        if before != NONE:
            self._gaps.append(self._now - int(self._started[before]))
            if len(self._gaps) % GAPS_NEW == 0:
                self._gap = int(np.quantile(self._gaps[-GAPS_KEPT:], self._behaviour.returns))
        if self._gap > self._behaviour.lookahead:
            self._device.hint(self._sessions.own(request, self._of(request)), self._now + self._gap)

    def pin(self, blocks: Blocks) -> None:
        """A running request needs these blocks: SHARE."""
        self._pins[blocks] += 1
        self._device.share(blocks)

    def unpin(self, blocks: Blocks) -> None:
        """It has ended: RELEASE."""
        self._pins[blocks] -= 1
        self._device.release(blocks)

    def end_session(self, request: int) -> None:
        """The last turn of a session has ended: EVICT for its blocks, without those that other sessions use as well."""
        own = self._sessions.own(request, self._of(request))
        self._device.evict(own[self._waiting[own] == 0])

    # ------------------------------------------------------------------ room

    def make_room(self, needed: int) -> None:
        """Free slots for so many blocks, as far as what is held allows."""
        device = self._device
        if device.slow_free < LEAST_SLOW:
            below = np.flatnonzero(device.where == SLOW)
            oldest = np.argpartition(self._sessions.last[below], min(REMOVED, len(below) - 1))[:REMOVED]
            device.remove(below[oldest])
        needed += device.reserve
        if device.free < needed:
            self._clear(needed)
        if device.free < needed and self._behaviour.force:
            self._evict_held(needed - device.free)

    def _clear(self, needed: int) -> None:
        device = self._device
        if self._tuner is not None and self._tuner.exact:
            device.low = device.high = 0
            device.evict(self._tuner.oldest(needed - device.free, device.where, self._waiting + self._pins))
            self._scan()
        elif self._behaviour.returns:
            self._clear_by_name(needed)
        elif self._behaviour.exact:
            self._clear_exactly(needed)
        else:
            self._clear_by_watermarks(needed)

    def _evict_held(self, count: int) -> None:
        """EVICT for blocks that no running request needs, whoever waits for them, least recently used first."""
        device = self._device
        here = np.flatnonzero((device.where == FAST) & (self._pins == 0))
        order = np.lexsort((self._sessions.last[here], self._waiting[here] > 0))
        victims = here[order][:count]
        self._held -= int((self._waiting[victims] > 0).sum())
        device.evict(victims)
        self._scan()
        device.low = device.high = 0
        self._scan()  # the fence: what has left is free

    def _clear_by_watermarks(self, needed: int) -> None:
        device, behaviour = self._device, self._behaviour
        for _ in range(SCANS):
            wanted = min(needed, device.free + CHUNK)
            device.low, device.high = max(wanted, behaviour.low), max(wanted, behaviour.high)
            self._scan()
            if device.free >= needed:
                break

    def _clear_by_name(self, needed: int) -> None:
        """EVICT for the blocks with the lowest scores, those of one score by their last use."""
        device, wanted = self._device, needed - self._device.free
        blocks, scores = device.scored(self._step)
        order = np.lexsort((-self._sessions.depth[blocks], self._sessions.last[blocks], scores))
        device.low = device.high = 0
        device.evict(blocks[order][:wanted])
        self._scan()

    def _clear_exactly(self, needed: int) -> None:
        """The blocks with the lowest scores leave, as many as are needed, QUEUED at most in a scan."""
        device, left = self._device, needed - self._device.free
        while left > 0:
            wanted, moves = min(left, QUEUED), device.moves
            blocks, scores = device.scored(self._step)
            if not len(blocks):
                break
            wanted = min(wanted, len(blocks))
            cut = int(np.partition(scores, wanted - 1)[wanted - 1])
            if cut < U16 and (scores <= cut).sum() <= QUEUED:
                cut += 1
            else:  # scores do not tell enough of them apart
                same = blocks[scores == cut]
                oldest = same[np.lexsort((-self._sessions.depth[same], self._sessions.last[same]))]
                device.evict(oldest[: wanted - int((scores < cut).sum())])
            device.configure(evict_thresh=cut)
            self._scan()
            device.configure(evict_thresh=0)
            if device.moves == moves:
                break
            left -= device.moves - moves
        self._scan()  # the fence: what has left is free

    def _scan(self) -> None:
        self._now = self._step
        self._device.step(self._now)
        self.scans += 1

    # ------------------------------------------------------------------ the queue

    def _fast(self, blocks: Blocks) -> int:
        return int((self._device.where[blocks] == FAST).sum())

    def _hold(self, blocks: Blocks) -> None:
        """Requests that wait need these blocks of the fast tier."""
        if len(blocks) and self._ahead:
            self._device.hint(blocks, self._now + self._ahead)
            self._held += self._fast(blocks)

    def _see_queue(self, request: int, arrived: int) -> None:
        """Hold what the requests behind this one need, as deep as the runtime looks."""
        own = self._of(request)
        self._held -= self._fast(own[self._waiting[own] > 0])  # until their lookups
        if request < self._known:
            self._waiting[own] -= 1
        self._known = max(self._known, request + 1)
        until = min(arrived, request + 1 + self._behaviour.queue)
        limit = self._behaviour.held_share * self._slots
        while self._known < until:
            blocks = self._of(self._known)
            new = blocks[self._waiting[blocks] == 0]
            here = new[self._device.where[new] == FAST]
            if self._held + len(here) > limit:
                return
            self._waiting[blocks] += 1
            self._hold(here)
            self._known += 1

    def _bring_next(self, request: int, arrived: int) -> None:
        """Bring back what the next requests need and the slower tier has."""
        until = min(arrived, request + 1 + self._behaviour.prefetch, self._known)
        for waiting in range(max(self._prefetched, request + 1), until):
            blocks = self._of(waiting)
            below = blocks[self._device.where[blocks] == SLOW]
            if len(below):
                self.make_room(len(below))
                below = blocks[self._device.where[blocks] == SLOW]
                self._placed += len(below)
                self._device.hint(below, self._now)
                self._hold(below[self._device.where[below] == FAST])
            self._prefetched = waiting + 1


def started(
    device: PolicyDevice, work: Work, behaviour: Behaviour, slots: int, tuner: SelfTuner | None, log: Log
) -> Iterator[int]:
    """Run a workload whose times are known, request by request; fills `log`, gives the number of each that started."""
    count = len(work.start_ms)
    runtime = Runtime(device, work.of, (work.unique, count, slots), behaviour, tuner)
    last_turns: list[tuple[int, int]] = []
    moved = 0
    for request in range(count):
        while last_turns and last_turns[0][0] <= work.start_ms[request]:
            runtime.end_session(heapq.heappop(last_turns)[1])
        found = runtime.start(request, int(work.arrived[request]))
        place = slice(work.first[request], work.first[request + 1])
        log.retention[place] = (found.where == FAST) & ~found.brought
        log.prefetch[place] = (found.where == FAST) & found.brought
        if len(found.where):
            log.moved[place.start] = device.moves - moved
            moved = device.moves
        if work.ends is not None and work.ends[request]:
            heapq.heappush(last_turns, (int(work.end_ms[request]), request))
        yield request


def run_work(device: PolicyDevice, work: Work, behaviour: Behaviour, slots: int, tuner: SelfTuner | None = None) -> Log:
    """Run a workload whose times are known on a device with so many slots."""
    log = Log.empty(len(work.blocks))
    for _ in started(device, work, behaviour, slots, tuner, log):
        pass
    return log
