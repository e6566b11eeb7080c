"""Random sets of servers and jobs."""

from __future__ import annotations

from hypothesis import strategies as st

from sw.kernel.admission import AdmissionRefused, ServerParams
from sw.kernel.scheduler import Scheduler
from tests.kernel.sim import Work, work


@st.composite
def server_params(draw: st.DrawFn, *, hard: bool | None = None, implicit: bool = False) -> ServerParams:
    """Any server with a period of 2 to 12."""
    period = draw(st.integers(2, 12))
    deadline = 0 if implicit or draw(st.booleans()) else draw(st.integers(1, period))
    budget = draw(st.integers(1, deadline or period))
    return ServerParams(budget, period, deadline, hard=draw(st.booleans()) if hard is None else hard)


@st.composite
def any_set(draw: st.DrawFn) -> tuple[dict[int, ServerParams], list[Work]]:
    """Servers, also too many for the processor, and jobs that wait for the device, overrun and run away."""
    servers = dict(enumerate(draw(st.lists(server_params(), min_size=1, max_size=4))))
    jobs = []
    for _ in range(draw(st.integers(1, 10))):
        lengths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
        waits = [0] + [draw(st.sampled_from([0, 0, 0, 1, 2, 7])) for _ in lengths[1:]]
        jobs.append(
            Work(
                draw(st.integers(0, 40)),
                draw(st.integers(0, len(servers) - 1)),
                tuple(zip(waits, lengths, strict=True)),
                draw(st.integers(0, 30)),
            )
        )
    return servers, jobs


@st.composite
def admitted_set(
    draw: st.DrawFn, *, chunks: bool = True, implicit: bool = True, hard: bool | None = None, until: int = 120
) -> tuple[dict[int, ServerParams], list[Work]]:
    """Servers that a bound of 1,000,000 ppm admits, and jobs without overruns.

    Every job needs at most its server's budget, in chunks of at most the admitted length, and
    comes at least a period after the last.
    """
    gate = Scheduler(bound_ppm=1_000_000)
    servers: dict[int, ServerParams] = {}
    for _ in range(draw(st.integers(1, 6))):
        one = draw(server_params(hard=hard, implicit=implicit))
        chunk = draw(st.integers(1, one.budget_ns)) if chunks else 0
        params = ServerParams(one.budget_ns, one.period_ns, one.deadline_ns, chunk, one.hard)
        try:
            gate.admit(len(servers), params)
        except AdmissionRefused:
            continue
        servers[len(servers)] = params
    jobs = []
    for who, params in servers.items():
        now = draw(st.integers(0, 12))
        while now < until:
            jobs.append(work(now, who, draw(st.integers(1, params.budget_ns)), params.chunk_ns or 1))
            now += params.period_ns + draw(st.sampled_from([0, 0, 0, 1, 5]))
    return servers, jobs
