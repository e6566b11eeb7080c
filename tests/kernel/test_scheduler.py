"""The scheduler's rules one by one, at the instants where they meet."""

from __future__ import annotations

import pytest

from sw.kernel.admission import BadArgument, ServerParams
from sw.kernel.scheduler import Decision, Job, Scheduler, State
from tests.kernel.sim import UNBOUNDED, Work, simulate, work


def make(*servers: ServerParams, trace: bool = False) -> Scheduler:
    scheduler = Scheduler(UNBOUNDED, trace=trace)
    for number, params in enumerate(servers):
        scheduler.admit(number, params)
    return scheduler


def submit(scheduler: Scheduler, server: int, job_id: int, now: int, deadline: int = 1000) -> Job:
    job = Job(job_id, deadline)
    scheduler.submit(server, job, now)
    return job


def run(scheduler: Scheduler, start: int, end: int, finished: bool = False) -> Job:
    """Dispatch at `start` and run one chunk to `end`."""
    job = scheduler.dispatch(start)
    assert job is not None, f"no server is ready at {start}"
    scheduler.ran(job, start, end, finished)
    return job


# ---------------------------------------------------------------------- states


def test_states_of_a_server() -> None:
    scheduler = make(ServerParams(4, 10), ServerParams(4, 20))
    assert scheduler.server(0).state is State.IDLE
    assert (scheduler.server(0).c, scheduler.server(0).d) == (0, 0)
    submit(scheduler, 0, 0, 0)
    submit(scheduler, 1, 1, 0)
    assert scheduler.server(0).state is State.READY
    run(scheduler, 0, 3)
    assert [scheduler.server(n).state for n in (0, 1)] == [State.RUNNING, State.READY]
    run(scheduler, 3, 4)
    assert scheduler.server(0).state is State.THROTTLED
    assert scheduler.next_event(4) == 10
    run(scheduler, 4, 6, finished=True)
    assert scheduler.server(1).state is State.IDLE
    assert scheduler.dispatch(6) is None
    assert scheduler.dispatch(10) is not None
    assert scheduler.server(0).state is State.RUNNING
    assert scheduler.next_event(10) is None


def test_a_server_runs_again_and_again() -> None:
    scheduler = make(ServerParams(2, 10))
    for now in range(0, 1000, 10):
        submit(scheduler, 0, now, now)
        run(scheduler, now, now + 2, finished=True)
    stats = scheduler.stats(0)
    assert (stats.arrivals, stats.finished, stats.chunks, stats.consumed_ns) == (100, 100, 100, 200)


def test_replenishing_does_not_drift() -> None:
    """A server whose turn comes late gets its budgets at multiples of T all the same."""
    scheduler = make(ServerParams(2, 10))
    submit(scheduler, 0, 0, 0)
    now = 0
    for period in range(1, 50):
        run(scheduler, now, now + 2)
        returns = scheduler.next_event(now + 2)
        assert returns == 10 * period
        now = returns + 3  # the state is not read before
    assert scheduler.server(0).d == 490


def test_hard_server_late_past_its_deadline_is_replenished_at_once() -> None:
    scheduler = make(ServerParams(3, 10))
    submit(scheduler, 0, 0, 0)
    run(scheduler, 0, 12)  # c = -9, d = 10: one budget at once, then throttled until 20
    assert (scheduler.server(0).c, scheduler.server(0).d) == (-6, 20)
    assert scheduler.server(0).state is State.THROTTLED
    assert scheduler.dispatch(39) is None
    assert scheduler.dispatch(40) is not None
    assert (scheduler.server(0).c, scheduler.server(0).d) == (3, 50)
    stats = scheduler.stats(0)
    assert (stats.exhaustions, stats.throttled_ns) == (1, 28)


def test_soft_server_is_replenished_until_it_has_budget() -> None:
    scheduler = make(ServerParams(3, 10, hard=False))
    submit(scheduler, 0, 0, 0)
    run(scheduler, 0, 12)
    assert (scheduler.server(0).c, scheduler.server(0).d) == (3, 50)
    stats = scheduler.stats(0)
    assert (stats.exhaustions, stats.throttled_ns) == (1, 0)


@pytest.mark.parametrize("hard", [True, False])
def test_arrival_at_an_exhausted_idle_server(hard: bool) -> None:
    """It keeps c = 0 and d, and meets them exhausted."""
    scheduler = make(ServerParams(4, 10, hard=hard))
    submit(scheduler, 0, 0, 0)
    run(scheduler, 0, 4, finished=True)
    assert (scheduler.server(0).c, scheduler.server(0).d, scheduler.stats(0).exhaustions) == (0, 10, 0)
    submit(scheduler, 0, 1, 6)
    assert scheduler.stats(0).exhaustions == 1
    if hard:
        assert scheduler.dispatch(6) is None
        assert scheduler.next_event(6) == 10
        assert scheduler.dispatch(10) is not None
        assert scheduler.stats(0).throttled_ns == 4
    else:
        assert scheduler.dispatch(6) is not None
    assert (scheduler.server(0).c, scheduler.server(0).d) == (4, 20)


