"""The eight worked examples of the rules: segments, c and d exactly. Hard tasks are servers of their own."""

from __future__ import annotations

import pytest

from sw.kernel.admission import AdmissionRefused, ServerParams, used_ppm
from sw.kernel.scheduler import Scheduler
from tests.kernel.sim import periodic, simulate, work

TASK, CBS = 0, 1
S1, S2 = 1, 2
KINDS = pytest.mark.parametrize("hard", [True, False], ids=["hard", "soft"])


@KINDS
def test_example_1_task_and_server(hard: bool) -> None:
    servers = {TASK: ServerParams(4, 7), CBS: ServerParams(3, 8, hard=hard)}
    run = simulate(servers, [*periodic(TASK, 4, 7, 25), work(3, CBS, 4), work(13, CBS, 3)], 25, bound_ppm=1_000_000)
    assert run.segments == [
        (TASK, 0, 4),
        (CBS, 4, 7),
        (TASK, 7, 11),
        (CBS, 11, 12),
        (CBS, 13, 15),
        (TASK, 15, 19),
        (CBS, 19, 20),
        (TASK, 21, 25),
    ]
    states = {t: run.states[t][CBS] for t in run.states}
    assert states[3] == (3, 11)
    assert states[7] == ((0, 11) if hard else (3, 19))
    assert states[11] == (3, 19)
    assert states[12] == (2, 19)
    assert states[13] == (2, 19), "2 < (19 - 13) * 3 / 8 = 2.25: c and d stay"
    assert states[15] == ((0, 19) if hard else (3, 27))
    assert states[19] == (3, 27)
    assert states[20] == (2, 27)
    assert run.scheduler.stats(TASK).misses == 0


@KINDS
def test_example_2_two_servers(hard: bool) -> None:
    servers = {S1: ServerParams(3, 6, hard=hard), S2: ServerParams(4, 9, hard=hard)}
    jobs = [work(0, S1, 5), work(13, S1, 5), work(0, S2, 7), work(19, S2, 7)]
    run = simulate(servers, jobs, 34, bound_ppm=1_000_000)
    first = [(S1, 0, 3), (S2, 3, 7), (S1, 7, 9), (S2, 9, 12)]
    # At 3, 7 and 12 the hard servers wait for what the soft ones have at once.
    assert run.states[3][S1] == ((0, 6) if hard else (3, 12))
    assert run.states[6][S1] == (3, 12)
    assert run.states[7][S2] == ((0, 9) if hard else (4, 18))
    assert run.states[9] == {S1: (1, 12), S2: (4, 18)}
    assert run.states[12][S2] == (1, 18)
    assert run.states[13][S1] == (3, 19)
    if hard:
        assert run.segments == [*first, (S1, 13, 16), (S1, 19, 21), (S2, 21, 25), (S2, 28, 31)]
        assert run.states[16][S1] == (0, 19)
        assert run.states[19] == {S1: (3, 25), S2: (4, 28)}
    else:
        assert run.segments == [*first, (S1, 13, 18), (S2, 19, 26)]
        assert run.states[16][S1] == (3, 25)
        assert run.states[23][S2] == (4, 37)


@KINDS
def test_example_3_idle_server_starts_anew(hard: bool) -> None:
    servers = {TASK: ServerParams(2, 8), CBS: ServerParams(5, 15, hard=hard)}
    run = simulate(servers, [*periodic(TASK, 2, 8, 16), work(0, CBS, 3), work(10, CBS, 3)], 16, bound_ppm=1_000_000)
    assert run.segments == [(TASK, 0, 2), (CBS, 2, 5), (TASK, 8, 10), (CBS, 10, 13)]
    assert run.states[3][CBS] == (4, 15)
    assert run.states[5][CBS] == (2, 15)
    assert run.states[10][CBS] == (5, 25), "2 >= (15 - 10) / 3: a new period"
    assert run.states[13][CBS] == (2, 25)


def test_example_4_edf_meets_what_rate_monotonic_misses() -> None:
    tasks = {0: ServerParams(1, 4), 1: ServerParams(2, 6), 2: ServerParams(3, 8)}
    jobs = [job for server, p in tasks.items() for job in periodic(server, p.budget_ns, p.period_ns, 48)]
    run = simulate(tasks, jobs, 48, bound_ppm=1_000_000)
    assert used_ppm(tasks.values()) == 250_000 + 333_334 + 375_000
    assert run.misses == 0
    assert [run.scheduler.stats(server).finished for server in tasks] == [12, 8, 6]


@KINDS
def test_example_5_a_runaway_is_isolated(hard: bool) -> None:
    servers = {TASK: ServerParams(5, 10), CBS: ServerParams(5, 10, hard=hard)}
    run = simulate(servers, [*periodic(TASK, 5, 10, 60), work(0, CBS, 30, deadline=10)], 60, bound_ppm=1_000_000)
    assert [segment for segment in run.segments if segment[0] == TASK] == [(TASK, t, t + 5) for t in range(0, 60, 10)]
    assert [segment for segment in run.segments if segment[0] == CBS] == [(CBS, t, t + 5) for t in range(5, 60, 10)]
    assert run.scheduler.stats(TASK).misses == 0
    assert run.scheduler.stats(TASK).worst_lateness_ns == -5
    assert run.scheduler.stats(CBS).misses == 1


def test_example_6_admission() -> None:
    scheduler = Scheduler()
    assert scheduler.admit(0, ServerParams(30, 100)) == 300_000
    assert scheduler.admit(1, ServerParams(20, 100)) == 500_000
    with pytest.raises(AdmissionRefused, match="900000 ppm"):
        scheduler.admit(2, ServerParams(40, 100))
    assert scheduler.used_ppm == 500_000
    assert (scheduler.counters.accepted, scheduler.counters.rejected) == (2, 1)
    assert scheduler.servers == (0, 1)


@pytest.mark.parametrize(
    ("first", "second"), [(0, 1), (1, 0)], ids=["tighter has the lower id", "tighter has the higher id"]
)
def test_example_7_density_is_sufficient_only(first: int, second: int) -> None:
    servers = {first: ServerParams(50, 100, deadline_ns=50), second: ServerParams(10, 100)}
    assert used_ppm(servers.values()) == 1_100_000
    with pytest.raises(AdmissionRefused):
        simulate(servers, [], 1, bound_ppm=1_000_000)
    run = simulate(servers, [work(0, first, 50), work(0, second, 10)], 100)
    assert run.segments == [(first, 0, 50), (second, 50, 60)]
    assert run.misses == 0


def test_example_8_overrun_is_paid() -> None:
    run = simulate({0: ServerParams(4, 10, chunk_ns=3)}, [work(0, 0, 30, chunk=3)], 110)
    assert run.segments[:4] == [(0, 0, 6), (0, 10, 13), (0, 20, 23), (0, 30, 36)]
    states = {t: run.states[t][0] for t in run.states}
    assert states[0] == (4, 10)
    assert states[6] == (-2, 10)
    assert states[10] == (2, 20)
    assert states[13] == (-1, 20)
    assert states[20] == (3, 30)
    assert states[23] == (0, 30)
    assert states[30] == (4, 40)
    assert states[36] == (-2, 40)
    assert run.served(0) == 30
