"""A task set under the scheduler of sw/kernel, and under the same rules with one or more of Linux's in their place."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Flag, auto

from sw.kernel.admission import ServerParams
from sw.kernel.scheduler import Job, Scheduler
from tb.linux.deadline.sets import Server, TaskSet

Finishes = tuple[tuple[int, ...], ...]
"""By server and job, in units."""
UNBOUNDED = 1_000_000_000  # ppm: which sets there are is the generator's choice


class Rule(Flag):
    """In what Linux differs."""

    THROTTLED_END = auto()
    TIE = auto()
    GRANULARITY = auto()


RULES = {
    Rule.THROTTLED_END: "throttling until the deadline: here a job whose last work takes the last of the budget has "
    "ended; in Linux its process is throttled before it can say so, and ends when the budget returns",
    Rule.TIE: "tie: of two equal deadlines here the running one goes on, else the lower id; in Linux the one that has "
    "had its deadline for longer",
    Rule.GRANULARITY: "granularity: at one instant here a job's end comes first; in Linux, whose clock steps by a "
    "tick, what returns at the same tick and has an earlier deadline runs before the process can end, and a budget "
    "that is just as dense as the server's share is kept instead of renewed (numbers of 1,024 ns)",
}


def scheduled(servers: TaskSet, make: Callable[[], Scheduler] = lambda: Scheduler(UNBOUNDED)) -> Finishes:
    """Under the scheduler, a unit a chunk."""
    scheduler = make()
    for number, server in enumerate(servers):
        scheduler.admit(number, ServerParams(server.budget, server.period, chunk_ns=1))
    arrivals = sorted(
        (task.arrival, number, index) for number, s in enumerate(servers) for index, task in enumerate(s.jobs)
    )
    left = [[task.cost for task in server.jobs] for server in servers]
    finishes = [[0] * len(server.jobs) for server in servers]
    which: dict[int, tuple[int, int]] = {}
    now = 0
    while arrivals or any(map(any, left)):
        while arrivals and arrivals[0][0] <= now:
            _, number, index = arrivals.pop(0)
            job = Job(len(which), index)  # in a server in the order of arrival
            which[job.id] = number, index
            scheduler.submit(number, job, now)
        job_or_none = scheduler.dispatch(now)
        if job_or_none is None:
            now += 1
            continue
        number, index = which[job_or_none.id]
        left[number][index] -= 1
        now += 1
        scheduler.ran(job_or_none, now - 1, now, left[number][index] == 0)
        finishes[number][index] = now
    return tuple(map(tuple, finishes))


@dataclass(slots=True)
class _State:
    """A server of the plain simulation: c, d as everywhere; `since` orders entries into queue or throttling."""

    server: Server
    c: int = 0
    d: int = 0
    throttled: bool = False
    active: bool = False
    since: int = 0
    queue: list[int] = field(default_factory=list)
    left: dict[int, int] = field(default_factory=dict)


class Plain:
    """The same rules unit by unit, written down once more, with those of Linux that `rules` names.

    With none it must give what the scheduler gives: what then differs from Linux is known to differ by a named rule.
    """

    def __init__(self, servers: TaskSet, rules: Rule) -> None:
        self._states = [_State(server) for server in servers]
        self._rules = rules
        self._running: _State | None = None
        self._order = 0
        self._finishes = [[0] * len(server.jobs) for server in servers]

    def run(self) -> Finishes:
        """All jobs to their ends."""
        now = 0
        while not all(
            state.server.jobs == () or min(ends) > 0 for state, ends in zip(self._states, self._finishes, strict=True)
        ):
            self._replenish(now)
            self._ends(now)
            self._arrive(now)
            chosen = self._choose()
            self._running = chosen
            now += 1
            if chosen is not None:
                self._tick(chosen, now)
        return tuple(map(tuple, self._finishes))

    def _enqueue(self, state: _State) -> None:
        self._order += 1
        state.since = self._order

    def _replenish(self, now: int) -> None:
        for state in sorted(self._states, key=lambda state: state.since):  # as they were throttled
            if state.throttled and state.d <= now:
                state.throttled = False
                state.c += state.server.budget
                state.d += state.server.period
                self._enqueue(state)

    def _ends(self, now: int) -> None:
        """Ends of jobs that could not be said when their work was done."""
        while (chosen := self._choose()) is not None and chosen.left[chosen.queue[0]] == 0:
            self._end(chosen, now)

    def _end(self, state: _State, now: int) -> None:
        self._finishes[self._states.index(state)][state.queue.pop(0)] = now
        if not state.queue:
            state.active = False
            state.throttled = False
            if self._running is state:
                self._running = None

    def _arrive(self, now: int) -> None:
        for state in self._states:
            for index, task in enumerate(state.server.jobs):
                if task.arrival != now:
                    continue
                state.queue.append(index)
                state.left[index] = task.cost
                if not state.active:
                    state.active = True
                    self._wake(state, now)

    def _wake(self, state: _State, now: int) -> None:
        budget, period = state.server.budget, state.server.period
        have, may = state.c * period, (state.d - now) * budget
        if have > may or (have == may and not (Rule.GRANULARITY in self._rules and have)):
            state.c, state.d = budget, now + period
        self._enqueue(state)
        if state.c <= 0:
            self._exhaust(state)

    def _exhaust(self, state: _State) -> None:
        state.throttled = True
        self._enqueue(state)
        if self._running is state:
            self._running = None

    def _choose(self) -> _State | None:
        ready = [state for state in self._states if state.active and not state.throttled]
        if not ready:
            return None
        if Rule.TIE in self._rules:
            return min(ready, key=lambda state: (state.d, state.since))
        return min(ready, key=lambda state: (state.d, state is not self._running, self._states.index(state)))

    def _tick(self, state: _State, now: int) -> None:
        """A unit of work is done at `now`: its end, its exhaustion, and what of both is seen first."""
        state.c -= 1
        state.left[state.queue[0]] -= 1
        done, out = state.left[state.queue[0]] == 0, state.c <= 0
        if done and not (Rule.THROTTLED_END if out else Rule.GRANULARITY) & self._rules:
            self._end(state, now)
        if out and state.active:
            self._exhaust(state)
