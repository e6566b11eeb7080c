"""Reports of a regression: one fault in one group, well-formed JUnit, the state of the sources, all files together."""

import errno
import json
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tb.run import regress as regress_module
from tb.run import report as report_module
from tb.run.buckets import buckets, summary
from tb.run.coverage import FileCoverage, Point, annotated
from tb.run.engine import Local
from tb.run.errors import UsageError
from tb.run.leg import Job, Outcome
from tb.run.manifest import Leg, Manifest
from tb.run.provenance import provenance, shown_commit
from tb.run.regress import regress
from tb.run.report import write_reports
from tb.run.results import Broken, Results
from tb.run.text import fault
from tb.run.trend import charts, shown_rate
from tb.run.verdict import Verdict

SETTINGS = {"level": "block", "quick": False, "seeds": None, "coverage": False}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(report_module, "REPORT", tmp_path)
    monkeypatch.setattr("tb.run.history.HISTORY", tmp_path / "history")
    monkeypatch.setattr(report_module, "_judge_plan", lambda _staged: ("", True, None))
    return tmp_path


@pytest.fixture
def outcome(counter: Leg, tmp_path: Path) -> Callable[..., Outcome]:
    def make(text: str = "", seed: int = 1, test: str = "counts", reason: str = "") -> Outcome:
        verdict = Verdict(passed=not (text or reason), reasons=[reason] if reason else [], comparisons=3)
        if text:
            verdict = replace(verdict, reasons=[f"{test}: {text}"], failure_text=text, failure_cycle=12)
        return Outcome(Job(counter, test, seed), verdict, 1.0, tmp_path / "run" / str(seed) / "sim.log")

    return make


def write(*outcomes: Outcome, **settings: object) -> dict[str, Any]:
    return write_reports(Results(list(outcomes)), {**SETTINGS, **settings}, print).data


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SCORE entry=12 (0xc) lane=3: expected 100 (0x64), seen 127 (0x7f)",
         "SCORE entry=7 (0x7) lane=11: expected 1,000 (0x3E8), seen -5"),
        ("counts waits since cycle 1,234 (12.5 ns)", "other waits since cycle 7 (3 us)"),
        ("u_port3 lost [1, 2, 3]", "u_port0 lost [4]"),
        ("built from 0abcdef12", "built from 4d9ef4a947b2968846fa"),
        ("address 64'hdead_beef", "address 64'h0"),
        ("seed 4: no /home/a/sim_build/run/x/seed4/events.sqlite", "seed 12: no /tmp/b/run/x/seed12/events.sqlite"),
        ("../rtl/hepc/kvcpu_hepc_lane.sv:41: a_stable", "rtl/hepc/kvcpu_hepc_lane.sv:77: a_stable"),
    ],
)  # fmt: skip
def test_a8_one_fault_is_one_group(outcome: Callable[..., Outcome], folder: Path, one: str, other: str) -> None:
    data = write(outcome(one, seed=1), outcome(other, seed=2, test="other"), outcome("something else", seed=3))
    assert [bucket["count"] for bucket in data["buckets"]] == [2, 1]
    assert json.loads((folder / "regress.json").read_text())["buckets"] == data["buckets"]


def test_a8_different_faults_stay_apart() -> None:
    assert fault("tier=1, seen 2") == "tier=N, seen N"
    assert fault("S1 has no slot") != fault("S2 has no slot")
    assert fault("tier 1: expected 3") != fault("lane 1: expected 3")
    assert fault("rtl/a.sv:1: bad") == "a.sv:N: bad" != fault("rtl/b.sv:1: bad")
    assert fault("read/write in 1/2 of the lines / rows") == "read/write in N of the lines / rows"


def test_each_bucket_has_one_command_that_repeats_its_quickest_run(
    outcome: Callable[..., Outcome], folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regress_module, "rerun_with_waves", lambda *_arguments: None)
    slow, quick = outcome("expected 1, seen 2", seed=3), replace(outcome("expected 5, seen 7", seed=2), seconds=0.5)
    results = Results([slow, outcome(), quick, outcome(reason="exit status 9", seed=4)])
    regress_module.tell(results, Local(1))
    said = capsys.readouterr().out
    assert said.endswith(
        "3 failures in 2 buckets:\n"
        "  2 x expected N, seen N\n"
        "    tests  counter.counts seed 2, counter.counts seed 3\n"
        "    repeat make sim TEST=counter.counts SEED=2\n"
        "  1 x exit status N\n"
        "    tests  counter.counts seed 4\n"
        "    repeat make sim TEST=counter.counts SEED=4\n"
    )
    assert said.count("FAILED ") == 2, "one run of each bucket in full"
    data = write_reports(results, SETTINGS, print).data
    assert data["buckets"][0] == {
        "message": "expected N, seen N",
        "count": 2,
        "tests": ["counter.counts seed 2", "counter.counts seed 3"],
        "repeat": "make sim TEST=counter.counts SEED=2",
    }
    page = (folder / "regress.html").read_text()
    assert page.count('<code class="repeat">') == 2
    assert "expected N, seen N</h3>" in page


