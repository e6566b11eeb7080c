"""The event log: every record of the monitors in an SQLite file.

Each kind has a table `<name>_raw` of numbers and a view `<name>` to read: names of enumerations, hexadecimal addresses,
KV addresses by their parts (docs/events.md). `seq` is the order in which a stream's records were written.
"""

import heapq
import sqlite3
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np

from tb.events import records as generated
from tb.events.decode import KIND_BYTE, SIGNED_LAYOUTS, Array, as_records, kinds
from tb.events.fields import Field, Record, description
from tb.events.records import DTYPES, STREAM_MAIN, STREAM_PORT, STREAM_WORDS
from tb.events.text import EXPRESSIONS


class EventLogError(Exception):
    """Something the user can mend; one line."""


@cache
def fingerprint() -> int:
    """A number that every change of the description changes: logs of another one cannot be read."""
    text = "\n".join(f"{r.name} {f.name} {f.format} {f.offset}" for r in description().logged for f in r.fields)
    return zlib.crc32(text.encode()) & 0x7FFF_FFFF


def record_type(record: Record) -> type[Any]:
    """The generated class of a record."""
    found: type[Any] = getattr(generated, f"{record.name}Record")
    return found


def _columns(record: Record) -> str:
    return ", ".join(["seq INTEGER PRIMARY KEY", "cycle INTEGER", *(f'"{f.name}" INTEGER' for f in record.fields)])


def _shown(field: Field) -> str:
    """SQL of a field as the view has it."""
    column = f'"{field.name}"'  # index is a word of SQL too
    if field.enum:
        cases = " ".join(f"WHEN {code} THEN '{name}'" for name, code in field.enum.members.items())
        return f"CASE {column} {cases} ELSE {column} END AS {column}"
    return f"{EXPRESSIONS.get(field.shown_as, '{0}').format(column)} AS {column}"


class EventLog:
    """Writes records as they are drained."""

    def __init__(self, path: Path, parameters: dict[str, Any]) -> None:
        path.unlink(missing_ok=True)
        self._db = sqlite3.connect(path)
        self._db.execute("CREATE TABLE parameters (name TEXT PRIMARY KEY, value INTEGER)")
        self._db.executemany("INSERT INTO parameters VALUES (?, ?)", list(parameters.items()))
        self._db.execute(f"PRAGMA user_version = {fingerprint()}")
        self._written = [0] * len(STREAM_WORDS)
        self._records = {(r.stream.number, r.code): r for r in description().logged}
        for record in self._records.values():
            shown = ", ".join(["seq", "cycle", *map(_shown, record.fields)])
            self._db.execute(f"CREATE TABLE {record.table}_raw ({_columns(record)})")
            self._db.execute(f"CREATE VIEW {record.table} AS SELECT {shown} FROM {record.table}_raw")

    def add(self, stream: int, words: Array) -> None:
        """Append raw records of a stream, shape (n, words)."""
        seq = np.arange(self._written[stream], self._written[stream] + len(words))
        self._written[stream] += len(words)
        if stream not in (STREAM_MAIN, STREAM_PORT):
            self._insert(self._records[stream, None], seq, words)
            return
        of = kinds(words)
        for code in np.unique(of).tolist():
            self._insert(self._records[stream, code], seq[of == code], words[of == code])

    def _insert(self, record: Record, seq: Array, words: Array) -> None:
        if not len(words):
            return
        typed = as_records(words, record_type(record)).astype(_signed(record))  # SQLite's integers are signed
        columns = [seq.tolist(), *(typed[name].tolist() for name in typed.dtype.names or ())]
        marks = ", ".join("?" * len(columns))
        self._db.executemany(f"INSERT INTO {record.table}_raw VALUES ({marks})", zip(*columns, strict=True))

    def close(self) -> None:
        """Write everything out."""
        self._db.commit()
        self._db.close()


