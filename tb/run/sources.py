"""Which files go into a build: expand the manifest's patterns, order packages, hash contents."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tb.run.errors import UsageError
from tb.run.paths import ROOT, shown

HDL_SUFFIXES = (".sv", ".svh", ".v", ".vh", ".vlt")
CPP_HEADERS = ("*.h", "*.hpp", "*.inc")
_PACKAGE_USE = re.compile(r"\b(\w+_pkg)\s*::")


def expand(patterns: Sequence[str], root: Path = ROOT) -> list[Path]:
    """Files of `patterns` (paths or globs relative to `root`) in order, each once.

    Packages (`*_pkg.sv`) come first and after the packages they use. Raises UsageError for a
    pattern without a match.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = sorted(root.glob(pattern)) if any(c in pattern for c in "*?[") else [root / pattern]
        if not matches or not matches[0].is_file():
            raise UsageError(f"source `{pattern}` matches no file")
        found.update(dict.fromkeys(matches))
    packages = [path for path in found if path.stem.endswith("_pkg")]
    return [*order_packages(packages), *(path for path in found if not path.stem.endswith("_pkg"))]


def expand_folders(patterns: Sequence[str], root: Path = ROOT) -> list[Path]:
    """Directories of `patterns` (paths or globs) in order. Raises UsageError for one without a match."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = [path for path in sorted(root.glob(pattern)) if path.is_dir()]
        if not matches:
            raise UsageError(f"directory `{pattern}` does not exist")
        found.update(dict.fromkeys(matches))
    return list(found)


def order_packages(packages: Sequence[Path]) -> list[Path]:
    """Packages in an order in which each comes after those it refers to (file name = package name)."""
    by_name = {path.stem: path for path in packages}
    graph = {
        name: sorted((set(_PACKAGE_USE.findall(path.read_text())) & by_name.keys()) - {name})
        for name, path in by_name.items()
    }
    try:
        return [by_name[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        raise UsageError(f"packages use each other in a circle: {' -> '.join(error.args[1])}") from None


def cpp_headers(cpp: Sequence[Path], includes: Sequence[Path]) -> list[Path]:
    """Every header of the project that the C++ sources could include."""
    folders = sorted({path.parent for path in cpp} | set(includes))
    return [path for folder in folders for pattern in CPP_HEADERS for path in sorted(folder.glob(pattern))]


def library_listing(libs: Iterable[Path]) -> list[str]:
    """Names of the files in the module directories: a file that appears or goes may change a lookup."""
    return sorted(shown(path) for lib in libs for path in lib.glob("*") if path.suffix in HDL_SUFFIXES)


@lru_cache(maxsize=4096)
def _digest_at(path: Path, _mtime_ns: int, _size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest(path: Path) -> str:
    """SHA-256 of a file's content; "missing" when it does not exist."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return "missing"
    return _digest_at(path, stat.st_mtime_ns, stat.st_size)


def digest_text(*parts: str) -> str:
    """Short hash over strings, each set apart from the next."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