def test_a_long_bucket_is_cut_on_the_terminal(outcome: Callable[..., Outcome]) -> None:
    text = summary(buckets(Results([outcome("bad", seed=seed) for seed in range(1, 31)]).failures))
    assert "  30 x bad\n" in text
    assert "and 22 more\n" in text


def test_legs_with_one_broken_build_are_one_bucket(counter: Leg, folder: Path) -> None:
    text = "build of `counter` failed in verilator (all of it in {}):\n%Error: rtl/a.sv:3: no such signal x"
    legs = [replace(counter, name=name) for name in ("one", "other")]
    results = Results([], [Broken(leg, text.format(number)) for number, leg in enumerate(legs)])
    (bucket,) = write_reports(results, SETTINGS, print).data["buckets"]
    assert (bucket["message"], bucket["tests"]) == ("%Error: a.sv:N: no such signal x", ["one.build", "other.build"])
    assert bucket["repeat"] == "make sim TEST=one"
    check_junit(ET.parse(folder / "regress.xml").getroot())


@pytest.mark.parametrize("code", ["\x1b[31m", "\x00", "\x08", "\ud800", "\ufffe", "\r"])
def test_a8_control_characters_leave_junit_well_formed(
    outcome: Callable[..., Outcome], folder: Path, code: str
) -> None:
    write(outcome(f"seen {code}1"), outcome(reason=f"exit {code}", seed=2))
    root = ET.parse(folder / "regress.xml").getroot()
    messages = [failure.get("message") for failure in root.iter("failure")]
    assert len(messages) == 2
    assert all("\\x" in str(message) for message in messages)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "2", "0")
    assert code not in (folder / "regress.html").read_text()


def test_a_broken_build_is_an_error_of_its_leg(folder: Path, counter: Leg) -> None:
    write_reports(Results([], [Broken(counter, "build of \x1b[1m`counter` failed")]), SETTINGS, print)
    (error,) = ET.parse(folder / "regress.xml").getroot().iter("error")
    assert error.text == "build of \\x1b[1m`counter` failed"


def test_a8_a_report_says_of_which_sources_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"rev-parse": "0123456789ab", "status": ""}
    monkeypatch.setattr("tb.run.provenance._git", lambda command, *_rest: said[command])
    clean = provenance(3, {"a": 1})
    assert (clean["commit"], clean["clean"], clean["seed"], clean["settings"]) == ("0123456789ab", True, 3, {"a": 1})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", clean["time"])
    said["status"] = " M rtl/kvcpu.sv"
    assert shown_commit(provenance(None, {})) == "commit 0123456789ab, modified"
    monkeypatch.setattr("tb.run.provenance._git", lambda *_rest: None)
    assert provenance(None, {})["clean"] is None
    assert shown_commit(provenance(None, {})) == "commit unknown"


def test_a8_the_page_shows_a_modified_tree(
    outcome: Callable[..., Outcome], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"rev-parse": "0123456789ab", "status": " M rtl/kvcpu.sv"}
    monkeypatch.setattr("tb.run.provenance._git", lambda command, *_rest: said[command])
    write(outcome())
    assert "commit 0123456789ab, modified" in (folder / "regress.html").read_text()
    assert json.loads((folder / "regress.json").read_text())["clean"] is False


def test_a8_the_page_is_self_contained(outcome: Callable[..., Outcome], folder: Path) -> None:
    write(outcome("expected <b>1</b>, seen 2"))
    page = (folder / "regress.html").read_text()
    assert not re.search(r"<(script|link|img)\b|url\(|@import", page)
    assert "&lt;b&gt;" in page
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    assert "make sim TEST=counter.counts SEED=1" in page


# The JUnit schema that CI systems share (that of Ant, with the attributes of Jenkins): of each element
# the attributes it must have, those it may have, and its children.
JUNIT = {
    "testsuites": ({"tests", "failures", "errors"}, {"name", "time"}, ["testsuite"]),
    "testsuite": ({"name", "timestamp", "tests", "failures", "errors", "time"}, {"skipped", "hostname"}, ["testcase"]),
    "testcase": ({"name", "classname", "time"}, set(), ["error", "failure"]),
    "error": ({"type"}, {"message"}, []),
    "failure": ({"type"}, {"message"}, []),
}  # fmt: skip
WHOLE = {"tests", "failures", "errors", "skipped"}


def check_junit(element: ET.Element) -> None:
    needed, allowed, children = JUNIT[element.tag]
    assert needed <= set(element.keys()) <= needed | allowed, f"<{element.tag}> has {sorted(element.keys())}"
    for name, value in element.items():
        pattern = {"time": r"\d+(\.\d+)?", "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"}.get(name)
        pattern = r"\d+" if name in WHOLE else pattern or r"(?s).*\S.*"
        assert re.fullmatch(pattern, value), f"<{element.tag} {name}={value!r}>"
    assert element.tag != "testcase" or len(element) <= 1, "a test failed or could not run, not both"
    assert element.tag in ("error", "failure") or not (element.text or "").strip()
    for child in element:
        assert child.tag in children, f"<{child.tag}> within <{element.tag}>"
        check_junit(child)


