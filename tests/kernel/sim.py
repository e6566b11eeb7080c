"""Drives the scheduler through a set of jobs in simulated time, and notes what it did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sw.kernel.admission import ServerParams
from sw.kernel.scheduler import Job, Scheduler

UNBOUNDED = 1_000_000_000
Segment = tuple[int, int, int]
"""(server, start, end)."""


@dataclass(frozen=True)
class Work:
    """A job: it arrives at `arrival` and runs `pieces` of (wait for the device before it, length)."""

    arrival: int
    server: int
    pieces: tuple[tuple[int, int], ...]
    deadline: int | None = None
    """Relative to the arrival; None: the server's."""


def work(arrival: int, server: int, cost: int, chunk: int = 1, deadline: int | None = None) -> Work:
    """A job of `cost` units in chunks of `chunk`, the last of what is left."""
    lengths = [min(chunk, cost - done) for done in range(0, cost, chunk)]
    return Work(arrival, server, tuple((0, length) for length in lengths), deadline)


def periodic(server: int, cost: int, period: int, until: int, first: int = 0, chunk: int = 1) -> list[Work]:
    """Jobs of `cost` every `period`."""
    return [work(r, server, cost, chunk) for r in range(first, until, period)]


@dataclass
class Run:
    """What happened: chunks as (server, job index, start, end), (c, d) of every server at each instant."""

    scheduler: Scheduler
    chunks: list[tuple[int, int, int, int]] = field(default_factory=list)
    states: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict)
    finished: dict[int, int] = field(default_factory=dict)

    @property
    def segments(self) -> list[Segment]:
        """Chunks of one server that follow each other, joined."""
        joined: list[Segment] = []
        for server, _, start, end in self.chunks:
            if joined and joined[-1][0] == server and joined[-1][2] == start:
                joined[-1] = (server, joined[-1][1], end)
            else:
                joined.append((server, start, end))
        return joined

    def served(self, server: int, until: int | None = None) -> int:
        """Units that a server has had."""
        return sum(
            (end if until is None else min(end, until)) - start
            for who, _, start, end in self.chunks
            if who == server and (until is None or start < until)
        )

    @property
    def misses(self) -> int:
        """Deadline misses of all servers."""
        return sum(self.scheduler.stats(server).misses for server in self.scheduler.servers)


def simulate(
    servers: dict[int, ServerParams],
    jobs: Iterable[Work],
    until: int,
    *,
    bound_ppm: int = UNBOUNDED,
    early: bool = False,
    scheduler: Scheduler | None = None,
) -> Run:
    """Run the scheduler from 0 to `until`.

    With `early`, what arrives in a chunk's very last instant is reported to the scheduler before the
    chunk's end, as by a task in parallel with the executor; the schedule must be the same.
    """
    scheduler = scheduler or Scheduler(bound_ppm)
    for server, params in servers.items():
        scheduler.admit(server, params)
    run = Run(scheduler)
    list_of = list(jobs)
    todo = [list(one.pieces) for one in list_of]
    made: dict[int, Job] = {}
    events = [(one.arrival, index) for index, one in enumerate(list_of)]

    def deliver(first: int, last: int) -> None:
        for time, index in sorted(event for event in events if first <= event[0] <= last):
            events.remove((time, index))
            if index in made:
                scheduler.unblock(made[index], time)
                continue
            one = list_of[index]
            relative = servers[one.server].relative_deadline_ns if one.deadline is None else one.deadline
            made[index] = Job(index, one.arrival + relative)
            scheduler.submit(one.server, made[index], time)

    now = 0
    while now < until:
        deliver(0, now)
        job = scheduler.dispatch(now)
        run.states[now] = _states(scheduler)
        if job is None:
            times = [time for time, _ in events]
            returns = scheduler.next_event(now)
            now = min([*times, until] if returns is None else [*times, returns, until])
            continue
        assert job.server_id is not None
        server = job.server_id
        length = todo[job.id].pop(0)[1]
        end = now + length
        run.chunks.append((server, job.id, now, end))
        left = todo[job.id]
        waits = left[0][0] if left else 0
        if waits:
            scheduler.block(job, now)
            events.append((end + waits, job.id))
        deliver(now, end if early else end - 1)
        scheduler.ran(job, now, end, finished=not left)
        if not left:
            run.finished[job.id] = end
        now = end
    deliver(0, now)
    scheduler.next_event(now)
    run.states[now] = _states(scheduler)
    return run


def _states(scheduler: Scheduler) -> dict[int, tuple[int, int]]:
    views = {server: scheduler.server(server) for server in scheduler.servers}
    return {server: (view.c, view.d) for server, view in views.items()}
