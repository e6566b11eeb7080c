"""`make serve` with a program in the simulator's place: whatever it does, one line, a status, and no process left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sw.node.client import Client
from sw.uapi.place import NAME
from tb.run.paths import ROOT
from tb.run.process import clean_env
from tb.serve.on_rtl import job_for
from tb.serve.options import parse
from tests.node.serving import LIMIT_S, settled

FRONT = """
    import sys
    from pathlib import Path
    from tb.run.build import Built
    from tb.serve import cli, on_rtl

    on_rtl.build = lambda spec, say: Built(Path(sys.argv[1]), "vcd", True, "fake")
    on_rtl.GRACE_S = 1.0
    sys.exit(cli.main(sys.argv[2:]))
"""
SERVING = """
    import json, os, signal, sys
    from pathlib import Path
    from tests.node.serving import serving

    print("a simulator's log", flush=True)
    {first}
    with serving(Path(json.loads(os.environ["KVCPU_SETTINGS"])["socket"]).parent):
        {then}
"""
ASKED = "asked = {signal.SIGTERM}; signal.pthread_sigmask(signal.SIG_BLOCK, asked)"


def front(tmp_path: Path, simulator: str) -> subprocess.Popen[str]:
    program = tmp_path / "simulator"
    program.write_text(simulator)
    program.chmod(0o755)
    command = [sys.executable, "-c", textwrap.dedent(FRONT), str(program), "--socket", str(tmp_path / "node" / NAME)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=clean_env({"PYTHONPATH": str(ROOT)}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def serving_simulator(then: str, first: str = "") -> str:
    """A simulator that serves, then does `then`; what it does `first` is done before it can be asked for anything."""
    return f"#!{sys.executable}\n" + textwrap.dedent(SERVING.format(first=first, then=then))


def served(tmp_path: Path, process: subprocess.Popen[str]) -> int:
    """The process that serves, once the front says that it does."""
    assert process.stdout
    assert any(line.startswith("Ctrl-C ends it") for line in iter(process.stdout.readline, ""))
    with Client(tmp_path / "node" / NAME) as client:
        return client.pid


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    _, errors = process.communicate(timeout=LIMIT_S)
    return process.returncode, errors.splitlines()


def test_interrupted_before_it_serves(tmp_path: Path) -> None:
    process = front(tmp_path, f"#!/bin/sh\n> {tmp_path}/begun\nexec sleep 4711\n")
    assert settled((tmp_path / "begun").exists)
    os.kill(process.pid, signal.SIGINT)
    assert ended(process) == (130, ["interrupted: no process is left"])
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "sleep 4711" not in listed


@pytest.mark.parametrize("script", ["kill -SEGV $$\n", "exit 3\n", "echo nothing\n"])
def test_the_simulator_dies(tmp_path: Path, script: str) -> None:
    status, lines = ended(front(tmp_path, "#!/bin/sh\n" + script))
    assert (status, len(lines)) == (1, 1), lines
    assert lines[0].startswith("error: ")
    assert "sim.log" in lines[0]


def test_the_simulator_dies_while_it_serves(tmp_path: Path) -> None:
    process = front(tmp_path, serving_simulator("signal.pause()"))
    pid = served(tmp_path, process)
    os.kill(pid, signal.SIGKILL)
    status, lines = ended(process)
    assert (status, len(lines)) == (1, 1), lines
    assert lines[0].startswith("error: the simulator was killed from outside by SIGKILL")
    assert not (tmp_path / "node" / NAME).exists()


def test_a_run_without_evidence_is_no_success(tmp_path: Path) -> None:
    """It ends when asked to, but has compared nothing: Ctrl-C does not make a pass of it."""
    process = front(tmp_path, serving_simulator("signal.sigwait(asked)", ASKED))
    pid = served(tmp_path, process)
    os.kill(process.pid, signal.SIGINT)
    status, lines = ended(process)
    assert (status, len(lines)) == (1, 1), lines
    assert lines[0].startswith("error: no results file")
    assert not alive(pid)


def test_a_simulator_that_does_not_end_is_killed(tmp_path: Path) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    process = front(tmp_path, serving_simulator("while True: signal.pause()", deaf))
    pid = served(tmp_path, process)
    os.kill(process.pid, signal.SIGINT)
    status, lines = ended(process)
    assert status == 1
    assert lines == ["error: the simulation did not end within 1 s and was killed; nothing was compared at its end"]
    assert not alive(pid)
    assert not (tmp_path / "node" / NAME).exists()


def test_sizes_reach_the_build(tmp_path: Path) -> None:
    path = tmp_path / "s"
    job = job_for(parse(["--entries", "2048", "--lanes", "8", "--ports", "2", "--seed", "5", "--socket", str(path)]))
    assert job.leg.spec.parameters == {**job.leg.top.spec.parameters, "ENTRIES": 2048, "LANES": 8, "PORTS": 2}
    assert job.leg.settings == {"socket": str(path), "free_run": False}
    assert job.seed == 5
