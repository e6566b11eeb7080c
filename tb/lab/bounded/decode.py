"""Streams that decode on one machine, token by token, under a scheduler; what each token's time went into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sw.kernel.admission import ServerParams
from sw.kernel.scheduler import Job, Scheduler
from tb.lab.bounded.geometry import BLOCK_TOKENS, Geometry
from tb.lab.bounded.machine import Machine

PARTS = ("compute", "lookup", "insert", "bus", "background", "move", "throttle")
"""What a token's cycles are split into: compute with sampling; register accesses and lookups; INSERTs; own beats with
the first tier's latency; beats of the background in between; slower tiers and the device's moves; waiting for the
server, the reader's pace or another stream."""
FIELDS = ("stream", "tokens", "first", "total", *PARTS)
Samples = npt.NDArray[np.int64]
"""Shape (tokens, len(FIELDS)), in the order in which they ended; times in cycles."""
FOREVER = 1 << 62


@dataclass(slots=True)
class Stream:
    """A sequence of requests, each decoding from `start` tokens of context to `context`.

    Attributes:
        id: of the stream; requests are numbered from it.
        draws: cycles that sampling takes, used in turn.
        left: tokens still to decode.
        origin: what the next token's time counts from: the end of the last, or the request's arrival.
    """

    id: int
    geometry: Geometry
    start: int
    context: int
    draws: Sequence[int]
    left: int
    tokens: int = 0
    request: int = 0
    origin: int = 0
    fresh: bool = True
    release: int = 0
    done: int = field(default=0)

    async def arrive(self, machine: Machine) -> None:
        """The next request's prompt is in the cache."""
        if self.request:
            await machine.end(self.request)
        self.request = self.request + 64 if self.request else 1 + self.id
        if self.request > 0x7FFF:
            self.request = 1 + self.id
        self.tokens = self.start
        self.fresh = True
        await machine.begin(self.request, self.start, self.context)
        self.origin = machine.cycle

    @property
    def ended(self) -> bool:
        """The request's context is full, or no token is left."""
        return not self.left or self.tokens == self.context

    async def token(self, machine: Machine) -> list[int]:
        """Decode one token; its parts without throttle."""
        begun = machine.cycle
        self.tokens += 1
        await machine.step()
        lookup, insert = machine.cycle - begun, 0
        block, offset = divmod(self.tokens - 1, BLOCK_TOKENS)
        if not offset and not machine.platform.controls.preallocated:
            at = machine.cycle
            await machine.insert(self.request, range(block, block + 1))
            insert = machine.cycle - at
        compute = bus = background = move = 0
        for layer in range(self.geometry.layers):
            at = machine.cycle
            found = await machine.look(self.request, layer, self.tokens)
            lookup += machine.cycle - at
            at = machine.cycle
            went, slower = await machine.fetch(found)
            background += went.background
            move += went.moves + slower
            bus += machine.cycle - at - went.background - went.moves - slower
            cycles = self.geometry.layer_cycles(self.tokens)
            await machine.sleep(cycles)
            compute += cycles
        chosen = int(self.draws[self.done % len(self.draws)])
        await machine.sleep(chosen)
        self.done += 1
        self.left -= 1
        return [compute + chosen, lookup, insert, bus, background, move]


class Recorder:
    """Collects the samples, and what happens between tokens (`between`, after each)."""

    def __init__(self, between: Callable[[], None]) -> None:
        self.rows: list[list[int]] = []
        self._between = between

    def take(self, stream: Stream, parts: list[int], end: int) -> None:
        """A token has ended."""
        total = end - stream.origin
        self.rows.append([stream.id, stream.tokens, int(stream.fresh), total, *parts, total - sum(parts)])
        stream.fresh = False
        stream.origin = end
        self._between()

    @property
    def samples(self) -> Samples:
        """All tokens."""
        return np.array(self.rows, np.int64).reshape(-1, len(FIELDS))


async def served(machine: Machine, streams: Sequence[Stream], params: ServerParams, recorder: Recorder) -> None:
    """Each stream in a server of its own: a job is a request, a chunk a token, as in the LLM service.

    Raises:
        AdmissionRefused: the servers do not fit.
    """
    scheduler = Scheduler()
    for stream in streams:
        scheduler.admit(stream.id, params)
    jobs: dict[int, Stream] = {}

    async def submit(stream: Stream) -> None:
        await stream.arrive(machine)
        job = Job(len(jobs), FOREVER)
        jobs[job.id] = stream
        scheduler.submit(stream.id, job, machine.cycle)

    for stream in streams:
        await submit(stream)
    while any(stream.left for stream in streams):
        now = machine.cycle
        job = scheduler.dispatch(now)
        if job is None:
            due = scheduler.next_event(now)
            assert due is not None
            await machine.sleep(due - now)
            continue
        stream = jobs[job.id]
        parts = await stream.token(machine)
        recorder.take(stream, parts, machine.cycle)
        ended = stream.ended
        scheduler.ran(job, now, machine.cycle, ended)
        if ended and stream.left:
            await submit(stream)


ORDERS: dict[str, Callable[[Stream, int], tuple[int, int]]] = {
    "edf": lambda stream, period: (stream.release + period, stream.id),
    "rm": lambda stream, _period: (stream.id, 0),
    "fifo": lambda stream, _period: (stream.release, stream.id),
}
"""Who goes first of the tokens that are due; with equal periods rate monotonic is a fixed order."""


async def paced(machine: Machine, streams: Sequence[Stream], order: str, period: int, recorder: Recorder) -> None:
    """Without servers: a token is due `period` after the one before was, and not before that has ended."""
    for stream in streams:
        await stream.arrive(machine)
        stream.release = machine.cycle
    first = ORDERS[order]
    while live := [stream for stream in streams if stream.left]:
        now = machine.cycle
        due = [stream for stream in live if stream.release <= now]
        if not due:
            await machine.sleep(min(stream.release for stream in live) - now)
            continue
        stream = min(due, key=lambda one: first(one, period))
        parts = await stream.token(machine)
        recorder.take(stream, parts, machine.cycle)
        stream.release = max(machine.cycle, stream.release + period)
        if stream.ended and stream.left:
            await stream.arrive(machine)
