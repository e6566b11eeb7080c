"""Exclusions of code coverage: data that cannot outlive what it describes; floors; the numbers before and after."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tb.formal.catalogue import load as load_proofs
from tb.run import regress
from tb.run.coverage import Point, by_file, lcov, percentages
from tb.run.errors import UsageError
from tb.run.evidence import Evidence
from tb.run.exclusions import Exclusion, Rules, below, load_rules, stale, without, wrong
from tb.run.leg import Job, Outcome
from tb.run.report import coverage_problems
from tb.run.results import Results
from tb.run.verdict import Verdict
from tb.signoff.measure import of_coverage
from tests.signoff.test_stages import FACTS

SOURCE = "module a;\n  default: state = IDLE;\nendmodule\n"
POINTS = {
    Point("rtl/a.sv", 1, 1, "line", "block", "1"): 4,
    Point("rtl/a.sv", 2, 3, "branch", "if"): 4,
    Point("rtl/a.sv", 2, 3, "branch", "else"): 0,
    Point("rtl/a.sv", 2, 3, "toggle", "x[0]:0->1"): 0,
    Point("rtl/a.sv", 2, 3, "toggle", "x[1]:0->1"): 0,
}
FILES = by_file(POINTS)
ELSE = Exclusion("rtl/a.sv", 2, "default: state = IDLE;", "branch", "cannot happen: one-hot", "else", "fifo.p_a")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl/a.sv").write_text(SOURCE)
    return tmp_path


def test_excluded_points_do_not_count(root: Path) -> None:
    assert percentages(FILES.values()) == {"line": 100.0, "branch": 50.0, "toggle": 0.0}
    assert percentages(without(FILES, [ELSE]).values()) == {"line": 100.0, "branch": 100.0, "toggle": 0.0}
    assert not list(stale([ELSE], root))
    assert not list(wrong(FILES, [ELSE]))


@pytest.mark.parametrize(("what", "count"), [("x[0]:0->1", 1), ("x[*]:0->1", 2), ("*", 2), ("x0:0->1", 0)])
def test_bits_are_named_one_by_one_or_by_a_pattern(what: str, count: int) -> None:
    rest = without(FILES, [replace(ELSE, kind="toggle", what=what)])
    assert FILES["rtl/a.sv"].total["toggle"] - rest["rtl/a.sv"].total["toggle"] == count


def test_an_exclusion_that_is_hit_is_a_problem() -> None:
    (problem,) = wrong(by_file({**POINTS, Point("rtl/a.sv", 2, 3, "branch", "else"): 7}), [ELSE])
    assert problem == (
        "exclusion rtl/a.sv:2 branch else (cannot happen: one-hot) is hit 7 times (else): remove it"
    )  # fmt: skip


def test_an_exclusion_without_a_point_is_a_problem_where_its_file_was_measured() -> None:
    (problem,) = wrong(FILES, [replace(ELSE, line=1)])
    assert problem == "exclusion rtl/a.sv:1 branch else: there is no such coverage point"
    assert not list(wrong(FILES, [replace(ELSE, file="rtl/b.sv")]))


def test_an_exclusion_whose_line_has_changed_is_a_problem(root: Path) -> None:
    (root / "rtl/a.sv").write_text(SOURCE.replace("IDLE", "FAILED"))
    (problem,) = stale([ELSE], root)
    assert problem == (
        "exclusion rtl/a.sv:2 branch else: the line has changed from `default: state = IDLE;` to "
        "`default: state = FAILED;`: judge it again"
    )
    for gone in (replace(ELSE, line=9), replace(ELSE, file="rtl/b.sv")):
        assert next(stale([gone], root)).endswith("there is no such line")


def test_a_floor_holds_for_its_scope() -> None:
    rules = Rules((), {"block": {"branch": 60.0, "line": 100.0}})
    settings = {"level": "block", "quick": False}
    (problem,) = coverage_problems(FILES, settings, rules)
    assert problem == "code coverage: branch coverage is 50.0 %, the floor is 60.0 % (tb/coverage.toml)"
    assert coverage_problems(FILES, {"level": None, "quick": False}, rules) == []
    assert coverage_problems(FILES, {"level": "block", "quick": True}, rules) == []
    assert not list(below({"branch": 60.0}, {"branch": 60.0}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('kind = "branch"', 'kind = "fsm"'), "the kind is one of line, branch, expr, toggle"),
        (lambda text: text.replace("cannot happen", "not reachable"), "goes with a proof"),
        (lambda text: text.replace("proof =", "prove ="), "must have file, kind, line, reason, text"),
        (lambda text: text.replace("line = 2\n", ""), "must have file, kind, line, reason, text"),
        (lambda text: text + "[floors.all]\nlines = 3\n", "floors.all: a kind is one of"),
        (lambda text: text + "[", "tb"),
    ],
)
def test_wrong_rules_are_named(change: Callable[[str], str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "coverage-of-tb.toml"
    good = (
        '[[exclusions]]\nfile = "rtl/a.sv"\nline = 2\ntext = "default: state = IDLE;"\nkind = "branch"\n'
        'reason = "cannot happen: one-hot"\nwhat = "else"\nproof = "fifo.p_a"\n'
    )
    path.write_text(good)
    assert load_rules(path).exclusions == [ELSE]
    path.write_text(change(good))
    with pytest.raises(UsageError, match=message):
        load_rules(path)


def test_the_projects_own_rules_hold() -> None:
    rules = load_rules()
    assert list(stale(rules.exclusions)) == []
    labels = {f"{proof.name}.{label}" for proof in load_proofs() for label in proof.properties}
    assert [str(one) for one in rules.exclusions if one.proof and one.proof not in labels] == []


def test_lcov_has_lines_and_branches() -> None:
    text = lcov(FILES)
    assert text == (
        "TN:\nSF:rtl/a.sv\nBRDA:2,3,0,0\nBRDA:2,3,1,4\nBRF:2\nBRH:1\nDA:1,4\nLF:1\nLH:1\nend_of_record\n"
    )  # fmt: skip


# ---------------------------------------------------------------- in the sign-off


def kept(*legs: str) -> Evidence:
    rows: dict[str, list[list[object]]] = {}
    for point, count in POINTS.items():
        rows.setdefault(point.file, []).append([point.line, point.column, point.kind, point.what, point.block, count])
    return Evidence({"legs": list(legs), "points": rows}, "now")


def test_coverage_of_all_legs_is_a_number(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tb.signoff.measure.stale", lambda exclusions: stale(exclusions, root))
    facts = replace(FACTS, exclusions=[ELSE])
    values = of_coverage(kept("a", "b"), facts, {"fifo.p_a"})
    assert (values["branch_coverage"].value, values["branch_coverage_after"].value) == (50, 100)
    values = of_coverage(kept("a", "b"), facts, set())
    assert values["branch_coverage_after"].value == 50, "its proof does not hold, so that it does not count"
    assert values["branch_coverage_after"].note == "1 of 2; 1 exclusions do not count"
    (root / "rtl/a.sv").write_text("")
    assert of_coverage(kept("a", "b"), facts, {"fifo.p_a"})["branch_coverage_after"].value == 50


def test_coverage_of_some_legs_is_not_measured() -> None:
    value = of_coverage(kept("a"), FACTS, set())["branch_coverage"]
    assert value.value is None
    assert value.note == "50 % without 1 of 2 legs: b"


def test_coverage_adds_up_over_regressions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tb.run.evidence.EVIDENCE", tmp_path)
    taken = regress.evidence.stamp("coverage")
    for leg, count in ((FACTS.legs[0], 0), (FACTS.legs[1], 3)):
        outcome = Outcome(Job(leg, "one", 1), Verdict(True), 1.0, tmp_path / "sim.log")
        point = Point("rtl/a.sv", 2, 3, "branch", "else")
        regress.keep_coverage(Results([outcome], coverage=True), by_file({**POINTS, point: count}), taken)
    found = regress.evidence.read("coverage").parts
    assert found["legs"] == ["a", "b"]
    assert regress.points_of(found)[Point("rtl/a.sv", 2, 3, "branch", "else")] == 3
    assert regress.points_of(found)[Point("rtl/a.sv", 1, 1, "line", "block", "1")] == 8
