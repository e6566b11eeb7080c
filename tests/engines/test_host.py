"""The host is prepared, what cannot be is named, and every way to end leaves it as it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tb.engines import host
from tb.run.errors import CheckError
from tb.run.paths import ROOT
from tests.engines.conftest import BEFORE, GOVERNORS, values

WANTED = {
    **dict.fromkeys(GOVERNORS, "performance"),
    "sys/devices/system/cpu/intel_pstate/no_turbo": "1",
    "proc/sys/vm/swappiness": "0",
}


def test_everything_is_set_and_restored(machine: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    with host.prepared(machine, record) as settings:
        assert values(machine) == WANTED
        assert json.loads(record.read_text()) == {str(machine / name): value for name, value in BEFORE.items()}
        states = {setting.path: setting.state for setting in settings}
    assert states == {**dict.fromkeys(WANTED, "set"), "sys/devices/system/cpu/cpufreq/boost": "not there"}
    assert values(machine) == BEFORE
    assert not record.exists()


def test_what_is_as_wanted_is_not_written(machine: Path, tmp_path: Path) -> None:
    (machine / GOVERNORS[0]).write_text("performance\n")
    (machine / GOVERNORS[0]).chmod(0o444)
    written = (machine / GOVERNORS[0]).stat().st_mtime_ns
    with host.prepared(machine, tmp_path / "record.json") as settings:
        assert next(one for one in settings if one.path == GOVERNORS[0]).state == "as wanted"
    assert (machine / GOVERNORS[0]).stat().st_mtime_ns == written


def test_what_may_not_be_set_is_named(machine: Path, tmp_path: Path) -> None:
    """/proc/version can be read, which no user can write, root included."""
    path = machine / "proc/sys/vm/swappiness"
    path.unlink()
    path.symlink_to("/proc/version")
    with host.prepared(machine, tmp_path / "record.json") as settings:
        state = next(one for one in settings if one.name == "swappiness").state
        assert (machine / GOVERNORS[0]).read_text() == "performance\n"
    assert state.startswith("refused: ")
    assert (machine / GOVERNORS[0]).read_text() == "powersave\n"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, CheckError])
def test_a_failure_restores(machine: Path, tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with host.prepared(machine, tmp_path / "record.json"):
            assert values(machine) == WANTED
            raise error

    with pytest.raises(error):
        fail()
    assert values(machine) == BEFORE


def test_a_run_that_was_killed_is_made_good_by_the_next(machine: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    record.write_text(json.dumps({str(machine / GOVERNORS[0]): "schedutil"}))
    with host.prepared(machine, record):
        assert json.loads(record.read_text())[str(machine / GOVERNORS[0])] == "schedutil"
    assert values(machine) == {**BEFORE, GOVERNORS[0]: "schedutil"}


def test_what_cannot_be_restored_is_named_and_kept(machine: Path, tmp_path: Path) -> None:
    record, path = tmp_path / "record.json", machine / "proc/sys/vm/swappiness"
    with pytest.raises(CheckError, match=r"the host is not as it was: .*swappiness \(was 60\); set it by hand"):  # noqa: PT012, SIM117
        with host.prepared(machine, record):
            path.unlink()
            path.symlink_to("/proc/version")
    assert json.loads(record.read_text())[str(path)] == "60"
    assert (machine / GOVERNORS[0]).read_text() == "powersave\n"


PROGRAM = """
import sys, time
from pathlib import Path
from tb.engines import host
from tb.run.command import run_command

def body():
    with host.prepared(Path(sys.argv[1]), Path(sys.argv[1]) / "record.json"):
        print("ready", flush=True)
        time.sleep(60)
    return 0

sys.exit(run_command(body, "interrupted: the host is as it was"))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores(machine: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(machine)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        assert values(machine) == WANTED
        child.send_signal(number)
        _, said = child.communicate(timeout=30)
    assert (child.returncode, said) == (130, "interrupted: the host is as it was\n")
    assert values(machine) == BEFORE


def test_a_signal_during_the_restoration_does_not_cut_it(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = host.restore

    def slow(record: Path) -> None:
        if record.exists():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
        real(record)

    monkeypatch.setattr(host, "restore", slow)
    with pytest.raises(KeyboardInterrupt), host.prepared(machine, machine / "record.json"):
        pass
    assert values(machine) == BEFORE


def test_free_memory(machine: Path, tmp_path: Path) -> None:
    assert host.available_bytes(machine) == 1 << 30
    assert host.available_bytes(tmp_path) == 0
