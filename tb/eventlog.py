"""The event log: every record of the monitors in an SQLite file, to query, to compare and to replay without the RTL.

    python -m tb.eventlog show FILE [--kind KIND] [--from CYCLE] [--to CYCLE] [--limit N]
    python -m tb.eventlog compare FILE FILE         first record in which two runs differ
    python -m tb.eventlog replay FILE               the scoreboard's checks over the log

A test writes one when it runs with KVCPU_EVENTLOG=1 (or the setting `eventlog`), beside its sim.log.
"""

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tb.events import records as ev
from tb.events.records import Kind, Op
from tb.harness.link import STREAM_WORDS, Array
from tb.run.command import Parser, run_command
from tb.run.errors import CheckError

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


def _open(path: Path) -> sqlite3.Connection:
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


def _text(row: tuple[Any, ...]) -> str:
    cycle, kind, op, head, *words = row
    while words and words[-1] == 0:
        words.pop()
    fields = " ".join(f"{word & 0xFFFF_FFFF_FFFF_FFFF:#x}" for word in words)
    return f"cycle {cycle} {kind}{' ' + op if op else ''} head {head & 0xFFFF_FFFF_FFFF_FFFF:#x} {fields}"


def show(path: Path, kind: str | None, first: int, last: int, limit: int) -> int:
    """Print records of a window of cycles."""
    where = f"cycle BETWEEN {first} AND {last}" + (f" AND kind = '{Kind[kind].name}'" if kind else "")
    for _, row in zip(range(limit), rows(_open(path), "main", where), strict=False):
        print(_text(row))
    return 0


def compare(one: Path, other: Path) -> int:
    """Print the first record in which two logs differ; 0 when they are equal."""
    left, right = rows(_open(one), "main"), rows(_open(other), "main")
    count = 0
    while True:
        a, b = next(left, None), next(right, None)
        if a is None and b is None:
            print(f"{count} records, all equal")
            return 0
        if a != b:
            print(f"record {count}: the runs differ from here\n  {one}: {_text(a) if a else 'ends'}")
            print(f"  {other}: {_text(b) if b else 'ends'}")
            return 1
        count += 1


def replay(path: Path) -> int:
    """The scoreboard's checks over a log; 0 when nothing differs."""
    from tb.scoreboard.offline import replay_log  # the scoreboard and the golden model

    print(replay_log(_open(path)))
    return 0


def _command(arguments: list[str]) -> int:
    parser = Parser("python -m tb.eventlog", "Look into an event log.")
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("show", help="print records")
    shown.add_argument("file", type=Path)
    shown.add_argument("--kind", choices=[kind.name for kind in Kind])
    shown.add_argument("--from", dest="first", type=int, default=0)
    shown.add_argument("--to", dest="last", type=int, default=2**62)
    shown.add_argument("--limit", type=int, default=100)
    compared = commands.add_parser("compare", help="first divergence of two runs")
    compared.add_argument("file", type=Path)
    compared.add_argument("other", type=Path)
    replayed = commands.add_parser("replay", help="run the scoreboard over a log")
    replayed.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    try:
        if options.command == "show":
            return show(options.file, options.kind, options.first, options.last, options.limit)
        if options.command == "compare":
            return compare(options.file, options.other)
        return replay(options.file)
    except (EventLogError, AssertionError) as error:
        raise CheckError(str(error)) from None


def main(arguments: list[str]) -> int:
    """Command line; errors end in one line."""
    return run_command(lambda: _command(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
