"""What every command line shares: one message and a status for every way in which it can end."""

import ast
import errno
import os
import signal
from pathlib import Path

import pytest

from tb.run import command
from tb.run.command import Parser, checked_seed, run_command, whole
from tb.run.errors import CheckError, UsageError
from tb.run.paths import ROOT

OWN_ENDING = {
    "tb/run/setup_env.py": "runs before anything is installed, under a Python that may be too old",
    "tb/run/yosys.py": "called by a step of the flow, which judges its log",
    "tb/run/watchdog.py": "waits for the end of its parent and has nothing to say",
    "fpga/board.py": "runs where the board is: nothing of the testbench is needed there",
    "tb/engines/worker.py": "a cell in the environment of llama.cpp, judged by `make rt-bench`",
    "tb/engines/vllm_run.py": "half of a comparison in the environment of vLLM, judged by `make vllm-check`",
    "tb/linux/inside.py": "runs in the guest, whose test reads its lines and its status",
    "tb/results/technical/reproduce.py": "runs out of an unpacked archive, with the standard library alone",
}


def raising(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (UsageError("SEED=x: a whole number is needed"), 2, "error: SEED=x: a whole number is needed"),
        (CheckError("scores differ"), 1, "error: scores differ"),
        (KeyboardInterrupt(), 130, "interrupted: no process is left"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a/b"), 2,
         "error: a/b: no space left on device; free some and call again"),
        (PermissionError(errno.EROFS, os.strerror(errno.EROFS), "a/b"), 2,
         "error: a/b: read-only file system; it must be writable"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), 2,
         "error: too many open files; raise the limit of open files (ulimit -n)"),
    ],
)  # fmt: skip
def test_every_ending_is_one_line_and_a_status(
    capsys: pytest.CaptureFixture[str], error: BaseException, status: int, message: str
) -> None:
    assert run_command(lambda: raising(error)) == status
    assert capsys.readouterr().err == f"{message}\n"


def test_a_status_is_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert [run_command(lambda status=status: status) for status in (0, 1, 130)] == [0, 1, 130]  # type: ignore[misc]
    assert capsys.readouterr() == ("", "")


def test_sigterm_is_an_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    assert run_command(body, "interrupted: so far so good") == 130
    assert capsys.readouterr().err == "interrupted: so far so good\n"


def test_a_fault_of_the_program_keeps_its_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SIM_BUILD", tmp_path)
    assert run_command(lambda: raising(KeyError("lane"))) == 1
    kept = tmp_path / "internal-error.txt"
    assert (
        capsys.readouterr().err == f"error: internal error: KeyError: 'lane' (traceback in {kept}; please report it)\n"
    )
    assert "Traceback (most recent call last)" in kept.read_text()
    monkeypatch.setattr(command, "SIM_BUILD", Path("/dev/null"))
    assert run_command(lambda: raising(KeyError("lane"))) == 1
    assert "its traceback could not be written" in capsys.readouterr().err


def test_an_option_is_never_guessed() -> None:
    parser = Parser("python -m tb.x")
    parser.add_argument("--seeds")
    with pytest.raises(UsageError, match=r"unrecognized arguments: --seed=1 \(see `python -m tb\.x --help`\)"):
        parser.parse_args(["--seed=1"])


@pytest.mark.parametrize("text", ["", "0", "-1", "1.0", "1e3", "٣", "2147483648", "9" * 5000, "x'; touch y; '"])
def test_a_number_is_a_number(text: str) -> None:
    with pytest.raises(UsageError, match=r"^SEED="):
        checked_seed(text)
    assert whole("12", "COUNT", 1, 12) == 12


def names_in(node: ast.AST) -> set[str]:
    return {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}


def test_every_command_line_ends_the_same_way() -> None:
    """Every `main` of tb and fpga is a call of run_command, but for those that say why not."""
    mains = {}
    for path in sorted([*(ROOT / "tb").rglob("*.py"), *(ROOT / "fpga").rglob("*.py")]):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name == "main":
                mains[str(path.relative_to(ROOT))] = "run_command" in names_in(node)
    assert {path for path, shared in mains.items() if not shared} == OWN_ENDING.keys()
    assert len(mains) > 10
