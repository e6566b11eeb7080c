"""docs/tutorials/kernel-bug.md: its bug, planted by the page's own command, is detected by the test that the page runs.

The page runs it on the RTL (`make kernel`, minutes); here it is the device model, in seconds, where the kernel is built.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tb.linux import kernel
from tb.run.paths import CACHE, ROOT
from tb.run.process import clean_env
from tb.run.tools import missing_kernel_packages

PAGE = (ROOT / "docs" / "tutorials" / "kernel-bug.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```", PAGE, re.S | re.M)
FOLDERS = ("tb", "sw", "model")


def _block(start: str) -> str:
    return next(text for text in BLOCKS if text.startswith(start))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the test needs, with the bug planted by the page's own command."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = (tmp_path / "sw/linux/kv_hw.c").read_text().splitlines()
    subprocess.run(shlex.split(_block("sed -i")), cwd=tmp_path, check=True)
    after = (tmp_path / "sw/linux/kv_hw.c").read_text().splitlines()
    assert [old for old, new in zip(before, after, strict=True) if old != new] == [
        "\twhile ((events = kv_read(kv, KV_IRQ_STATUS)) && !kv_gone(kv)) {"
    ]
    return tmp_path


def test_the_bug_is_detected(copy: Path) -> None:
    if missing := missing_kernel_packages():
        pytest.skip(f"`make kernel` cannot be called: Debian's {', '.join(missing)} are not installed")
    if not kernel.is_built():
        pytest.skip("the kernel is not built: `make kernel` does it")
    (copy / "sim_build" / "cache").mkdir(parents=True)
    (copy / "sim_build" / "cache" / "kernel").symlink_to((CACHE / "kernel").resolve())
    test = re.search(r"TEST=(\S+)", _block("make kernel"))
    assert test is not None
    command = [sys.executable, "-m", "tb.linux", "--backend=model", f"--test={test[1]}"]
    environment = clean_env({"PYTHONPATH": str(copy)})
    ended = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    shown = re.sub(r"[\d,]+ ns", "# ns", ended.stdout)
    assert re.sub(r"cycle [\d,]+: |[\d,]+ ns", "# ns", _reason()) in shown


def _reason() -> str:
    """What the page shows as the reason."""
    found = re.search(r"(the guest waits at .*) \(log", _block("events:"))
    assert found is not None
    return found[1]
