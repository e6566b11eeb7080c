"""Admission of constant-bandwidth servers in exact integers (software.md 2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sw.codes import Code, Refusal

PPM = 1_000_000
DEFAULT_BOUND_PPM = 850_000
MAX_PERIOD_NS = 1_000_000_000_000
"""The longest period that a service lets a server have, 1,000 s: whoever waits for a throttled one waits as long."""


class AdmissionRefused(Refusal):
    """The servers would not be schedulable within the bound; nothing has changed."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.ADMISSION_REFUSED, message)


class BadArgument(Refusal, ValueError):
    """An argument that makes no sense to the scheduler; nothing has changed."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.BAD_ARGUMENT, message)


class ServerExists(Refusal):
    """There is a server with this id."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.EXISTS, message)


class UnknownServer(Refusal, LookupError):
    """There is no server with this id."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.NOT_FOUND, message)


class ServerBusy(Refusal):
    """The server has jobs."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.BUSY, message)


@dataclass(frozen=True, slots=True)
class ServerParams:
    """What a server is admitted with; all times in ns.

    Attributes:
        budget_ns: Q, at least 1.
        period_ns: T, at least 1.
        deadline_ns: D, relative; 0: the period; never longer than the period.
        chunk_ns: B, the longest chunk, which cannot be preempted; 0 for none.
        hard: throttled when its budget is used up; else (soft) replenished at once.

    Raises:
        BadArgument: a value out of range, D > T.
    """

    budget_ns: int
    period_ns: int
    deadline_ns: int = 0
    chunk_ns: int = 0
    hard: bool = True

    def __post_init__(self) -> None:
        """Check every value."""
        for name, value, least in (
            ("budget", self.budget_ns, 1),
            ("period", self.period_ns, 1),
            ("deadline", self.deadline_ns, 0),
            ("chunk", self.chunk_ns, 0),
        ):
            if value < least:
                raise BadArgument(f"{name} {value} ns: at least {least}")
        if self.deadline_ns > self.period_ns:
            raise BadArgument(f"deadline {self.deadline_ns} ns is longer than the period {self.period_ns} ns")

    @property
    def relative_deadline_ns(self) -> int:
        """D in ns, the period if none was given."""
        return self.deadline_ns or self.period_ns

    @property
    def share_ppm(self) -> int:
        """u = ceil(10^6 * Q / min(D, T))."""
        return _ceil_ppm(self.budget_ns, self.relative_deadline_ns)


def check_period(period_ns: int) -> None:
    """Whether a service lets a server have this period.

    Raises:
        BadArgument: it is longer than MAX_PERIOD_NS.
    """
    if period_ns > MAX_PERIOD_NS:
        raise BadArgument(f"period {period_ns} ns: at most {MAX_PERIOD_NS} (1,000 s)")


@dataclass(slots=True)
class AdmissionCounters:
    """Decisions so far; a refused change counts as rejected."""

    accepted: int = 0
    rejected: int = 0
    changed: int = 0
    removed: int = 0


def used_ppm(servers: Collection[ServerParams]) -> int:
    """The sum of all shares, without blocking."""
    return sum(server.share_ppm for server in servers)


def blocking_ns(server_id: int, servers: Mapping[int, ServerParams]) -> int:
    """B_i: how long chunks of others can keep a server from running.

    The longest chunk of the servers with a longer period, plus the chunks of all others.
    """
    period = servers[server_id].period_ns
    others = [params for other, params in servers.items() if other != server_id]
    longer = max((params.chunk_ns for params in others if params.period_ns > period), default=0)
    return longer + sum(params.chunk_ns for params in others if params.period_ns <= period)


def load_ppm(server_id: int, servers: Mapping[int, ServerParams]) -> int:
    """What the bound is compared with for one server: all shares plus its own blocking."""
    blocked = _ceil_ppm(blocking_ns(server_id, servers), servers[server_id].period_ns)
    return used_ppm(servers.values()) + blocked


def check(servers: Mapping[int, ServerParams], bound_ppm: int) -> int:
    """Whether the set is schedulable within the bound.

    Returns:
        `used_ppm` of the set.

    Raises:
        AdmissionRefused: it is not; the message names the first server over the bound.
    """
    for server_id in sorted(servers):
        load = load_ppm(server_id, servers)
        if load > bound_ppm:
            raise AdmissionRefused(f"server {server_id} would meet a load of {load} ppm, the bound is {bound_ppm} ppm")
    return used_ppm(servers.values())


def _ceil_ppm(part: int, whole: int) -> int:
    return -(-PPM * part // whole)
