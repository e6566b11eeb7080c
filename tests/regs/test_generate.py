"""The generator: one description, no stale file, messages that name the line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sw.regs.generate import systemverilog
from sw.regs.generate.__main__ import SOURCE, main, outputs
from sw.regs.generated import ROOT

HEADER_TEST = """
#include "kvcpu_regs.h"
#include <stddef.h>
static_assert(offsetof(kvcpu_regs_t, STEP_ADVANCE) == 0x100, "STEP_ADVANCE");
static_assert(offsetof(kvcpu_regs_t, THRESHOLDS) == 0x530, "THRESHOLDS");
static_assert(sizeof(kvcpu_bar2_t) == 65536 * 32, "BAR2");
int main(void) { return KVCPU_STATUS_OK; }
"""


def test_generated_files_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A project with the description and its generated files only."""
    files = [SOURCE, *outputs(ROOT / SOURCE)]
    for path in files:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


@pytest.mark.slow
def test_every_stale_file_is_named(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generated = list(outputs(ROOT / SOURCE))
    for path in generated:
        text = (copy / path).read_text()
        (copy / path).write_text(text + " ")
        assert main(["--check", "--root", str(copy)]) == 1
        assert f"{path} is stale" in capsys.readouterr().err
        (copy / path).write_text(text)
    (copy / generated[0]).unlink()
    assert main(["--check", "--root", str(copy)]) == 1
    assert f"{generated[0]} is stale" in capsys.readouterr().err


def test_a_changed_description_makes_files_stale_and_regenerates(copy: Path) -> None:
    source = copy / SOURCE
    text = source.read_text()
    moved = text.replace("} CMD_SPAN @ 0x0070;", "} CMD_SPAN @ 0x0098;")
    assert moved != text
    source.write_text(moved)
    assert main(["--check", "--root", str(copy)]) == 1
    assert main(["--root", str(copy)]) == 0
    assert main(["--check", "--root", str(copy)]) == 0
    assert "0x0098" in (copy / "sw/regs/registers.py").read_text()


def test_a_bad_description_is_one_clear_error(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = copy / SOURCE
    source.write_text(source.read_text().replace("} R_SHIFT @ 0x0048;", "} R_SHIFT @ 0x0040;"))
    assert main(["--root", str(copy)]) == 2
    captured = capsys.readouterr()
    assert "kvcpu.rdl:" in captured.out + captured.err
    assert "R_SHIFT" in captured.out + captured.err


@pytest.mark.parametrize(("compiler", "standard", "suffix"), [("cc", "c11", "c"), ("c++", "c++17", "cpp")])
def test_header_compiles(tmp_path: Path, compiler: str, standard: str, suffix: str) -> None:
    program = shutil.which(compiler)
    if program is None:
        pytest.skip(f"no {compiler} on this machine")
    source = tmp_path / f"header.{suffix}"
    source.write_text(HEADER_TEST)
    command = [
        program,
        f"-std={standard}",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-I",
        str(ROOT / "sw/include"),
        "-fsyntax-only",
    ]
    result = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_generator_of_another_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def export(_self: object, _node: object, directory: str, **_options: object) -> None:
        (Path(directory) / "kvcpu_regs.sv").write_text("module kvcpu_regs; endmodule\n")

    monkeypatch.setattr(systemverilog.RegblockExporter, "export", export)
    assert main(["--check"]) == 2
    assert "peakrdl-regblock's text has changed" in capsys.readouterr().err


def test_command_line() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "sw.regs.generate", "--no-such-option"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "usage" in result.stderr
