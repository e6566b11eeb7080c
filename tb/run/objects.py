"""Compiled objects by content: a change to one module recompiles the C++ files that it changed.

Verilator writes the same C++ for everything that a change does not touch, and its runtime library
never changes. Each object is kept under the hash of all that went into it; `make -o` then takes it
as it is and builds the precompiled headers only for what is left.
"""

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

RUNTIME = "verilated"  # prefix of the runtime's objects, which include nothing of the design


class ObjectStore:
    """Objects of one build folder, looked up in and added to a store shared by all builds.

    `settings` is everything besides file contents that reaches the compiler: its version, Verilator's
    version, the flags. `extra` are headers and sources outside the folder.
    """

    def __init__(self, store: Path, folder: Path, settings: Iterable[str], extra: Iterable[Path]) -> None:
        self._store = store
        self._folder = folder
        base = hashlib.sha256("\0".join(settings).encode())
        base.update("".join(re.findall(r"^VM_\w+ = [01]$", (folder / "Vtop_classes.mk").read_text(), re.M)).encode())
        self._runtime_base = base.hexdigest()
        for path in sorted([*folder.glob("*.h"), *extra]):
            base.update(path.name.encode() + b"\0" + path.read_bytes())
        self._design_base = base.hexdigest()

    def _key(self, name: str, source: Path | None) -> Path:
        """Where the object `name` is kept; sources outside the folder are part of `extra`."""
        runtime = name.startswith(RUNTIME)
        content = source.read_bytes() if source is not None and not runtime else b""
        digest = hashlib.sha256(f"{self._runtime_base if runtime else self._design_base}\0{name}\0".encode() + content)
        return self._store / f"{digest.hexdigest()[:32]}.o"

    def _keys(self, names: Iterable[str]) -> dict[str, Path]:
        sources = {name: self._folder / f"{name}.cpp" for name in names}
        return {name: self._key(name, path if path.exists() else None) for name, path in sources.items()}

    def take(self) -> list[str]:
        """Copy what is known into the folder; returns the object files that make must not touch."""
        makefiles = (self._folder / "Vtop_classes.mk").read_text() + (self._folder / "Vtop.mk").read_text()
        names = set(re.findall(r"^\s+(\w+)\s*\\?$", makefiles, re.M))
        taken = []
        for name, path in self._keys(names).items():
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(path, self._folder / f"{name}.o")
                os.utime(path)
                taken.append(f"{name}.o")
        return taken

    def keep(self, taken: Iterable[str]) -> None:
        """Add the objects that were compiled now."""
        self._store.mkdir(parents=True, exist_ok=True)
        compiled = {path.stem for path in self._folder.glob("*.o")} - {Path(name).stem for name in taken}
        for name, path in self._keys(compiled).items():
            temporary = path.with_suffix(f".{os.getpid()}")
            shutil.copyfile(self._folder / f"{name}.o", temporary)
            temporary.replace(path)


def prune(store: Path, limit_bytes: int) -> None:
    """Remove what was used longest ago until the files of `store` take at most `limit_bytes`."""
    files = sorted(((path.stat().st_mtime, path.stat().st_size, path) for path in store.glob("*.o")), reverse=True)
    total = 0
    for _time, size, path in files:
        total += size
        if total > limit_bytes:
            path.unlink(missing_ok=True)
