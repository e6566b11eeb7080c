"""What must hold for every set: guarantees of admission, of hard servers, and that nothing is free."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sw.kernel.admission import AdmissionRefused, ServerParams
from sw.kernel.scheduler import Job, Scheduler
from tests.kernel.sets import admitted_set, any_set, server_params
from tests.kernel.sim import Run, Work, simulate, work

UNTIL = 120
Case = tuple[dict[int, ServerParams], list[Work]]
some = settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


def never_misses(servers: dict[int, ServerParams], jobs: list[Work]) -> None:
    """Refused, or without a miss."""
    try:
        run = simulate(servers, jobs, UNTIL, bound_ppm=1_000_000)
    except AdmissionRefused:
        return
    missed = {who: run.scheduler.stats(who).misses for who in servers}
    assert not any(missed.values()), f"an admitted set without overruns misses: {missed}"


@some
@given(admitted_set())
@example(({0: ServerParams(1, 2), 1: ServerParams(4, 10, chunk_ns=4)}, [work(0, 1, 4, chunk=4), work(1, 0, 1)]))
def test_an_admitted_set_without_overruns_never_misses(case: Case) -> None:
    never_misses(*case)


@some
@given(admitted_set(chunks=False, implicit=False))
@example(({0: ServerParams(30, 100), 1: ServerParams(10, 100, 20)}, [work(0, 0, 30), work(0, 1, 10)]))
@example(({0: ServerParams(5, 20, 8), 1: ServerParams(5, 20, 8)}, [work(0, 0, 5), work(0, 1, 5)]))
def test_an_admitted_set_with_deadlines_before_the_period_never_misses(case: Case) -> None:
    never_misses(*case)


@some
@given(admitted_set(chunks=False, implicit=False), st.data())
def test_others_that_run_away_cost_no_server_a_miss(case: Case, data: st.DataObject) -> None:
    servers, jobs = case
    rogues = data.draw(st.sets(st.sampled_from(sorted(servers))))
    for rogue in sorted(rogues):
        jobs = [job for job in jobs if job.server != rogue]
        for r in data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=4)):
            jobs.append(work(r, rogue, data.draw(st.integers(1, 40))))
    run = simulate(servers, jobs, UNTIL, bound_ppm=1_000_000)
    missed = {who: run.scheduler.stats(who).misses for who in servers if who not in rogues}
    assert not any(missed.values()), f"servers that keep to their budget miss: {missed}"


def supply_is_bounded(run: Run, servers: dict[int, ServerParams]) -> None:
    """In every window of L a server has at most L * Q / T + 2 * Q * (1 - Q / T)."""
    for who, params in servers.items():
        q, t = params.budget_ns, params.period_ns
        used = [0] * (UNTIL + 1)
        for server, _, start, end in run.chunks:
            for unit in range(start, min(end, UNTIL)):
                used[unit + 1] += server == who
        total = [0]
        for unit in used[1:]:
            total.append(total[-1] + unit)
        for first in range(UNTIL):
            for last in range(first + 1, UNTIL + 1):
                had = total[last] - total[first]
                assert had * t <= (last - first) * q + 2 * q * (t - q), (
                    f"server {who} ({q}, {t}) had {had} in [{first}, {last})"
                )


RUNAWAY = st.tuples(st.integers(0, 60), st.integers(0, 5), st.integers(1, 40))


@settings(some, max_examples=40)
@given(admitted_set(chunks=False, hard=True), st.lists(RUNAWAY, min_size=1, max_size=15))
@example(({0: ServerParams(2, 10)}, []), [(0, 0, 40)])
def test_a_hard_server_never_gets_more_in_any_window(case: Case, runaways: list[tuple[int, int, int]]) -> None:
    servers, _ = case
    jobs = [work(arrival, who % len(servers), cost) for arrival, who, cost in runaways]
    supply_is_bounded(simulate(servers, jobs, UNTIL, bound_ppm=1_000_000), servers)


def accounts_balance(run: Run, servers: dict[int, ServerParams]) -> None:
    """Every unit that a server had, and every unit that it has left, is covered by its deadline."""
    for now, states in run.states.items():
        for who, (c, d) in states.items():
            params = servers[who]
            had = run.served(who, now)
            assert (had + c) * params.period_ns <= params.budget_ns * d, (
                f"at {now} server {who} has had {had} and has {c}, more than {params.budget_ns} in "
                f"{params.period_ns} up to its deadline {d}"
            )


@some
@given(any_set())
@example(({0: ServerParams(4, 10)}, [work(0, 0, 30, chunk=3)]))
def test_nothing_is_free(case: Case) -> None:
    accounts_balance(simulate(*case, UNTIL), case[0])


@some
@given(any_set())
def test_a_hard_server_is_never_ahead_of_its_share(case: Case) -> None:
    servers, jobs = case
    longest = max(length for job in jobs for _, length in job.pieces)
    run = simulate(servers, jobs, UNTIL)
    for who, params in servers.items():
        if params.hard:
            for now in run.states:
                had = run.served(who, now)
                ahead = params.budget_ns + longest - 1
                assert (had - ahead) * params.period_ns <= now * params.budget_ns, f"{had} of server {who} by {now}"


@some
@given(any_set())
def test_the_processor_is_never_idle_with_a_ready_server(case: Case) -> None:
    servers = {who: ServerParams(p.budget_ns, p.period_ns, hard=False) for who, p in case[0].items()}
    jobs = [Work(job.arrival, job.server, tuple((0, n) for _, n in job.pieces), job.deadline) for job in case[1]]
    run = simulate(servers, jobs, 400)
    assert len(run.finished) == len(jobs)
    for (_, _, _, end), (_, _, start, _) in pairwise(run.chunks):
        if start > end:
            assert all(run.finished[index] <= end or job.arrival >= start for index, job in enumerate(jobs)), (
                f"idle from {end} to {start} with work to do"
            )


@some
@given(st.lists(server_params(), max_size=8), st.integers(1, 1_200_000))
def test_refusals_change_nothing(candidates: list[ServerParams], bound: int) -> None:
    scheduler = Scheduler(bound)
    for number, params in enumerate(candidates):
        before = (scheduler.used_ppm, scheduler.servers)
        accepted, rejected = scheduler.counters.accepted, scheduler.counters.rejected
        try:
            used = scheduler.admit(number, params)
        except AdmissionRefused:
            assert (scheduler.used_ppm, scheduler.servers) == before
            assert (scheduler.counters.accepted, scheduler.counters.rejected) == (accepted, rejected + 1)
        else:
            assert used == scheduler.used_ppm == before[0] + params.share_ppm <= bound
            assert (scheduler.counters.accepted, scheduler.counters.rejected) == (accepted + 1, rejected)
    for number in scheduler.servers:
        scheduler.remove(number, 0)
    assert scheduler.used_ppm == 0


@some
@given(
    st.integers(2, 50),
    st.lists(st.tuples(st.sampled_from(["stays", "before", "during"]), st.integers(1, 4)), min_size=20, max_size=60),
    st.booleans(),
)
@example(10, [("before", 1)] * 40, True)
def test_a_change_gives_nothing_for_free(period: int, chunks: list[tuple[str, int]], hard: bool) -> None:
    """However often a server changes between parameters of one share, it never passes that share."""
    kinds = [ServerParams(1, 2, hard=hard), ServerParams(period, 2 * period, hard=hard)]
    scheduler = Scheduler()
    scheduler.admit(0, kinds[0])
    job = Job(0, 1000)
    scheduler.submit(0, job, 0)
    now = had = 0
    for when, length in chunks:
        if when != "stays":
            kinds.reverse()
        if when == "before":
            scheduler.change(0, kinds[0], now)
        if scheduler.dispatch(now) is None:
            now = scheduler.next_event(now) or now
            assert scheduler.dispatch(now) is job or scheduler.server(0).c <= 0
            if scheduler.server(0).c <= 0:
                continue
        if when == "during":
            scheduler.change(0, kinds[0], now)
        scheduler.ran(job, now, now + length, finished=False)
        now += length
        had += length
        view = scheduler.server(0)
        assert 2 * (had + view.c) <= view.d, f"at {now}: had {had}, c {view.c}, d {view.d}"


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 10, 50])
def test_long_run_share_under_overruns(chunk: int) -> None:
    """However long its chunks are, a runaway gets Q per T in the long run."""
    run = simulate({0: ServerParams(4, 10)}, [work(0, 0, 4000, chunk=chunk)], 8000)
    assert 4 * 800 - chunk <= run.served(0, 8000) <= 4 * 800 + 4 + chunk
