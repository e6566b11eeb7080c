"""The stage follows from the numbers, the numbers from the evidence; what is not known is never counted as passed."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tb.plan import STAGES, Row
from tb.run.evidence import Evidence
from tb.run.manifest import Leg, Top
from tb.run.manifest import load as load_manifest
from tb.signoff import __main__ as command
from tb.signoff import report
from tb.signoff.measure import Facts, Topic, measure, project_facts, read_topics, share
from tb.signoff.numbers import NUMBERS, STEPS, Judgement, Number, Value, missing_line

GOOD = {number.name: Value(list(number.thresholds.values())[-1], "all", "now") for number in NUMBERS}


def leg(name: str, *tests: str, quick: bool = True) -> Leg:
    top: Top = next(iter(load_manifest().tops.values()))
    return Leg(name, "top", top, "tb.top.test_smoke", tests, "a leg of this test", quick=quick)


FACTS = Facts(
    rows=(
        Row("1.01", 1, "", ("a.one",), ("p.hit",), stage="V1"),
        Row("1.02", 1, "", ("a.one", "b.two"), (), stage="V3", why="none"),
    ),
    legs=(leg("a", "one"), leg("b", "two", quick=False)),
    goals=("p.hit", "p.miss"),
    topics=(Topic("V1", "FIFOs: order", ("fifo",)), Topic("V2", "judge: references", ("judge",))),
    proofs={"fifo": ["fifo.p_a"], "judge": ["judge.p_b", "judge.p_c"]},
    defects=("d1", "d2"),
    folders=("rtl/dma", "rtl/cmd"),
)
SETTLED = {"result": "proven", "depth": None, "vacuous": False}
PARTS: dict[str, dict[str, Any]] = {
    "runs": {
        f"{test} seed {seed}": {"passed": True, "points": ["p.hit"]}
        for test in ("a.one", "b.two")
        for seed in range(1, 5)
    },
    "lint": {"lint": {"passed": 9, "failed": 0}},
    "formal": {
        "fifo": {"problems": [], "properties": {"fifo.p_a": SETTLED}},
        "judge": {"problems": [], "properties": {"judge.p_b": SETTLED, "judge.p_c": {**SETTLED, "result": "bounded"}}},
    },
    "defects": {"d1": {"verdict": "noticed"}, "d2": {"verdict": "noticed"}},
    "mutation": {folder: {"mutants": 300, "noticed": 299, "explained": 1} for folder in FACTS.folders},
    "soak": {"a.one seed 1001": {"passed": True, "cycles": 10**8}},
    "software": {"branches": {"covered": 19, "total": 20}},
}


def values_of(parts: Mapping[str, Mapping[str, Any]], facts: Facts = FACTS) -> dict[str, Value]:
    return measure(
        facts, lambda piece: Evidence(parts.get(piece, {}), "now", "" if piece in parts else "never run here")
    )


def test_all_numbers_reach_v3() -> None:
    judgement = Judgement(GOOD)
    assert (judgement.stage, judgement.after) == ("V3", None)


def test_without_any_evidence_no_stage_is_reached() -> None:
    judgement = Judgement(values_of({}))
    assert (judgement.stage, judgement.after) == (None, "V1")
    assert len(judgement.missing("V3")) == len(NUMBERS)
    assert all("not measured (never run here)" in line for line in judgement.missing("V3"))


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
@pytest.mark.parametrize("value", ["worse", None])
def test_each_number_keeps_its_stage_down(number: Number, value: str | None) -> None:
    stage = next(iter(number.thresholds))
    needed = number.thresholds[stage]
    bad = None if value is None else needed + 1 if number.at_most else needed - 0.01
    judgement = Judgement(GOOD | {number.name: Value(bad, "9 of 10")})
    before = STAGES[: STAGES.index(stage)]
    assert judgement.stage == (before[-1] if before else None)
    assert judgement.after == stage
    (line,) = judgement.missing(stage)
    assert line.startswith(f"{number.name}: ")
    assert f"(9 of 10), {stage} needs {'at most' if number.at_most else 'at least'} " in line
    assert line.endswith(f": {STEPS[number.step].typed}")
    assert ("not measured" in line) == (value is None)


def test_a_missing_line_has_number_value_threshold_and_command() -> None:
    number = next(number for number in NUMBERS if number.name == "line_coverage")
    line = missing_line(number, Value(87.1, "871 of 1,000"), "V2")
    assert line == "line_coverage: 87.1 % (871 of 1,000), V2 needs at least 95 %: make regress SEEDS=4 COVERAGE=1"


def test_numbers_from_evidence() -> None:
    found = {name: value.value for name, value in values_of(PARTS).items() if value.value is not None}
    assert found == {
        "plan_rows_shown": 100, "smoke_runs_passed": 100, "lint_failures": 0, "formal_topics_v1": 100,
        "plan_points_hit": 100, "plan_rows_v2": 100, "formal_topics": 100, "properties_settled": 100,
        "defects_detected": 2, "defects_missed": 0, "regression_passed": 100,
        "points_hit": 50, "plan_rows_v3": 100, "properties_unbounded": 66.66, "mutants": 600, "mutants_survived": 0,
        "soak_cycles": 10**8, "soak_failures": 0, "software_branch_coverage": 95,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("piece", "part", "change", "name", "value", "note"),
    [
        ("runs", "a.one seed 1", {"passed": False}, "smoke_runs_passed", 0, "0 of 1"),
        ("runs", "a.one seed 3", {"passed": False}, "plan_rows_shown", 0, "row 1.01, row 1.02"),
        ("runs", "b.two seed 4", {"passed": False}, "regression_passed", 87.5, "b.two seed 4"),
        ("runs", "b.two seed 4", None, "regression_passed", None, "1 of 8 runs were not made: b.two seed 4"),
        ("runs", "b.two seed 4", {"passed": False}, "plan_rows_v3", 50, "row 1.02"),
        ("lint", "lint", {"failed": 2}, "lint_failures", 2, "9 passed"),
        ("formal", "fifo", {"problems": ["p_a fails"]}, "formal_topics_v1", 0, "FIFOs"),
        ("formal", "judge", None, "formal_topics", None, "not run: judge"),
        ("formal", "judge", {"properties": {}}, "properties_settled", 33.33, "judge.p_b, judge.p_c"),
        ("defects", "d2", {"verdict": "survived"}, "defects_missed", 1, "d2"),
        ("defects", "d2", None, "defects_detected", 1, "1 of 2 were planted"),
        ("mutation", "rtl/cmd", {"noticed": 290}, "mutants_survived", 9, "589 of 600 detected"),
        ("mutation", "rtl/cmd", None, "mutants_survived", None, "folders not mutated: rtl/cmd"),
        ("soak", "a.one seed 1001", {"passed": False}, "soak_cycles", 0, "1 runs"),
        ("soak", "a.one seed 1001", {"passed": False}, "soak_failures", 1, "a.one seed 1001"),
    ],
)
def test_what_went_wrong_is_in_the_number_and_its_note(
    piece: str, part: str, change: dict[str, Any] | None, name: str, value: float | None, note: str
) -> None:
    parts = {key: dict(found) for key, found in PARTS.items()}
    if change is None:
        del parts[piece][part]
    else:
        parts[piece][part] = {**parts[piece][part], **change}
    found = values_of(parts)[name]
    assert found.value == value
    assert note in found.note


def test_a_vacuous_property_is_not_settled() -> None:
    judge = {"problems": [], "properties": {"judge.p_b": SETTLED, "judge.p_c": {**SETTLED, "vacuous": True}}}
    values = values_of({**PARTS, "formal": {**PARTS["formal"], "judge": judge}})
    assert values["properties_settled"].value == 66.66


def test_a_topic_without_proofs_does_not_hold() -> None:
    topics = (*FACTS.topics, Topic("V1", "AXI4 master: stable", ()))
    found = values_of(PARTS, replace(FACTS, topics=topics))["formal_topics_v1"]
    assert found.value == 50
    assert "AXI4 master" in found.note


def test_a_point_of_a_run_that_failed_was_not_hit() -> None:
    runs = {title: {**part, "passed": False} for title, part in PARTS["runs"].items()}
    assert values_of({"runs": runs})["plan_points_hit"].value == 0


def test_a_share_is_100_only_when_it_is_all() -> None:
    assert share(99_999, 100_000) == 99.99
    assert share(100_000, 100_000) == 100
    assert share(0, 0) == 0


def test_a_topic_whose_proof_does_not_exist_does_not_hold() -> None:
    topics = (*FACTS.topics, Topic("V1", "AXI4 master: stable", ("dma_axi",)))
    assert values_of(PARTS, replace(FACTS, topics=topics))["formal_topics_v1"].value == 50


def test_every_proof_is_in_a_topic_and_every_topic_names_proofs_that_exist() -> None:
    named = {name for topic in read_topics() for name in topic.proofs}
    assert named == set(project_facts().proofs), "tb/signoff/topics.toml and tb/formal/proofs.toml differ"


# ---------------------------------------------------------------- the command


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """`python -m tb.signoff` with evidence and steps of the test: `parts` by piece, `steps` that it ran."""
    state: dict[str, Any] = {"parts": {}, "steps": [], "after": {}}

    def step(name: str, _place: str) -> None:
        state["steps"].append(name)
        state["parts"] = {**state["parts"], **state["after"].get(name, {})}

    monkeypatch.setattr(command, "project_facts", lambda: FACTS)
    monkeypatch.setattr(command, "measure", lambda _facts: values_of(state["parts"]))
    monkeypatch.setattr(command, "_run", step)
    monkeypatch.setattr("tb.run.history.HISTORY", tmp_path / "history")
    write = report.write
    monkeypatch.setattr(report, "write", lambda data, say: write(data, say, tmp_path))
    state["folder"] = tmp_path
    return state


def test_it_runs_what_v1_needs_and_no_more(called: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    called["after"] = {
        "smoke": {"runs": {f"{test} seed 1": {"passed": True, "points": ["p.hit"]} for test in ("a.one", "b.two")}},
        "lint": {"lint": PARTS["lint"]},
        "formal of V1": {"formal": {"fifo": PARTS["formal"]["fifo"]}},
    }
    assert command.main([]) == 0
    assert called["steps"] == ["smoke", "lint", "formal of V1"]
    data = json.loads((called["folder"] / "signoff.json").read_text())
    assert (data["stage"], data["next"]) == ("V1", "V2")
    assert any(line.startswith("line_coverage: not measured (never run here), V2 needs") for line in data["missing"])
    number = data["numbers"]["line_coverage"]
    assert (number["value"], number["thresholds"]) == (None, {"V1": None, "V2": 95, "V3": 95})
    said = capsys.readouterr().out
    assert "sign-off: stage V1 is reached" in said
    assert "V2: not reached" in said


def test_evidence_that_is_there_is_not_made_again(called: dict[str, Any]) -> None:
    called["parts"] = PARTS
    assert command.main([]) == 0
    assert called["steps"] == []


def test_a_stage_that_is_not_reached_is_status_1(called: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    called["parts"] = PARTS
    assert command.main(["--stage=V2"]) == 1
    assert called["steps"] == ["regression"]  # coverage has no evidence; nothing else is missing
    assert "V2: not reached, 5 numbers are missing" in capsys.readouterr().out
    assert command.main(["--stage=V1"]) == 0


def test_below_v1_is_status_1(called: dict[str, Any]) -> None:
    assert command.main([]) == 1
    assert json.loads((called["folder"] / "signoff.json").read_text())["stage"] is None


@pytest.mark.parametrize("stage", ["V4", "v1", "3"])
def test_a_wrong_stage_is_status_2(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([f"--stage={stage}"]) == 2
    assert capsys.readouterr().err == f"error: STAGE={stage}: one of V1, V2, V3\n"


def test_the_page_has_stage_missing_numbers_and_trends(called: dict[str, Any]) -> None:
    called["parts"] = {**PARTS, "lint": {"lint": {"passed": 1, "failed": 3}}}
    command.main([])
    called["parts"] = PARTS
    command.main([])
    page = (called["folder"] / "signoff.html").read_text()
    assert "stage V1 is reached" in page
    assert "Missing for V2" in page
    assert "<code>make regress SEEDS=4 COVERAGE=1</code>" in page
    assert page.count('<svg class="spark"') == len([n for n in NUMBERS if values_of(PARTS)[n.name].value is not None])
    assert all(f'<code class="dim">{number.name}</code>' in page for number in NUMBERS)
    lines = [json.loads(line) for line in (called["folder"] / "history" / "signoff.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == [None, "V1"]
    assert [line["numbers"]["lint_failures"] for line in lines] == [3, 0]
    drawn = report.trend(lines, "lint_failures", "")
    assert drawn.points[0][1] < drawn.points[1][1], "fewer failures are lower"


@pytest.mark.parametrize(("ended", "status"), [(130, 130), (-2, 130), (2, 1), (1, 1)])
def test_how_a_step_ends_decides_how_the_command_ends(
    ended: int, status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def end(command: list[str], **_fields: object) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.CompletedProcess(command, ended)

    monkeypatch.setattr(command, "project_facts", lambda: FACTS)
    monkeypatch.setattr(command, "measure", lambda _facts: values_of({}))
    monkeypatch.setattr("tb.signoff.__main__.subprocess.run", end)
    monkeypatch.setattr("tb.run.history.HISTORY", tmp_path / "history")
    write = report.write
    monkeypatch.setattr(report, "write", lambda data, say: write(data, say, tmp_path))
    assert command.main([]) == status
    said = capsys.readouterr()
    assert ("interrupted: what was found until now is kept" in said.err) == (status == 130)
    assert (tmp_path / "signoff.json").exists() == (status == 1)
