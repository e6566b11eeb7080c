"""The scoreboard without a simulator: records come from an event log instead of from monitors."""

import sqlite3
from typing import Any

import numpy as np

from tb.events import records as ev
from tb.events.log import CHUNK, EventLogError, rows
from tb.harness.context import Mismatch
from tb.harness.link import STREAM_WORDS, Array
from tb.scoreboard.scoreboard import Scoreboard

_TABLES = {ev.STREAM_MAIN: "main", ev.STREAM_SCAN: "scan", ev.STREAM_PORT: "port"}


class OfflineContext:
    """What the scoreboard needs of a test's context: it counts and compares."""

    def __init__(self) -> None:
        self.comparisons = self.mismatches = 0

    def progress(self, n: int = 1) -> None:
        """Nobody watches."""

    def compare(self, subject: str, expected: Any, seen: Any, **where: Any) -> None:
        """One comparison. Raises Mismatch."""
        self.comparisons += 1
        if expected != seen:
            place = "".join(f" {key}={value}" for key, value in where.items())
            self.fail(Mismatch(f"{subject}{place}: expected {expected}, seen {seen}"))

    def fail(self, error: BaseException) -> None:
        """Raise it."""
        self.mismatches += 1
        raise error


class OfflineLink:
    """Hands out the records of a log, chunk by chunk and cut at the same cycle in every stream."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._streams = {stream: self._load(db, stream) for stream in _TABLES}
        self._until = 0

    @staticmethod
    def _load(db: sqlite3.Connection, stream: int) -> Array:
        skip = 2 if stream == ev.STREAM_MAIN else 0  # kind and operation by name
        words = [(row[0], *row[1 + skip :]) for row in rows(db, _TABLES[stream])]
        table = np.array(words, dtype=np.int64).reshape(-1, STREAM_WORDS[stream])
        return table.view(np.uint64)

    def next_chunk(self) -> bool:
        """Move on; False at the end of the log."""
        main = self._streams[ev.STREAM_MAIN]
        if not len(main):
            return False
        self._until = int(main[min(CHUNK, len(main)) - 1, 0])
        return True

    def take_records(self, stream: int) -> Array:
        """Records up to the chunk's last cycle."""
        table = self._streams[stream]
        count = int(np.searchsorted(table[:, 0], self._until, side="right"))
        self._streams[stream] = table[count:]
        return table[:count]

    def checks(self) -> int:
        """Protocol checkers work in the simulation only."""
        return 0


class OfflineBench:
    """The sizes of the device that the log is of."""

    def __init__(self, db: sqlite3.Connection, link: OfflineLink) -> None:
        sizes = dict(db.execute("SELECT name, value FROM parameters"))
        try:
            self.entries, self.lanes = sizes["ENTRIES"], sizes["LANES"]
            self.ports, self.block_tokens = sizes["PORTS"], sizes["BLOCK_TOKENS"]
        except KeyError as error:
            raise EventLogError(f"the event log does not say {error}") from None
        self.link = link
        self.on_records: Any = None

    def check_violations(self) -> None:
        """None offline."""


def replay_log(db: sqlite3.Connection) -> str:
    """Replay a log through the golden model; a line of counts. Raises Mismatch at the first difference."""
    link = OfflineLink(db)
    bench: Any = OfflineBench(db, link)
    context: Any = OfflineContext()
    board = Scoreboard(context, bench)
    while link.next_chunk():
        board.drain()
    return f"{board.events} events, {board.scan.scans} scans, {context.comparisons} comparisons, 0 mismatches"
