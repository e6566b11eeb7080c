"""Judge one run. Every piece of evidence must be there and agree; nothing is believed alone.

A pass needs: the expected exit status, executed set = requested set, a non-empty log, exactly one
end token of the test with counts above zero, and no error line. An expected failure needs its own
message, and is never a time limit.
"""

import re
import signal
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

END_TOKEN = re.compile(r"^KVCPU-END test=(\S+) transactions=(\d+) comparisons=(\d+) mismatches=(\d+)\s*$", re.M)
FAIL_LINE = re.compile(r"^KVCPU-FAIL cycle=(\d+) time_ps=(\d+) test=(\S+) kind=(\S+) (.*(?:\nKVCPU-MORE.*)*)", re.M)
RTL_ERROR = re.compile(r"^\[(\d+)\] %(?:Error|Fatal)\S*:?\s*(.*)$", re.M)
ERROR_LINE = re.compile(
    r"^(?:.*%(?:Error|Fatal)\b.*"
    r"|.*\bUVM_(?:ERROR|FATAL)\b(?!\s*:\s*0\b).*"
    r"|\s*[-\d.]+\w*\s+(?:ERROR|CRITICAL)\s.*"
    r"|(?:ERROR|CRITICAL):.*"
    r"|Traceback \(most recent call last\):)$",
    re.M,
)

KILLED_HINT = {"SIGKILL": " (out of memory?): run it again", "SIGTERM": ": run it again", "SIGHUP": ": run it again"}


@dataclass(frozen=True)
class Evidence:
    """What a run left behind. `results` is the path of cocotb's results file."""

    exit_status: int
    timed_out: bool
    seconds: float
    log: str
    results: Path


@dataclass(frozen=True)
class Request:
    """What was asked for: the tests, by (module, name), and how it must end."""

    tests: tuple[tuple[str, str], ...]
    expect: str = "pass"
    expect_message: str = ""
    timeout_s: float = 0.0


@dataclass
class Verdict:
    """The judgement with everything a report prints."""

    passed: bool
    reasons: list[str] = field(default_factory=list)
    transactions: int = 0
    comparisons: int = 0
    failure_cycle: int | None = None
    failure_ps: int | None = None
    failure_text: str = ""
    killed: str = ""  # the signal that ended the simulator from outside: it says nothing about the test


def _executed(results: Path) -> tuple[dict[tuple[str, str], str], list[str]]:
    """Tests in the results file with their status and message, and what is wrong with the file."""
    if not results.exists():
        return {}, ["no results file: the simulator ended before the tests did"]
    try:
        root = ET.parse(results).getroot()
    except ET.ParseError as error:
        return {}, [f"results file is damaged: {error}"]
    found: dict[tuple[str, str], str] = {}
    problems = []
    for case in root.iter("testcase"):
        key = (case.get("classname", ""), case.get("name", ""))
        if key in found:
            problems.append(f"test {key[1]} ran twice")
        bad = [
            f"{child.tag}: {(child.get('message') or child.text or '').strip()[:400]}"
            for child in case
            if child.tag in ("failure", "error", "skipped")
        ]
        found[key] = bad[0] if bad else ""
    return found, problems


def _result_problems(request: Request, evidence: Evidence) -> tuple[list[str], list[str]]:
    """(what is wrong with the executed set, what the executed tests say)."""
    executed, wrong = _executed(evidence.results)
    requested = set(request.tests)
    if not wrong or executed:
        wrong += [f"requested test {name} was not executed" for _m, name in sorted(requested - executed.keys())]
        wrong += [f"test {name} was executed and not requested" for _m, name in sorted(executed.keys() - requested)]
    wrong += [f"test {name} was skipped" for (_m, name), text in executed.items() if text.startswith("skipped")]
    failed = [f"{name}: {text}" for (_m, name), text in executed.items() if text and not text.startswith("skipped")]
    return wrong, failed


