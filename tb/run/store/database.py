"""The store itself: one SQLite file. A run is in it whole or not at all, also when two commands end together."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tb.run.paths import RESULTS, shown
from tb.run.store.figures import Figure

FILE = "runs.sqlite"
VERSION = 1
WAIT_S = 60.0
PASSED, FAILED, INTERRUPTED = "passed", "failed", "interrupted"  # verdicts
Say = Callable[[str], None]

TABLES = """
CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, command TEXT NOT NULL, time TEXT NOT NULL,
  revision TEXT NOT NULL, clean INTEGER, seed INTEGER, verdict TEXT NOT NULL, settings TEXT NOT NULL,
  machine TEXT NOT NULL, record BLOB NOT NULL, digest TEXT NOT NULL);
CREATE TABLE figures (
  run INTEGER NOT NULL REFERENCES runs (id), name TEXT NOT NULL, value NOT NULL, unit TEXT NOT NULL, samples TEXT,
  PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE TABLE files (
  run INTEGER NOT NULL REFERENCES runs (id), name TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
  PRIMARY KEY (run, name)) WITHOUT ROWID;
"""
HEAD = "kind, command, time, revision, clean, seed, verdict"
FIGURE = "name, value, unit, samples"
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
REFUSALS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
}
"""What SQLite's refusal is called by the operating system; all others are input/output errors."""


class DamagedRun(Exception):
    """A run in the store is not as it was written."""


class _DamagedStore(Exception):
    """The file is no store."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a list of runs shows of one.

    Attributes:
        number: in the store, from 1 on; 0 before it is there.
        kind: of report (sim, llm, regress, ...); `command` is the make target that made it.
        time: UTC; `revision` the commit, `clean` whether the tree was exactly that (None: unknown).
        seed: of the run; None for several or none.
        verdict: "passed", "failed" or "interrupted".
    """

    number: int
    kind: str
    command: str
    time: str
    revision: str
    clean: bool | None
    seed: int | None
    verdict: str

    @property
    def name(self) -> str:
        """How a user names the run: regress-12."""
        return f"{self.kind}-{self.number}"

    @property
    def sources(self) -> str:
        """The sources in words."""
        changed = ", modified" if self.clean is False else ""
        return f"commit {self.revision}{changed}" if self.revision else "commit unknown"


@dataclass(frozen=True, slots=True)
class File:
    """A file that a run has left, by its name in the folder of its report."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run: its head, what was set, the machine, the whole record of its report, its figures and files."""

    head: Head
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    record: Mapping[str, Any]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    files: Sequence[File] = ()

    def digest(self) -> str:
        """SHA-256 over all of it but its number."""
        content = {
            **asdict(self.head),
            "number": 0,
            "settings": self.settings,
            "machine": self.machine,
            "record": self.record,
            "figures": [asdict(figure) for _, figure in sorted(self.figures.items())],
            "files": [asdict(file) for file in sorted(self.files, key=lambda file: file.name)],
        }
        return hashlib.sha256(text_of(content).encode()).hexdigest()


def text_of(value: Any) -> str:
    """JSON, the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


class Store:
    """The runs in `folder`; `say` has one line when the store was damaged and a new one was made."""

    def __init__(self, folder: Path = RESULTS, say: Say = print) -> None:
        self.folder = folder
        self.path = folder / FILE
        self._say = say
        self._sound = False  # looked at from end to end, once in a process

    def add(self, run: Run) -> Head:
        """Add a run; returns its head with its number. Raises OSError when the machine refuses to write."""
        with self._opened() as database:
            database.execute("BEGIN IMMEDIATE")
            number = database.execute(
                f"INSERT INTO runs ({HEAD}, settings, machine, record, digest) VALUES (?{', ?' * 10})",
                _row(run),
            ).lastrowid
            assert number is not None
            database.executemany("INSERT INTO figures VALUES (?, ?, ?, ?, ?)", _figure_rows(number, run))
            files = [(number, file.name, file.bytes, file.sha256) for file in run.files]
            database.executemany("INSERT INTO files VALUES (?, ?, ?, ?)", files)
            database.execute("COMMIT")
        return replace(run.head, number=number)

    def heads(self) -> list[Head]:
        """All runs, the oldest first. Raises OSError."""
        if not self.path.exists():
            return []
        with self._opened() as database:
            return [_head(row) for row in database.execute(f"SELECT id, {HEAD} FROM runs ORDER BY id")]

    def figures(self, number: int) -> dict[str, Figure]:
        """The figures of a run by name, without the rest of it. Raises OSError."""
        with self._opened() as database:
            return _figures(database, number)

    def history(
        self, kind: str, names: Sequence[str], count: int, *, alike: bool = True
    ) -> list[tuple[Head, dict[str, Figure]]]:
        """The last `count` runs of a kind in order, those left out that were interrupted.

        Each with those of its figures that have one of the `names`. `alike`: only those with settings and seed of the
        newest. Raises OSError.
        """
        with self._opened() as database:
            query = f"SELECT id, {HEAD}, settings FROM runs WHERE kind = ? AND verdict != ? ORDER BY id DESC"
            rows = database.execute(query, (kind, INTERRUPTED)).fetchall()
            chosen = [_head(row[:8]) for row in rows if not alike or (row[8], row[6]) == (rows[0][8], rows[0][6])]
            return [(head, _figures(database, head.number, names)) for head in reversed(chosen[:count])]

    def run(self, number: int) -> Run:
        """One run. Raises DamagedRun when it is not as it was written, KeyError when there is none, OSError."""
        with self._opened() as database:
            row = database.execute(
                f"SELECT id, {HEAD}, settings, machine, record, digest FROM runs WHERE id = ?", (number,)
            ).fetchone()
            if row is None:
                raise KeyError(number)
            query = "SELECT name, bytes, sha256 FROM files WHERE run = ? ORDER BY name"
            files = [File(*found) for found in database.execute(query, (number,))]
            figures = _figures(database, number)
        head = _head(row[:8])
        settings, machine, record, digest = row[8:]
        try:
            content = json.loads(zlib.decompress(record))
            run = Run(head, json.loads(settings), json.loads(machine), content, figures, files)
        except (ValueError, zlib.error):
            raise DamagedRun(f"run {head.name} in {shown(self.path)} cannot be read") from None
        if run.digest() != digest:
            raise DamagedRun(f"run {head.name} in {shown(self.path)} is not as it was written")
        return run

    # ------------------------------------------------------------ the file

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The database; nothing else reads or writes it meanwhile. What is not committed at the end is dropped."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as mutex:
            fcntl.flock(mutex, fcntl.LOCK_EX)
            try:
                database = self._connected()
                try:
                    yield database
                finally:
                    database.close()
            except sqlite3.Error as error:
                raise _refusal(error, self.path) from None

    def _connected(self) -> sqlite3.Connection:
        try:
            return self._checked()
        except _DamagedStore as damage:
            aside = self._move_aside()
            self._say(f"results: {shown(self.path)} is damaged ({damage}): moved to {aside.name}, a new one is made")
        return self._checked()

    def _checked(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)
        try:
            _check(database, deep=not self._sound)
            self._sound = True
        except BaseException:
            database.close()
            raise
        return database

    def _move_aside(self) -> Path:
        """Rename the file; SQLite has applied or dropped its journal when the damage was found."""
        number = 1
        while (aside := self.folder / f"damaged-{number}.sqlite").exists():
            number += 1
        self.path.rename(aside)
        return aside


def _check(database: sqlite3.Connection, *, deep: bool) -> None:
    """Make the tables of a new store, look at the form of an old one or (`deep`) at all of it. Raises _DamagedStore."""
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            database.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT")
        elif version != VERSION:
            raise _DamagedStore(f"it has form {version}, not {VERSION}")
        elif deep and (found := database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise _DamagedStore(str(found).splitlines()[-1])
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE:
            raise _DamagedStore(str(error)) from None
        raise


def _refusal(error: sqlite3.Error, path: Path) -> OSError:
    number = REFUSALS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, errno.EIO)
    return OSError(number, os.strerror(number), shown(path))


def _row(run: Run) -> tuple[Any, ...]:
    head = run.head
    about = (head.kind, head.command, head.time, head.revision, head.clean, head.seed, head.verdict)
    record = zlib.compress(text_of(run.record).encode())
    return (*about, text_of(run.settings), text_of(run.machine), record, run.digest())


def _figure_rows(number: int, run: Run) -> list[tuple[Any, ...]]:
    return [
        (number, one.name, one.value, one.unit, text_of(one.samples) if one.samples else None)
        for one in run.figures.values()
    ]


def _head(row: Sequence[Any]) -> Head:
    number, kind, command, time, revision, clean, seed, verdict = row
    return Head(number, kind, command, time, revision, None if clean is None else bool(clean), seed, verdict)


def _figures(database: sqlite3.Connection, number: int, names: Sequence[str] | None = None) -> dict[str, Figure]:
    """All figures of a run, or those of the names."""
    chosen = "" if names is None else f" AND name IN ({', '.join('?' * len(names))})"
    query = f"SELECT {FIGURE} FROM figures WHERE run = ?{chosen} ORDER BY name"
    rows = database.execute(query, (number, *(names or ())))
    return {
        name: Figure(name, value, unit, tuple(json.loads(samples)) if samples else ())
        for name, value, unit, samples in rows
    }