def test_arrival_after_a_debt_that_time_has_paid() -> None:
    scheduler = make(ServerParams(4, 10))
    submit(scheduler, 0, 0, 0)
    run(scheduler, 0, 8, finished=True)  # c = -4, d = 10: paid by 20
    submit(scheduler, 0, 1, 20)
    assert (scheduler.server(0).c, scheduler.server(0).d) == (4, 30)


def test_arrival_after_a_debt_that_time_has_not_paid() -> None:
    scheduler = make(ServerParams(4, 10))
    submit(scheduler, 0, 0, 0)
    run(scheduler, 0, 9, finished=True)  # c = -5, d = 10: at 22 -5 < (10 - 22) * 4 / 10 = -4.8
    submit(scheduler, 0, 1, 22)
    assert (scheduler.server(0).c, scheduler.server(0).d) == (3, 30), "two budgets at once, their deadlines have passed"
    assert scheduler.dispatch(22) is not None


# ---------------------------------------------------------------------- who runs


def test_a_tie_goes_to_the_lower_id() -> None:
    scheduler = make(ServerParams(2, 10), ServerParams(2, 10))
    submit(scheduler, 1, 1, 0)
    submit(scheduler, 0, 0, 0)
    assert run(scheduler, 0, 1).server_id == 0


def test_on_a_tie_the_running_one_goes_on() -> None:
    scheduler = make(ServerParams(3, 9), ServerParams(3, 10))
    submit(scheduler, 1, 1, 0)
    run(scheduler, 0, 1)
    submit(scheduler, 0, 0, 1)
    assert scheduler.server(0).d == scheduler.server(1).d == 10
    assert run(scheduler, 1, 2).server_id == 1


def test_exhaustion_ends_running_and_loses_a_tie() -> None:
    scheduler = make(ServerParams(3, 19), ServerParams(1, 10, hard=False))
    submit(scheduler, 1, 1, 0)
    job = scheduler.dispatch(0)
    assert job is not None
    scheduler.ran(job, 0, 1, finished=False)
    assert scheduler.server(1).d == 20
    submit(scheduler, 0, 0, 1)
    assert scheduler.server(0).d == 20
    assert run(scheduler, 1, 2).server_id == 0


def test_a_replenished_server_is_queued_with_its_new_deadline() -> None:
    scheduler = make(ServerParams(2, 5, hard=False), ServerParams(2, 8))
    submit(scheduler, 0, 0, 0)
    submit(scheduler, 1, 1, 0)
    assert run(scheduler, 0, 2).server_id == 0  # d 5, then 10
    assert run(scheduler, 2, 3).server_id == 1, "the deadline 5 is stale"


def test_inside_a_server_the_earliest_deadline_goes_first_then_the_lower_id() -> None:
    scheduler = make(ServerParams(20, 100))
    for job_id, deadline in ((5, 80), (7, 60), (6, 60), (1, 90)):
        submit(scheduler, 0, job_id, 0, deadline)
    assert [run(scheduler, t, t + 1, finished=True).id for t in range(4)] == [6, 7, 5, 1]


def test_an_earlier_deadline_takes_over_between_two_chunks() -> None:
    scheduler = make(ServerParams(20, 100))
    submit(scheduler, 0, 0, 0, 80)
    assert run(scheduler, 0, 1).id == 0
    submit(scheduler, 0, 1, 1, 50)
    assert run(scheduler, 1, 2, finished=True).id == 1
    assert run(scheduler, 2, 3, finished=True).id == 0


def test_one_server_of_several_is_charged_for_its_own_chunks_only() -> None:
    scheduler = make(*[ServerParams(5, 100)] * 4)
    for server in range(4):
        submit(scheduler, server, server, 0)
    for now in range(8):
        run(scheduler, now, now + 1, finished=now % 2 == 1)
    assert [scheduler.server(n).c for n in range(4)] == [3, 3, 3, 3]
    assert [scheduler.stats(n).consumed_ns for n in range(4)] == [2, 2, 2, 2]


def test_completion_comes_before_an_arrival_at_the_same_instant() -> None:
    """The new job meets an idle server, whichever is reported first."""
    servers = {0: ServerParams(2, 8), 1: ServerParams(3, 4)}
    for early in (False, True):
        run_ = simulate(servers, [work(0, 0, 1), work(0, 1, 3), work(4, 0, 1)], 5, early=early)
        assert run_.chunks[3] == (0, 0, 3, 4)
        assert run_.states[4][0] == (2, 12), "1 >= (8 - 4) * 2 / 8: a new period"
    active = simulate(servers, [work(0, 0, 2), work(0, 1, 3), work(4, 0, 1)], 5)
    assert active.states[4][0] == (1, 8), "on an active server it only queues"


