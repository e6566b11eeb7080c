"""The scoreboard without a simulator: records come from an event log instead of from monitors."""

import sqlite3
from collections.abc import Mapping
from typing import Any

import numpy as np

from tb.events.log import EventLogError, load, sizes
from tb.events.records import STREAM_MAIN, STREAM_PORT, STREAM_SCAN
from tb.harness import message
from tb.harness.context import Mismatch
from tb.harness.link import Array
from tb.scoreboard.scoreboard import Scoreboard

CHUNK = 20_000  # records replayed at once


class OfflineContext:
    """What the scoreboard needs of a test's context: it counts and compares."""

    def __init__(self) -> None:
        self.comparisons = self.mismatches = 0

    def progress(self, n: int = 1) -> None:
        """No watchdog waits for it."""

    def compare(self, subject: str, expected: Any, seen: Any, **where: Any) -> None:
        """One comparison. Raises Mismatch."""
        self.comparisons += 1
        if expected != seen:
            self.fail(Mismatch(message.difference(subject, where, expected, seen)))

    def compare_fields(self, subject: str, expected: Mapping[str, Any], seen: Mapping[str, Any], **where: Any) -> None:
        """One comparison of something with fields. Raises Mismatch."""
        self.comparisons += 1
        if any(seen.get(name) != value for name, value in expected.items()):
            self.fail(Mismatch(message.field_differences(subject, where, expected, seen)))

    def fail(self, error: BaseException) -> None:
        """Raise it."""
        self.mismatches += 1
        raise error


class OfflineLink:
    """Hands out the records of a log, chunk by chunk and cut at the same cycle in every stream."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._streams = {stream: load(db, stream) for stream in (STREAM_MAIN, STREAM_SCAN, STREAM_PORT)}
        self._until = 0

    def next_chunk(self) -> bool:
        """Move on; False at the end of the log."""
        main = self._streams[STREAM_MAIN]
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
        of = sizes(db)
        try:
            self.entries, self.lanes, self.ports = of["ENTRIES"], of["LANES"], of["PORTS"]
            self.block_tokens = of["BLOCK_TOKENS"]
        except KeyError as error:
            raise EventLogError(f"the event log does not say {error}") from None
        self.link = link
        self.on_records: Any = None
        self.taps: list[Any] = []

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
