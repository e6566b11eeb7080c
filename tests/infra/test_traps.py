"""The twelve ways to be green by mistake (reference: traps), each planted and seen red."""

import re
from pathlib import Path

import pytest

from tb.run import regress as regress_module
from tb.run.leg import Job, Outcome, explain
from tb.run.manifest import Leg, Manifest, audit, declared_tests
from tb.run.regress import regress
from tb.run.results import Results
from tb.run.verdict import Verdict

from .conftest import RunPlanted


def red(outcome: Outcome, pattern: str) -> str:
    """The story of a failed run; the test fails when the run passed or the story lacks `pattern`."""
    story = explain(outcome)
    assert not outcome.verdict.passed, f"green by mistake: {outcome.log.read_text()}"
    assert re.search(pattern, story), story
    return story


@pytest.mark.parametrize("test", ["rtl_error", "rtl_assertion"])
def test_trap_1_rtl_error(run_planted: RunPlanted, test: str) -> None:
    red(run_planted(test), r"planted (error|assertion)")


def test_trap_2_filter_matches_nothing(run_planted: RunPlanted) -> None:
    red(run_planted("not_there"), "requested test not_there was not executed|no results file")


def test_trap_2_all_skipped(run_planted: RunPlanted) -> None:
    red(run_planted("skipped"), "skipped")


def test_trap_3_256_failures(monkeypatch: pytest.MonkeyPatch, manifest: Manifest, counter: Leg, tmp_path: Path) -> None:
    log = tmp_path / "sim.log"
    log.write_text("")
    verdict = Verdict(passed=False, reasons=["wall clock limit passed"])
    results = Results([Outcome(Job(counter, "counts", seed), verdict, 0.0, log) for seed in range(1, 257)])
    monkeypatch.setattr(regress_module, "run_legs", lambda *_args, **_fields: results)
    monkeypatch.setattr("tb.run.report.REPORT", tmp_path)
    monkeypatch.setattr("tb.run.history.HISTORY", tmp_path / "history")
    # One level: the test plan, which would fail too, is judged after whole regressions only.
    status = regress(manifest, seeds=1, quick=False, level=counter.level, coverage=False, workers=1)
    assert status == 1


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("UvmNoObjection", "no objection was raised"),
        ("UvmLoggerError", "planted logger error"),
        ("UvmLateAssert", "late value: expected 1, seen 2"),
        ("UvmCheckPhase", "count at check_phase: expected 3, seen 4"),
        ("UvmDropped", "UvmDropped was not executed|no results file"),
        ("logs_error", "planted error record"),
        ("bare_cocotb", "no end token of test bare_cocotb"),
    ],
)
def test_trap_5_pyuvm(run_planted: RunPlanted, test: str, message: str) -> None:
    red(run_planted(test), message)


def test_trap_5_undeclared_decorators_are_named() -> None:
    tests, complaints = declared_tests(Path(__file__).parent / "designs" / "test_planted.py")
    assert "UvmLateAssert" in tests
    assert "UvmDropped" not in tests
    assert len(complaints) == 3
    assert any("UvmDropped is declared with @pyuvm.test" in line for line in complaints)


def test_trap_5_unlisted_test_is_named(manifest: Manifest) -> None:
    lines = list(audit(manifest, ("tests/infra/designs",)))
    assert any("test UvmLateAssert is in no leg" in line for line in lines)
    assert not any("test counts is in no leg" in line for line in lines)


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("no_comparison", "no comparisons"),
        ("no_transaction", "no transactions"),
        ("lost_response", "channel `lookup responses`: 3 sent, 2 received"),
        ("empty_channel", "channel `lookup responses`: 0 sent, 0 received"),
        ("not_drained", "not drained after .* dma queue has 2"),
        ("end_check_fails", "FREE_SLOTS tier=1: expected 7, seen 6"),
        ("mismatch", r"SCORE entry=12 \(0xc\) lane=3: expected 100 \(0x64\), seen 127 \(0x7f\)"),
        ("mismatch_array", r"SCORE entry=2: expected 3, seen 9\n.*SCORE entry=3: expected 4, seen 8 \(2 of 4 differ\)"),
        ("expects_missing_error", "expected 1 error records"),
        ("task_fails", "planted in a task"),
    ],
)
def test_trap_6_counts(run_planted: RunPlanted, test: str, message: str) -> None:
    red(run_planted(test), message)


def test_declared_error_passes(run_planted: RunPlanted) -> None:
    outcome = run_planted("expects_error")
    assert outcome.verdict.passed, explain(outcome)


def test_trap_7_no_progress_says_who_waits(run_planted: RunPlanted) -> None:
    story = red(run_planted("waits_for_ever"), "no progress for 300 cycles")
    assert "lookup port 0 waits for rsp_valid_o since cycle" in story
    assert "driver waits for STEP done since cycle" in story


def test_trap_7_simulated_time(run_planted: RunPlanted) -> None:
    red(run_planted("runs_for_ever"), "not done after 500 cycles")


def test_trap_7_wall_clock_shows_the_stack(run_planted: RunPlanted) -> None:
    outcome = run_planted("hangs_in_python", timeout_s=3)
    red(outcome, "wall clock limit of 3 s passed")
    assert "in hangs_in_python" in outcome.log.read_text()


def test_trap_8_a_process_per_test(run_planted: RunPlanted) -> None:
    red(run_planted("rtl_assertion"), "planted assertion")
    after = run_planted("expects_error")
    assert after.verdict.passed, explain(after)


def test_trap_9_the_command_repeats_the_run(run_planted: RunPlanted) -> None:
    first, again, other = (run_planted("random_failure", seed) for seed in (7, 7, 8))
    story = red(first, "random value")
    assert "make sim TEST=counter.random_failure SEED=7" in story
    assert first.verdict.failure_text == again.verdict.failure_text
    assert first.verdict.failure_cycle == again.verdict.failure_cycle
    assert first.verdict.failure_text != other.verdict.failure_text
    assert first.verdict.failure_cycle != other.verdict.failure_cycle


def test_c5_numpy_follows_the_seed(run_planted: RunPlanted) -> None:
    first, again, other = (run_planted("numpy_failure", seed) for seed in (7, 7, 8))
    red(first, "random value")
    assert first.verdict.failure_text == again.verdict.failure_text
    assert first.verdict.failure_text != other.verdict.failure_text


def test_trap_10_registers_start_random(run_planted: RunPlanted) -> None:
    found = {
        re.search(r"initial=(\d+)", run_planted("random_failure", seed).verdict.failure_text)[1] for seed in (1, 2)
    }  # type: ignore[index]
    assert len(found) == 2
    assert "0" not in found


def test_trap_11_negative_leg_must_fire(run_planted: RunPlanted) -> None:
    fired = run_planted("mismatch", expect="fail", expect_message="SCORE entry=12")
    assert fired.verdict.passed, explain(fired)
    red(run_planted("expects_error", expect="fail", expect_message="SCORE"), "passed, though it must fail")
    red(run_planted("mismatch", expect="fail", expect_message="FREE_SLOTS"), "without the expected message .*SCORE")


@pytest.mark.parametrize(
    ("test", "timeout_s", "message"),
    [("hangs_in_python", 3, "wall clock limit"), ("waits_for_ever", 60, "ended by a watchdog")],
)
def test_trap_12_time_limit_is_no_expected_failure(
    run_planted: RunPlanted, test: str, timeout_s: int, message: str
) -> None:
    red(run_planted(test, timeout_s=timeout_s, expect="fail", expect_message=".*"), message)
