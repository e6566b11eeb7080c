"""`make doctor` on machines that have, and that do not have, what it looks for."""

from pathlib import Path

import pytest

from tb.run import doctor as doctor_module
from tb.run import tools
from tb.run.doctor import doctor


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    for search in (tools.find_compiler, tools.find_verilator, tools.fst_available):
        search.cache_clear()


def program(folder: Path, name: str, text: str = "exit 0") -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a0_an_empty_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor() == 1
    said = capsys.readouterr().out
    for text in ("`make` is needed and not installed", "no C++ compiler found", "lz4 and zlib headers are missing"):
        assert text in said
    assert "neither surfer nor gtkwave is on the path" in said


@pytest.mark.parametrize("headers", [True, False])
def test_a0_headers_and_viewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], headers: bool
) -> None:
    """A compiler that finds the headers of FST, or not; a wave viewer; make and perl."""
    compiles = "exit 0" if headers else "exit 1"
    program(tmp_path, "c++", f'[ "$1" = --version ] && {{ echo c++ 99; exit 0; }}; {compiles}')
    for name in ("make", "perl", "gtkwave"):
        program(tmp_path, name)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("COLUMNS", "400")  # a long path is not wrapped
    assert doctor() == 0
    said = capsys.readouterr().out
    assert ("lz4 and zlib headers found" in said) is headers
    assert str(tmp_path / "gtkwave") in said
    assert doctor_module.FST_HINT.split(",")[0] in said or headers
