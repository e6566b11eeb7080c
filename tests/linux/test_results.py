"""What a guest's log says: results, promises that were not kept, and faults that the kernel reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tb.linux import kernel, ktap, programs, report
from tb.linux.cli import comparable
from tb.linux.ktap import FAILED, PASSED, SKIPPED, Result
from tb.linux.machine import Boot
from tb.linux.options import Chosen, choose, parse
from tb.run import tools
from tb.run.errors import UsageError

LOG = """\
KTAP version 1\r
1..4\r
[    0.100000] kv_cpu 0000:00:00.0: kvcpu0: 1024 entries, MSI
smoke: all good
ok 1 a.one\r
# test_a.c:9: x == y (errno 5: EIO)
not ok 2 a.two
ok 3 a.three # SKIP no such thing
ok 4 a.four
# end
"""
CHOSEN = Chosen("a", "*", ("a.one", "a.two", "a.three", "a.four"))


def boot(log: str, fault: str = "", status: int = 0) -> Boot:
    return Boot(log, fault, status, 2.0, 1000, 600, 50, 20, 0.5, 0.2)


def test_results_of_a_log() -> None:
    parsed = ktap.parse(LOG)
    assert parsed.planned == 4
    assert parsed.problems() == []
    assert parsed.results == (
        Result("a.one", PASSED),
        Result("a.two", FAILED, "test_a.c:9: x == y (errno 5: EIO)"),
        Result("a.three", SKIPPED, "no such thing"),
        Result("a.four", PASSED),
    )


@pytest.mark.parametrize(
    ("log", "problem"),
    [
        ("", "the guest has printed no test plan"),
        ("1..3\nok 1 a.one\n", "3 tests were planned, 1 have ended"),
    ],
)
def test_a_log_that_ends_early_is_no_pass(log: str, problem: str) -> None:
    suite = report.judge(CHOSEN, boot(log))
    assert suite.problems[0] == problem
    assert {result.result for result in suite.results if result.name != "a.one"} == {FAILED}


@pytest.mark.parametrize(
    "line",
    [
        "[    0.1] WARNING: possible circular locking dependency detected",
        "[    0.1] BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580",
        "[    0.1] INFO: task init:1 blocked for more than 120 seconds.",
        "[    0.1] kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
        "[    0.1] Kernel panic - not syncing: Attempted to kill init!",
        "# unreferenced object 0x61d00000 (size 64):",
    ],
)
def test_a_fault_of_the_kernel_fails_the_suite(line: str) -> None:
    suite = report.judge(CHOSEN, boot(f"{LOG}{line}\n"))
    assert suite.problems == (f"kernel log: {line}",)
    outcome = report.Outcome("6.1", "model", [suite])
    assert not outcome.passed


def test_the_first_failure_of_a_log() -> None:
    assert ktap.failure(LOG) == "a.two: test_a.c:9: x == y (errno 5: EIO)"
    passed = LOG.replace("not ok 2", "ok 2")
    assert ktap.failure(passed) == ""
    assert ktap.failure(f"{passed}[ 0.1] BUG: no lock\n") == "kernel log: [ 0.1] BUG: no lock"
    assert ktap.failure(passed.replace("ok 4 a.four", "")) == "4 tests were planned, 3 have ended"


def test_steps_to_interrupts_are_in_the_report() -> None:
    log = "1..1\nstep to interrupt: 1280 ns, counted 1164 ns\r\nstep to interrupt: 1024 ns, counted 1164 ns\nok 1 a.b\n"
    outcome = report.Outcome("6.1", "rtl", [report.judge(Chosen("a", "*", ("a.b",)), boot(log))])
    assert outcome.figures()["step_to_irq_ns"] == {"linux": [1280, 1024], "rtl": [1164, 1164]}
    assert report.Outcome("6.1", "rtl").figures()["step_to_irq_ns"] is None


def test_the_first_failure_has_its_time() -> None:
    suite = report.judge(CHOSEN, replace(boot(LOG), check_failed_ns=12345))
    assert suite.results[1].message == "test_a.c:9: x == y (errno 5: EIO), at 12,345 ns of device time"


def test_runs_that_differ_are_no_pass() -> None:
    log = LOG.replace("not ok 2", "ok 2")
    outcome = report.Outcome("6.1", "rtl", [report.judge(CHOSEN, boot(log))], identical_runs=2, repeats=3)
    assert not outcome.passed
    assert outcome.problems == ["of 3 runs of one suite only 2 had the same logs and times"]


def test_what_runs_must_have_in_common() -> None:
    one = replace(boot("socket /tmp/kvcpu-abc_1/pci0"), events="12")
    assert comparable(one) == comparable(replace(one, log="socket /tmp/kvcpu-zzz/pci0", seconds=9.0))
    for other in ({"log": "x"}, {"events": "13"}, {"simulated_ns": 1}, {"accesses": 1}, {"messages": 1}):
        assert comparable(one) != comparable(replace(one, **other))


def test_the_known_warning_of_user_mode_linux_is_no_fault() -> None:
    known = (
        "[ 0.0] WARNING: suspicious RCU usage\n[ 0.0] lib/maple_tree.c:860 suspicious rcu_dereference_check() usage!\n"
        "[ 0.0] Call Trace:\n[ 0.0]  ? force_flush_all+0x6c/0xa0\n"
    )
    assert ktap.kernel_faults(known) == []
    assert len(ktap.kernel_faults(known.replace("force_flush_all", "kv_open"))) == 1
    assert len(ktap.kernel_faults(known.replace("lib/maple_tree.c", "kv_file.c"))) == 1


def test_a_guest_that_ends_badly_is_no_pass() -> None:
    log = LOG.replace("not ok 2", "ok 2")
    assert report.Outcome("6.1", "model", [report.judge(CHOSEN, boot(log))]).passed
    for bad in (boot(log, status=134), boot(log, fault="the guest is silent")):
        assert not report.Outcome("6.1", "model", [report.judge(CHOSEN, bad)]).passed
    assert not report.Outcome("6.1", "model").passed  # nothing was run


def test_the_report(tmp_path: Path) -> None:
    suite = report.judge(Chosen("rate", "*", ("rate.a",)), boot("1..1\nok 1 rate.a\n"))
    outcome = report.Outcome("6.1.192", "model", [suite], {"devices": "<one>"}, identical_runs=3)
    report.write(outcome, {}, tmp_path)
    data = json.loads((tmp_path / "kernel.json").read_text())
    assert (data["kernel"], data["passed"], data["failed"], data["skipped"]) == ("6.1.192", 1, 0, 0)
    assert data["mmio_per_s"] == 3000
    assert data["identical_runs"] == 3
    page = (tmp_path / "kernel.html").read_text()
    assert "rate.a" in page
    assert "&lt;one&gt;" in page


# ---------------------------------------------------------------- what is asked for


def test_patterns_choose_suites() -> None:
    listed = ["a.one", "a.two", "b.one"]
    assert choose("*", listed) == [Chosen("a", "*", ("a.one", "a.two")), Chosen("b", "*", ("b.one",))]
    assert choose("a", listed) == [Chosen("a", "a.*", ("a.one", "a.two"))]
    assert choose("*.one", listed) == [Chosen("a", "*.one", ("a.one",)), Chosen("b", "*.one", ("b.one",))]
    with pytest.raises(UsageError, match="TEST=c: no such test"):
        choose("c", listed)
    with pytest.raises(UsageError, match="BACKEND=board"):
        parse(["--backend=board"])
    with pytest.raises(UsageError, match="TEST has no effect with SHELL=1"):
        parse(["--shell", "--test=a"])


def test_missing_packages_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "KERNEL_SOURCE", tmp_path / "linux-source-6.1.tar.xz")
    with pytest.raises(UsageError) as caught:
        tools.require_kernel_packages()
    said = str(caught.value)
    assert said.startswith("`make kernel` needs Debian's linux-source-6.1, flex, bison, bc, m4, gcc, ")
    assert said.endswith("apt-get install linux-source-6.1 flex bison bc m4 gcc xz-utils tar patch util-linux")
    assert "\n" not in said


def test_make_kernel_is_asked_for_by_name() -> None:
    """Here `make test` says in one line what it leaves out, and why."""
    if missing := tools.missing_kernel_packages():
        pytest.skip(f"`make kernel` cannot be called: Debian's {', '.join(missing)} are not installed")
    tools.require_kernel_packages()


def test_an_option_without_effect_is_found() -> None:
    wanted = "# text\nCONFIG_A=y\nCONFIG_B=1234\nCONFIG_C=y\n"
    assert kernel.unset(wanted, "CONFIG_A=y\nCONFIG_B=1\n# CONFIG_C is not set\n") == ["CONFIG_B=1234", "CONFIG_C=y"]


def test_warnings_of_the_compiler_count() -> None:
    text = (
        'WARNING: Module.symvers is missing.\nWARNING: modpost: "free_irq" [kv_cpu.ko] undefined!\n'
        "kv_hw.c:3:5: warning: unused variable 'x' [-Wunused-variable]\n"
    )
    assert programs.compiler_warnings(text) == ["kv_hw.c:3:5: warning: unused variable 'x' [-Wunused-variable]"]
