"""`make test`: what its parts report about tests that were not run."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tb.run import check as check_module
from tb.run import process
from tb.run.check import EXTRA, PARTS, check, skipped
from tb.run.errors import UsageError
from tb.run.manifest import Manifest
from tb.run.paths import ROOT

NO_TOOLS = "the FPGA tools are not installed: `make setup-fpga` does it"


def suite_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Let the parts run these tests in place of the project's."""
    (tmp_path / "test_it.py").write_text(text)
    real = process.run

    def run(command: list[str], *, cwd: Path, **rest: object) -> process.Ended:
        assert cwd == ROOT
        kept = [word for word in command if word not in ("-n", "auto", "tests/fpga")]
        return real([*kept, "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)], cwd=tmp_path, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(check_module.process, "run", run)


SOME_SKIPPED = f"""
import pytest
def test_good(): pass
@pytest.mark.skip(reason={NO_TOOLS!r})
@pytest.mark.parametrize("n", range(3))
def test_left_out(n): pass
"""


def test_a0_what_is_left_out_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], manifest: Manifest
) -> None:
    suite_of(tmp_path, monkeypatch, SOME_SKIPPED)
    assert check(manifest, "pytest") == 0
    said = capsys.readouterr().out
    assert said.count(NO_TOOLS) == 1
    assert f"  not run: 3 tests: {NO_TOOLS}\n" in said
    assert said.endswith("1 passed, 0 failed\n")


def test_a0_the_fpga_part_leaves_nothing_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], manifest: Manifest
) -> None:
    suite_of(tmp_path, monkeypatch, SOME_SKIPPED)
    assert check(manifest, "fpga") == 1
    assert f"FAILED: 3 tests: {NO_TOOLS}\n" in capsys.readouterr().out


def test_an_empty_run_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: Manifest) -> None:
    suite_of(tmp_path, monkeypatch, "")
    assert check(manifest, "pytest") == 1


def test_a0_make_test_needs_no_fpga_tools() -> None:
    assert set(EXTRA) == {"fpga", "cluster"}
    assert not EXTRA.keys() & PARTS.keys()
    order = [
        line for line in (ROOT / ".ci/run").read_text().splitlines() if "make" in line and not line.startswith("#")
    ]
    assert order[:2] == ["make test || exit", "make sim || exit"], "CI begins with README's commands, nothing before"


def test_a_part_that_is_not_there(manifest: Manifest) -> None:
    with pytest.raises(
        UsageError, match=r"^ONLY=x: one of generated files, manifest, lint, pytest, legs, fpga, cluster$"
    ):
        check(manifest, "x")


def test_skip_reasons_are_counted() -> None:
    text = (
        "<testsuite><testcase><skipped message='a'/></testcase><testcase><skipped message='a'/></testcase></testsuite>"
    )
    assert skipped(ET.fromstring(text)) == {"a": 2}
    assert skipped(None) == {}
