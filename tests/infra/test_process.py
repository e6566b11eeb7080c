"""Processes end with the runner whatever ends it, and a simulator killed from outside is reported as such."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tb.run import artefacts, process
from tb.run import build as build_module
from tb.run.errors import CheckError, UsageError
from tb.run.leg import RECORDINGS_KEPT
from tb.run.paths import CACHE, ROOT
from tb.run.waves import rerun_with_waves

from .conftest import MANIFEST, RunPlanted
from .test_cli import command, planted_manifest, processes_with

__all__ = ["planted_manifest"]


def processes(mark: str, word: str) -> list[int]:
    """Ids of the processes with `mark` in their environment and `word` in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            marked = entry.name.isdecimal() and mark in (entry / "environ").read_text(errors="replace")
            if marked and word in (entry / "cmdline").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_for(condition: Callable[[], bool], limit_s: float, what: str) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@contextmanager
def started(arguments: list[str], home: Path) -> Iterator["subprocess.Popen[str]"]:
    """The command, with `home` as a mark that all its children have."""
    child = subprocess.Popen(
        arguments,
        cwd=ROOT,
        env={**os.environ, "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@pytest.mark.parametrize(("what", "sign"), [("simulation", "/Vtop"), ("build", "cc1plus")])
@pytest.mark.usefixtures("built")
def test_d3_a_killed_runner_leaves_no_process(planted_manifest: Path, tmp_path: Path, what: str, sign: str) -> None:
    arguments = ["run", "--test", "hangs_in_python"]
    if what == "build":  # one that was never made: a flag that names this test's folder
        text = planted_manifest.read_text()
        planted_manifest.write_text(text.replace('waves = ["clk"', f'flags = ["-DX={tmp_path.name}"]\nwaves = ["clk"'))
        arguments = ["build", "--top", "counter"]
    mark = f"HOME={tmp_path}"
    with started(command(planted_manifest, *arguments), tmp_path) as child:
        wait_for(lambda: bool(processes(mark, sign)), 120, "nothing was started")
        unfinished = set(CACHE.glob("work-*"))
        child.send_signal(signal.SIGKILL)
        child.wait()
        wait_for(lambda: not processes_with(mark), 10, f"still there: {processes_with(mark)}")
    if what == "build":
        assert unfinished
        subprocess.run(command(MANIFEST, "build", "--top", "counter"), cwd=ROOT, check=True)
        assert not unfinished & set(CACHE.glob("work-*"))


def test_d3_children_of_other_kinds_end_too(tmp_path: Path) -> None:
    """Also those of a plain `subprocess.run`, as `make defects` starts its tests."""
    program = """
import subprocess
from tb.run.process import clean_env, no_process_left
with no_process_left():
    other = subprocess.Popen(["sleep", "4711"], env=clean_env())
    subprocess.run(["sh", "-c", "sleep 4711 & sleep 4711"])
"""
    mark = f"HOME={tmp_path}"
    with started([sys.executable, "-c", program], tmp_path) as child:
        wait_for(lambda: len(processes(mark, "sleep\x004711")) == 3, 30, "nothing was started")
        child.send_signal(signal.SIGKILL)
        child.wait()
        wait_for(lambda: not processes_with(mark), 10, f"still there: {processes_with(mark)}")


@pytest.mark.usefixtures("built")
def test_d1_a_killed_simulator_is_reported_and_starts_no_build(planted_manifest: Path, tmp_path: Path) -> None:
    mark = f"HOME={tmp_path}"
    arguments = command(planted_manifest, "run", "--waves", "failure", "--test", "hangs_in_python")
    with started(arguments, tmp_path) as child:
        wait_for(lambda: bool(processes(mark, "/Vtop")), 60, "no simulator")
        for pid in processes(mark, "/Vtop"):
            os.kill(pid, signal.SIGKILL)
        out, _ = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "the simulator was killed from outside by SIGKILL (out of memory?): run it again" in out
    assert "build:" not in out
    assert "waves  none: the run was killed from outside" in out


def test_a7_waves_stay_when_the_test_runs_again(run_planted: RunPlanted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may be reading them: neither a plain run nor one with waves touches the last ones."""
    monkeypatch.setattr(build_module, "fst_available", lambda _compiler: False)

    def recorded() -> Path:
        outcome = run_planted("random_failure", seed=5)
        waves = rerun_with_waves(outcome, outcome.job.leg.spec, lambda _text: None)
        assert waves is not None
        return waves

    found = [recorded() for _ in range(RECORDINGS_KEPT)]
    before = [(path, path.stat().st_ino, path.read_bytes()) for path in found]
    run_planted("random_failure", seed=5)
    assert [(path, path.stat().st_ino, path.read_bytes()) for path in found] == before
    newest = recorded()
    assert [path.exists() for path in [*found, newest]] == [False, *[True] * RECORDINGS_KEPT]


def test_d3_a_full_disk_is_one_line(run_planted: RunPlanted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefacts, "SPACE_BYTES", 1 << 62)
    with pytest.raises(UsageError, match=r"^no space left on device: .*; free some and call again$"):
        run_planted("mismatch")


def limited(files: int, program: str) -> "subprocess.CompletedProcess[str]":
    """`program` in an interpreter of its own that may open only so many files."""
    command = f'ulimit -n {files}; exec "$0" -c "$1"'
    return subprocess.run(
        ["sh", "-c", command, sys.executable, program], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_d3_too_few_descriptors_are_one_line() -> None:
    refused = """
import resource
def refuse(*_arguments): raise ValueError("not allowed to raise maximum limit")
resource.setrlimit = refuse
from tb.run.cli import main
raise SystemExit(main(["run", "--test", "top_smoke.test_smoke"]))
"""
    result = limited(16, refused)
    assert result.returncode == 2
    assert result.stderr == "error: a process may open only 16 files: call `ulimit -n 256` or more first\n"


def test_d3_the_limit_of_descriptors_is_raised_where_it_may_be() -> None:
    program = """
import resource
from tb.run.process import no_process_left
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 300))
with no_process_left():
    print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    result = limited(300, program)
    assert result.stdout == "(256, 300)\n", result.stderr


def test_a_program_that_cannot_be_started_is_one_line(tmp_path: Path) -> None:
    program = tmp_path / "Vtop"
    program.write_text("")
    for mode, why in ((0o644, "Permission denied"), (0o755, "Exec format error")):
        program.chmod(mode)
        with pytest.raises(CheckError, match=why):
            process.run([str(program)], env={}, cwd=tmp_path, log=tmp_path / "log")


def test_the_watchdog_ends_with_the_runner() -> None:
    text = (
        "import os\nfrom tb.run import process\nwith process.no_process_left():\n    print(process.output(['true'])[0])"
    )
    result = subprocess.run(
        [sys.executable, "-c", f"{text}\nprint(process._watchdog.mark)"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    status, word = result.stdout.split()
    assert status == "0"
    watchdogs = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if word in _text(path)]
    assert watchdogs == []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
