"""Scans: every score of every entry, compared at once at the scan's end, or alone where an operation comes near."""

from typing import Any

import numpy as np

from model import DeviceState, Mismatch
from model.types import Channel, Decision
from tb.events.decode import empty
from tb.events.records import ScoreRecord
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
        self._records: Array = empty(ScoreRecord)
        self._bad: frozenset[int] = frozenset()  # entries with bad parity at the scan's begin
        self.running = False
        self.scored = 0
        self.scans = 0
        self.decisions = dict.fromkeys(Channel, 0)

    def begin(self) -> None:
        """A scan begins: forget the last one's records."""
        self._at.fill(NEVER)
        self._records = empty(ScoreRecord)
        self._bad = frozenset(self._state.bad)
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
            where = {"block": self._block(int(twice[0])), "index": int(twice[0]), "at_cycle": int(records["cycle"][-1])}
            self._ctx.compare(f"scan {self._number}: times that an entry is scored", 1, 2, **where)
        self._row[index] = len(self._records) + np.arange(len(records))
        self._at[index] = records["cycle"]
        self._records = np.concatenate([self._records, records])

    def touch(self, index: int, cycle: int) -> None:
        """Something commits on this entry in `cycle`: if the scan came by before, score it now."""
        if self.running and self._at[index] <= cycle and not self._state.entries.scored[index]:
            self._one(index, None)

    def decide(self, record: Any) -> None:
        """A record with a decision, at its own time."""
        index = int(record["index"])
        channel = Channel.EVICT if record["decision"] == Decision.EVICT else Channel.PREFETCH
        accepted = bool(record["accepted"])
        self.decisions[channel] += 1
        if not accepted and not self._state.drop_is_legal(channel, index % self._state.lanes):
            places = self._state.lane_waiting[channel][index % self._state.lanes]
            level = len(self._state.queues[channel])
            waiting = len(self._state.waiting[channel])
            self._ctx.compare(
                f"{channel.name.lower()} decision dropped only when its lane's places and the queue are full",
                "4 places taken, 64 queued or waiting",
                f"{places} places taken, {level} queued, {waiting} waiting",
                block=self._block(index),
                index=index,
                at_cycle=int(record["cycle"]),
            )
        self._one(index, accepted)

    def _one(self, index: int, accepted: bool | None) -> None:
        record = self._records[self._row[index]]
        score = self._state.scan_one(index, accepted)
        where = {"block": self._block(index), "index": index, "at_cycle": int(record["cycle"])}
        if score is None:
            self._ctx.compare("scan: entry to score", "none (invalid, bad parity or scored before)", "scored", **where)
            return
        seen = (int(record["prio"]), int(record["r"]), int(record["f"]), int(record["decision"]))
        want = (score.prio, score.r, score.f, int(score.decision))
        if want == seen:
            self._ctx.comparisons += 1
        else:
            self._ctx.compare_fields(f"scan {self._number}", _score(want), _score(seen), **where)
        self.scored += 1

    def end(self, cycle: int) -> None:
        """The scan is done: score and compare the rest, all at once."""
        state = self._state
        rest = state.scan_score(slice(None), np.zeros(state.entry_count, np.bool_))
        due = np.flatnonzero(rest.scored)
        missing = due[self._at[due] == NEVER]
        if missing.size:
            first = int(missing[0])
            where = {"block": self._block(first), "first_index": first, "at_cycle": cycle}
            self._ctx.compare(f"scan {self._number}: valid entries left unscored", 0, int(missing.size), **where)
        for index in sorted(self._bad & state.bad.keys()):
            seen = "no score" if self._at[index] == NEVER else "scored"
            self._ctx.compare(f"scan {self._number}: entry with bad parity", "no score", seen, index=index)
        records = self._records[self._row[due]]
        for name, label, expected in (("prio", "PRIORITY", rest.prio), ("r", "R", rest.r), ("f", "F", rest.f)):
            self._differs(label, expected[due], records[name], due, cycle)
        self._differs("decision", rest.decision[due], records["decision"], due, cycle)
        self.scored += due.size
        extra = len(self._records) - int(np.count_nonzero(self._at != NEVER))
        self._ctx.compare(f"scan {self._number}: entries scored twice", 0, extra, at_cycle=cycle)
        try:
            state.scan_end()
        except Mismatch as error:
            self._ctx.compare(error.subject, error.expected, error.seen, at_cycle=cycle)
        self.running = False
        self.scans += 1

    def _differs(self, field: str, expected: Array, seen: Array, index: Array, cycle: int) -> None:
        if np.array_equal(expected, seen):
            self._ctx.comparisons += len(expected)
            return
        different = np.flatnonzero(expected != seen)
        first = int(different[0])
        want, got = (_shown(field, int(values[first])) for values in (expected, seen))
        where = {"block": self._block(int(index[first])), "index": int(index[first]), "at_cycle": cycle}
        entries = f"scan {self._number} ({different.size} of {len(expected)} entries differ)"
        self._ctx.compare(f"{entries}: {field}", want, got, **where)

    @property
    def _number(self) -> str:
        scan = self._state.scan
        return str(scan.number) if scan else "?"

    def _block(self, index: int) -> int:
        return self._state.kv_addr_of(self._state.entries.key[index])


def _shown(field: str, value: int) -> int | str:
    return Decision(value).name if field == "decision" else value


def _score(values: tuple[int, int, int, int]) -> dict[str, int | str]:
    return {name: _shown(name, value) for name, value in zip(("PRIORITY", "R", "F", "decision"), values, strict=True)}