def test_junit_follows_the_common_schema(outcome: Callable[..., Outcome], folder: Path, counter: Leg) -> None:
    broken = Broken(replace(counter, name="broken"), "build of `counter` failed\n%Error: a.sv:1: x")
    runs = [
        outcome(),
        outcome("expected 1,\n seen 2", seed=2),
        outcome(reason="", seed=3),
        outcome(reason="exit 1", seed=4),
    ]
    write_reports(Results(runs, [broken]), SETTINGS, print)
    root = ET.parse(folder / "regress.xml").getroot()
    check_junit(root)
    assert {failure.get("type") for failure in root.iter("failure")} == {"expected N,", "exit N"}
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("5", "2", "1")


def test_a8_the_trend_has_axes_and_runs_of_one_kind(outcome: Callable[..., Outcome], folder: Path) -> None:
    write(outcome())
    write(outcome("bad"))
    write(outcome(), level="top")
    write(outcome())
    page = (folder / "regress.html").read_text()
    assert page.count("<title>20") == 2 * 3, "three runs in each of two drawings"
    assert ">tests</text>" in page
    assert ">seconds</text>" in page
    assert "UTC)</text>" in page


def run_of(**fields: object) -> dict[str, Any]:
    run = {"time": "2026-01-02T03:04:05Z", "commit": "", "clean": None, "passed": 30, "failed": 3, "seconds": 1}
    return {**run, "code_coverage": {}, **fields}


def test_trends_show_tests_durations_and_coverage() -> None:
    tests, times = charts([run_of()])
    (bar,) = tests.bars
    assert [text for _, text in tests.marks] == ["0", "20", "40"]
    assert bar.parts[0][2] == pytest.approx(10 * bar.parts[1][2])
    assert "30 passed, 3 failed (90.9 %), 1.0 s" in bar.title
    assert times.unit == "seconds"
    runs = [run_of(code_coverage={"line": 50.0}, seconds=600), run_of(), run_of(code_coverage={"line": 100.0})]
    _tests, times, coverage = charts(runs)
    assert (times.unit, times.marks[2][1]) == ("minutes", "10")
    (line,) = coverage.lines
    assert line.name == "line 100.0 %"
    assert [y for _, y in line.points] == [coverage.marks[1][0], coverage.marks[2][0]]
    assert len(coverage.bars) == 3


def test_a_pass_rate_is_100_only_when_nothing_failed() -> None:
    assert shown_rate(run_of(passed=9_999, failed=1)) == "99.9 %"
    assert shown_rate(run_of(passed=3, failed=0)) == "100 %"
    assert shown_rate(run_of(passed=0, failed=0)) == "0 %"


def test_d2_reports_of_a_full_disk_leave_the_last_ones(
    outcome: Callable[..., Outcome], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(outcome())
    before = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"the report was not written \(No space left on device") as error:
        write(outcome("bad"))
    assert "\n" not in str(error.value)
    assert {path: path.read_text() for path in folder.rglob("*") if path.is_file()} == before


def test_a1_a_run_without_coverage_fails_the_regression(
    outcome: Callable[..., Outcome], folder: Path, monkeypatch: pytest.MonkeyPatch, manifest: Manifest
) -> None:
    results = Results([outcome()], coverage=True)
    monkeypatch.setattr(regress_module, "run_legs", lambda *_args, **_fields: results)
    assert regress(manifest, seeds=1, quick=False, level="infra", coverage=True, workers=1) == 1
    (problem,) = json.loads((folder / "regress.json").read_text())["problems"]
    assert problem.endswith("coverage.dat is missing")
    assert "coverage.dat is missing" in (folder / "regress.html").read_text()


def test_a1_lines_are_annotated_with_what_was_hit() -> None:
    counts = {
        Point("rtl/a.sv", 1, 3, "line", "block", "1-2"): 5,
        Point("rtl/a.sv", 2, 3, "branch", "if"): 5,
        Point("rtl/a.sv", 2, 4, "branch", "else"): 0,
        Point("rtl/a.sv", 3, 3, "line", "if", "3"): 0,
        Point("rtl/a.sv", 4, 3, "toggle", "x[0]:0->1"): 0,
        Point("rtl/a.sv", 4, 3, "toggle", "x[0]:1->0"): 0,
    }
    lines = annotated(FileCoverage(counts=counts), "a\nb\nc\nd\ne\n")
    assert [(line.count, line.state) for line in lines] == [
        (5, "hit"), (5, "part"), (0, "miss"), (None, "miss"), (None, ""),
    ]  # fmt: skip
    assert lines[1].missed == ["branch else"]
    assert lines[3].missed == ["toggle x[0]:0->1, x[0]:1->0"]
