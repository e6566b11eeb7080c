"""Branch coverage of the software is kept when all its tests passed, and only then."""

import json
from pathlib import Path

import pytest

from tb.run import evidence
from tb.run.paths import ROOT
from tb.signoff import software


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """coverage.py with the exit status of each of its commands; 0 when none is given."""
    statuses: dict[str, int] = {}

    def run(*arguments: str) -> int:
        if arguments[0] == "json":
            totals = {"covered_branches": 19, "num_branches": 20}
            Path(arguments[-1]).write_text(json.dumps({"totals": totals}))
        return statuses.get(arguments[0], 0)

    monkeypatch.setattr(software, "_tool", run)
    monkeypatch.setattr(software, "find_spec", lambda _name: object())
    monkeypatch.setattr(software, "REPORT", tmp_path / "report")
    monkeypatch.setattr(software, "WORK", tmp_path / "work")
    monkeypatch.setattr(evidence, "EVIDENCE", tmp_path / "evidence")
    return statuses


def test_what_was_measured_is_kept(tool: dict[str, int], capsys: pytest.CaptureFixture[str]) -> None:
    assert software.main([]) == 0
    assert capsys.readouterr().out == "branch coverage of model and sw: 19 of 20\n"
    assert evidence.read("software").parts == {"branches": {"covered": 19, "total": 20}}


def test_some_tests_are_no_evidence(tool: dict[str, int]) -> None:
    assert software.main(["tests/regs"]) == 0
    assert not evidence.read("software").parts


@pytest.mark.parametrize(
    ("command", "message"), [("run", "a Python test failed"), ("combine", "could not be read"), ("json", "no coverage")]
)
def test_a_failure_leaves_none(
    command: str, message: str, tool: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    tool[command] = 1
    assert software.main([]) == 1
    assert message in capsys.readouterr().err
    assert not evidence.read("software").parts


def test_without_the_tool_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(software, "find_spec", lambda _name: None)
    assert software.main([]) == 2
    assert capsys.readouterr().err == "error: coverage.py is not installed: call `make setup-signoff`\n"


def test_every_folder_of_tests_is_there() -> None:
    assert [name for name in software.TESTS if not (ROOT / "tests" / name).is_dir()] == []
