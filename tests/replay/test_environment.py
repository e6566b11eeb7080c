"""A replay behaves in any environment: names, encodings, closed streams, missing folders."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tb.run.paths import ROOT

LINE = json.dumps({"timestamp": 0, "input_length": 600, "output_length": 3, "hash_ids": [1, 2]}) + "\n"
UGLY = "[bold red]x[/b] \x1b[31m:smile: \N{SNOWMAN}.jsonl"


def replay(
    tmp_path: Path, *arguments: str, shell: str = "", **environment: str | None
) -> "subprocess.CompletedProcess[bytes]":
    """A short replay on the model; `shell` is added to its command, a variable that is None is removed."""
    env = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
    command = [sys.executable, "-m", "tb.replay", "--backend=model", "--entries=1024", "--lanes=4"]
    command += [f"--report={tmp_path / 'report'}", *arguments]
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {shell}', "sh", *command], cwd=ROOT, env=env, capture_output=True, check=False
    )


def good(tmp_path: Path, done: "subprocess.CompletedProcess[bytes]") -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == b""
    assert json.loads((tmp_path / "report/sim.json").read_text())["state"] == "complete"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_c4_a_name_is_text_and_nothing_else(tmp_path: Path, encoding: str) -> None:
    trace = tmp_path / UGLY
    trace.parent.mkdir()
    trace.write_text(LINE * 3)
    done = replay(tmp_path, f"--trace={trace}", PYTHONIOENCODING=encoding)
    good(tmp_path, done)
    shown = done.stdout.decode(encoding)
    assert "[bold red]x[/b] \\x1b[31m:smile: " in shown.replace("\n", "")
    assert "\x1b" not in shown
    assert json.loads((tmp_path / "report/sim.json").read_text())["trace"] == str(trace)
    assert "&#x1b;" not in (tmp_path / "report/sim.html").read_text()


def test_c4_a_wrong_name_is_one_line(tmp_path: Path) -> None:
    done = replay(tmp_path, f"--trace={tmp_path}/{UGLY}\nx", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert done.stderr.decode("ascii").count("\n") == 1
    assert b"\x1b" not in done.stderr


def test_c4_a_failure_with_an_ugly_name_has_its_report(tmp_path: Path) -> None:
    """The run ends with its report and its command, whatever the name looks like."""
    trace = tmp_path / UGLY
    trace.parent.mkdir()
    trace.write_text(LINE)
    program = (
        "import sys; from tb.replay import cli, on_model; from tb.run.errors import CheckError\n"
        "def broken(*_): raise CheckError('lost [/b] \\x1b[2J')\n"
        "on_model.replay = broken; sys.exit(cli.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, "--backend=model", f"--trace={trace}", f"--report={tmp_path / 'report'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr == b"error: lost [/b] \\x1b[2J\n"
    assert b"repeat: make sim TRACE=" in done.stdout
    assert b"\x1b" not in done.stdout


@pytest.mark.parametrize("shell", [">&-", "2>&-", ">&- 2>&- <&-", "| head -1"])
def test_c4_closed_streams(tmp_path: Path, shell: str) -> None:
    done = replay(tmp_path, "--requests=3", shell=shell)
    assert b"Traceback" not in done.stderr
    if "head" not in shell:
        good(tmp_path, done)


def test_c4_a_full_device_is_one_line(tmp_path: Path) -> None:
    done = replay(tmp_path, "--requests=3", shell="> /dev/full")
    assert done.returncode != 0
    assert done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"HOME": None},
        {"HOME": ""},
        {"HOME": "/nonexistent"},
        {"TMPDIR": "/nonexistent"},
        {"XDG_RUNTIME_DIR": None, "XDG_CACHE_HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent"},
        {"PATH": "/nonexistent"},  # no git, no compiler
        {"PYTHONWARNINGS": "error"},
        {"LC_ALL": "C", "LANG": ""},
        {"TERM": "dumb", "COLUMNS": "20"},
    ],
    ids=str,
)
def test_c2_any_environment(tmp_path: Path, environment: dict[str, str | None]) -> None:
    good(tmp_path, replay(tmp_path, "--requests=3", **environment))


def test_c2_a_report_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file")
    done = replay(tmp_path, "--requests=3")
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"Traceback" not in done.stderr


def test_a0_in_a_terminal(tmp_path: Path) -> None:
    """With a terminal a bar is drawn and taken away; without one (all other tests here) there are plain lines."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tb.replay", "--backend=model", "--entries=1024", "--lanes=4", "--requests=30"]
    command.append(f"--report={tmp_path / 'report'}")
    with subprocess.Popen(
        command, cwd=ROOT, stdout=theirs, stderr=subprocess.PIPE, env={**os.environ, "TERM": "xterm"}
    ) as run:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not part:
                break
            shown += part
        errors = run.communicate()[1]
    os.close(ours)
    assert (run.returncode, errors) == (0, b"")
    assert b"/30 requests" in shown
    assert b"0/30 requests  starting" not in shown
    assert b"\x1b[?25h" in shown, "the cursor is shown again"
