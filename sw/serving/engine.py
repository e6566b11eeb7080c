"""Continuous batching: which requests run in a step, what the step costs, and when each token is there.

A step has one token of every sequence that decodes and, within the token budget, parts of prompts (chunked prefill),
oldest first. A request starts, in the order of arrival, when a place is free, the budget has room and its prompt fits
into the fast tier together with what is pinned there. Of its blocks the contiguous prefix that the store has is used:
what is in a slower tier is waited for (a link moves one after the other, what leaves the fast tier before it included;
blocks of a second slower tier go over both links) or computed again, whichever is sooner; meanwhile others run. When a
growing sequence finds no room the latest one is preempted and begins again, first in the queue, with what the store
still has of it (swapping is what the device does with it meanwhile). The blocks of an answer stay, and the next turn
finds them; it arrives when the answer before is complete and the user's pause is over (closed loop), or at the trace's
time (open loop).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sw.policy.device import ABSENT, FAST, Blocks
from sw.policy.runtime import Found
from sw.serving.cost import CostModel
from sw.serving.store import KvStore

NONE = -1
Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Load:
    """What arrives; one element for each request.

    Attributes:
        prompts: blocks of each prompt.
        prompt, output: tokens.
        arrival_s: of first turns, and of all turns in an open loop.
        follows: the turn that comes after each, NONE for none; all NONE in an open loop.
        pause_s: from the end of a turn's answer to the turn after it.
        left: blocks of each answer that the next turn's prompt names.
        ends: whether each is its session's last turn, as far as the runtime knows.
        spare: numbers of blocks from here on belong to no prompt.
    """

    prompts: list[Blocks]
    prompt: Blocks
    output: Blocks
    arrival_s: Seconds
    follows: Blocks
    pause_s: Seconds
    left: list[Blocks]
    ends: npt.NDArray[np.bool_]
    spare: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of an engine: tokens a step, running sequences, tokens of a block, slots of the fast tier."""

    batched_tokens: int
    running: int
    block_tokens: int
    slots: int


@dataclass(slots=True)
class Measured:
    """What a run has measured; times in seconds, one element for each request unless said otherwise.

    Attributes:
        arrival, first, end: when a request arrived, when its first and its last token was there.
        kept, prefetched, loaded: its prompt's tokens that were used from where they had stayed, from where a prefetch
            had brought them, and moved on demand.
        loaded_far: of `loaded` those that came from the second slower tier.
        again: tokens computed that had been computed before.
        retention_hits, prefetch_hits: blocks found in the fast tier, wherever in the prompt.
        stall: time that it waited for moves.
        stall_far: of that until what it needs of the second slower tier had reached the first.
        moved, moved_far: blocks over the link in all, over that to the second slower tier.
        preemptions: in all.
        queue, occupied, pinned: time-weighted mean of requests that wait, of the fast tier's blocks, of pinned ones.
        longest_queue: most requests that waited.
        steps, busy_s: steps, and their time.
    """

    arrival: Seconds
    first: Seconds
    end: Seconds
    kept: Blocks
    prefetched: Blocks
    loaded: Blocks
    again: Blocks
    retention_hits: Blocks
    prefetch_hits: Blocks
    stall: Seconds
    loaded_far: Blocks
    stall_far: Seconds
    moved: int = 0
    moved_far: int = 0
    preemptions: int = 0
    queue: float = 0.0
    occupied: float = 0.0
    pinned: float = 0.0
    longest_queue: int = 0
    steps: int = 0
    busy_s: float = 0.0

    @classmethod
    def empty(cls, count: int) -> Measured:
        """Nothing has been measured yet."""
        times = ("arrival", "first", "end", "stall", "stall_far")
        counts = ("kept", "prefetched", "loaded", "loaded_far", "again", "retention_hits", "prefetch_hits")
        return cls(**{name: np.zeros(count) for name in times}, **{name: np.zeros(count, np.int64) for name in counts})  # type: ignore[arg-type]  # mypy takes all of them for one type


@dataclass(slots=True)
class _Sequence:
    """A request that runs."""

    request: int
    number: int  # of its arrival
    order: int
    left: int  # tokens of its prompt that are to be computed
    done: int  # tokens before those
    generated: int = 0
    joined: int = 0  # the decode step in which it had `generated` tokens
    tails: list[int] = field(default_factory=list)
    decodes: bool = False
    gone: bool = False


class _Arrival(NamedTuple):
    """When blocks are in the fast tier, and when those of the second slower tier have reached the first."""

    ready: float
    risen: float


