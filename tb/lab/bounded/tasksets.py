"""Acceptance and deadline misses over utilisation: random task sets (UUniFast) under five schedulers.

A task is a stream that asks for work of at most C in every period T, in chunks (tokens) that cannot be cut; its
deadline is the period. Times are microseconds.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, log
from typing import Any

import numpy as np

from sw.kernel import admission
from sw.kernel.admission import AdmissionRefused, ServerParams
from sw.kernel.scheduler import Job, Scheduler

SHORTEST, LONGEST = 10_000, 100_000
"""Periods are log-uniform between them."""
HORIZON = 8 * LONGEST
RUNAWAY = 3.0
"""What the first task asks for, in multiples of its C, where it runs away."""


@dataclass(frozen=True, slots=True)
class Task:
    """Work of at most `work` in every `period`, in chunks of at most `chunk`."""

    work: int
    period: int
    chunk: int


@dataclass(frozen=True, slots=True)
class Release:
    """A job: when it comes, what it needs."""

    task: int
    time: int
    pieces: tuple[int, ...]


def uunifast(count: int, utilisation: float, rng: np.random.Generator) -> list[float]:
    """Utilisations that add up to `utilisation`, uniform over all such sets (Bini and Buttazzo 2005)."""
    left, shares = utilisation, []
    for others in range(count - 1, 0, -1):
        rest = left * rng.random() ** (1 / others)
        shares.append(left - rest)
        left = rest
    return [*shares, left]


def draw(count: int, utilisation: float, chunk: int, rng: np.random.Generator) -> list[Task]:
    """A task set."""
    tasks = []
    for share in uunifast(count, utilisation, rng):
        period = round(exp(rng.uniform(log(SHORTEST), log(LONGEST))))
        work = max(1, round(share * period))
        tasks.append(Task(work, period, min(chunk, work)))
    return tasks


def releases(tasks: Sequence[Task], rng: np.random.Generator, *, runaway: bool) -> list[Release]:
    """Jobs up to the horizon, from random phases, each of 70 to 100 % of its task's work."""
    found = []
    for number, task in enumerate(tasks):
        times = range(int(rng.integers(task.period)), HORIZON, task.period)
        for time in times:
            work = max(1, round(task.work * rng.uniform(0.7, 1.0) * (RUNAWAY if runaway and number == 0 else 1)))
            whole, rest = divmod(work, task.chunk)
            found.append(Release(number, time, (task.chunk,) * whole + ((rest,) if rest else ())))
    return sorted(found, key=lambda release: (release.time, release.task))


# ---------------------------------------------------------------- acceptance


def accepted(tasks: Sequence[Task], scheduler: str) -> bool:
    """Whether the scheduler's test lets the set in.

    CBS: this project's admission. EDF: utilisation and the longest chunk of a longer period. RM: response time with the
    longest chunk of a lower priority. FIFO: one job of each fits into the shortest period. All are sufficient tests.
    """
    if scheduler.startswith("cbs"):
        try:
            admission.check(dict(enumerate(_server(task) for task in tasks)), admission.DEFAULT_BOUND_PPM)
        except AdmissionRefused:
            return False
        return True
    if scheduler == "edf":
        total = sum(task.work / task.period for task in tasks)
        return all(total + _blocking(tasks, task) / task.period <= 1 for task in tasks)
    if scheduler == "rm":
        return all(_response(tasks, task) <= task.period for task in tasks)
    return sum(task.work for task in tasks) <= min(task.period for task in tasks)


def _server(task: Task, *, hard: bool = True) -> ServerParams:
    return ServerParams(task.work, task.period, chunk_ns=task.chunk, hard=hard)


def _blocking(tasks: Sequence[Task], of: Task) -> int:
    return max((task.chunk for task in tasks if task.period > of.period), default=0)


def _response(tasks: Sequence[Task], of: Task) -> int:
    """Response time of a task under rate monotonic; anything over the period where there is no fixed point below it."""
    higher = [task for task in tasks if task is not of and task.period <= of.period]
    found, base = of.work, of.work + _blocking(tasks, of)
    while found <= of.period:
        demand = base + sum(ceil(found / task.period) * task.work for task in higher)
        if demand == found:
            return found
        found = demand
    return found


# ---------------------------------------------------------------- simulation


