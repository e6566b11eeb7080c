"""Evidence counts for the sources that it was found on, and adds up over runs on the same ones."""

from pathlib import Path

import pytest

from tb.run import evidence
from tb.run.evidence import Inputs


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two folders; `lint` depends on one of them."""
    for name in ("rtl/a.sv", "tb/x.py", "tb/linux/y.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    monkeypatch.setattr(evidence, "EVIDENCE", tmp_path / "evidence")
    monkeypatch.setattr(evidence, "INPUTS", {"lint": Inputs(("rtl", "tb"), ("tb/linux",))})
    stamp = evidence.stamp
    monkeypatch.setattr(evidence, "stamp", lambda piece: stamp(piece, tmp_path))
    return tmp_path


def quiet(_text: str) -> None:
    pass


def test_without_a_run_there_is_none(project: Path) -> None:
    assert evidence.read("lint") == evidence.Evidence(reason="never run here")


def test_parts_add_up_on_the_same_sources(project: Path) -> None:
    taken = evidence.stamp("lint")
    evidence.keep("lint", taken, {"a": 1, "b": 1}, quiet)
    evidence.keep("lint", taken, {"b": 2}, quiet)
    assert evidence.read("lint").parts == {"a": 1, "b": 2}


@pytest.mark.parametrize("change", ["rtl/a.sv", "rtl/new.sv"])
def test_changed_sources_make_it_stale(project: Path, change: str) -> None:
    evidence.keep("lint", evidence.stamp("lint"), {"a": 1}, quiet)
    (project / change).write_text("changed")
    found = evidence.read("lint")
    assert not found.parts
    assert found.reason.startswith("the sources have changed since its last run (20")
    evidence.keep("lint", evidence.stamp("lint"), {"b": 2}, quiet)
    assert evidence.read("lint").parts == {"b": 2}, "what was found on other sources is gone"


@pytest.mark.parametrize("change", ["tb/linux/y.py", "docs.md", "tb/__pycache__/x.pyc"])
def test_other_files_do_not(project: Path, change: str) -> None:
    evidence.keep("lint", evidence.stamp("lint"), {"a": 1}, quiet)
    (project / change).parent.mkdir(exist_ok=True)
    (project / change).write_text("changed")
    assert evidence.read("lint").parts == {"a": 1}


def test_sources_that_change_during_a_run_make_it_no_evidence(project: Path) -> None:
    taken = evidence.stamp("lint")
    (project / "rtl/a.sv").write_text("changed")
    said: list[str] = []
    evidence.keep("lint", taken, {"a": 1}, said.append)
    assert said == ["sign-off: the sources changed during this run, so that it is no evidence for `lint`"]
    assert evidence.read("lint").reason == "never run here"


def test_damaged_evidence_does_not_count(project: Path) -> None:
    evidence.keep("lint", evidence.stamp("lint"), {"a": 1}, quiet)
    path = evidence.EVIDENCE / "lint.json"
    path.write_text(path.read_text().replace('"a": 1', '"a": 2'))
    assert evidence.read("lint").reason.endswith("lint.json is damaged")
    evidence.keep("lint", evidence.stamp("lint"), {"b": 1}, quiet)
    assert evidence.read("lint").parts == {"b": 1}


def test_the_pieces_depend_on_files_that_exist() -> None:
    for piece, inputs in evidence.INPUTS.items():
        for name in (*inputs.paths, *inputs.but):
            assert (evidence.ROOT / name).exists(), f"{piece}: {name}"
        assert list(inputs.files()), piece
