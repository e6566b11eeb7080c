"""The comparison with SCHED_DEADLINE, without Linux: the rules written down once more stand for it."""

from __future__ import annotations

import pytest

from sw.kernel.scheduler import Scheduler
from tb.linux import report
from tb.linux.deadline import verdict
from tb.linux.deadline.here import Finishes, Plain, Rule, scheduled
from tb.linux.deadline.sets import UNIT_NS, Server, Task, TaskSet
from tb.linux.ktap import FAILED, PASSED

LINUX = Rule.THROTTLED_END | Rule.TIE | Rule.GRANULARITY
SETS = verdict.chosen(count=12)


def log(sets: list[TaskSet], rules: Rule = LINUX, late_ns: int = 512) -> str:
    """What a guest would print whose Linux has these rules."""
    lines = []
    for number, servers in enumerate(sets):
        for n, ends in enumerate(Plain(servers, rules).run()):
            lines += [
                f"deadline: set {number} server {n} job {j} ended {end * UNIT_NS + late_ns}"
                for j, end in enumerate(ends)
            ]
    return "\n".join(lines)


def test_the_scheduler_keeps_the_rules_in_every_set() -> None:
    for servers in verdict.chosen():
        assert scheduled(servers) == Plain(servers, Rule(0)).run()


def test_every_second_set_leaves_no_rule_to_explain_a_difference() -> None:
    for servers in verdict.chosen()[::2]:
        assert Plain(servers, LINUX).run() == scheduled(servers)


def test_differences_are_explained_by_rules_and_counted() -> None:
    results, figures = verdict.judge(SETS, log(SETS))
    assert {result.result for result in results} == {PASSED}
    assert figures["sets"] == 12
    assert figures["equal"] + figures["explained"] == figures["jobs"]
    assert figures["explained"] > 0
    assert figures["equal_sets"] >= 6
    assert sum(row["sets"] for row in figures["rules"]) >= 12 - figures["equal_sets"]


def test_the_page_lists_the_sets_that_failed_with_the_other_tests() -> None:
    tests = [
        {"name": "deadline.set_00", "result": PASSED}, {"name": "deadline.set_01", "result": FAILED},
        {"name": "a.one", "result": PASSED},
    ]  # fmt: skip
    assert [row["name"] for row in report.rows(tests)] == ["deadline.set_01", "a.one"]


class NoNewDeadline(Scheduler):
    """A wrong replenishment: the budget returns, the deadline stays."""

    def _replenish(self, server, periods, now):  # type: ignore[no-untyped-def]  # takes what the original takes
        before = server.d
        super()._replenish(server, periods, now)
        server.d = server.due = before


def test_a_wrong_replenishment_fails_with_both_times() -> None:
    def wrong(servers: TaskSet) -> Finishes:
        return scheduled(servers, lambda: NoNewDeadline(1_000_000_000))

    results, _ = verdict.judge(SETS, log(SETS), wrong)
    failed = [result.message for result in results if result.result == FAILED]
    assert len(failed) > 6
    assert all(
        " ms here, at " in message and "does not keep the rules of docs/scheduler.md" in message for message in failed
    )


def test_a_time_that_no_rule_gives_fails() -> None:
    servers: TaskSet = (Server(2, 5, (Task(0, 1),)), Server(3, 10, (Task(0, 2),)))
    good = log([servers])
    results, _ = verdict.judge([servers], good)
    assert results[0].result == PASSED
    results, figures = verdict.judge([servers], good.replace("server 1 job 0 ended 60", "server 1 job 0 ended 80"))
    assert results[0].message == "server 1 job 0 ended at 60 ms here, at 80 ms in Linux: no rule explains it"
    assert figures["explained"] == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "has not said when it ended"), (log(SETS, late_ns=UNIT_NS // 4), "no multiple of 20,000,000 ns")],
)
def test_times_that_are_missing_or_odd_are_no_pass(text: str, why: str) -> None:
    with pytest.raises(verdict.NoTimes, match=why):
        verdict.judge(SETS, text)
