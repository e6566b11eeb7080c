"""Admission in exact integers; accept, reject, change and remove are atomic and counted."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.codes import Code, Refusal
from sw.kernel import admission
from sw.kernel.admission import (
    AdmissionRefused,
    BadArgument,
    ServerBusy,
    ServerExists,
    ServerParams,
    UnknownServer,
)
from sw.kernel.scheduler import Job, Scheduler
from tests.kernel.sets import server_params


def counts(scheduler: Scheduler) -> tuple[int, int, int, int]:
    c = scheduler.counters
    return c.accepted, c.rejected, c.changed, c.removed


def test_the_contracts_example_is_accepted_at_800_000() -> None:
    scheduler = Scheduler()
    assert scheduler.admit(0, ServerParams(2, 10)) == 200_000
    assert scheduler.admit(1, ServerParams(20, 100, chunk_ns=4)) == 400_000
    servers = {0: ServerParams(2, 10), 1: ServerParams(20, 100, chunk_ns=4)}
    assert admission.load_ppm(0, servers) == 800_000
    assert admission.load_ppm(1, servers) == 400_000


def test_the_contracts_example_is_refused_at_900_000() -> None:
    scheduler = Scheduler()
    scheduler.admit(0, ServerParams(2, 10))
    with pytest.raises(AdmissionRefused, match="server 0 would meet a load of 900000 ppm, the bound is 850000 ppm"):
        scheduler.admit(1, ServerParams(20, 100, chunk_ns=5))
    assert scheduler.used_ppm == 200_000
    assert counts(scheduler) == (1, 1, 0, 0)


def test_the_bound_itself_is_accepted() -> None:
    scheduler = Scheduler()
    assert scheduler.admit(0, ServerParams(85, 100)) == 850_000
    with pytest.raises(AdmissionRefused):
        scheduler.admit(1, ServerParams(1, 1_000_000))


def test_shares_are_rounded_up_each() -> None:
    servers = [ServerParams(1, 3), ServerParams(1, 3), ServerParams(1, 7)]
    assert [one.share_ppm for one in servers] == [333_334, 333_334, 142_858]
    assert admission.used_ppm(servers) == 809_526


def test_a_deadline_before_the_period_counts() -> None:
    assert ServerParams(10, 100, deadline_ns=20).share_ppm == 500_000
    assert ServerParams(10, 100, deadline_ns=100).share_ppm == 100_000


def test_a_large_budget_is_exact() -> None:
    assert ServerParams((1 << 63) + 1, 1 << 64).share_ppm == 500_001


def test_all_of_the_budget_is_admitted_and_not_one_chunk() -> None:
    with pytest.raises(AdmissionRefused, match="900000"):
        Scheduler().admit(0, ServerParams(budget_ns=90, period_ns=100, chunk_ns=10))


def test_blocking_takes_the_longest_chunk_of_longer_periods_and_all_of_the_others() -> None:
    servers = {
        0: ServerParams(1, 100, chunk_ns=1),
        1: ServerParams(1, 100, chunk_ns=2),
        2: ServerParams(1, 50, chunk_ns=4),
        3: ServerParams(1, 200, chunk_ns=8),
        4: ServerParams(1, 400, chunk_ns=16),
    }
    assert {who: admission.blocking_ns(who, servers) for who in servers} == {
        0: 2 + 4 + 16,
        1: 1 + 4 + 16,
        2: 16,
        3: 1 + 2 + 4 + 16,
        4: 1 + 2 + 4 + 8,
    }


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(st.tuples(server_params(), st.integers(0, 6)), min_size=1, max_size=6), st.integers(1, 1_500_000))
def test_admission_is_the_contracts_formula(drawn: list[tuple[ServerParams, int]], bound: int) -> None:
    servers = {
        who: ServerParams(p.budget_ns, p.period_ns, p.deadline_ns, chunk) for who, (p, chunk) in enumerate(drawn)
    }
    shares = sum(
        ceil(Fraction(10**6 * p.budget_ns, min(p.deadline_ns or p.period_ns, p.period_ns))) for p in servers.values()
    )
    fits = True
    for who, p in servers.items():
        blocking = max((o.chunk_ns for o in servers.values() if o.period_ns > p.period_ns), default=0)
        for other, o in servers.items():
            if other != who and o.period_ns <= p.period_ns:
                blocking += o.chunk_ns
        fits &= shares + ceil(Fraction(10**6 * blocking, p.period_ns)) <= bound
    if fits:
        assert admission.check(servers, bound) == shares
    else:
        with pytest.raises(AdmissionRefused):
            admission.check(servers, bound)


@pytest.mark.parametrize(
    "values",
    [(0, 10), (-1, 10), (1, 0), (1, 10, 11), (1, 10, -1), (1, 10, 0, -1)],
    ids=["no budget", "negative budget", "no period", "D > T", "negative deadline", "negative chunk"],
)
def test_parameters_that_no_server_can_have(values: tuple[int, ...]) -> None:
    with pytest.raises(BadArgument) as refusal:
        ServerParams(*values)
    assert refusal.value.code is Code.BAD_ARGUMENT


def test_a_budget_longer_than_the_period_is_refused() -> None:
    with pytest.raises(AdmissionRefused):
        Scheduler(1_000_000).admit(0, ServerParams(11, 10))


def test_a_change_replaces_the_old_share() -> None:
    scheduler = Scheduler()
    scheduler.admit(0, ServerParams(30, 100))
    scheduler.admit(1, ServerParams(40, 100))
    for budget in (20, 45, 20, 45):
        assert scheduler.change(0, ServerParams(budget, 100), 0) == budget * 10_000 + 400_000
    assert counts(scheduler) == (2, 0, 4, 0)


def test_a_refused_change_keeps_the_old_share() -> None:
    scheduler = Scheduler()
    scheduler.admit(0, ServerParams(30, 100))
    scheduler.admit(1, ServerParams(40, 100))
    with pytest.raises(AdmissionRefused) as refusal:
        scheduler.change(0, ServerParams(46, 100), 0)
    assert refusal.value.code is Code.ADMISSION_REFUSED
    assert scheduler.server(0).params == ServerParams(30, 100)
    assert scheduler.used_ppm == 700_000
    assert counts(scheduler) == (2, 1, 0, 0)


def test_removing_gives_the_share_back() -> None:
    scheduler = Scheduler()
    scheduler.admit(0, ServerParams(80, 100))
    assert scheduler.remove(0, 5) == 0
    assert scheduler.admit(0, ServerParams(80, 100)) == 800_000
    assert counts(scheduler) == (2, 0, 0, 1)


def test_what_cannot_be_done_is_refused_with_its_code() -> None:
    scheduler = Scheduler()
    scheduler.admit(0, ServerParams(30, 100))
    scheduler.submit(0, Job(0, 100), 0)
    cases: list[tuple[type[Refusal], Code, object]] = [
        (ServerExists, Code.EXISTS, lambda: scheduler.admit(0, ServerParams(1, 100))),
        (BadArgument, Code.BAD_ARGUMENT, lambda: scheduler.admit(-1, ServerParams(1, 100))),
        (UnknownServer, Code.NOT_FOUND, lambda: scheduler.change(1, ServerParams(1, 100), 0)),
        (UnknownServer, Code.NOT_FOUND, lambda: scheduler.remove(1, 0)),
        (UnknownServer, Code.NOT_FOUND, lambda: scheduler.submit(1, Job(1, 1), 0)),
        (UnknownServer, Code.NOT_FOUND, lambda: scheduler.stats(1)),
        (ServerBusy, Code.BUSY, lambda: scheduler.remove(0, 0)),
    ]
    for error, code, call in cases:
        with pytest.raises(error) as refusal:
            call()  # type: ignore[operator]
        assert refusal.value.code is code
    assert scheduler.used_ppm == 300_000
    assert counts(scheduler) == (1, 0, 0, 0)


def test_a_bound_below_one_is_none() -> None:
    with pytest.raises(BadArgument):
        Scheduler(0)
