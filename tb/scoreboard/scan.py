"""Scans: every score of every entry, compared at once at the scan's end, or alone where an operation comes near."""

from typing import Any

import numpy as np

from model import DeviceState, Mismatch
from model.types import Channel, Decision
from tb.events import records as ev
from tb.harness.base_test import Context
from tb.harness.link import Array

NEVER = np.uint64(2**64 - 1)


class ScanCheck:
    """The running scan: what the monitors saw of it, and what of that the model has already done.

    The model scores an entry when the device's record of it is used: before an operation that
    commits later on the same entry, when it decides, else with all others at the end.
    """

    def __init__(self, ctx: Context, state: DeviceState) -> None:
        self._ctx = ctx
        self._state = state
        self._at = np.full(state.entry_count, NEVER, np.uint64)  # cycle of an entry's record
        self._row = np.zeros(state.entry_count, np.int64)  # its place in _records
        self._records: Array = np.zeros(0, ev.SCAN)
        self.running = False
        self.scored = 0
        self.scans = 0

    def begin(self) -> None:
        """A scan begins: forget the last one's records."""
        self._at.fill(NEVER)
        self._records = np.zeros(0, ev.SCAN)
        self.running = True

    def abandon(self) -> None:
        """A reset took the scan away."""
        self.running = False

    def add(self, records: Array) -> None:
        """Records of this scan, in order. An entry scored twice is a mismatch."""
        if not len(records):
            return
        index = records["index"]
        counts = np.bincount(index, minlength=len(self._at))
        twice = np.flatnonzero((counts > 1) | ((counts > 0) & (self._at != NEVER)))
        if twice.size:
            # A relocation may bring an unscored entry to a place that was scored: told apart by the end count.
            self._ctx.compare("scan: times that an entry is scored", 1, 2, index=int(twice[0]))
        self._row[index] = len(self._records) + np.arange(len(records))
        self._at[index] = records["cycle"]
        self._records = np.concatenate([self._records, records])

    def touch(self, index: int, cycle: int) -> None:
        """Something commits on this entry in `cycle`: if the scan came by before, score it now."""
        if self.running and self._at[index] <= cycle and not self._state.entries.scored[index]:
            self._one(index, None)

    def decide(self, record: Any) -> None:
        """A record with a decision, at its own time."""
        flags = int(record["flags"])
        index = int(record["index"])
        channel = Channel.EVICT if flags & ev.SCAN_EVICT else Channel.PREFETCH
        accepted = bool(flags & ev.SCAN_ACCEPT)
        if not accepted and not self._state.drop_is_legal(channel, index % self._state.lanes):
            places = self._state.lane_waiting[channel][index % self._state.lanes]
            level = len(self._state.queues[channel])
            waiting = len(self._state.waiting[channel])
            self._ctx.compare(
                f"{channel.name.lower()} decision dropped only when its lane's places and the queue are full",
                "4 places taken, 64 queued or waiting",
                f"{places} places taken, {level} queued, {waiting} waiting",
                index=index,
            )
        self._one(index, accepted)

    def _one(self, index: int, accepted: bool | None) -> None:
        record = self._records[self._row[index]]
        score = self._state.scan_one(index, accepted)
        where = {"index": index, "at_cycle": int(record["cycle"])}
        if score is None:
            self._ctx.compare("scan: entry to score", "none (invalid, bad parity or scored before)", "scored", **where)
            return
        seen = (int(record["prio"]), int(record["r"]), int(record["f"]), _decision(int(record["flags"])))
        self._ctx.compare(
            "scan: PRIORITY, R, F, decision", (score.prio, score.r, score.f, score.decision), seen, **where
        )
        self.scored += 1

    def end(self, cycle: int) -> None:
        """The scan is done: score and compare the rest, all at once."""
        state = self._state
        rest = state.scan_score(slice(None), np.zeros(state.entry_count, np.bool_))
        due = np.flatnonzero(rest.scored)
        missing = due[self._at[due] == NEVER]
        if missing.size:
            self._ctx.compare("scan: valid entries left unscored", 0, int(missing.size), first_index=int(missing[0]))
        records = self._records[self._row[due]]
        for name, expected in (("prio", rest.prio), ("r", rest.r), ("f", rest.f)):
            subject = {"prio": "PRIORITY", "r": "R", "f": "F"}[name]
            self._compare(f"scan: {subject}", expected[due], records[name], due, cycle)
        seen = np.where(records["flags"] & ev.SCAN_EVICT, 1, np.where(records["flags"] & ev.SCAN_PREFETCH, 2, 0))
        self._compare("scan: decision (1 evict, 2 prefetch)", rest.decision[due], seen, due, cycle)
        self.scored += due.size
        extra = len(self._records) - int(np.count_nonzero(self._at != NEVER))
        self._ctx.compare("scan: records of entries scored twice", 0, extra)
        try:
            state.scan_end()
        except Mismatch as error:
            self._ctx.compare(error.subject, error.expected, error.seen, at_cycle=cycle)
        self.running = False
        self.scans += 1

    def _compare(self, subject: str, expected: Array, seen: Array, index: Array, cycle: int) -> None:
        if np.array_equal(expected, seen):
            self._ctx.comparisons += len(expected)
            return
        first = int(np.flatnonzero(expected != seen)[0])
        count = int(np.count_nonzero(expected != seen))
        self._ctx.compare(
            subject,
            int(expected[first]),
            int(seen[first]),
            index=int(index[first]),
            scan_end_cycle=cycle,
            differing=count,
        )


def _decision(flags: int) -> Decision:
    if flags & ev.SCAN_EVICT:
        return Decision.EVICT
    return Decision.PREFETCH if flags & ev.SCAN_PREFETCH else Decision.NONE