# ---------------------------------------------------------------------- waiting for the device, cancelling


def test_waiting_before_a_chunk_is_neither_ready_nor_charged_and_returns_as_an_arrival() -> None:
    jobs = [Work(0, 0, ((0, 1), (7, 2)))]
    run_ = simulate({0: ServerParams(4, 10)}, jobs, 20)
    assert run_.chunks == [(0, 0, 0, 1), (0, 0, 8, 10)]
    assert run_.states[1][0] == (3, 10)
    assert run_.states[8][0] == (4, 18), "3 >= (10 - 8) * 4 / 10: a new period"
    assert run_.scheduler.stats(0).consumed_ns == 3
    assert run_.scheduler.stats(0).arrivals == 1
    assert run_.scheduler.stats(0).jitter.counts == {0: 1}


def test_a_blocked_job_leaves_the_others_of_its_server_running() -> None:
    scheduler = make(ServerParams(4, 10))
    first = submit(scheduler, 0, 0, 0, 50)
    submit(scheduler, 0, 1, 0, 60)
    run(scheduler, 0, 1)
    scheduler.block(first, 1)
    assert run(scheduler, 1, 2).id == 1
    scheduler.unblock(first, 2)
    assert scheduler.server(0).d == 10, "the server was active: nothing begins anew"
    assert run(scheduler, 2, 3).id == 0


def test_unblocking_what_is_not_blocked_changes_nothing() -> None:
    scheduler = make(ServerParams(4, 10))
    job = submit(scheduler, 0, 0, 0)
    run(scheduler, 0, 1)
    scheduler.unblock(job, 1)
    assert (scheduler.server(0).c, scheduler.server(0).d) == (3, 10)


def test_a_throttled_server_without_ready_jobs_is_idle_and_stays_in_debt() -> None:
    scheduler = make(ServerParams(4, 10))
    job = submit(scheduler, 0, 0, 0)
    run(scheduler, 0, 6)
    scheduler.withdraw(job, 7)
    assert scheduler.server(0).state is State.IDLE
    assert scheduler.stats(0).throttled_ns == 1
    submit(scheduler, 0, 1, 8)
    assert scheduler.dispatch(8) is None, "-2 < (10 - 8) * 4 / 10: still exhausted"
    assert scheduler.dispatch(10) is not None
    assert (scheduler.server(0).c, scheduler.server(0).d) == (2, 20)
    stats = scheduler.stats(0)
    assert (stats.exhaustions, stats.throttled_ns, stats.withdrawn) == (1, 3, 1)


def test_a_job_withdrawn_while_its_chunk_runs_is_charged_and_ends_without_a_miss() -> None:
    scheduler = make(ServerParams(4, 10))
    job = submit(scheduler, 0, 0, 0, deadline=1)
    assert scheduler.dispatch(0) is job
    scheduler.withdraw(job, 1)
    scheduler.ran(job, 0, 3, finished=True)
    assert job.finish_ns is None
    assert scheduler.server(0).state is State.IDLE
    assert scheduler.server(0).c == 1
    stats = scheduler.stats(0)
    assert (stats.finished, stats.withdrawn, stats.misses, stats.consumed_ns) == (0, 1, 0, 3)


# ---------------------------------------------------------------------- statistics


@pytest.mark.parametrize(("deadline", "misses", "late"), [(5, 0, 0), (6, 0, -1), (4, 1, 1)])
def test_a_finish_after_the_deadline_is_a_miss_and_at_it_none(deadline: int, misses: int, late: int) -> None:
    scheduler = make(ServerParams(50, 100))
    submit(scheduler, 0, 0, 0, deadline)
    run(scheduler, 0, 5, finished=True)
    stats = scheduler.stats(0)
    assert (stats.misses, stats.worst_lateness_ns, stats.late_ns) == (misses, late, max(0, late))


def test_deadlines_are_absolute() -> None:
    scheduler = make(ServerParams(5, 10))
    submit(scheduler, 0, 0, 1_000_000, deadline=1_000_010)
    assert scheduler.server(0).d == 1_000_010
    run(scheduler, 1_000_000, 1_000_005, finished=True)
    assert scheduler.stats(0).worst_lateness_ns == -5


def test_a_miss_ends_nothing() -> None:
    scheduler = make(ServerParams(50, 100))
    submit(scheduler, 0, 0, 0, deadline=1)
    for now in range(5):
        run(scheduler, now, now + 1, finished=now == 4)
    stats = scheduler.stats(0)
    assert (stats.misses, stats.finished, stats.late_ns) == (1, 1, 4)


