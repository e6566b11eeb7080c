"""docs/tutorials/planted-bug.md: its bug, planted in a copy, gives the failure and the waves that the page shows."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tb.run.paths import CACHE, ROOT
from tb.run.process import clean_env

PAGE = (ROOT / "docs" / "tutorials" / "planted-bug.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```", PAGE, re.S | re.M)
FOLDERS = ("rtl", "tb", "sw", "model")


def _block(start: str) -> str:
    return next(text for text in BLOCKS if text.startswith(start))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the test needs, with the bug planted by the page's own command."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / "sim_build" / "cache").mkdir(parents=True)
    (CACHE / "objects").mkdir(parents=True, exist_ok=True)
    (tmp_path / "sim_build" / "cache" / "objects").symlink_to(CACHE / "objects")
    subprocess.run(shlex.split(_block("sed -i")), cwd=tmp_path, check=True)
    return tmp_path


def test_the_failure_and_its_waves(copy: Path) -> None:
    test = re.search(r"TEST=(\S+) SEED=(\d+)", _block("make sim"))
    assert test is not None
    command = [sys.executable, "-m", "tb.run", "run", "--waves", "failure", f"--test={test[1]}", f"--seed={test[2]}"]
    environment = clean_env({"PYTHONPATH": str(copy)})
    ended = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert _block("FAILED") in ended.stdout
    session = copy / _block("gtkwave").split()[1]
    assert session.is_file()
    assert "s4_sum[15:0]" in (copy / "rtl" / "hepc" / "kvcpu_hepc_lane.sv").read_text()
