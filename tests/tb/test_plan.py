import json
from dataclasses import replace
from pathlib import Path

import pytest

from tb import plan
from tb.run.errors import UsageError
from tb.run.manifest import load

SENTENCE = "On a miss or denial tier, phys_addr and index are 0."
ROW = plan.Row("3.01", 3, SENTENCE, ("top_ports.test_fence",), ("lookup.read.hit",))
UNNAMED = "coverage point `lookup.read.hit` is named by no row: it decides nothing"


def problems(row: plan.Row) -> list[str]:
    goals = {"lookup.read.hit"}
    contracts = {name: path.read_text() for name, path in plan.CONTRACTS.items()}
    return list(plan.name_problems([row], load(), contracts, goals))


def test_the_plan_names_only_what_there_is() -> None:
    assert plan.main(["--names"]) == 0


def test_every_section_has_rows() -> None:
    assert {row.section for row in plan.read_plan() if row.contract == "device"} == set(range(1, 11))


def test_the_software_has_rows_on_the_rtl() -> None:
    rows = [row for row in plan.read_plan() if row.contract == "software"]
    assert {row.section for row in rows} >= {1, 2, 3, 4}
    levels = {leg.name: leg.level for leg in load().legs}
    assert {levels[test.partition(".")[0]] for row in rows for test in row.tests} == {"system"}


def test_a_good_row_has_no_problem() -> None:
    assert problems(ROW) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sentence": "Lookups are always right."}, "the device contract has no sentence `Lookups are always right.`"),
        ({"contract": "software"}, "the software contract has no sentence `On a miss or denial"),
        ({"tests": ("top_ports.test_nothing",)}, "no test `top_ports.test_nothing`"),
        ({"tests": ()}, "no test shows it"),
        ({"coverage": ("lookup.read.hit", "lookup.sideways")}, "no coverage point `lookup.sideways`"),
        ({"why": "it needs none"}, "it says why it needs no coverage point, and names one"),
        ({"stage": "V4"}, "stage V4 is none of V1, V2, V3"),
    ],
)
def test_a_bad_row_is_named(changed: dict[str, object], message: str) -> None:
    (found,) = problems(replace(ROW, **changed))  # type: ignore[arg-type]
    assert message in found
    assert "3.01" in found


def test_every_test_of_the_plan_says_what_it_drives_and_checks() -> None:
    about = plan.purposes(load())
    assert [test for row in plan.read_plan() for test in row.tests if not about.get(test)] == []
    assert about["csr_map.test_unaligned_and_strobes"].startswith("Unaligned accesses and partial strobes get SLVERR")


def test_a_row_without_a_coverage_point_says_why() -> None:
    assert problems(replace(ROW, coverage=(), why="a refusal")) == [UNNAMED]
    found, unnamed = problems(replace(ROW, coverage=(), why=" "))
    assert found == "row 3.01: it names no coverage point and does not say why it needs none (`why`)"
    assert unnamed == UNNAMED


def test_a_coverage_point_that_no_row_names_is_a_problem() -> None:
    goals = {"lookup.read.hit", "lookup.read.miss"}
    contracts = {name: path.read_text() for name, path in plan.CONTRACTS.items()}
    (found,) = plan.name_problems([ROW], load(), contracts, goals)
    assert found == "coverage point `lookup.read.miss` is named by no row: it decides nothing"


def test_a_row_without_a_passing_test_does_not_hold() -> None:
    row = plan.Row("1.01", 1, "", ("a.b", "a.c", "a.d"), ("x", "y"))
    found = plan.result_problems(row, {"a.b": True, "a.c": False}, {"x": 3, "y": 0})
    assert found == ["a.d did not run", "a.c failed", "coverage point y was not hit"]


def test_one_failing_seed_fails_the_test(tmp_path: Path) -> None:
    results = tmp_path / "regress.json"
    rows = [{"leg": "a", "test": "b", "seed": seed, "passed": seed != 2} for seed in (1, 2, 3)]
    results.write_text(json.dumps({"rows": rows}))
    assert plan.read_results(results) == {"a.b": False}


def test_no_results_end_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main(["--results", str(tmp_path / "none.json")]) == 1
    assert "no results of a regression" in capsys.readouterr().err


def test_a_plan_with_other_keys_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('[[rows]]\nid = "1"\nsection = 1\n')
    with pytest.raises(UsageError, match="row 1 must have exactly"):
        plan.read_plan(path)


@pytest.mark.parametrize("extra", ["contract = 'other'", "because = 'of this'"])
def test_a_row_of_another_form_is_refused(extra: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    known = "id = 'x'\nsection = 1\nstage = 'V1'\nsentence = 's'\ntests = []\ncoverage = []"
    path.write_text(f"[[rows]]\n{known}\n{extra}\n")
    with pytest.raises(UsageError, match="row 1 must have exactly id, section"):
        plan.read_plan(path)
