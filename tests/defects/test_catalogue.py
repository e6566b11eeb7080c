"""The catalogue of planted defects stays applicable: every defect still finds its place and its test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tb.defects.catalogue import CATALOGUE, GUIDE, Defect, chosen, guide_with_table, load
from tb.run.errors import CheckError, UsageError
from tb.run.manifest import load as load_manifest
from tb.run.paths import MANIFEST, ROOT


@pytest.mark.parametrize("defect", load(), ids=lambda defect: defect.id)
def test_defect_applies(defect: Defect) -> None:
    assert defect.planted(ROOT) != (ROOT / defect.file).read_text()


def test_at_least_twenty() -> None:
    assert len(load()) >= 20


def test_tests_exist() -> None:
    known = {f"{leg.name}.{test}" for leg in load_manifest(MANIFEST).legs for test in leg.tests}
    assert {defect.test for defect in load()} <= known


def test_moved_text_is_reported(tmp_path: Path) -> None:
    defect = Defect("x", "2", "s", "rtl/a.sv", "old", "new", "leg.test", "m")
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "a.sv").write_text("old old")
    with pytest.raises(CheckError, match="2 times"):
        defect.planted(tmp_path)


def test_unknown_id() -> None:
    with pytest.raises(UsageError, match="nonsense"):
        chosen(load(), ["nonsense"])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("sentence =", "sentense =", 1),
        lambda text: text.replace("message = '", "message = '(", 1),
        lambda text: text.replace("id = '", "id = ", 1),
    ],
)
def test_malformed_catalogue(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    path = tmp_path / "defects.toml"
    path.write_text(spoil(CATALOGUE.read_text()))
    with pytest.raises(CheckError):
        load(path)


def test_guide_lists_the_catalogue() -> None:
    assert GUIDE.read_text() == guide_with_table(load()), "python -m tb.defects --guide writes the table anew"


def test_guide_without_table(tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text("# Guide\n")
    with pytest.raises(CheckError, match="no table"):
        guide_with_table(load(), tmp_path / "guide.md")