def missed(tasks: Sequence[Task], jobs: Sequence[Release], scheduler: str, *, leave_out: int | None) -> tuple[int, int]:
    """(jobs that end after their deadline, jobs) of a run to the horizon, without those of task `leave_out`.

    A job whose deadline lies before the horizon and that has not ended by then is missed.
    """
    if scheduler.startswith("cbs"):
        ends = _cbs(tasks, jobs, hard=scheduler == "cbs_hard")
    else:
        ends = _ordered(tasks, jobs, scheduler)
    late = counted = 0
    for number, job in enumerate(jobs):
        deadline = job.time + tasks[job.task].period
        if job.task != leave_out and deadline <= HORIZON:
            counted += 1
            late += ends.get(number, HORIZON + 1) > deadline
    return late, counted


def _cbs(tasks: Sequence[Task], jobs: Sequence[Release], *, hard: bool) -> dict[int, int]:
    """When each job ends under the kernel's own scheduler, admission switched off."""
    scheduler = Scheduler(bound_ppm=1 << 60)
    for number, task in enumerate(tasks):
        scheduler.admit(number, _server(task, hard=hard))
    left = {number: list(job.pieces) for number, job in enumerate(jobs)}
    now, coming, ends = 0, 0, dict[int, int]()

    def submit(until: int) -> None:
        nonlocal coming
        while coming < len(jobs) and jobs[coming].time <= until:
            job = jobs[coming]
            scheduler.submit(job.task, Job(coming, job.time + tasks[job.task].period), job.time)
            coming += 1

    while now < HORIZON:
        submit(now)
        job = scheduler.dispatch(now)
        if job is None:
            due = [time for time in (scheduler.next_event(now),) if time is not None]
            due += [jobs[coming].time] if coming < len(jobs) else []
            if not due:
                break
            now = min(due)
            continue
        end = now + left[job.id].pop(0)
        submit(end - 1)  # what comes meanwhile, at its own time
        finished = not left[job.id]
        scheduler.ran(job, now, end, finished)
        if finished:
            ends[job.id] = end
        now = end
    return ends


def _ordered(tasks: Sequence[Task], jobs: Sequence[Release], scheduler: str) -> dict[int, int]:
    """When each job ends under a plain order of jobs."""

    def order(number: int) -> tuple[int, int]:
        job = jobs[number]
        if scheduler == "edf":
            return job.time + tasks[job.task].period, number
        return (tasks[job.task].period, number) if scheduler == "rm" else (job.time, number)

    left = {number: list(job.pieces) for number, job in enumerate(jobs)}
    ready: list[tuple[int, int]] = []
    now, coming, ends = 0, 0, dict[int, int]()
    while now < HORIZON and (ready or coming < len(jobs)):
        while coming < len(jobs) and jobs[coming].time <= now:
            heapq.heappush(ready, order(coming))
            coming += 1
        if not ready:
            now = jobs[coming].time
            continue
        number = ready[0][1]
        now += left[number].pop(0)
        if not left[number]:
            heapq.heappop(ready)
            ends[number] = now
    return ends


def point(scheduler: str, utilisation: float, *, tasks: int, sets: int, chunk: int, seed: int) -> dict[str, Any]:
    """One point of the curves: acceptance, and miss ratios of all sets and of the accepted ones, also with a runaway.

    Every scheduler sees the same sets and jobs.
    """
    rng = np.random.default_rng([seed, round(utilisation * 1000)])
    taken, counts = 0, dict.fromkeys(("all", "accepted", "runaway"), (0, 0))

    def add(name: str, found: tuple[int, int]) -> None:
        counts[name] = (counts[name][0] + found[0], counts[name][1] + found[1])

    for _ in range(sets):
        drawn = draw(tasks, utilisation, chunk, rng)
        jobs, wild = releases(drawn, rng, runaway=False), releases(drawn, rng, runaway=True)
        found = missed(drawn, jobs, scheduler, leave_out=None)
        add("all", found)
        if accepted(drawn, scheduler):
            taken += 1
            add("accepted", found)
            add("runaway", missed(drawn, wild, scheduler, leave_out=0))
    ratios = {name: late / count if count else None for name, (late, count) in counts.items()}
    return {"utilisation": utilisation, "sets": sets, "acceptance": taken / sets, "miss_ratio": ratios}