def _token_problems(request: Request, log: str, verdict: Verdict) -> list[str]:
    tokens = END_TOKEN.findall(log)
    problems = []
    for _module, name in request.tests:
        mine = [token for token in tokens if token[0] == name]
        if len(mine) != 1:
            problems.append(f"{len(mine) or 'no'} end token{'s' if len(mine) > 1 else ''} of test {name} in the log")
            continue
        transactions, comparisons, mismatches = map(int, mine[0][1:])
        verdict.transactions += transactions
        verdict.comparisons += comparisons
        problems += [
            f"test {name} counts no {word}"
            for word, n in (("transactions", transactions), ("comparisons", comparisons))
            if n == 0
        ]
        problems += [f"test {name} counts {mismatches} mismatches"] if mismatches else []
    problems += [
        f"end token of {token[0]}, which was not requested"
        for token in tokens
        if token[0] not in {n for _m, n in request.tests}
    ]
    return problems


def _note_failure(log: str, failed: list[str], verdict: Verdict) -> None:
    """Where and why it failed first: the testbench's own line, or the RTL's."""
    places: list[tuple[int, int | None, str]] = []
    match = RTL_ERROR.search(log)
    if match:
        places.append((int(match[1]), None, match[2].strip()))
    match = FAIL_LINE.search(log)
    if match:
        text = match[5].strip().replace("\nKVCPU-MORE", "\n")
        places.append((int(match[2]), int(match[1]), text if match[4] != "TaskFailed" or not failed else failed[0]))
    if places:
        verdict.failure_ps, verdict.failure_cycle, verdict.failure_text = min(places, key=lambda place: place[0])


def _killed(evidence: Evidence) -> str:
    """The signal that ended the simulator, when it was neither its own fault nor the runner's time limit."""
    names = {128 + signal.Signals[name]: name for name in KILLED_HINT}
    return "" if evidence.timed_out else names.get(evidence.exit_status, "")


def judge(request: Request, evidence: Evidence) -> Verdict:
    """Weigh the evidence; `reasons` says in order of importance what is missing or wrong."""
    verdict = Verdict(passed=False, killed=_killed(evidence))
    if verdict.killed:
        verdict.reasons = [f"the simulator was killed from outside by {verdict.killed}{KILLED_HINT[verdict.killed]}"]
        return verdict
    reasons = []
    if evidence.timed_out:
        reasons.append(f"wall clock limit of {request.timeout_s:g} s passed")
    if not request.tests:
        reasons.append("no test was requested")
    if not evidence.log.strip():
        reasons.append("the log is empty")
    wrong, failed = _result_problems(request, evidence)
    _note_failure(evidence.log, failed, verdict)
    errors = ERROR_LINE.findall(evidence.log)
    if request.expect == "fail":
        reasons += wrong if not evidence.log.strip() else []
        reasons += _expected_failure_problems(request, evidence, failed, errors)
    else:
        reasons += failed
        if evidence.exit_status != 0 and not evidence.timed_out:
            reasons.append(f"exit status {evidence.exit_status} instead of 0")
        reasons += wrong
        if errors and not failed:
            reasons.append(f"{len(errors)} unexpected error lines in the log, the first: {errors[0].strip()[:300]}")
        token_problems = _token_problems(request, evidence.log, verdict)
        reasons += token_problems if not failed else []
    verdict.reasons = reasons
    verdict.passed = not reasons
    return verdict


def _expected_failure_problems(request: Request, evidence: Evidence, failed: list[str], errors: list[str]) -> list[str]:
    """Why a leg that must fail did not fail as it must; a time limit is never the expected failure."""
    if any(match[4] == "WatchdogError" for match in FAIL_LINE.finditer(evidence.log)):
        return ["ended by a watchdog; a time limit is never the expected failure"]
    if not (failed or errors or evidence.exit_status):
        return [f"passed, though it must fail with a message like {request.expect_message!r}"]
    pattern = re.compile(request.expect_message)
    texts = [*failed, *errors, *(match[0] for match in FAIL_LINE.finditer(evidence.log))]
    if not any(pattern.search(text) for text in texts):
        seen = (texts or [f"exit status {evidence.exit_status}"])[0]
        return [f"failed without the expected message {request.expect_message!r}; seen: {seen[:300]}"]
    return []
