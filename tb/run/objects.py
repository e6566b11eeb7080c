"""Compiled objects by content: a change to one module recompiles the C++ files that it changed.

Verilator writes the same C++ for everything that a change does not touch, and its runtime library
never changes. Each object is kept under the hash of all that went into it; `make -o` then takes it
as it is and builds the precompiled headers only for what is left.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from tb.run import artefacts

RUNTIME = "verilated"  # prefix of the runtime's objects, which include nothing of the design


def _hash(*parts: bytes) -> bytes:
    """Hash over `parts`, each set apart from the next."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _contents(paths: Iterable[Path]) -> list[bytes]:
    return [text for path in sorted(paths) for text in (path.name.encode(), path.read_bytes())]


class ObjectStore:
    """Objects of one build folder, looked up in and added to a store shared by all builds.

    `settings` is everything besides file contents that reaches the compiler: its version, Verilator's
    version, the flags. `user` are the C++ sources from outside the folder, `headers` theirs.
    """

    def __init__(
        self, store: Path, folder: Path, settings: Iterable[str], user: Iterable[Path], headers: Iterable[Path]
    ) -> None:
        self._store = store
        self._folder = folder
        self._user = {path.stem: path for path in user}
        self.damaged = 0  # kept objects that were not as they had been written
        switches = re.findall(r"^VM_\w+ = [01]$", (folder / "Vtop_classes.mk").read_text(), re.M)
        self._runtime = _hash(b"", *(text.encode() for text in (*settings, *switches)))
        self._design = _hash(self._runtime, *_contents(folder.glob("*.h")))
        self._foreign = _hash(self._design, *_contents(headers))

    def _key(self, name: str) -> Path:
        """Where the object `name` is kept."""
        if name in self._user:
            digest = _hash(self._foreign, name.encode(), self._user[name].read_bytes())
        elif name.startswith(RUNTIME):
            digest = _hash(self._runtime, name.encode())
        else:
            digest = _hash(self._design, name.encode(), (self._folder / f"{name}.cpp").read_bytes())
        return self._store / f"{digest.hex()[:32]}.o"

    def _names(self) -> set[str]:
        """Names of the objects that the makefiles of the folder link."""
        makefiles = (self._folder / "Vtop_classes.mk").read_text() + (self._folder / "Vtop.mk").read_text()
        listed = set(re.findall(r"^\s+(\w+)\s*\\?$", makefiles, re.M))
        made = {path.stem for path in self._folder.glob("*.cpp")}
        return {name for name in listed if name in made or name in self._user or name.startswith(RUNTIME)}

    def take(self) -> list[str]:
        """Copy what is known into the folder; returns the object files that make must not touch."""
        taken = []
        for name in sorted(self._names()):
            try:
                if artefacts.take_file(self._key(name), self._folder / f"{name}.o"):
                    taken.append(f"{name}.o")
            except artefacts.Damaged:
                self.damaged += 1
        return taken

    def left(self, taken: Iterable[str]) -> list[str]:
        """Names of the objects that are yet to be compiled."""
        return sorted(self._names() - {Path(name).stem for name in taken})

    def keep(self, taken: Iterable[str]) -> None:
        """Add the objects that were compiled now."""
        self._store.mkdir(parents=True, exist_ok=True)
        compiled = {path.stem for path in self._folder.glob("*.o")} - {Path(name).stem for name in taken}
        for name in compiled & self._names():
            artefacts.keep_file(self._folder / f"{name}.o", self._key(name))


def prune(store: Path, limit_bytes: int) -> None:
    """Remove what was used longest ago until the files of `store` take at most `limit_bytes`."""
    files = sorted(((path.stat().st_mtime, path.stat().st_size, path) for path in store.glob("*.o")), reverse=True)
    total = 0
    for _time, size, path in files:
        total += size
        if total > limit_bytes:
            artefacts.forget_file(path)
