"""Which line of a damaged log is altered, missing or out of order, and how far its head record reaches."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from sw.audit.chain import FIRST_PREV, MAX_LINE, Head, Link, NotAnEntry, parse_entry
from sw.audit.report import Fault, Finding


@dataclass(frozen=True, slots=True)
class _Placed:
    """A link and the line where it is; a damaged line has no link."""

    line: int
    link: Link | None


class Analysis:
    """Every line of a log as it comes, then what is wrong with them; keeps all links in memory."""

    def __init__(self, *, several: bool) -> None:
        """No line yet; `several`: lines are named with their file."""
        self._several = several
        self.findings: list[Finding] = []
        self.lines = 0
        self._files: list[tuple[int, str]] = []  # lines before a file, and its name
        self._placed: list[_Placed] = []
        self._by_seq: dict[int, _Placed] = {}
        self._damaged_at_end = 0

    def open(self, name: str) -> None:
        """The lines that follow are those of another file."""
        self._files.append((self.lines, name))

    def take(self, line: bytes) -> None:
        """The next line of the log."""
        number = self.lines = self.lines + 1
        at, link = self._at(number), None
        if len(line) > MAX_LINE:
            self._find(Fault.ALTERED, number, f"{at} is longer than any entry")
        elif not line.endswith(b"\n"):
            self._find(Fault.TORN, number, f"{at}, the last one, has no end")
        else:
            try:
                link = parse_entry(line[:-1])
            except NotAnEntry as error:
                self._find(Fault.ALTERED, number, f"{at} is altered: {error}")
        self._placed.append(_Placed(number, link))

    def check_order(self) -> None:
        """Every seq from 0 on once and in order; a damaged line stands for one entry that is not there."""
        present = sorted({placed.link.seq for placed in self._placed if placed.link})
        expected, damaged = self.begins, 0
        for placed in self._placed:
            line, link = placed.line, placed.link
            if link is None:
                damaged += 1
                continue
            if link.seq in self._by_seq:
                first = self._by_seq[link.seq].line
                self._find(Fault.REPEATED, line, f"{self._at(line)} repeats entry {link.seq} of {self._at(first)}")
                continue
            self._by_seq[link.seq] = placed
            if link.seq < expected:
                self._find(Fault.REORDERED, line, f"{self._at(line)} is out of order: entry {link.seq} is too late")
                continue
            elsewhere = bisect_left(present, link.seq) - bisect_left(present, expected)
            absent = link.seq - expected - elsewhere
            if absent > damaged:
                what = f"{absent - damaged} of the entries {expected} to {link.seq - 1}"
                self._find(Fault.MISSING, line, f"before {self._at(line)}: {what} missing")
            expected, damaged = link.seq + 1, 0
        self._damaged_at_end = damaged

    def check_links(self) -> None:
        """Every entry knows the hash of the one before it."""
        for seq, placed in self._by_seq.items():
            if placed.link and placed.link.begins and seq == self.begins:
                continue
            if seq == 0:
                known: str | None = FIRST_PREV
            else:
                before = self._by_seq.get(seq - 1)
                known = before.link.hash if before and before.link else None
            if known is not None and placed.link and placed.link.prev != known:
                line = placed.line
                text = f"{self._at(line)} does not continue entry {seq - 1}: one of the two is replaced"
                self._find(Fault.REPLACED, line, text if seq else f"{self._at(line)} is not the begin of a chain")

    def check_head(self, head: Head | None, unverified: str, wrong: str) -> tuple[int, str]:
        """Against the head record: entries that it vouches for, and why not all."""
        if wrong:
            self._find(Fault.HEAD, None, wrong)
        if head is None:
            return 0, unverified
        last = max(self._by_seq, default=self.begins - 1)
        lost = head.seq - last - self._damaged_at_end
        if lost > 0:
            text = f"the tail is cut: {lost} entries before entry {head.seq}, that of the head record, are missing"
            self._find(Fault.CUT, None, text)
        placed = self._by_seq.get(head.seq)
        if placed and placed.link and placed.link.hash != head.hash:
            text = f"{self._at(placed.line)} is not the entry {head.seq} that the head record was signed for"
            self._find(Fault.REPLACED, placed.line, text)
        if self.findings:
            return 0, ""
        more = last - head.seq
        return (
            head.seq + 1 - self.begins,
            f"{more} entries after entry {head.seq}, that of the head record" if more else "",
        )

    def _find(self, fault: Fault, line: int | None, message: str) -> None:
        self.findings.append(Finding(fault, line, message))

    @property
    def begins(self) -> int:
        """Number of the first entry that must be there."""
        first = self._placed[0].link if self._placed else None
        return first.seq if first and first.begins else 0

    def _at(self, line: int) -> str:
        """A line for people, with its file where there are several."""
        if not self._several:
            return f"line {line}"
        before, name = next(pair for pair in reversed(self._files) if pair[0] < line)
        return f"line {line - before} of {name}"
