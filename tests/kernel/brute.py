"""The rules of software.md 2 once more, unit by unit of time: what the scheduler is compared with.

Written from the contract and not from the scheduler: every instant goes through completions,
exhaustions, replenishments, arrivals and one dispatch, fractions are fractions, and nothing is
computed ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from sw.kernel.admission import ServerParams
from tests.kernel.sim import Work


@dataclass
class BruteServer:
    """One server: budget c, deadline d, and the jobs that are ready in it."""

    q: int
    t: int
    rel: int
    hard: bool
    c: int = 0
    d: int = 0
    edf: Fraction = Fraction(0)
    state: str = "idle"
    queue: list[int] = field(default_factory=list)
    exhaustions: int = 0
    counted: bool = False
    throttled: int = 0

    def replenish(self) -> None:
        self.c += self.q
        self.d += self.t
        self.edf = Fraction(self.d - self.t + self.rel)

    def exhausted(self, now: int) -> None:
        if not self.counted:
            self.exhaustions += 1
            self.counted = True
        self.state = "throttled"
        self.recover(now)

    def recover(self, now: int) -> None:
        while self.c <= 0 and (self.d <= now or not self.hard):
            self.replenish()
        if self.c > 0:
            self.state = "ready"
            self.counted = False

    def arrival(self, now: int) -> None:
        """A job has come to an idle server."""
        self.state = "ready"
        share = Fraction(self.q, self.t)
        if self.c >= (self.d - now) * share:
            self.d = now + self.t
            self.c = self.q
            self.edf = Fraction(now + self.rel)
            self.counted = False
        else:
            self.edf = max(
                Fraction(self.d - self.t + self.rel), Fraction(ceil(now + Fraction(self.c * self.rel, self.q)))
            )
        if self.c <= 0:
            self.exhausted(now)


class Brute:
    """A whole run, to the end of the chunk that runs at `until`.

    Attributes:
        chunks: (server, job, start, end) in order.
        states: (c, d) of every server after each instant without a chunk in progress.
        lateness: finish minus deadline, by server, in the order of finishing.
        jitter: first dispatch minus arrival, by server, in the order of dispatch.
    """

    def __init__(self, params: dict[int, ServerParams], jobs: list[Work]) -> None:
        self.servers = {
            who: BruteServer(p.budget_ns, p.period_ns, p.deadline_ns or p.period_ns, p.hard)
            for who, p in params.items()
        }
        self.jobs = jobs
        self.pieces = [list(job.pieces) for job in jobs]
        self.deadline = [
            job.arrival + (self.servers[job.server].rel if job.deadline is None else job.deadline) for job in jobs
        ]
        self.arrives: list[int | None] = [job.arrival for job in jobs]
        self.running: int | None = None
        self.job: int | None = None
        self.chunk_left = 0
        self.now = 0
        self.chunks: list[tuple[int, int, int, int]] = []
        self.states: dict[int, dict[int, tuple[int, int]]] = {}
        self.lateness: dict[int, list[int]] = {who: [] for who in params}
        self.jitter: dict[int, list[int]] = {who: [] for who in params}

    def completions(self) -> None:
        if self.job is None or self.running is None:
            return
        job, server = self.job, self.servers[self.running]
        self.job = None
        if not self.pieces[job]:
            server.queue.remove(job)
            self.lateness[self.running].append(self.now - self.deadline[job])
        elif self.pieces[job][0][0] > 0:
            server.queue.remove(job)
            self.arrives[job] = self.now + self.pieces[job][0][0]
        if not server.queue:
            server.state = "idle"
            self.running = None

    def exhaustions(self) -> None:
        if self.running is not None and self.servers[self.running].c <= 0:
            self.servers[self.running].exhausted(self.now)
            self.running = None

    def replenishments(self) -> None:
        for server in self.servers.values():
            if server.state == "throttled":
                server.recover(self.now)

    def arrivals(self) -> None:
        for index, when in enumerate(self.arrives):
            if when == self.now:
                self.arrives[index] = None
                server = self.servers[self.jobs[index].server]
                server.queue.append(index)
                if server.state == "idle":
                    server.arrival(self.now)

    def dispatch(self) -> None:
        ready = [who for who, server in self.servers.items() if server.state in ("ready", "running")]
        if not ready:
            return
        first = min(self.servers[who].edf for who in ready)
        tied = [who for who in ready if self.servers[who].edf == first]
        if self.running not in tied:
            if self.running is not None:
                self.servers[self.running].state = "ready"
            self.running = min(tied)
        assert self.running is not None
        server = self.servers[self.running]
        server.state = "running"
        self.job = min(server.queue, key=lambda index: (self.deadline[index], index))
        self.chunk_left = self.pieces[self.job].pop(0)[1]
        if all(job != self.job for _, job, _, _ in self.chunks):
            self.jitter[self.running].append(self.now - self.jobs[self.job].arrival)
        self.chunks.append((self.running, self.job, self.now, self.now + self.chunk_left))

    def unit_passes(self) -> None:
        for server in self.servers.values():
            server.throttled += server.state == "throttled"
        if self.chunk_left:
            assert self.running is not None
            self.servers[self.running].c -= 1
            self.chunk_left -= 1
        self.now += 1

    def run(self, until: int) -> Brute:
        while True:
            chunk_ends = self.chunk_left == 0
            if chunk_ends:
                self.completions()
                self.exhaustions()
            self.replenishments()
            self.arrivals()
            if chunk_ends:
                if self.now >= until:
                    return self
                self.dispatch()
                self.states[self.now] = {who: (server.c, server.d) for who, server in self.servers.items()}
            self.unit_passes()
