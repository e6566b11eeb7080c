"""Constant-bandwidth servers under earliest deadline first (software.md 2).

A pure state machine in integers: no clock, no waiting; every call receives the time, which never goes back.
Chunks cannot be cut. At one instant: completions, exhaustions, replenishments, arrivals, one dispatch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from sw.kernel import admission
from sw.kernel.admission import (
    AdmissionCounters,
    AdmissionRefused,
    BadArgument,
    ServerBusy,
    ServerExists,
    ServerParams,
    UnknownServer,
)
from sw.kernel.statistics import ServerStats


class State(Enum):
    """State of a server."""

    IDLE = "idle"
    READY = "ready"
    RUNNING = "running"
    THROTTLED = "throttled"


@dataclass(slots=True, eq=False)
class Job:
    """Work of one server, run in chunks.

    Attributes:
        id: breaks ties of deadlines inside a server; the lower goes first.
        deadline_ns: absolute.
        server_id: its server; None while it has none. Set by the scheduler, like all that follow.
        arrival_ns: when it was submitted.
        first_dispatch_ns: when its first chunk was given the processor; None before.
        finish_ns: when it ended; None before, and for ever if it was withdrawn.
        ready_ns: its last arrival: submission, or return from the device.
        blocked: it waits for the device.
        withdrawn: it was taken away.
    """

    id: int
    deadline_ns: int
    server_id: int | None = None
    arrival_ns: int = 0
    first_dispatch_ns: int | None = None
    finish_ns: int | None = None
    ready_ns: int = 0
    blocked: bool = False
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class ServerView:
    """A server's state: budget c left (negative: overrun) and absolute deadline d, in ns."""

    params: ServerParams
    state: State
    c: int
    d: int
    jobs: int


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry of the trace: what happened to a server, and its c and d afterwards."""

    time_ns: int
    what: str
    server_id: int
    job_id: int | None
    c: int
    d: int


@dataclass(slots=True, eq=False)
class _Server:
    id: int
    params: ServerParams
    c: int = 0
    d: int = 0
    due: int = 0
    active: bool = False
    throttled_since: int | None = None
    exhausted: bool = False
    changed: bool = False
    jobs: list[Job] = field(default_factory=list)
    stats: ServerStats = field(default_factory=ServerStats)

    @property
    def ready(self) -> list[Job]:
        return [job for job in self.jobs if not job.blocked]

    @property
    def runnable(self) -> bool:
        return self.active and self.throttled_since is None


class Scheduler:
    """Servers, their jobs, and who runs next.

    A server with D < T keeps c and d as any other; only EDF compares the end of its deadline, `due`,
    in place of the end of its period.

    Attributes:
        bound_ppm: what admission compares with.
        counters: admission decisions.
        trace: every decision in order, if tracing was asked for.
    """

    def __init__(self, bound_ppm: int = admission.DEFAULT_BOUND_PPM, *, trace: bool = False) -> None:
        """Have no servers.

        Raises:
            BadArgument: a bound below 1 ppm. Over 1,000,000 nothing is guaranteed any more.
        """
        if bound_ppm < 1:
            raise BadArgument(f"bound {bound_ppm} ppm: at least 1")
        self.bound_ppm = bound_ppm
        self.counters = AdmissionCounters()
        self.trace: list[Decision] | None = [] if trace else None
        self._servers: dict[int, _Server] = {}
        self._running: _Server | None = None
        self._in_flight: Job | None = None
        self._now = 0

    # ------------------------------------------------------------------ admission

    @property
    def used_ppm(self) -> int:
        """The sum of the shares of all servers, without blocking."""
        return admission.used_ppm(self._params().values())

    def admit(self, server_id: int, params: ServerParams) -> int:
        """Take a new server, idle, c = d = 0.

        Returns:
            `used_ppm` with it.

        Raises:
            ServerExists, BadArgument: nothing is counted.
            AdmissionRefused: counted; nothing has changed.
        """
        if server_id in self._servers:
            raise ServerExists(f"server {server_id} exists")
        if server_id < 0:
            raise BadArgument(f"server id {server_id}: not negative")
        used = self._check(server_id, params)
        self._servers[server_id] = _Server(server_id, params)
        self.counters.accepted += 1
        return used

    def change(self, server_id: int, params: ServerParams, now: int) -> int:
        """Replace a server's parameters, its jobs, c and d stay.

        If what is left of its budget is more than the new share allows until d, it starts a new
        period, as an arrival would; while a chunk of it runs, at that chunk's end.

        Returns:
            `used_ppm` with the new share in place of the old.

        Raises:
            UnknownServer: no such server.
            AdmissionRefused: counted as rejected; nothing has changed.
        """
        server = self._server(server_id)
        used = self._check(server_id, params)
        self._advance(now)
        server.params = params
        server.changed = True
        if not self._flies(server):
            self._apply_change(server, now)
        self.counters.changed += 1
        return used

    def remove(self, server_id: int, now: int) -> int:
        """Give a server's share back.

        Returns:
            `used_ppm` without it.

        Raises:
            UnknownServer: no such server.
            ServerBusy: it has jobs.
        """
        server = self._server(server_id)
        if server.jobs:
            raise ServerBusy(f"server {server_id} has {len(server.jobs)} jobs")
        self._advance(now)
        del self._servers[server_id]
        self.counters.removed += 1
        return self.used_ppm

    def _params(self) -> dict[int, ServerParams]:
        return {server.id: server.params for server in self._servers.values()}

    def _check(self, server_id: int, params: ServerParams) -> int:
        try:
            return admission.check(self._params() | {server_id: params}, self.bound_ppm)
        except AdmissionRefused:
            self.counters.rejected += 1
            raise

    # ------------------------------------------------------------------ jobs

    def submit(self, server_id: int, job: Job, now: int) -> None:
        """A job arrives.

        Raises:
            UnknownServer: no such server.
            BadArgument: the job has been submitted before.
        """
        server = self._server(server_id)
        if job.server_id is not None:
            raise BadArgument(f"job {job.id} was submitted before")
        self._advance(now)
        job.server_id = server_id
        job.arrival_ns = now
        server.jobs.append(job)
        server.stats.arrivals += 1
        self._arrive(server, job, now)

    def block(self, job: Job, now: int) -> None:
        """The job waits for the device: not ready, not charged. During its chunk: from the chunk's end on."""
        server = self._server_of(job)
        self._advance(now)
        job.blocked = True
        if job is not self._in_flight:
            self._settle(server, now)

    def unblock(self, job: Job, now: int) -> None:
        """The device has answered; the job's return is an arrival."""
        server = self._server_of(job)
        if not job.blocked:
            return
        self._advance(now)
        job.blocked = False
        if job is not self._in_flight:
            self._arrive(server, job, now)

    def withdraw(self, job: Job, now: int) -> None:
        """Take a job away (cancelled); one whose chunk runs ends with that chunk. Not a miss."""
        server = self._server_of(job)
        self._advance(now)
        job.withdrawn = True
        if job is not self._in_flight:
            self._take_out(server, job)
            self._settle(server, now)

    def _arrive(self, server: _Server, job: Job, now: int) -> None:
        job.ready_ns = now
        begins = not server.active
        if begins:
            server.active = True
            self._arrival_rule(server, now)
        self._note(now, "arrive", server, job)
        if begins and server.c <= 0:
            self._exhaust(server, now)

    def _take_out(self, server: _Server, job: Job) -> None:
        server.jobs.remove(job)
        job.server_id = None
        if job.withdrawn:
            server.stats.withdrawn += 1

    # ------------------------------------------------------------------ running

    def dispatch(self, now: int) -> Job | None:
        """Choose the job whose next chunk runs now; `ran` must follow.

        The ready server with the earliest deadline, on a tie the one that ran last if it may go
        on, else the lower id; in it the job with the earliest deadline, then the lower id.

        Returns:
            None when no job is ready.

        Raises:
            BadArgument: a chunk is running.
        """
        if self._in_flight is not None:
            raise BadArgument(f"a chunk of job {self._in_flight.id} is running")
        self._advance(now)
        runnable = [server for server in self._servers.values() if server.runnable]
        if not runnable:
            return None
        server = min(runnable, key=lambda s: (s.due, s is not self._running, s.id))
        job = min(server.ready, key=lambda j: (j.deadline_ns, j.id))
        self._running = server
        self._in_flight = job
        if job.first_dispatch_ns is None:
            job.first_dispatch_ns = now
            server.stats.jitter.add(now - job.arrival_ns)
        self._note(now, "dispatch", server, job)
        return job

    def ran(self, job: Job, start: int, end: int, finished: bool) -> None:
        """A chunk of `job` held the processor in [start, end); all of it is charged.

        Raises:
            BadArgument: not the job that was dispatched, or end < start.
        """
        if job is not self._in_flight or end < start:
            raise BadArgument(f"job {job.id} did not run from {start} to {end}")
        server = self._server_of(job)
        self._in_flight = None
        server.c -= end - start
        stats = server.stats
        stats.chunks += 1
        stats.consumed_ns += end - start
        stats.chunk_overruns += 0 < server.params.chunk_ns < end - start
        if finished and not job.withdrawn:
            self._finish(server, job, end)
        if finished or job.withdrawn:
            self._take_out(server, job)
        self._note(end, "ran", server, job)
        if server.changed:
            self._apply_change(server, end)
        self._settle(server, end)
        self._advance(end)

    def _finish(self, server: _Server, job: Job, now: int) -> None:
        job.finish_ns = now
        stats = server.stats
        stats.finished += 1
        lateness = now - job.deadline_ns
        worst = stats.worst_lateness_ns
        stats.worst_lateness_ns = lateness if worst is None else max(worst, lateness)
        if lateness > 0:
            stats.misses += 1
            stats.late_ns += lateness

    def next_event(self, now: int) -> int | None:
        """When the next throttled server returns; None if none is throttled."""
        self._advance(now)
        return min((server.d for server in self._servers.values() if server.throttled_since is not None), default=None)

    # ------------------------------------------------------------------ the server's rules

    def _arrival_rule(self, server: _Server, now: int) -> None:
        """A job has arrived at an idle server: a new period, or what is left of the last."""
        params = server.params
        if server.c * params.period_ns >= (server.d - now) * params.budget_ns:
            server.c = params.budget_ns
            server.d = now + params.period_ns
            server.due = now + params.relative_deadline_ns
            server.exhausted = False
        else:
            # With D = T this is d; with D < T what is left keeps the density Q / D.
            least = now - (-server.c * params.relative_deadline_ns // params.budget_ns)
            server.due = max(self._end_of_deadline(server), least)

    def _exhaust(self, server: _Server, now: int) -> None:
        """No budget is left and there is work."""
        if not server.exhausted:
            server.exhausted = True
            server.stats.exhaustions += 1
        if self._running is server:
            self._running = None
        if server.params.hard:
            server.throttled_since = now
            self._note(now, "throttle", server, None)
            self._release(server, now)
        else:
            self._replenish(server, _periods(server), now)

    def _release(self, server: _Server, now: int) -> None:
        """Give a throttled server the budgets of the deadlines that have passed."""
        since = server.throttled_since
        passed = (now - server.d) // server.params.period_ns + 1
        if since is None or passed <= 0:
            return
        needed = _periods(server)
        returned = max(since, server.d + (needed - 1) * server.params.period_ns)
        self._replenish(server, min(needed, passed), returned)
        if server.c > 0:
            server.throttled_since = None
            server.stats.throttled_ns += returned - since

    def _replenish(self, server: _Server, periods: int, now: int) -> None:
        server.c += periods * server.params.budget_ns
        server.d += periods * server.params.period_ns
        server.due = self._end_of_deadline(server)
        if server.c > 0:
            server.exhausted = False
            self._note(now, "replenish", server, None)

    def _settle(self, server: _Server, now: int) -> None:
        """After jobs have ended, blocked or used budget at `now`."""
        ready = server.ready
        if not ready:
            self._idle(server, now)
            return
        if self._running is server and all(job.ready_ns == now for job in ready):
            # They came in the chunk's last instant: the completion comes first and leaves the server idle.
            self._idle(server, now)
            server.active = True
            self._arrival_rule(server, now)
        if server.runnable and server.c <= 0:
            self._exhaust(server, now)

    def _idle(self, server: _Server, now: int) -> None:
        server.active = False
        if self._running is server:
            self._running = None
        if server.throttled_since is not None:
            server.stats.throttled_ns += now - server.throttled_since
            server.throttled_since = None

    def _apply_change(self, server: _Server, now: int) -> None:
        server.changed = False
        if server.active and server.c > 0:
            self._arrival_rule(server, now)

    @staticmethod
    def _end_of_deadline(server: _Server) -> int:
        return server.d - server.params.period_ns + server.params.relative_deadline_ns

    # ------------------------------------------------------------------ looking

    def server(self, server_id: int) -> ServerView:
        """A server's state at the last call.

        Raises:
            UnknownServer: no such server.
        """
        server = self._server(server_id)
        if server.throttled_since is not None:
            state = State.THROTTLED
        elif server is self._running:
            state = State.RUNNING
        else:
            state = State.READY if server.active else State.IDLE
        return ServerView(server.params, state, server.c, server.d, len(server.jobs))

    @property
    def servers(self) -> tuple[int, ...]:
        """Ids of all servers, in order."""
        return tuple(sorted(self._servers))

    def stats(self, server_id: int) -> ServerStats:
        """A server's statistics, a time in throttling that has not ended included.

        Raises:
            UnknownServer: no such server.
        """
        server = self._server(server_id)
        since = server.throttled_since
        if since is None:
            return server.stats
        return replace(server.stats, throttled_ns=server.stats.throttled_ns + self._now - since)

    # ------------------------------------------------------------------ small parts

    def _server(self, server_id: int) -> _Server:
        try:
            return self._servers[server_id]
        except KeyError:
            raise UnknownServer(f"no server {server_id}") from None

    def _server_of(self, job: Job) -> _Server:
        if job.server_id is None:
            raise BadArgument(f"job {job.id} is not in any server")
        return self._server(job.server_id)

    def _flies(self, server: _Server) -> bool:
        return self._in_flight is not None and self._in_flight.server_id == server.id

    def _advance(self, now: int) -> None:
        """Let time go on to `now`: replenishments that are due.

        Raises:
            BadArgument: time would go back.
        """
        if now < self._now:
            raise BadArgument(f"time goes back from {self._now} to {now} ns")
        self._now = now
        for server in self._servers.values():
            self._release(server, now)

    def _note(self, now: int, what: str, server: _Server, job: Job | None) -> None:
        if self.trace is not None:
            self.trace.append(Decision(now, what, server.id, None if job is None else job.id, server.c, server.d))


def _periods(server: _Server) -> int:
    """How many budgets bring c above 0."""
    return -server.c // server.params.budget_ns + 1
