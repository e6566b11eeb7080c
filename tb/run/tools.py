"""Find and check the tools of a build: the simulator, the C++ compiler, the headers of FST."""

import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tb.run.errors import UsageError
from tb.run.paths import VENV
from tb.run.process import clean_env

VERILATOR_MIN = (5, 48)
FST_HINT = (
    "waves: lz4 and zlib headers are missing, so waves are VCD instead of FST "
    "(Debian, Ubuntu: apt install liblz4-dev zlib1g-dev; Fedora: dnf install lz4-devel zlib-devel)"
)

KERNEL_SOURCE = Path("/usr/src/linux-source-6.1.tar.xz")
_KERNEL_PROGRAMS = {"flex": "flex", "bison": "bison", "bc": "bc", "m4": "m4", "gcc": "gcc", "xz": "xz-utils",
                    "tar": "tar", "patch": "patch", "setarch": "util-linux"}  # fmt: skip
"""Programs of `make kernel`, and Debian's packages with them."""


@dataclass(frozen=True)
class Verilator:
    """One installation: `command` to call, `root` with its include directory, version text."""

    command: Path
    root: Path
    version: str

    @property
    def resolved(self) -> "Verilator":
        """The same without links: checkouts with a common environment compile the same objects with it."""
        return replace(self, command=self.command.resolve(), root=self.root.resolve())


@dataclass(frozen=True)
class Compiler:
    """The C++ compiler: path and the first line of `--version`."""

    command: str
    version: str


def missing_kernel_packages() -> list[str]:
    """Debian's packages that `make kernel` needs and this machine does not have."""
    missing = [] if KERNEL_SOURCE.is_file() else [KERNEL_SOURCE.name.partition(".tar")[0]]
    return missing + [package for program, package in _KERNEL_PROGRAMS.items() if shutil.which(program) is None]


def require_kernel_packages() -> None:
    """Raises UsageError: something that `make kernel` needs is missing."""
    if missing := missing_kernel_packages():
        raise UsageError(f"`make kernel` needs Debian's {', '.join(missing)}: apt-get install {' '.join(missing)}")


def _output(command: list[str]) -> str:
    try:
        result = subprocess.run(command, env=clean_env(), capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


@cache
def find_verilator(asked: str | None = None) -> Verilator:
    """The environment's own Verilator, or the one asked for with `VERILATOR=`.

    Raises UsageError when it is missing or older than the lock's version: another version gives
    other warnings and other random values, so a seed would not repeat a run.
    """
    if asked:
        found = shutil.which(asked)
        if found is None:
            raise UsageError(f"VERILATOR={asked}: no such program")
        command = Path(found)
    else:
        command = VENV / "bin" / "verilator"
        if not command.exists():
            raise UsageError("the simulator is not installed: run `make setup`")
    text = _output([str(command), "--version"])
    match = re.match(r"Verilator (\d+)\.(\d+)", text)
    if match is None:
        raise UsageError(f"{command} does not answer --version like Verilator")
    version = (int(match[1]), int(match[2]))
    if version < VERILATOR_MIN:
        wanted = f"{VERILATOR_MIN[0]}.{VERILATOR_MIN[1]:03d}"
        raise UsageError(
            f"wrong simulator version: {command} is {match[0]}, needed is {wanted} or newer (`make setup` installs it)"
        )
    if asked:
        root = Path(
            _output([str(command), "--getenv", "VERILATOR_ROOT"])
            or command.resolve().parents[1] / "share" / "verilator"
        )
    else:
        root = Path(sysconfig.get_paths()["purelib"]) / "verilator"
    return Verilator(command, root, text.splitlines()[0])


@cache
def find_compiler(asked: str | None = None) -> Compiler:
    """The C++ compiler (`CXX=` or c++, g++, clang++). Raises UsageError when there is none."""
    for name in (asked,) if asked else ("c++", "g++", "clang++"):
        found = shutil.which(name)
        if found:
            version = _output([found, "--version"])
            if version:
                return Compiler(found, version.splitlines()[0])
    if asked:
        raise UsageError(f"CXX={asked}: no such compiler")
    raise UsageError("no C++ compiler found (Debian, Ubuntu: apt install g++ make; Fedora: dnf install gcc-c++ make)")


def require_programs() -> None:
    """Raise UsageError when make or perl, the only other system needs, are missing."""
    for name in ("make", "perl"):
        if shutil.which(name) is None:
            raise UsageError(f"`{name}` is needed and not installed")


@cache
def fst_available(compiler: Compiler) -> bool:
    """True when the headers and libraries that FST waves need are there."""
    command = [compiler.command, "-x", "c++", "-", "-o", "/dev/null", "-llz4", "-lz"]
    source = (
        "#include <lz4.h>\n#include <zlib.h>\nint main() { return LZ4_versionNumber() + (zlibVersion() == nullptr); }\n"
    )
    result = subprocess.run(command, input=source, env=clean_env(), capture_output=True, text=True, check=False)
    return result.returncode == 0


@cache
def find_libpython() -> str:
    """The shared libpython that the simulator loads. Raises UsageError when Python is static."""
    from find_libpython import find_libpython as search  # costs 50 ms, only runs need it

    found = search()
    if not found:
        hint = "use one built with --enable-shared (Debian, Ubuntu: apt install libpython3-dev)"
        raise UsageError(f"{sys.executable} has no shared libpython: {hint}")
    return str(found)