def _signed(record: Record) -> np.dtype[Any]:
    """The type of a record's fields with its 64-bit ones signed."""
    dtype = DTYPES[record_type(record)]
    names = list(dtype.names or ())
    return np.dtype([(name, "<i8" if dtype[name] == np.uint64 else dtype[name]) for name in names])


def open_log(path: Path) -> sqlite3.Connection:
    """The log at `path`, read only. Raises EventLogError."""
    if not path.is_file():
        raise EventLogError(f"there is no event log {path}")
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        found = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute("SELECT name, value FROM parameters").fetchone()
    except sqlite3.Error as error:
        raise EventLogError(f"{path} is no event log: {error}") from None
    if found != fingerprint():
        raise EventLogError(f"{path} was written with other fields of events: run the test again with EVENTS=1")
    return db


def sizes(db: sqlite3.Connection) -> dict[str, int]:
    """The parameters of the device that the log is of."""
    return dict(db.execute("SELECT name, value FROM parameters"))


def load(db: sqlite3.Connection, stream: int) -> Array:
    """All records of a stream as the words that the monitors wrote, shape (n, words). Raises EventLogError."""
    records = [r for r in description().logged if r.stream.number == stream]
    total = sum(db.execute(f"SELECT count(*) FROM {r.table}_raw").fetchone()[0] for r in records)
    words = np.zeros((total, STREAM_WORDS[stream]), np.uint64)
    for record in records:
        kind = record_type(record)
        names = ", ".join(f'"{name}"' for name in kind._fields)
        seq = [row[0] for row in db.execute(f"SELECT seq FROM {record.table}_raw ORDER BY seq")]
        rows = db.execute(f"SELECT {names} FROM {record.table}_raw ORDER BY seq")
        try:
            packed = bytearray().join(starmap(SIGNED_LAYOUTS[kind].pack, rows))
        except struct.error as error:
            raise EventLogError(f"table {record.table}_raw holds a value that no field can have: {error}") from None
        lines = np.frombuffer(packed, np.uint8).reshape(-1, words.shape[1] * 8)
        if record.code is not None:
            lines[:, KIND_BYTE] = record.code
        words[seq] = lines.view(np.uint64)
    return words


def at(words: Array, stream: int, place: int) -> tuple[Record, dict[str, int]]:
    """The record at a place of a stream's words: (its description, values by field name)."""
    one = words[place : place + 1]
    codes = {r.code: r for r in description().logged if r.stream.number == stream}
    record = codes[None] if None in codes else codes[int(kinds(one)[0])]
    typed = as_records(one, record_type(record))[0]
    return record, {name: int(typed[name]) for name in typed.dtype.names}


def first_divergence(left: Array, right: Array) -> int | None:
    """The first place at which two streams differ, None when they are equal; where one ends, its length."""
    common = min(len(left), len(right))
    different = np.flatnonzero((left[:common] != right[:common]).any(axis=1))
    if different.size:
        return int(different[0])
    return None if len(left) == len(right) else common


def read(
    db: sqlite3.Connection, kind: str | None = None, first: int = 0, last: int = 2**62
) -> Iterator[tuple[Record, dict[str, int]]]:
    """Records of the main stream, or of one kind of any, in a window of cycles, in order.

    Yields the record's description and its values by field name.
    """
    wanted = [r for r in description().logged if (r.stream.number == STREAM_MAIN if kind is None else r.name == kind)]
    cursors = [_cursor(db, record, first, last) for record in wanted]
    for _, record, values in heapq.merge(*cursors, key=lambda found: found[0]):
        yield record, values


def _cursor(
    db: sqlite3.Connection, record: Record, first: int, last: int
) -> Iterator[tuple[int, Record, dict[str, int]]]:
    names = ["cycle", *(field.name for field in record.fields)]
    query = f"SELECT * FROM {record.table}_raw WHERE cycle BETWEEN ? AND ? ORDER BY seq"
    for row in db.execute(query, (first, last)):
        yield row[0], record, dict(zip(names, row[1:], strict=True))
