"""Compiles the C library and the preload shim into sim_build/uapi; nothing happens while they are fresh."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sw.regs.generated import ROOT

SOURCES = Path(__file__).resolve().parent
INCLUDE = ROOT / "sw" / "include"
OUTPUT = ROOT / "sim_build" / "uapi"
FLAGS = (
    "-std=c11",
    "-O2",
    "-g",
    "-fPIC",
    "-shared",
    "-fvisibility=hidden",
    "-U_FORTIFY_SOURCE",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
)
COMPILERS = ("cc", "gcc", "clang", "c++", "g++", "clang++")
LIMIT_S = 120


class NoCompiler(Exception):
    """The machine has no C compiler; one line."""


class BuildError(Exception):
    """A source does not compile; the first line of what the compiler says."""


@dataclass(frozen=True, slots=True)
class Libraries:
    """What programs use: the C library to link with, the shim for LD_PRELOAD."""

    library: Path
    preload: Path


def find_compiler(asked: str | None = None) -> list[str]:
    """The command that compiles one C file: the compiler asked for, a C one, or a C++ one told that it is C.

    Raises:
        NoCompiler: there is none.
    """
    for name in (asked,) if asked else COMPILERS:
        found = shutil.which(name)
        if found:
            return [found, "-x", "c"] if "++" in Path(name).name else [found]
    raise NoCompiler(f"{asked}: no such compiler" if asked else "no C compiler found (cc, gcc, clang or a C++ one)")


def build(output: Path = OUTPUT, compiler: str | None = None) -> Libraries:
    """Compile what is not fresh.

    Raises:
        NoCompiler: there is none.
        BuildError: a source does not compile.
    """
    command = find_compiler(compiler)
    output.mkdir(parents=True, exist_ok=True)
    libraries = Libraries(output / "libkvcpu.so", output / "libkvcpu_preload.so")
    with (output / "lock").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        _fresh(command, libraries.library, ("libkvcpu.c", "client.c"))
        _fresh(command, libraries.preload, ("preload.c", "devpath.c", "client.c"))
    return libraries


def _fresh(command: list[str], target: Path, sources: tuple[str, ...]) -> None:
    digest = hashlib.sha256(repr((command, FLAGS)).encode())
    for path in (*(SOURCES / name for name in sources), *sorted(SOURCES.glob("*.h")), *sorted(INCLUDE.glob("*.h"))):
        digest.update(path.read_bytes())
    stamp = target.with_suffix(".stamp")
    if target.exists() and stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    temporary = target.with_suffix(".tmp")
    program, *language = command
    arguments = [program, *FLAGS, "-I", str(INCLUDE)]
    for name in sources:
        arguments += [*language, str(SOURCES / name)]  # g++ takes `-x c` for one file only
    arguments += ["-o", str(temporary), "-ldl", "-lpthread"]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise BuildError(f"{command[0]} did not end within {LIMIT_S} s") from None
    if done.returncode:
        complaint = (done.stderr.strip() or f"status {done.returncode}").splitlines()[0]
        raise BuildError(f"{target.name}: {complaint}")
    temporary.replace(target)  # a program that has it loaded keeps its own
    stamp.write_text(digest.hexdigest())
