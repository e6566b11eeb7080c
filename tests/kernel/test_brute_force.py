"""The scheduler and an independent simulator, unit by unit, on random sets."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sw.kernel.admission import ServerParams
from tests.kernel.brute import Brute
from tests.kernel.sets import any_set
from tests.kernel.sim import Work, simulate, work

UNTIL = 70
LEFT_OVER = ({0: ServerParams(4, 12, 5), 1: ServerParams(1, 2)}, [work(0, 0, 2), work(5, 0, 2), work(5, 1, 1)])
"""What is left of a budget with D < T meets a server with an earlier deadline."""
LATE_RETURN = ({0: ServerParams(1, 5), 1: ServerParams(9, 12)}, [work(0, 0, 2), work(1, 1, 8, chunk=8)])
"""A chunk goes on over the return of a throttled server."""
DEEP_DEBT = ({0: ServerParams(2, 5, hard=False)}, [work(0, 0, 14, chunk=7)])
"""One chunk uses up several budgets."""


def compare(servers: dict[int, ServerParams], jobs: list[Work], early: bool = False) -> None:
    expected = Brute(servers, jobs).run(UNTIL)
    run = simulate(servers, jobs, UNTIL, early=early)
    assert run.chunks == expected.chunks
    for time, state in expected.states.items():
        assert run.states.get(time, state) == state, f"c and d at {time}"
    for who, server in expected.servers.items():
        stats = run.scheduler.stats(who)
        assert stats.misses == sum(late > 0 for late in expected.lateness[who]), f"misses of server {who}"
        assert stats.late_ns == sum(max(0, late) for late in expected.lateness[who])
        assert stats.worst_lateness_ns == max(expected.lateness[who], default=None)
        assert stats.exhaustions == server.exhaustions, f"exhaustions of server {who}"
        assert stats.consumed_ns == sum(end - start for w, _, start, end in expected.chunks if w == who)
        assert sorted(stats.jitter.counts.elements()) == sorted(expected.jitter[who])
        view = run.scheduler.server(who)
        assert (view.c, view.d) == (server.c, server.d)
        assert stats.throttled_ns == server.throttled, f"throttle time of server {who}"


@settings(max_examples=500, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_set(), st.booleans())
@example(LEFT_OVER, False)
@example(LATE_RETURN, False)
@example(DEEP_DEBT, False)
def test_the_schedule_is_that_of_brute_force(case: tuple[dict[int, ServerParams], list[Work]], early: bool) -> None:
    compare(*case, early=early)
