"""Branches of the driver: what gcov's report says, summed over guests; and the driver's planted defects apply."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb.defects.catalogue import load
from tb.defects.driver import CATALOGUE
from tb.linux import coverage
from tb.linux.coverage import branches, judge, reasons
from tb.linux.programs import DRIVER
from tb.run.errors import CheckError
from tb.run.paths import ROOT

SOURCE = """\
static int f(int x)
{
	lockdep_assert_held(&lock);
	if (x)
		return 1;
	return x > 2 ? 3 : 4;
}
"""


def report(counts: dict[int, list[int]]) -> dict[str, object]:
    lines = [
        {"line_number": number, "function_name": "f", "branches": [{"count": count} for count in row]}
        for number, row in counts.items()
    ]
    name = str(DRIVER / "kv_main.c")
    return {"files": [{"file": name, "lines": lines}, {"file": "/usr/include/linux/list.h", "lines": lines}]}


def test_counts_are_of_the_drivers_own_files() -> None:
    found = branches(report({4: [3, 0]}))
    assert found == {("kv_main.c", "f", 4, 0): 3, ("kv_main.c", "f", 4, 1): 0}


def test_guests_add_up_and_assertions_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kv_main.c").write_text(SOURCE)
    why = tmp_path / "unreached.toml"
    why.write_text("[[unreached]]\nfile = 'kv_main.c'\ntext = 'x > 2'\nwhy = 'x is 0 here'\n")
    monkeypatch.setattr(coverage, "reasons", lambda: reasons(why))
    one, other = branches(report({3: [1, 0], 4: [1, 0], 6: [5, 0]})), branches(report({4: [0, 2]}))
    judged = judge([one, other], tmp_path)
    assert (judged.branches, judged.taken, judged.percent) == (4, 3, 75.0)
    (line,) = judged.unreached
    assert (line.file, line.line, line.branches, line.why) == ("kv_main.c", 6, 1, "x is 0 here")


def test_excluded_branches_do_not_count_and_one_that_is_taken_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kv_main.c").write_text(SOURCE)
    why = tmp_path / "unreached.toml"
    why.write_text("[[unreached]]\nfile = 'kv_main.c'\ntext = 'x > 2'\nwhy = 'a constant'\nexcluded = 1\n")
    monkeypatch.setattr(coverage, "reasons", lambda: reasons(why))
    judged = judge([branches(report({4: [1, 1], 6: [5, 0, 0]}))], tmp_path)
    assert (judged.branches, judged.taken, judged.unreached[0].branches) == (4, 3, 1)
    with pytest.raises(CheckError, match=r"kv_main.c:6: 1 branches of `x > 2` are excluded .* a test has taken one"):
        judge([branches(report({4: [1, 1], 6: [5, 2, 3]}))], tmp_path)


def test_reasons_are_for_lines_that_are_there() -> None:
    for reason in reasons():
        assert reason.why
        assert reason.text in (DRIVER / reason.file).read_text(), reason


def test_a_malformed_list_of_reasons_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "unreached.toml"
    path.write_text("[[unreached]]\nfile = 'kv_main.c'\n")
    with pytest.raises(CheckError, match=r"unreached\.toml"):
        reasons(path)


def test_the_planted_defects_of_the_driver_apply() -> None:
    defects = load(CATALOGUE)
    assert len(defects) >= 12
    for defect in defects:
        assert defect.planted(ROOT) != (ROOT / defect.file).read_text()
        suite, _, test = defect.test.partition(".")
        assert f"TEST({test})" in (ROOT / "tb" / "linux" / "guest" / f"test_{suite}.c").read_text(), defect.id
