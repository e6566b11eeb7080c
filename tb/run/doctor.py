"""`make doctor`: what this machine has, what is missing, and how to get it."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version

from rich.table import Table
from rich.text import Text

from sw.terminal import new_console, visible
from tb.run.errors import UsageError
from tb.run.paths import CACHE, ROOT
from tb.run.setup_env import OWN, is_whole
from tb.run.tools import (
    FST_HINT,
    find_compiler,
    find_libpython,
    find_verilator,
    fst_available,
    require_kernel_packages,
    require_programs,
)

PACKAGES = ("cocotb", "cocotb-bus", "pyuvm", "numpy", "pyslang", "peakrdl-regblock")


def _try(find: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, find()
    except UsageError as error:
        return False, str(error)


def _programs() -> str:
    require_programs()
    return "found"


def _kernel() -> str:
    require_kernel_packages()
    return "`make kernel`: Debian's packages found"


def _own(name: str, target: str) -> str:
    """The environment of an engine. Raises UsageError where there is none."""
    locks = [ROOT / "requirements" / f"{lock}.txt" for lock in OWN[name]]
    if not is_whole(ROOT / f".venv-{name}", locks):
        raise UsageError(f".venv-{name} is not there: the first `make {target}` makes it")
    return f"`make {target}`: .venv-{name}"


def _checks() -> Iterator[tuple[str, bool, bool, str]]:
    """(what, needed, there, text) rows."""
    yield "Python", True, sys.version_info >= (3, 11), sys.version.split()[0]
    yield "libpython", True, *_try(find_libpython)
    yield "make, perl", True, *_try(_programs)
    yield "C++ compiler", True, *_try(lambda: find_compiler().version)
    yield "Verilator", True, *_try(lambda: find_verilator().version)
    for name in PACKAGES:
        yield name, True, True, version(name)
    has_fst = bool(shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")) and fst_available(
        find_compiler()
    )
    yield "FST waves", False, has_fst, "lz4 and zlib headers found" if has_fst else FST_HINT
    viewer = shutil.which("surfer") or shutil.which("gtkwave")
    yield "wave viewer", False, viewer is not None, viewer or "neither surfer nor gtkwave is on the path"
    yield "Linux on the device", False, *_try(_kernel)
    yield "llama.cpp", False, *_try(lambda: _own("llama", "rt-bench"))
    yield "vLLM", False, *_try(lambda: _own("vllm", "vllm-check"))
    yield "cores", True, True, str(os.cpu_count())
    size = sum(path.stat().st_size for path in CACHE.rglob("*") if path.is_file()) if CACHE.exists() else 0
    yield "build cache", True, True, f"{size / 2**20:.0f} MiB in sim_build/cache (`make clean` empties it)"


def doctor() -> int:
    """Print the table. Returns 1 when something needed is missing."""
    table = Table("", "what", "found")
    ok = True
    for what, needed, there, text in _checks():
        ok = ok and (there or not needed)
        state = ("ok", "green") if there else ("missing", "red") if needed else ("without", "yellow")
        table.add_row(Text(*state), what, Text(visible(text)))
    new_console().print(table)
    return 0 if ok else 1
