"""fpga.json and its page: each part keeps what it found last. Needs no FPGA tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fpga.flow import report
from fpga.flow.checks import Run
from fpga.flow.project import Project
from fpga.flow.step import Check


def part(check: str, *problems: str, **facts: Any) -> Run:
    return Run(Project.__new__(Project), print, [Check(check, list(problems))], facts)


def written(folder: Path, monkeypatch: pytest.MonkeyPatch, time: str, **runs: Run) -> dict[str, Any]:
    """fpga.json after a run of these parts at this time and commit."""
    source = {"time": time, "commit": f"commit{time[-1]}", "clean": True, "seed": None, "settings": {}}
    monkeypatch.setattr(report, "provenance", lambda _seed, _settings: source)
    report.write(runs, 1.0, folder)
    return json.loads((folder / "fpga.json").read_text())  # type: ignore[no-any-return]


def test_a7_one_part_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {
        "lint": part("lint of tiny"),
        "u250": part("budget", u250_lut=300, u250_instances={"tiny": {"lut": 300}}),
        "place": part("place and route", fmax_mhz=126.5, paths=[]),
    }
    written(tmp_path, monkeypatch, "2026-01-01", **whole)
    again = written(tmp_path, monkeypatch, "2026-01-02", lint=part("lint of tiny", "width mismatch"))
    assert (again["fmax_mhz"], again["u250_lut"]) == (126.5, 300)
    assert again["u250_instances"] == {"tiny": {"lut": 300}}
    assert {name: found["time"] for name, found in again["parts"].items()} == {
        "lint": "2026-01-02", "u250": "2026-01-01", "place": "2026-01-01",
    }  # fmt: skip
    assert (again["time"], again["commit"], again["passed"], again["failed"]) == ("2026-01-02", "commit2", 2, 1)
    assert [(check["part"], check["passed"]) for check in again["checks"]] == [
        ("lint", False), ("u250", True), ("place", True),
    ]  # fmt: skip
    page = (tmp_path / "fpga.html").read_text()
    assert "lint: 2026-01-02, commit commit2; u250: 2026-01-01, commit commit1" in page
    assert "width mismatch" in page


def test_a7_a_part_is_renewed_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A figure that the newest run of its part did not measure is no figure."""
    written(tmp_path, monkeypatch, "2026-01-01", place=part("place and route", fmax_mhz=126.5))
    again = written(tmp_path, monkeypatch, "2026-01-02", place=part("place and route", "does not fit"))
    assert "fmax_mhz" not in again
    assert again["failed"] == 1


@pytest.mark.parametrize("text", ["", "[]", '{"fmax_mhz": 1}', '{"parts": 3}'])
def test_a_report_of_another_form_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "fpga.json").write_text(text)
    assert list(written(tmp_path, monkeypatch, "2026-01-01", lint=part("lint"))["parts"]) == ["lint"]


def test_d2_the_bitstream_belongs_to_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bits").write_text("bits")
    written(tmp_path, monkeypatch, "2026-01-01", place=part("place and route", bitstream=str(tmp_path / "bits")))
    written(tmp_path, monkeypatch, "2026-01-02", lint=part("lint"))
    assert (tmp_path / "board.bit").read_text() == "bits"