def test_jitter_is_kept_for_all_samples() -> None:
    scheduler = make(ServerParams(50, 100, hard=False))
    for number in range(200):
        start = 1000 * number
        submit(scheduler, 0, number, start)
        run(scheduler, start + number, start + number, finished=True)
    jitter = scheduler.stats(0).jitter
    assert jitter.samples == 200
    assert [jitter.percentile(p) for p in (1, 50, 95, 99, 100)] == [1, 99, 189, 197, 199]
    with pytest.raises(ValueError, match="percentile 0 of 200 samples"):
        jitter.percentile(0)


def test_jitter_counts_the_first_dispatch_alone() -> None:
    scheduler = make(ServerParams(50, 100))
    submit(scheduler, 0, 0, 0)
    run(scheduler, 3, 4)
    run(scheduler, 9, 10, finished=True)
    assert scheduler.stats(0).jitter.counts == {3: 1}


def test_chunks_longer_than_admitted_are_counted() -> None:
    scheduler = make(ServerParams(50, 100, chunk_ns=3), ServerParams(50, 100))
    submit(scheduler, 0, 0, 0)
    run(scheduler, 0, 3)
    run(scheduler, 3, 7, finished=True)
    assert scheduler.stats(0).chunk_overruns == 1


def test_throttle_time_that_has_not_ended_is_counted() -> None:
    scheduler = make(ServerParams(4, 10))
    submit(scheduler, 0, 0, 0)
    run(scheduler, 0, 4)
    assert scheduler.dispatch(9) is None
    assert scheduler.stats(0).throttled_ns == 5
    assert scheduler.stats(0).exhaustions == 1


def test_the_trace_tells_every_decision() -> None:
    scheduler = make(ServerParams(2, 10), trace=True)
    submit(scheduler, 0, 7, 0)
    run(scheduler, 0, 2)
    run(scheduler, 10, 11, finished=True)
    assert scheduler.trace == [
        Decision(0, "arrive", 0, 7, 2, 10),
        Decision(0, "dispatch", 0, 7, 2, 10),
        Decision(2, "ran", 0, 7, 0, 10),
        Decision(2, "throttle", 0, None, 0, 10),
        Decision(10, "replenish", 0, None, 2, 20),
        Decision(10, "dispatch", 0, 7, 2, 20),
        Decision(11, "ran", 0, 7, 1, 20),
    ]


# ---------------------------------------------------------------------- changes


def test_a_change_keeps_what_the_new_share_covers() -> None:
    scheduler = make(ServerParams(4, 10))
    submit(scheduler, 0, 0, 0)
    run(scheduler, 0, 2)
    scheduler.change(0, ServerParams(50, 100), 2)
    assert (scheduler.server(0).c, scheduler.server(0).d) == (2, 10)
    run(scheduler, 2, 4)
    assert scheduler.next_event(4) == 10
    assert scheduler.dispatch(10) is not None
    assert (scheduler.server(0).c, scheduler.server(0).d) == (50, 110)


def test_a_change_to_a_smaller_share_starts_a_new_period() -> None:
    scheduler = make(ServerParams(4, 10))
    submit(scheduler, 0, 0, 0)
    scheduler.change(0, ServerParams(1, 10), 2)
    assert (scheduler.server(0).c, scheduler.server(0).d) == (1, 12)


def test_a_change_during_a_chunk_waits_for_its_end() -> None:
    scheduler = make(ServerParams(4, 10))
    job = submit(scheduler, 0, 0, 0)
    scheduler.dispatch(0)
    scheduler.change(0, ServerParams(1, 10), 2)
    assert (scheduler.server(0).c, scheduler.server(0).d) == (4, 10)
    assert scheduler.used_ppm == 100_000
    scheduler.ran(job, 0, 3, finished=False)
    assert (scheduler.server(0).c, scheduler.server(0).d) == (1, 13)


# ---------------------------------------------------------------------- wrong use


def test_wrong_use_is_refused() -> None:
    scheduler = make(ServerParams(4, 10))
    job = submit(scheduler, 0, 0, 5)
    with pytest.raises(BadArgument, match="submitted before"):
        scheduler.submit(0, job, 5)
    with pytest.raises(BadArgument, match="time goes back from 5 to 4 ns"):
        scheduler.dispatch(4)
    with pytest.raises(BadArgument, match="did not run"):
        scheduler.ran(job, 5, 6, finished=False)
    assert scheduler.dispatch(5) is job
    with pytest.raises(BadArgument, match="a chunk of job 0 is running"):
        scheduler.dispatch(5)
    with pytest.raises(BadArgument, match="did not run from 6 to 5"):
        scheduler.ran(job, 6, 5, finished=False)
    with pytest.raises(BadArgument, match="job 1 is not in any server"):
        scheduler.withdraw(Job(1, 1), 5)