class Engine:
    """One engine over one store."""

    def __init__(self, cost: CostModel, limits: Limits, load: Load, store: KvStore) -> None:
        self._cost, self._limits, self._load, self._store = cost, limits, load, store
        count = len(load.prompt)
        self.measured = Measured.empty(count)
        self._now = 0.0
        self._link_free = self._far_free = 0.0
        self._down = self._sunk = 0
        self._ready: dict[int, _Arrival] = {}  # of blocks that a prefetch brings
        self._arriving = [(float(at), n) for n, at in enumerate(load.arrival_s) if np.isfinite(at)]
        heapq.heapify(self._arriving)
        self._waiting: deque[tuple[int, int, int | None]] = deque()
        """Request, number of its arrival, tokens that it had generated when it was preempted."""
        self._numbers: list[int] = []  # requests in the order of their arrival
        self._loading: list[tuple[float, int, _Sequence]] = []
        self._prefilling: deque[_Sequence] = deque()
        self._decoding = 0
        self._context = 0
        self._decode_step = 0
        self._ends: list[tuple[int, int, _Sequence]] = []
        self._grows: list[tuple[int, int, _Sequence]] = []
        self._active: dict[int, _Sequence] = {}  # by order of start
        self._started = 0
        self._pins: dict[int, int] = {}
        self._spare = list(range(load.spare + tails_at_most(load, limits) - 1, load.spare - 1, -1))
        self._computed = np.zeros(load.spare + len(self._spare), np.bool_)

    def request_of(self, number: int) -> Blocks:
        """The prompt of the request that arrived as number `number`: what a runtime sees of its queue."""
        return self._load.prompts[self._numbers[number]]

    def run(self) -> Measured:
        """Run until the last token."""
        for _ in self.steps():
            pass
        return self.measured

    def steps(self) -> Iterator[int]:
        """Run until the last token; after each step, how many requests have started (again, if they were preempted)."""
        while self._arriving or self._waiting or self._active:
            self._arrive()
            budget = self._start_waiting(self._limits.batched_tokens - self._decoding)
            chunks = self._chunks(budget)
            if not chunks and not self._decoding:
                self._pass(self._next_event())
                yield self._started
                continue
            seconds = self._cost.step_s(self._decoding, self._context, [(n, s.done) for s, n in chunks])
            self.measured.steps += 1
            self.measured.busy_s += seconds
            self._pass(self._now + seconds)
            self._decode()
            self._prefilled(chunks)
            yield self._started
        span = max(self._now, 1e-9)
        for name in ("queue", "occupied", "pinned"):
            setattr(self.measured, name, getattr(self.measured, name) / span)

    # ------------------------------------------------------------------ time

    def _pass(self, until: float) -> None:
        seconds = until - self._now
        m = self.measured
        m.queue += len(self._waiting) * seconds
        m.occupied += self._store.occupied * seconds
        m.pinned += len(self._pins) * seconds
        self._now = until

    def _next_event(self) -> float:
        times = [heap[0][0] for heap in (self._arriving, self._loading) if heap]
        assert times, "a request that fits starts when nothing runs"
        return max(self._now, min(times))

    def _arrive(self) -> None:
        while self._arriving and self._arriving[0][0] <= self._now:
            at, request = heapq.heappop(self._arriving)
            self.measured.arrival[request] = at
            self._waiting.append((request, len(self._numbers), None))
            self._numbers.append(request)
        self.measured.longest_queue = max(self.measured.longest_queue, len(self._waiting))
        while self._loading and self._loading[0][0] <= self._now:
            self._prefilling.append(heapq.heappop(self._loading)[2])

    # ------------------------------------------------------------------ starts

    def _start_waiting(self, budget: int) -> int:
        """Start what may start; the budget that prompts have in this step."""
        left = budget - sum(sequence.left for sequence in self._prefilling)
        while self._waiting and left > 0 and len(self._active) < self._limits.running:
            request, number, generated = self._waiting[0]
            blocks = self._load.prompts[request]
            new = sum(block not in self._pins for block in blocks.tolist())
            if len(self._pins) + new + 1 > self._limits.slots and self._active:
                break
            self._waiting.popleft()
            left -= self._begin(request, number, generated)
        return budget

    def _begin(self, request: int, number: int, generated: int | None) -> int:
        """A request starts, or starts again; tokens that it has to compute."""
        load, store = self._load, self._store
        blocks, tokens = load.prompts[request], int(load.prompt[request]) + (generated or 0)
        found = store.start(number, blocks, len(self._numbers) if generated is None else None)
        self._pin(blocks)
        self._note_moves()
        sequence = _Sequence(request, number, self._started, tokens, 0, generated or 0)
        self._active[self._started] = sequence
        self._started += 1
        ready, risen = self._use(sequence, blocks, found, tokens)
        if ready > self._now:
            self.measured.stall[request] += ready - self._now
            self.measured.stall_far[request] += max(0.0, min(ready, risen) - self._now)
            heapq.heappush(self._loading, (ready, sequence.order, sequence))
            return 0
        self._prefilling.append(sequence)
        return sequence.left

    def _use(self, sequence: _Sequence, blocks: Blocks, found: Found, tokens: int) -> _Arrival:
        """Use the prefix that the store has; when its bytes are in the fast tier."""
        m, size, request = self.measured, self._limits.block_tokens, sequence.request
        where, brought = found.where, found.brought
        m.retention_hits[request] += int(((where == FAST) & ~brought).sum())
        m.prefetch_hits[request] += int(((where == FAST) & brought).sum())
        prefix = int(np.argmax(where == ABSENT)) if (where == ABSENT).any() else len(blocks)
        prefix = min(prefix, (tokens - 1) // size)  # the last token is computed in any case: its output is needed
        slow = np.flatnonzero(where[:prefix] != FAST)
        arrivals = [_Arrival(self._now, self._now)]
        if len(slow):
            far = int(self._store.below.far(blocks[slow]).sum())
            kept = int(slow[0])
            moved = self._arrival(len(slow), far)
            if moved.ready - self._now <= self._cost.recompute_s(((prefix - kept) * size, kept * size)):
                self._carry(len(slow), far)
                m.loaded_far[request] += far * size
                arrivals.append(moved)
            else:
                prefix, slow = kept, slow[:0]
        arrivals += [self._ready[block] for block in blocks[:prefix][brought[:prefix]].tolist() if block in self._ready]
        m.loaded[request] += len(slow) * size
        m.prefetched[request] += int(brought[:prefix].sum()) * size
        m.kept[request] += (prefix - len(slow) - int(brought[:prefix].sum())) * size
        m.again[request] += int(self._computed[blocks[prefix:]].sum()) * size
        self._computed[blocks] = True
        sequence.done = prefix * size
        sequence.left = tokens - sequence.done
        return _Arrival(max(one.ready for one in arrivals), max(one.risen for one in arrivals))

    # ------------------------------------------------------------------ links

    def _arrival(self, blocks: int, far: int) -> _Arrival:
        """When so many blocks that are asked for now, `far` of them in the second slower tier, are in the fast one.

        Those go over the second link one after the other, and each over the first one while the next is on its way.
        """
        cost = self._cost
        ready, risen = max(self._now, self._link_free) + cost.move_s(blocks), self._now
        if far and cost.far:
            risen = max(self._now, self._far_free) + cost.far_s(far) + cost.far.latency_s
            ready = max(ready, risen + cost.move_s(1))
        return _Arrival(ready + cost.link.latency_s, risen)

    def _carry(self, blocks: int, far: int) -> None:
        """So many moves, `far` of them from or to the second slower tier, are added to what the links have to do."""
        self._link_free = max(self._now, self._link_free) + self._cost.move_s(blocks)
        self._far_free = max(self._now, self._far_free) + self._cost.far_s(far)
        self.measured.moved += blocks
        self.measured.moved_far += far

    def _note_moves(self) -> None:
        """What the store has begun to move since the last call goes over the links, one after the other."""
        down, sunk = self._store.down, self._store.below.sunk
        self._carry(down - self._down, sunk - self._sunk)
        self._down, self._sunk = down, sunk
        brought = self._store.take_prefetched()
        if len(brought):
            far = int(self._store.below.far(brought).sum())
            moved = self._arrival(len(brought), far)
            self._carry(len(brought), far)
            self._ready.update(dict.fromkeys(brought.tolist(), moved))

    def _pin(self, blocks: Blocks) -> None:
        for block in blocks.tolist():
            self._pins[block] = self._pins.get(block, 0) + 1

    def _unpin(self, blocks: Blocks) -> None:
        for block in blocks.tolist():
            self._pins[block] -= 1
            if not self._pins[block]:
                del self._pins[block]

    # ------------------------------------------------------------------ prompts

    def _chunks(self, budget: int) -> list[tuple[_Sequence, int]]:
        """Parts of prompts for this step, oldest first."""
        chunks = []
        for sequence in self._prefilling:
            if budget <= 0:
                break
            count = min(budget, sequence.left)
            chunks.append((sequence, count))
            budget -= count
        return chunks

    def _prefilled(self, chunks: list[tuple[_Sequence, int]]) -> None:
        """The step has computed these parts; a prompt that is complete gives a token."""
        for sequence, count in chunks:
            sequence.left -= count
            sequence.done += count
            if sequence.left == 0 and not sequence.gone:
                self._prefilling.remove(sequence)
                self._first_token(sequence)

    def _first_token(self, sequence: _Sequence) -> None:
        request = sequence.request
        if not sequence.generated:
            self.measured.first[request] = self._now
        sequence.generated += 1
        sequence.joined = self._decode_step
        remaining = int(self._load.output[request]) - sequence.generated
        if remaining <= 0:
            self._end(sequence)
            return
        sequence.decodes = True
        self._decoding += 1
        self._context += int(self._load.prompt[request]) + sequence.generated
        heapq.heappush(self._ends, (self._decode_step + remaining, sequence.order, sequence))
        self._grow_later(sequence)

    # ------------------------------------------------------------------ decoding

    def _grow_later(self, sequence: _Sequence) -> None:
        """Remember when the sequence needs its next block."""
        room = (len(self._load.prompts[sequence.request]) + len(sequence.tails)) * self._limits.block_tokens
        have = int(self._load.prompt[sequence.request]) + sequence.generated + self._decode_step - sequence.joined
        heapq.heappush(self._grows, (self._decode_step + max(1, room - have + 1), sequence.order, sequence))

    def _decode(self) -> None:
        """One token of every sequence that decodes."""
        if not self._decoding:
            return
        self._decode_step += 1
        self._context += self._decoding
        while self._ends and self._ends[0][0] <= self._decode_step:
            sequence = heapq.heappop(self._ends)[2]
            if not sequence.gone:
                self._leave_batch(sequence)
                self._end(sequence)
        while self._grows and self._grows[0][0] <= self._decode_step:
            sequence = heapq.heappop(self._grows)[2]
            if not sequence.gone:
                self._grow(sequence)

    def _grow(self, sequence: _Sequence) -> None:
        while not sequence.gone:
            block = self._spare.pop()
            taken = self._store.take(block)
            self._note_moves()
            if taken:
                sequence.tails.append(block)
                self._pins[block] = 1
                self._grow_later(sequence)
                return
            self._spare.append(block)
            self._preempt(self._active[max(self._active)])

    def _leave_batch(self, sequence: _Sequence) -> None:
        sequence.generated += self._decode_step - sequence.joined
        self._decoding -= 1
        self._context -= int(self._load.prompt[sequence.request]) + sequence.generated

    def _release(self, sequence: _Sequence, *, last: bool) -> None:
        """A sequence no longer runs."""
        sequence.gone = True
        del self._active[sequence.order]
        blocks = self._load.prompts[sequence.request]
        tails = np.array(sequence.tails, np.int64)
        self._unpin(blocks)
        self._unpin(tails)
        self._store.drop(tails)
        self._spare += sequence.tails
        self._store.finish(sequence.number, blocks, last=last)

    def _preempt(self, sequence: _Sequence) -> None:
        """The latest sequence gives its room away and begins again."""
        if sequence.decodes:
            self._leave_batch(sequence)
        else:
            if sequence in self._prefilling:
                self._prefilling.remove(sequence)
            self._loading = [entry for entry in self._loading if entry[2] is not sequence]
            heapq.heapify(self._loading)
        self._release(sequence, last=False)
        self.measured.preemptions += 1
        self._waiting.appendleft((sequence.request, sequence.number, sequence.generated))

    def _end(self, sequence: _Sequence) -> None:
        """The last token is there."""
        request, load = sequence.request, self._load
        self.measured.end[request] = self._now
        self._release(sequence, last=bool(load.ends[request]))
        self._store.leave(load.left[request])
        self._computed[load.left[request]] = True
        self._note_moves()
        if load.follows[request] != NONE:
            heapq.heappush(self._arriving, (self._now + float(load.pause_s[request]), int(load.follows[request])))


def tails_at_most(load: Load, limits: Limits) -> int:
    """Blocks that answers of running sequences may have at the same time: their numbers follow `load.spare`."""
    return min(limits.running, len(load.prompt)) * (int(load.output.max(initial=0)) // limits.block_tokens + 2)
