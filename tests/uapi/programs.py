"""C programs of tests: compiled once a session, run with the shim."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from sw.uapi.build import build, find_compiler
from tests.node.serving import environment

_FOLDER = Path(__file__).resolve().parent


@cache
def compiled(name: str) -> Path:
    """The program of `tests/uapi/<name>.c`."""
    program = Path(mkdtemp(prefix="kvcpu-programs-")) / name
    options = ["-std=c11", "-O2", "-D_GNU_SOURCE", "-D_FORTIFY_SOURCE=2", "-Wall", "-Wextra", "-Werror", "-pthread"]
    subprocess.run([*find_compiler(), *options, str(_FOLDER / f"{name}.c"), "-o", str(program)], check=True)
    return program


def shimmed(socket: Path, command: list[str], *, seconds: float = 30.0) -> subprocess.CompletedProcess[str]:
    """Run a command with the preload shim to its end."""
    env = environment(socket, LD_PRELOAD=str(build().preload))
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=seconds, check=False)
