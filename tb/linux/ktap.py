"""Results of the guest's tests: KTAP lines in the log of its console (Documentation/dev-tools/ktap.rst of Linux)."""

import re
from dataclasses import dataclass

_KERNEL = re.compile(r"^\[ *\d+\.\d+\]")
_PLAN = re.compile(r"^1\.\.(\d+)$")
_RESULT = re.compile(r"^(not )?ok (\d+) (?:- )?(\S+)(?:\s*#\s*(.*))?$")
_DIAGNOSTIC = re.compile(r"^# (.*)$")
_FAULT = re.compile(r"WARNING: |BUG: |INFO: |Kernel panic|Oops|UBSAN|unreferenced object|kmemleak: \d+ new")
_KNOWN = ("suspicious RCU usage", "lib/maple_tree.c", "force_flush_all")
"""User Mode Linux 6.1 walks a process's memory at fork without its lock: lockdep says so twice in every boot."""
_STEP = re.compile(r"^step to interrupt: (\d+) ns, counted (\d+) ns\r?$", re.M)
_BLOCK = 64  # lines of a report; with KASAN it has more functions

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """One test: `message` is the first reason of a failure, or why it was left out."""

    name: str
    result: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a log says.

    Attributes:
        results: in order.
        planned: how many the plan has promised; None: there is no plan.
    """

    results: tuple[Result, ...]
    planned: int | None

    def problems(self) -> list[str]:
        """Why the results are not those of a whole run."""
        if self.planned is None:
            return ["the guest has printed no test plan"]
        if len(self.results) != self.planned:
            return [f"{self.planned} tests were planned, {len(self.results)} have ended"]
        return []


def parse(log: str) -> Parsed:
    """The results in a log; lines of the kernel and of programs are left out."""
    results: list[Result] = []
    planned, reason = None, ""
    for raw in log.splitlines():
        line = raw.strip("\r ")
        if _KERNEL.match(line):
            continue
        if plan := _PLAN.match(line):
            planned = (planned or 0) + int(plan[1])
        elif said := _DIAGNOSTIC.match(line):
            reason = reason or said[1]
        elif found := _RESULT.match(line):
            skipped = (found[4] or "").upper().startswith("SKIP")
            what = FAILED if found[1] else SKIPPED if skipped else PASSED
            message = (found[4] or "")[4:].strip() if skipped else reason if found[1] else ""
            results.append(Result(found[3], what, message))
            reason = ""
    return Parsed(tuple(results), planned)


def step_to_irq(log: str) -> list[tuple[int, int]]:
    """(as Linux has seen it, as the device has counted it) of each step that a test measured, ns."""
    return [(int(seen), int(counted)) for seen, counted in _STEP.findall(log)]


def failure(log: str) -> str:
    """The first reason why a log is no pass: a failed test, a fault of the kernel, a missing end; "": it is one."""
    parsed = parse(log)
    failed = [f"{result.name}: {result.message}" for result in parsed.results if result.result == FAILED]
    faults = [f"kernel log: {line}" for line in kernel_faults(log)]
    return next(iter([*failed, *faults, *parsed.problems()]), "")


def kernel_faults(log: str) -> list[str]:
    """Lines in which the kernel reports a fault: warnings, lockdep's, kmemleak's; but for the known one of its own."""
    lines = log.splitlines()
    found = [(number, line.strip()) for number, line in enumerate(lines) if _FAULT.search(line)]
    return [line for number, line in found if not _is_known("\n".join(lines[number : number + _BLOCK]))]


def _is_known(block: str) -> bool:
    return all(part in block for part in _KNOWN) and _KNOWN[0] in block.partition("\n")[0]
