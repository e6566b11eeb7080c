"""Fault injection for the scheduler: known mistakes, and every rule broken, each detected by a named test.

A mistake is a replacement in the source of one function, so that a mistake that no longer fits its
source fails here as well.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import pytest

from sw.kernel import admission
from sw.kernel.executor import Executor
from sw.kernel.scheduler import Scheduler
from sw.kernel.statistics import Histogram
from tests.kernel import (
    test_admission,
    test_brute_force,
    test_examples,
    test_executor,
    test_properties,
    test_scheduler,
)


@dataclass(frozen=True)
class Edit:
    """`old` becomes `new` in the source of a function of `owner`."""

    owner: Any
    name: str
    old: str
    new: str

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = inspect.getattr_static(self.owner, self.name)
        function: FunctionType = found.fget if isinstance(found, property) else found
        source = textwrap.dedent(inspect.getsource(function))
        assert source.count(self.old) == 1, f"{self.name} has {source.count(self.old)} of {self.old!r}"
        namespace: dict[str, Any] = {}
        code = compile("from __future__ import annotations\n" + source.replace(self.old, self.new), "<mistake>", "exec")
        exec(code, function.__globals__, namespace)
        changed = namespace[self.name]
        monkeypatch.setattr(self.owner, self.name, changed)


Mistake = tuple[tuple[Edit, ...], Callable[..., Any], tuple[Any, ...]]


def mistake(test: Callable[..., Any], *edits: Edit, values: tuple[Any, ...] = ()) -> Mistake:
    """Edits, and the test (with its parameters) that must fail under them."""
    return edits, test, values


def in_scheduler(name: str, old: str, new: str) -> Edit:
    return Edit(Scheduler, name, old, new)


SEEN_ELSEWHERE: dict[str, Mistake] = {
    "a server that runs once and is never queued again": mistake(
        test_scheduler.test_a_server_runs_again_and_again,
        in_scheduler("dispatch", "if server.runnable]", "if server.runnable and not server.stats.chunks]"),
    ),
    "an overrun that is charged nothing": mistake(
        test_examples.test_example_8_overrun_is_paid,
        in_scheduler("ran", "server.c -= end - start", "server.c = max(0, server.c - (end - start))"),
    ),
    "an overrun that is charged nothing, in any set": mistake(
        test_properties.test_nothing_is_free,
        in_scheduler("ran", "server.c -= end - start", "server.c = max(0, server.c - (end - start))"),
    ),
    "replenishment at now + T, which drifts": mistake(
        test_scheduler.test_replenishing_does_not_drift,
        in_scheduler("_release", "min(needed, passed), returned)", "min(needed, passed), now)"),
        in_scheduler(
            "_replenish",
            "server.d += periods * server.params.period_ns",
            "server.d = now + server.params.period_ns",
        ),
    ),
    "a deadline in the queue that goes stale after replenishment": mistake(
        test_scheduler.test_a_replenished_server_is_queued_with_its_new_deadline,
        in_scheduler("_replenish", "server.due = self._end_of_deadline(server)", "pass"),
    ),
    "a server's relative deadline taken for an absolute one": mistake(
        test_scheduler.test_deadlines_are_absolute,
        in_scheduler("_arrival_rule", "server.d = now + params.period_ns", "server.d = params.period_ns"),
    ),
    "a job's absolute deadline taken for a relative one": mistake(
        test_scheduler.test_deadlines_are_absolute,
        in_scheduler("_finish", "now - job.deadline_ns", "now - job.arrival_ns - job.deadline_ns"),
    ),
    "admitting one job's time where the budget is several": mistake(
        test_admission.test_all_of_the_budget_is_admitted_and_not_one_chunk,
        Edit(
            admission,
            "used_ppm",
            "server.share_ppm",
            "ServerParams(server.chunk_ns or server.budget_ns, server.period_ns).share_ppm",
        ),
    ),
    "changing a server leaks its old share": mistake(
        test_admission.test_a_change_replaces_the_old_share,
        in_scheduler(
            "_check",
            "self._params() | {server_id: params}",
            "{-1: self._params().get(server_id, params)} | self._params() | {server_id: params}",
        ),
    ),
    "the first server of a group charged for all": mistake(
        test_scheduler.test_one_server_of_several_is_charged_for_its_own_chunks_only,
        in_scheduler("ran", "server.c -= end - start", "self._servers[min(self._servers)].c -= end - start"),
    ),
    "jitter kept for the first 64 samples only": mistake(
        test_scheduler.test_jitter_is_kept_for_all_samples,
        Edit(Histogram, "add", "self.counts[value] += 1", "self.counts[value] += self.samples < 64"),
    ),
    "a refused server reported as success": mistake(
        test_admission.test_the_contracts_example_is_refused_at_900_000,
        in_scheduler("_check", "    raise", "    return self.used_ppm"),
    ),
    "a refused change reported as success": mistake(
        test_admission.test_a_refused_change_keeps_the_old_share,
        in_scheduler("_check", "    raise", "    return self.used_ppm"),
    ),
}

RULES: dict[str, Mistake] = {
    "hard servers are soft": mistake(
        test_examples.test_example_2_two_servers,
        in_scheduler("_exhaust", "if server.params.hard:", "if False:"),
        values=(True,),
    ),
    "hard servers are soft, in any window": mistake(
        test_properties.test_a_hard_server_never_gets_more_in_any_window,
        in_scheduler("_exhaust", "if server.params.hard:", "if False:"),
    ),
    "a hard server whose deadline has passed waits for the next": mistake(
        test_scheduler.test_hard_server_late_past_its_deadline_is_replenished_at_once,
        in_scheduler("_exhaust", "self._release(server, now)", "server.d += server.params.period_ns"),
    ),
    "one budget is enough, whatever the debt": mistake(
        test_scheduler.test_soft_server_is_replenished_until_it_has_budget,
        in_scheduler("_exhaust", "_periods(server)", "1"),
    ),
    "rate monotonic": mistake(
        test_examples.test_example_4_edf_meets_what_rate_monotonic_misses,
        in_scheduler("dispatch", "(s.due, s is not", "(s.params.period_ns, s is not"),
    ),
    "the running server loses ties": mistake(
        test_scheduler.test_on_a_tie_the_running_one_goes_on,
        in_scheduler("dispatch", "s is not self._running, s.id", "s.id"),
    ),
    "an exhausted server still counts as running": mistake(
        test_scheduler.test_exhaustion_ends_running_and_loses_a_tie,
        in_scheduler("_exhaust", "self._running = None", "pass"),
    ),
    "an exhausted server still counts as running (a runaway)": mistake(
        test_examples.test_example_5_a_runaway_is_isolated,
        in_scheduler("_exhaust", "self._running = None", "pass"),
        values=(False,),
    ),
    "an idle server always starts anew": mistake(
        test_examples.test_example_1_task_and_server,
        in_scheduler("_arrival_rule", "server.c * params.period_ns >= (server.d - now) * params.budget_ns", "True"),
        values=(False,),
    ),
    "an idle server starts anew only after its deadline": mistake(
        test_examples.test_example_3_idle_server_starts_anew,
        in_scheduler(
            "_arrival_rule", "server.c * params.period_ns >= (server.d - now) * params.budget_ns", "now >= server.d"
        ),
        values=(True,),
    ),
    "c = (d - r) * Q / T keeps c and d": mistake(
        test_scheduler.test_completion_comes_before_an_arrival_at_the_same_instant,
        in_scheduler("_arrival_rule", "* params.period_ns >= (", "* params.period_ns > ("),
    ),
    "an idle server does not meet c = 0 exhausted": mistake(
        test_scheduler.test_arrival_at_an_exhausted_idle_server,
        in_scheduler("_arrive", "begins and server.c <= 0", "False"),
        values=(True,),
    ),
    "a throttled server that went idle comes back at once": mistake(
        test_scheduler.test_a_throttled_server_without_ready_jobs_is_idle_and_stays_in_debt,
        in_scheduler("_idle", "server.active = False", "server.active = False; server.c = max(1, server.c)"),
    ),
    "arrivals come before completions": mistake(
        test_scheduler.test_completion_comes_before_an_arrival_at_the_same_instant,
        in_scheduler("_settle", "if self._running is server and", "if False and"),
    ),
    "the return from the device is no arrival": mistake(
        test_scheduler.test_waiting_before_a_chunk_is_neither_ready_nor_charged_and_returns_as_an_arrival,
        in_scheduler("_arrive", "self._arrival_rule(server, now)", "now == 0 and self._arrival_rule(server, now)"),
    ),
    "a server is first come, first served": mistake(
        test_scheduler.test_inside_a_server_the_earliest_deadline_goes_first_then_the_lower_id,
        in_scheduler("dispatch", "(j.deadline_ns, j.id)", "j.arrival_ns"),
    ),
    "a finish at the deadline is a miss": mistake(
        test_scheduler.test_a_finish_after_the_deadline_is_a_miss_and_at_it_none,
        in_scheduler("_finish", "lateness > 0", "lateness >= 0"),
        values=(5, 0, 0),
    ),
    "a cancelled job misses": mistake(
        test_scheduler.test_a_job_withdrawn_while_its_chunk_runs_is_charged_and_ends_without_a_miss,
        in_scheduler("ran", "finished and not job.withdrawn", "finished"),
    ),
    "jitter counts every dispatch": mistake(
        test_scheduler.test_jitter_counts_the_first_dispatch_alone,
        in_scheduler("dispatch", "job.first_dispatch_ns is None", "True"),
    ),
    "admission forgets blocking": mistake(
        test_properties.test_an_admitted_set_without_overruns_never_misses,
        Edit(admission, "blocking_ns", "return longer + sum", "return 0 * sum"),
    ),
    "admission forgets the longer periods' chunks": mistake(
        test_admission.test_the_contracts_example_is_refused_at_900_000,
        Edit(admission, "blocking_ns", "return longer + ", "return "),
    ),
    "admission forgets the chunks of equal periods": mistake(
        test_admission.test_blocking_takes_the_longest_chunk_of_longer_periods_and_all_of_the_others,
        Edit(admission, "blocking_ns", "params.period_ns <= period", "params.period_ns < period"),
    ),
    "admission rounds down": mistake(
        test_admission.test_shares_are_rounded_up_each,
        Edit(admission, "_ceil_ppm", "-(-PPM * part // whole)", "PPM * part // whole"),
    ),
    "used_ppm has the blocking in it": mistake(
        test_admission.test_the_contracts_example_is_accepted_at_800_000,
        Edit(
            admission,
            "check",
            "return used_ppm(servers.values())",
            "return max(load_ppm(one, servers) for one in servers)",
        ),
    ),
    "admission looks at T and not at D": mistake(
        test_properties.test_an_admitted_set_with_deadlines_before_the_period_never_misses,
        Edit(
            admission,
            "used_ppm",
            "server.share_ppm",
            "ServerParams(server.budget_ns, server.period_ns).share_ppm",
        ),
    ),
    "EDF looks at the period's end and not at D": mistake(
        test_properties.test_an_admitted_set_with_deadlines_before_the_period_never_misses,
        in_scheduler("_arrival_rule", "now + params.relative_deadline_ns", "now + params.period_ns"),
    ),
    "what is left after D < T is as urgent as ever": mistake(
        test_brute_force.test_the_schedule_is_that_of_brute_force,
        in_scheduler("_arrival_rule", "max(self._end_of_deadline(server), least)", "self._end_of_deadline(server)"),
    ),
    "a change starts a full budget": mistake(
        test_properties.test_a_change_gives_nothing_for_free,
        in_scheduler("_apply_change", "self._arrival_rule(server, now)", "server.c = server.params.budget_ns"),
    ),
    "a change frees its own chunk of charge": mistake(
        test_scheduler.test_a_change_during_a_chunk_waits_for_its_end,
        in_scheduler("change", "if not self._flies(server):", "if True:"),
    ),
    "throttle time counts up to the next look": mistake(
        test_brute_force.test_the_schedule_is_that_of_brute_force,
        in_scheduler("_release", "+= returned - since", "+= now - since"),
    ),
    "an exhaustion is counted per budget": mistake(
        test_brute_force.test_the_schedule_is_that_of_brute_force,
        in_scheduler(
            "_replenish",
            "server.exhausted = False",
            "server.exhausted = False; server.stats.exhaustions += periods - 1",
        ),
    ),
    "waits inside a chunk are not charged": mistake(
        test_executor.test_device_time_of_accesses_inside_a_chunk_is_charged,
        Edit(Executor, "_run", "self.clock.now(), finished)", "start + 24, finished)"),
    ),
    "the executor does not wait for a throttled server": mistake(
        test_executor.test_a_throttled_server_is_waited_for,
        Edit(Executor, "_pass_time", "await self.clock.wait_until(returns)", "return False"),
    ),
}

MISTAKES = SEEN_ELSEWHERE | RULES


@pytest.mark.parametrize("name", MISTAKES)
def test_the_named_test_notices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    edits, test, values = MISTAKES[name]
    with monkeypatch.context() as patch:
        for edit in edits:
            edit.apply(patch)
        try:
            test(*values)
        except (AssertionError, admission.Refusal, ExceptionGroup, pytest.fail.Exception):
            return
    pytest.fail(f"{test.__module__.rsplit('.', 1)[-1]}.{test.__name__} passes although: {name}")
