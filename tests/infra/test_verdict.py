"""The verdict takes every piece of evidence: each one missing or wrong alone turns it red."""

from dataclasses import replace
from pathlib import Path

import pytest

from tb.run.verdict import Evidence, Request, judge

REQUEST = Request((("tb.block.test_x", "saturates"),), timeout_s=10)
LOG = "     0.00ns INFO     test   hello\nKVCPU-END test=saturates transactions=5 comparisons=7 mismatches=0\n"
CASE = '<testcase classname="tb.block.test_x" name="saturates">{}</testcase>'


def evidence(tmp_path: Path, body: str = CASE.format(""), log: str = LOG) -> Evidence:
    results = tmp_path / "results.xml"
    results.write_text(f"<testsuites><testsuite>{body}</testsuite></testsuites>")
    return Evidence(0, False, 1.0, log, results)


def test_everything_there_is_a_pass(tmp_path: Path) -> None:
    verdict = judge(REQUEST, evidence(tmp_path))
    assert verdict.passed, verdict.reasons
    assert (verdict.transactions, verdict.comparisons) == (5, 7)


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", "the log is empty"),
        ("hello\n", "no end token"),
        (LOG + LOG, "2 end tokens"),
        (LOG.replace("comparisons=7", "comparisons=0"), "counts no comparisons"),
        (LOG.replace("transactions=5", "transactions=0"), "counts no transactions"),
        (LOG.replace("mismatches=0", "mismatches=2"), "counts 2 mismatches"),
        (LOG.replace("saturates", "decays"), "no end token of test saturates"),
        (LOG + "[123000] %Error: rtl/x.sv:3: Assertion failed in TOP.x: bad\n", "1 unexpected error lines"),
        (LOG + "%Error: rtl/x.sv:3: Verilog $stop\n", "1 unexpected error lines"),
        (LOG + "UVM_ERROR tb/x.py(3) @ 0: bad\n", "1 unexpected error lines"),
        (LOG + "    12.00ns ERROR    some.component   bad\n", "1 unexpected error lines"),
        (LOG + "    12.00ns CRITICAL some.component   bad\n", "1 unexpected error lines"),
        (LOG + "Traceback (most recent call last):\n", "1 unexpected error lines"),
    ],
)
def test_a_wrong_log_is_red(tmp_path: Path, log: str, reason: str) -> None:
    verdict = judge(REQUEST, evidence(tmp_path, log=log))
    assert not verdict.passed
    assert any(reason in text for text in verdict.reasons), verdict.reasons


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "saturates was not executed"),
        (CASE.format("<skipped/>"), "skipped"),
        (CASE.format('<failure message="expected 1, seen 2"/>'), "expected 1, seen 2"),
        (CASE.format("") + CASE.format(""), "ran twice"),
        (CASE.format("") + CASE.format("").replace("saturates", "decays"), "decays was executed and not requested"),
        ("<broken", "results file is damaged"),
    ],
)
def test_a_wrong_results_file_is_red(tmp_path: Path, body: str, reason: str) -> None:
    verdict = judge(REQUEST, evidence(tmp_path, body))
    assert not verdict.passed
    assert any(reason in text for text in verdict.reasons), verdict.reasons


def test_no_results_file_is_red(tmp_path: Path) -> None:
    verdict = judge(REQUEST, replace(evidence(tmp_path), results=tmp_path / "none.xml"))
    assert any("no results file" in text for text in verdict.reasons)


def test_exit_status_is_red(tmp_path: Path) -> None:
    verdict = judge(REQUEST, replace(evidence(tmp_path), exit_status=1))
    assert verdict.reasons == ["exit status 1 instead of 0"]


def test_time_limit_is_red(tmp_path: Path) -> None:
    verdict = judge(REQUEST, replace(evidence(tmp_path), timed_out=True, exit_status=143))
    assert verdict.reasons == ["wall clock limit of 10 s passed"]


@pytest.mark.parametrize("expect", ["pass", "fail"])
@pytest.mark.parametrize(("status", "name"), [(137, "SIGKILL"), (143, "SIGTERM")])
def test_d1_a_simulator_killed_from_outside_is_no_verdict_on_the_test(
    tmp_path: Path, status: int, name: str, expect: str
) -> None:
    request = replace(REQUEST, expect=expect, expect_message=".*")
    verdict = judge(request, replace(evidence(tmp_path, "", "hello\n"), exit_status=status))
    assert not verdict.passed
    assert verdict.killed == name
    (reason,) = verdict.reasons
    assert f"killed from outside by {name}" in reason


def test_a_crash_is_the_fault_of_the_test(tmp_path: Path) -> None:
    verdict = judge(REQUEST, replace(evidence(tmp_path), exit_status=139))
    assert (verdict.killed, verdict.reasons) == ("", ["exit status 139 instead of 0"])


def test_zero_requested_tests_is_red(tmp_path: Path) -> None:
    verdict = judge(replace(REQUEST, tests=()), evidence(tmp_path, "", "hello\n"))
    assert "no test was requested" in verdict.reasons


def test_the_first_failure_is_told(tmp_path: Path) -> None:
    log = (
        "KVCPU-FAIL cycle=25 time_ps=98000 test=saturates kind=Mismatch SCORE entry=2: expected 3, seen 9\n"
        "KVCPU-MORE  SCORE entry=3: expected 4, seen 8 (2 of 4 differ)\n"
        "[99000] %Error: rtl/x.sv:3: later\n"
    )
    verdict = judge(REQUEST, evidence(tmp_path, log=log))
    assert (verdict.failure_cycle, verdict.failure_ps) == (25, 98000)
    assert verdict.failure_text.splitlines()[-1].strip() == "SCORE entry=3: expected 4, seen 8 (2 of 4 differ)"
