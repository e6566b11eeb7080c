from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tb.run.paths import ROOT

LINTER = Path(sys.executable).parent / "lint-imports"
PLANTED = {
    "model/slots.py": "from sw.run import run",
    "sw/regs/register.py": "from model.types import Status",
    "sw/run.py": "from tb.run.paths import ROOT",
    "model/types.py": "from model.device import DeviceModel",
}


def _lint(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINTER), "--no-cache"], cwd=root, env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def _copy(root: Path) -> Path:
    for name in ("sw", "model", "tb", "fpga"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.sv", "*.cpp"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


@pytest.mark.parametrize("file", PLANTED)
def test_a_planted_import_fails(file: str, tmp_path: Path) -> None:
    root = _copy(tmp_path)
    path = root / file
    path.write_text(path.read_text() + f"\n{PLANTED[file]}\n")
    ended = _lint(root)
    assert ended.returncode == 1
    assert file.split("/", maxsplit=1)[0] in ended.stdout
    assert "BROKEN" in ended.stdout
