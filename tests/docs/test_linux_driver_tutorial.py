"""docs/tutorials/linux-driver.md: its mistake, made in a copy, gives the failure, times and waves that it shows.

It boots Linux on the RTL: `make pytest ARGS=tests/docs/test_linux_driver_tutorial.py`, after `make kernel`, runs it.
"""

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
from tb.run.tools import missing_kernel_packages

PAGE = (ROOT / "docs" / "tutorials" / "linux-driver.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```", PAGE, re.S | re.M)
FOLDERS = ("rtl", "tb", "sw", "model")
pytestmark = pytest.mark.skipif(
    bool(missing_kernel_packages()), reason="packages of `make kernel` are missing (make doctor)"
)


def _block(start: str) -> str:
    return next(text for text in BLOCKS if text.startswith(start))


@pytest.fixture
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of what the page needs; the kernel and the objects of the RTL are those of this checkout."""
    if not any(Path(__file__).name in argument for argument in request.config.invocation_params.args):
        pytest.skip("it boots Linux on the RTL: `make pytest ARGS=tests/docs/test_linux_driver_tutorial.py` runs it")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / "sim_build" / "cache").mkdir(parents=True)
    for name in ("objects", "kernel"):
        (CACHE / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "sim_build" / "cache" / name).symlink_to((CACHE / name).resolve())
    return tmp_path


def _shown(place: str, copy: Path) -> None:
    """The page's command for a log whose path begins with `place` prints the line below it."""
    (number,) = (n for n, text in enumerate(BLOCKS) if text.startswith("grep") and place in text)
    ended = subprocess.run(shlex.split(BLOCKS[number]), cwd=copy, capture_output=True, text=True, check=True)
    assert BLOCKS[number + 1].strip() in ended.stdout


def _make(command: str, copy: Path) -> subprocess.CompletedProcess[str]:
    """A `make kernel` of the page, in the copy."""
    given = dict(word.split("=") for word in shlex.split(command)[2:])
    options = [f"--{name.lower()}={value}" for name, value in given.items()]
    return subprocess.run(
        [sys.executable, "-m", "tb.linux", *options], cwd=copy, env=clean_env({"PYTHONPATH": str(copy)}),
        capture_output=True, text=True, check=False, timeout=1200,
    )  # fmt: skip


def test_the_mistake_its_times_its_waves_and_its_mend(copy: Path) -> None:
    on_model, on_rtl = _block("make kernel BACKEND").strip(), _block("make kernel TEST").strip()
    clean = (copy / "sw/linux/kv_hw.c").read_text()
    subprocess.run(shlex.split(_block("sed -i")), cwd=copy, check=True)
    assert (copy / "sw/linux/kv_hw.c").read_text() != clean
    ended = _make(on_model, copy)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert _block("failed:").strip() in ended.stdout
    _shown("run/kernel/", copy)
    ended = _make(on_rtl, copy)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    _shown("run/kernel.time/", copy)
    session = copy / _block("gtkwave").split()[1]
    assert all(f"{{{name}}}" in session.read_text() for name in ("bar0_awaddr", "bar0_araddr", "irq"))
    (copy / "sw/linux/kv_hw.c").write_text(clean)
    for command in (on_model, on_rtl):
        ended = _make(command, copy)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "1 passed, 0 failed, 0 skipped" in ended.stdout
