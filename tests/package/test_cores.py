from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tb.run.paths import ROOT

BIN = Path(sys.executable).parent
PACKAGES = ["rtl/kvcpu_pkg.sv", "rtl/regs/kvcpu_regs_map_pkg.sv", "rtl/regs/kvcpu_regs_pkg.sv"]


def _core_files(root: Path = ROOT) -> list[str]:
    core = yaml.safe_load((root / "kvcpu.core").read_text().removeprefix("CAPI=2:"))
    return [name if isinstance(name, str) else next(iter(name)) for name in core["filesets"]["rtl"]["files"]]


def _bender_files() -> list[str]:
    groups = yaml.safe_load((ROOT / "Bender.yml").read_text())["sources"]
    return [name for group in groups for name in group["files"]]


@pytest.mark.parametrize("listed", [_core_files, _bender_files])
def test_every_source_is_listed_packages_first(listed: object) -> None:
    files = [name for name in listed() if name.endswith(".sv")]  # type: ignore[operator]
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "rtl").rglob("*.sv")}
    assert set(files) == there, "kvcpu.core and Bender.yml name every file of rtl/ and no other"
    assert len(files) == len(there)
    assert files[: len(PACKAGES)] == PACKAGES


def _fusesoc(root: Path, work: Path) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "fusesoc"), "--cores-root", str(root), "run", "--target=lint", "kvcpu:device:kvcpu"]
    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(work)}
    return subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False, timeout=300)


def _copy(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "rtl", root / "rtl")
    shutil.copy(ROOT / "kvcpu.core", root)
    return root


def test_fusesoc_runs_the_lint_target(tmp_path: Path) -> None:
    ended = _fusesoc(_copy(tmp_path), tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_lint_error_fails_the_target(tmp_path: Path) -> None:
    root = _copy(tmp_path)
    source = root / "rtl" / "kvcpu_soft_reset.sv"
    source.write_text(source.read_text().replace("endmodule", "  logic planted;\nendmodule"))
    ended = _fusesoc(root, tmp_path)
    assert ended.returncode != 0
    assert "planted" in ended.stdout + ended.stderr
