"""Linux's finish times against those of the scheduler: equal, explained by a named rule, or a defect."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tb.linux.deadline.here import RULES, Finishes, Plain, Rule, scheduled
from tb.linux.deadline.sets import SEED, SETS, UNIT_NS, TaskSet, draws
from tb.linux.ktap import FAILED, PASSED, Result
from tb.linux.options import DEADLINE

_LINE = re.compile(r"^deadline: set (\d+) server (\d+) job (\d+) ended (-?\d+)\r?$", re.M)
_LATE_NS = UNIT_NS // 10  # a process says that its job has ended so long after the tick, at most
_ALL = Rule.THROTTLED_END | Rule.TIE | Rule.GRANULARITY
_COMBINATIONS = sorted((Rule(value) for value in range(1, _ALL.value + 1)), key=lambda rule: (len(rule), rule.value))


def chosen(seed: int = SEED, count: int = SETS) -> list[TaskSet]:
    """Task sets: every second one is such that no rule applies, and nothing can explain a difference."""
    found = list[TaskSet]()
    for servers in draws(seed):
        if len(found) == count:
            break
        if len(found) % 2 or Plain(servers, _ALL).run() == Plain(servers, Rule(0)).run():
            found.append(servers)
    return found


class NoTimes(Exception):
    """The guest has not printed what it should."""


def in_linux(log: str, sets: Sequence[TaskSet]) -> list[Finishes]:
    """Finish times in units, by set. Raises NoTimes: one is missing, or is not the time of a tick."""
    seen = {(int(s), int(n), int(job)): int(ns) for s, n, job, ns in _LINE.findall(log)}
    found = list[Finishes]()
    for number, servers in enumerate(sets):
        ends = []
        for n, server in enumerate(servers):
            ends.append(tuple(_units(seen, (number, n, job)) for job in range(len(server.jobs))))
        found.append(tuple(ends))
    return found


def _units(seen: dict[tuple[int, int, int], int], key: tuple[int, int, int]) -> int:
    name = "set {} server {} job {}".format(*key)
    if key not in seen:
        raise NoTimes(f"{name}: the guest has not said when it ended")
    units = round(seen[key] / UNIT_NS)
    if abs(seen[key] - units * UNIT_NS) > _LATE_NS:
        raise NoTimes(f"{name}: it ended at {seen[key]:,} ns, no multiple of {UNIT_NS:,} ns")
    return units


@dataclass(frozen=True, slots=True)
class Compared:
    """One set.

    Attributes:
        jobs: how many.
        differ: of them, those that ended at another time.
        rules: what explains all of them; empty when none differs, or nothing does.
        why: the first difference that nothing explains; "": there is none.
    """

    jobs: int
    differ: int
    rules: Rule
    why: str


def compare(servers: TaskSet, seen: Finishes, here: Finishes) -> Compared:
    """What Linux did (`seen`) against what the scheduler did (`here`)."""
    jobs = sum(map(len, here))
    places = [(n, j) for n, ends in enumerate(here) for j, end in enumerate(ends) if seen[n][j] != end]
    if not places:
        return Compared(jobs, 0, Rule(0), "")
    n, j = places[0]
    what = f"server {n} job {j} ended at {_ms(here[n][j])} here, at {_ms(seen[n][j])} in Linux"
    plain = Plain(servers, Rule(0)).run()
    if plain != here:
        why = f"the scheduler does not keep the rules of docs/scheduler.md, by which it ends at {_ms(plain[n][j])}"
        return Compared(jobs, len(places), Rule(0), f"{what}: {why}")
    for rules in _COMBINATIONS:
        if Plain(servers, rules).run() == seen:
            return Compared(jobs, len(places), rules, "")
    return Compared(jobs, len(places), Rule(0), f"{what}: no rule explains it")


def _ms(units: int) -> str:
    return f"{units * UNIT_NS // 1_000_000:,} ms"


def judge(
    sets: Sequence[TaskSet], log: str, schedule: Callable[[TaskSet], Finishes] = scheduled
) -> tuple[list[Result], dict[str, Any]]:
    """A result for each set, and `sched_deadline` of `kernel.json`. Raises NoTimes."""
    compared = [
        compare(servers, seen, schedule(servers)) for servers, seen in zip(sets, in_linux(log, sets), strict=True)
    ]
    results = [
        Result(f"{DEADLINE}.set_{number:02}", FAILED if one.why else PASSED, one.why)
        for number, one in enumerate(compared)
    ]
    by_rule = Counter(name(rule) for one in compared for rule in one.rules)
    figures = {
        "sets": len(sets),
        "jobs": sum(one.jobs for one in compared),
        "equal": sum(one.jobs - one.differ for one in compared),
        "explained": sum(one.differ for one in compared if not one.why),
        "equal_sets": sum(not one.differ for one in compared),
        "rules": [
            {"rule": name(rule), "meaning": meaning.partition(": ")[2], "sets": by_rule[name(rule)]}
            for rule, meaning in RULES.items()
        ],
        "table": [
            {"set": number, "servers": [[s.budget, s.period] for s in servers], "jobs": one.jobs, "differ": one.differ,
             "rules": [name(rule) for rule in one.rules], "why": one.why}
            for number, (servers, one) in enumerate(zip(sets, compared, strict=True))
        ],
    }  # fmt: skip
    return results, figures


def name(rule: Rule) -> str:
    """A rule's name in the report."""
    return RULES[rule].partition(":")[0]
