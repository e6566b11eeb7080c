"""The commands as a user calls them: exit status, one line for wrong use, nothing left behind, waves."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import pywellen

from tb.run import build as build_module
from tb.run.leg import explain
from tb.run.paths import ROOT
from tb.run.tools import find_compiler, fst_available
from tb.run.waves import rerun_with_waves

from .conftest import MANIFEST, PLANTED, RunPlanted

PLANTED_LEG = f"""
[[legs]]
name = "planted"
level = "infra"
top = "counter"
module = "{PLANTED}"
tests = ["hangs_in_python", "mismatch", "random_failure"]
timeout_s = 100
why = "planted defects, run as a user would"
"""


@pytest.fixture
def planted_manifest(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.toml"
    path.write_text(MANIFEST.read_text() + PLANTED_LEG)
    return path


def command(manifest: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tb.run", "--manifest", str(manifest), *arguments]


def call(manifest: Path, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **env}
    return subprocess.run(
        command(manifest, *arguments),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.usefixtures("built")
def test_a_good_test_passes_whatever_the_environment_says(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('a module of the user was picked up')\n")
    leaks = {
        "VERILATOR_ROOT": "/nowhere",
        "MAKEFLAGS": "-n",
        "COCOTB_TEST_FILTER": "nothing",
        "COCOTB_RESOLVE_X": "zeros",
        "COCOTB_RANDOM_SEED": "99",
        "KVCPU_SEED": "99",
        "PYTHONHASHSEED": "5",
        "GPI_USERS": "nothing",
    }
    result = call(MANIFEST, "run", "--test", "counts", "--seed", "3", PYTHONPATH=str(tmp_path), **leaks)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "passed counter.counts seed 3: 50 transactions, 50 comparisons" in result.stdout


def test_make_keeps_the_environment_out(tmp_path: Path) -> None:
    for name in ("rich", "argparse"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a module of the user was picked up')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "TEST": "nope", "VERILATOR": "nope", "MAKEFLAGS": ""}
    result = subprocess.run(
        ["make", "list"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr


def test_make_help_names_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = next(line for line in makefile.splitlines() if line.startswith(".PHONY:")).split()[1:]
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [target for target in targets if f"make {target} " not in shown] == []


@pytest.mark.usefixtures("built")
def test_a_failing_test_tells_everything(planted_manifest: Path) -> None:
    result = call(planted_manifest, "run", "--waves", "failure", "--test", "mismatch", "--seed", "4")
    assert result.returncode == 1
    for text in (
        "FAILED planted.mismatch seed 4 at cycle ",
        "SCORE entry=12 (0xc) lane=3: expected 100 (0x64), seen 127 (0x7f)",
        "repeat make sim TEST=planted.mismatch SEED=4",
        "0 passed, 1 failed",
    ):
        assert text in result.stdout, result.stdout
    folder = "sim_build/run/planted/mismatch/seed4-waves/[0-9]+/waves"
    assert re.search(rf"waves  {folder}\.", result.stdout), result.stdout
    assert re.search(rf"gtkwave {folder}\.gtkw", result.stdout), result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--test", "countz"], "unknown test `countz` (did you mean `counts`?)"),
        (["run", "--test", "counter.nope"], "leg `counter` has no test `nope`"),
        (["run", "--test", "count.x"], "unknown leg `count` (did you mean `counter`?)"),
        (["run"], "name a test"),
        (["run", "--test", "counts", "--seed", "0"], "SEED=0"),
        (["run", "--test", "counts", "--seed", "x"], "SEED=x"),
        (["run", "--test", "counts", "--seeds", "-1"], "SEEDS=-1"),
        (["build", "--top", "nope"], "unknown top `nope`"),
        (["build", "--top", "counter", "-P", "Width"], "-P Width: NAME=VALUE is needed"),
        (["regress", "--level", "galaxy"], "LEVEL=galaxy"),
        (["regress", "--level", "system"], "zero tests is no pass"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(arguments: list[str], message: str) -> None:
    result = call(MANIFEST, *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[legs]\n", "manifest.toml: Expected"),
        ("[[legs]]\nname = 'x'\n", "legs/0: 'level' is a required property"),
        (PLANTED_LEG, "leg `planted` names the unknown top `counter`"),
    ],
)
def test_wrong_manifest_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(text)
    result = call(path, "list")
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def processes_with(mark: str) -> list[str]:
    """Command lines of the processes whose environment holds `mark`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and mark in (entry / "environ").read_text(errors="replace"):
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("what", ["simulation", "build", "regress"])
@pytest.mark.usefixtures("built")
def test_interrupt_leaves_no_process(planted_manifest: Path, tmp_path: Path, number: signal.Signals, what: str) -> None:
    arguments, sign = {
        "simulation": (["run", "--test", "hangs_in_python"], "/Vtop"),
        "regress": (["regress", "--seeds", "3"], "/Vtop"),
        "build": (["build", "--top", "counter", "-P", f"Width={number + 9}"], "cc1plus"),
    }[what]
    if what == "build":  # a build that was not made before: a flag that names this test's folder
        text = planted_manifest.read_text().replace(
            'waves = ["clk"', f'flags = ["-DX={tmp_path.name}"]\nwaves = ["clk"'
        )
        planted_manifest.write_text(text)
    mark = f"HOME={tmp_path}"
    child = subprocess.Popen(
        command(planted_manifest, *arguments),
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not any(sign in line for line in processes_with(mark)):
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline, processes_with(mark)
        time.sleep(0.05)
    child.send_signal(number)
    _out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "interrupted: no process left behind" in err
    assert "Traceback" not in err
    assert processes_with(mark) == []


def test_the_same_run_twice_at_once_waits(run_planted: RunPlanted) -> None:
    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(lambda _number: run_planted("expects_error"), range(3)))
    assert [outcome.verdict.reasons for outcome in outcomes] == [[], [], []]


FST_HEADERS = fst_available(find_compiler())


@pytest.mark.parametrize(
    "suffix",
    [
        pytest.param("fst", marks=pytest.mark.skipif(not FST_HEADERS, reason="no headers of lz4 and zlib")),
        "vcd",
    ],
)
def test_a0_waves_are_cut_to_the_window(run_planted: RunPlanted, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """With the headers that FST needs and, as on a machine that is missing them, without."""
    monkeypatch.setattr(build_module, "fst_available", lambda _compiler: suffix == "fst")
    outcome = run_planted("random_failure", seed=5)
    assert outcome.verdict.failure_ps is not None, explain(outcome)
    said: list[str] = []
    waves = rerun_with_waves(outcome, outcome.job.leg.spec, said.append)
    assert waves is not None
    assert waves.suffix == f".{suffix}"
    signals = {signal.full_name: signal for signal in pywellen.pywellen.Waveform(str(waves)).all_vars()}
    times = [time_ps for time_ps, _value in signals["tb_counter_top.clk"].tv]
    failure = outcome.verdict.failure_ps
    assert failure - 200 * 4000 <= times[0] <= failure - 199 * 4000
    assert failure - 4000 < times[-1] <= failure
    session = waves.with_suffix(".gtkw").read_text()
    assert "tb_counter_top.count[7:0]" in session
    assert "tb_counter_top.rst_n\n" in session
    commands = waves.with_suffix(".sucl").read_text()
    assert "variable_add tb_counter_top.count\n" in commands
    assert f"cursor_set {failure}" in commands
    assert not any("did not fail in the same way" in line for line in said)
