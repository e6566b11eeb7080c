"""Task sets, seeded: constant-bandwidth servers with jobs, in units of two ticks of Linux (20 ms)."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SETS, SEED = 60, 19
UNIT_NS = 20_000_000
PERIODS = (4, 30)  # units
UTILISATION = 0.9  # Linux admits up to 0.95
HORIZON = 120  # units in which jobs arrive


@dataclass(frozen=True, slots=True)
class Task:
    """One job: it arrives at `arrival` and needs `cost`, in units."""

    arrival: int
    cost: int


@dataclass(frozen=True, slots=True)
class Server:
    """A hard server with budget and period in units, and its jobs in the order of their arrival."""

    budget: int
    period: int
    jobs: tuple[Task, ...]


TaskSet = tuple[Server, ...]


def _jobs(draw: random.Random, budget: int, period: int) -> tuple[Task, ...]:
    """Periodic ones, or ones that come at any time; some that need more than a budget."""
    arrival, jobs = draw.randint(0, period), list[Task]()
    regular = draw.random() < 0.4
    while arrival < HORIZON:
        most = 3 * budget if draw.random() < 0.25 else budget
        jobs.append(Task(arrival, draw.randint(1, most)))
        arrival += period if regular else draw.randint(1, 2 * period)
    return tuple(jobs)


def _set(draw: random.Random) -> TaskSet:
    servers, left = list[Server](), UTILISATION
    for _ in range(draw.randint(2, 4)):
        period = draw.randint(*PERIODS)
        most = int(left * period)
        if most < 1:
            continue
        budget = draw.randint(1, max(1, min(most, period * 2 // 3)))
        left -= budget / period
        servers.append(Server(budget, period, _jobs(draw, budget, period)))
    return tuple(servers)


def draws(seed: int = SEED) -> Iterator[TaskSet]:
    """Sets of two servers and more, without end."""
    draw = random.Random(seed)
    while True:
        made = _set(draw)
        if len(made) > 1:
            yield made


def text(sets: Sequence[TaskSet]) -> str:
    """For the guest's program."""
    lines = list[str]()
    for number, servers in enumerate(sets):
        lines.append(f"set {number} {len(servers)}")
        for server in servers:
            lines.append(f"server {server.budget} {server.period} {len(server.jobs)}")
            lines += [f"job {job.arrival} {job.cost}" for job in server.jobs]
    return "\n".join(lines) + "\n"
