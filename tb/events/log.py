"""The event log: every record of the monitors in an SQLite file."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tb.events import records as ev
from tb.events.records import Kind, Op
from tb.harness.link import STREAM_WORDS, Array

NAME = "events.sqlite"
_TABLES = {ev.STREAM_MAIN: "main", ev.STREAM_SCAN: "scan", ev.STREAM_PORT: "port"}
CHUNK = 20_000  # records replayed at once


class EventLogError(Exception):
    """Something the user can mend; one line."""


class EventLog:
    """Writes records as they are drained."""

    def __init__(self, path: Path, parameters: dict[str, Any]) -> None:
        path.unlink(missing_ok=True)
        self._db = sqlite3.connect(path)
        self._db.execute("CREATE TABLE parameters (name TEXT PRIMARY KEY, value INTEGER)")
        self._db.executemany("INSERT INTO parameters VALUES (?, ?)", list(parameters.items()))
        for stream, table in _TABLES.items():
            words = ", ".join(f"w{i} INTEGER" for i in range(2, STREAM_WORDS[stream]))
            kind = "kind TEXT, op TEXT, " if stream == ev.STREAM_MAIN else ""
            self._db.execute(f"CREATE TABLE {table} (cycle INTEGER, {kind}w1 INTEGER, {words})")

    def add(self, stream: int, records: Array) -> None:
        """Append raw records of a stream."""
        signed = records.view(np.int64).tolist()  # SQLite's integers are signed
        if stream == ev.STREAM_MAIN:
            signed = [[r[0], *_names(r[1]), *r[1:]] for r in signed]
        if signed:
            marks = ", ".join("?" * len(signed[0]))
            self._db.executemany(f"INSERT INTO {_TABLES[stream]} VALUES ({marks})", signed)

    def close(self) -> None:
        """Write everything out."""
        self._db.commit()
        self._db.close()


def _names(head: int) -> tuple[str, str | None]:
    kind = Kind(head & 0xFF)
    return kind.name, Op(head >> 8 & 0xFF).name if kind == Kind.Op else None


def open_log(path: Path) -> sqlite3.Connection:
    """The log at `path`, read only. Raises EventLogError."""
    if not path.is_file():
        raise EventLogError(f"there is no event log {path}")
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        db.execute("SELECT count(*) FROM main, parameters LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise EventLogError(f"{path} is no event log: {error}") from None
    return db


def rows(db: sqlite3.Connection, table: str, where: str = "1") -> Iterator[tuple[Any, ...]]:
    """Records of a table in the order in which they were written."""
    yield from db.execute(f"SELECT * FROM {table} WHERE {where} ORDER BY rowid")
