"""Set-up and tool checks: whatever is missing is one clear line."""

import ast
import sys
from pathlib import Path

import pytest

from tb.run import setup_env, tools
from tb.run.errors import UsageError
from tb.run.setup_env import SetupError


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_old_python_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(setup_env.shutil, "which", lambda _name: None)
    with pytest.raises(SetupError, match=r"Python 3\.11 or newer is needed and .* is 3\.9"):
        setup_env.find_python(tmp_path / ".venv")


def test_newer_python_on_the_path_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(setup_env.shutil, "which", lambda name: "/opt/" + name if name == "python3.12" else None)
    assert setup_env.find_python(tmp_path / ".venv") == "/opt/python3.12"


def test_environment_keeps_its_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another python3 on PATH does not renew .venv; PYTHON= does, and so does a Python that is gone."""
    first = script(tmp_path / "python3.12", "exit 0")
    venv = tmp_path / ".venv"
    venv.mkdir()
    (venv / "pyvenv.cfg").write_text(f"home = {tmp_path}\nversion = 3.12.1\nexecutable = {first}\n")
    monkeypatch.delenv(setup_env.NAMED, raising=False)
    assert setup_env.find_python(venv) == str(first)
    monkeypatch.setenv(setup_env.NAMED, "python3")
    assert setup_env.find_python(venv) == sys.executable
    monkeypatch.delenv(setup_env.NAMED)
    first.unlink()
    assert setup_env.find_python(venv) == sys.executable


def test_setup_can_be_read_by_an_old_python() -> None:
    source = Path(setup_env.__file__).read_text()
    ast.parse(source, "setup_env.py", feature_version=(3, 6))
    assert "match " not in source
    assert 'f"' not in source.split("SHIM_MODULE")[0]


NO_SETTINGS = "[ $3 = config ] && exit 0\n"  # the answer of `pip config list` where nothing is configured


def test_no_network_is_named(tmp_path: Path) -> None:
    text = NO_SETTINGS + (
        "echo 'WARNING: Retrying: Failed to establish a new connection'; echo 'ERROR: No matching distribution'; exit 1"
    )
    with pytest.raises(SetupError, match="PyPI cannot be reached"):
        setup_env.pip_install(script(tmp_path / "python", text), tmp_path / "dev.txt")


def test_wrong_hash_is_shown(tmp_path: Path) -> None:
    text = NO_SETTINGS + "echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES'; exit 1"
    with pytest.raises(SetupError, match=r"dev\.txt: ERROR: THESE PACKAGES DO NOT MATCH"):
        setup_env.pip_install(script(tmp_path / "python", text), tmp_path / "dev.txt")


def test_lock_pins_and_hashes_everything() -> None:
    for lock in ("dev.txt", "fpga.txt", "docs.txt", "formal.txt", "lab.txt", "llama.txt", "llama-source.txt"):
        lines = (setup_env.ROOT / "requirements" / lock).read_text().splitlines()
        names = [line for line in lines if line and not line.startswith((" ", "#"))]
        assert names
        assert all("==" in line and line.endswith("\\") for line in names), lock


def test_changed_lock_is_another_stamp(tmp_path: Path) -> None:
    lock = tmp_path / "dev.txt"
    lock.write_text("a==1\n")
    before = setup_env.lock_digest(lock)
    lock.write_text("a==2\n")
    assert setup_env.lock_digest(lock) != before


def test_wrong_simulator_version(tmp_path: Path) -> None:
    old = script(tmp_path / "verilator", "echo 'Verilator 5.006 2023-01-22 rev (Debian 5.006-3)'")
    with pytest.raises(UsageError, match=r"wrong simulator version: .*5\.006.*5\.048 or newer"):
        tools.find_verilator(str(old))


def test_newer_simulator_is_taken_when_asked_for(tmp_path: Path) -> None:
    new = script(tmp_path / "verilator", "echo 'Verilator 5.050 2026-10-01 rev v5.050'")
    assert tools.find_verilator(str(new)).version == "Verilator 5.050 2026-10-01 rev v5.050"


def test_simulator_on_the_path_is_not_picked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "verilator", "echo 'Verilator 5.050 2026-10-01 rev v5.050'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    tools.find_verilator.cache_clear()
    assert tools.find_verilator().command.is_relative_to(setup_env.ROOT)


def test_no_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "VENV", tmp_path)
    tools.find_verilator.cache_clear()
    with pytest.raises(UsageError, match="the simulator is not installed"):
        tools.find_verilator()
    tools.find_verilator.cache_clear()


def test_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    tools.find_compiler.cache_clear()
    with pytest.raises(UsageError, match=r"no C\+\+ compiler found"):
        tools.find_compiler()
    with pytest.raises(UsageError, match="CXX=clang-99: no such compiler"):
        tools.find_compiler("clang-99")
    with pytest.raises(UsageError, match="`make` is needed"):
        tools.require_programs()
    tools.find_compiler.cache_clear()


def test_no_libpython(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("find_libpython.find_libpython", lambda: None)
    tools.find_libpython.cache_clear()
    with pytest.raises(UsageError, match="no shared libpython"):
        tools.find_libpython()
    tools.find_libpython.cache_clear()
