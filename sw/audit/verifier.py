"""The verifier of an audit log: which line is altered, missing or out of order, and how far the head reaches."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from sw.audit.chain import FIRST_PREV, MAX_LINE, Head, Link, NotAnEntry, parse_entry, parse_head
from sw.signing import PublicKey

TRIES = 50


class Fault(Enum):
    """What is wrong at a place."""

    ALTERED = "altered"  # the line is not what was written
    TORN = "torn"  # the last line has no end
    MISSING = "missing"  # entries before the line are not there
    REORDERED = "reordered"  # the line stands too late
    REPEATED = "repeated"  # its seq was there before
    REPLACED = "replaced"  # a line with a right hash that is not the one its neighbour or the head knows
    CUT = "cut"  # entries after the last line are not there
    HEAD = "head"  # the head record is not the service's


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        fault: what.
        line: number of the line in the file from 1, or None when it is about no line.
        message: one line for people.
    """

    fault: Fault
    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What the verifier found.

    Attributes:
        lines: lines of the log.
        findings: everything that is wrong, in the order of the file; empty: the chain is whole.
        covered: entries that the signed head record vouches for.
        unverified: why entries at the end might be missing or forged unseen; "": they cannot be.
    """

    lines: int
    findings: tuple[Finding, ...]
    covered: int
    unverified: str

    @property
    def whole(self) -> bool:
        """The chain is whole and the head record vouches for every entry."""
        return not self.findings and not self.unverified

    def summary(self) -> str:
        """One line for people."""
        if self.findings:
            more = f", and {len(self.findings) - 1} more" if len(self.findings) > 1 else ""
            return f"not whole: {self.findings[0].message}{more}"
        if self.unverified:
            return f"chain whole, {self.lines} entries, {self.covered} vouched for; tail unverified: {self.unverified}"
        return f"whole, {self.lines} entries, all vouched for by the head record"


def verify(path: Path, head: Path | None, public: PublicKey | None) -> Report:
    """Verify a log.

    Args:
        path: the log.
        head: its head record; None or no such file: the tail stays unverified.
        public: the service's public key; None: the head cannot be verified, the tail stays unverified.

    Raises:
        OSError: a file cannot be read.
    """
    record = _read_head(head)
    report = _verify(path, record, public)
    for _ in range(TRIES):
        before, record = record, _read_head(head)
        if report.whole or record == before:
            break
        report = _verify(path, record, public)  # the log was written while it was read
    return report


def _verify(path: Path, record: bytes, public: PublicKey | None) -> Report:
    chain = _Chain()
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file), start=1):
            chain.take(number, line)
    chain.check_order()
    chain.check_links()
    covered, unverified = chain.check_head(*_parse_head(record, public))
    findings = sorted(chain.findings, key=lambda finding: finding.line or chain.lines + 1)
    return Report(chain.lines, tuple(findings), covered, unverified)


def _read_head(path: Path | None) -> bytes:
    """The bytes of the head record; none at all if there is none."""
    if path is None:
        return b""
    try:
        with path.open("rb") as file:
            return file.read(MAX_LINE)
    except FileNotFoundError:
        return b""


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines with their line feeds, none longer than just too long."""
    while line := file.readline(MAX_LINE + 1):
        rest = line
        while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE + 1)
        yield line


def _parse_head(record: bytes, public: PublicKey | None) -> tuple[Head | None, str, str]:
    """A head record that the key has signed; else why there is none to go by, and what is wrong with it."""
    if not record:
        return None, "there is no head record", ""
    if public is None:
        return None, "there is no public key to verify the head record with", ""
    try:
        head = parse_head(record)
    except NotAnEntry as error:
        return None, "the head record is not valid", f"the head record is altered: {error}"
    if not head.signed_by(public):
        return None, "the head record is not valid", "the head record is not signed by the service's key"
    return head, "", ""


@dataclass(frozen=True, slots=True)
class _Placed:
    """A link and the line where it stands; a damaged line has no link."""

    line: int
    link: Link | None


class _Chain:
    """Links as they come, then what is wrong with them."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.lines = 0
        self._placed: list[_Placed] = []
        self._by_seq: dict[int, _Placed] = {}
        self._damaged_at_end = 0

    def take(self, number: int, line: bytes) -> None:
        """The next line of the file."""
        self.lines = number
        link = None
        if len(line) > MAX_LINE:
            self._find(Fault.ALTERED, number, f"line {number} is longer than any entry")
        elif not line.endswith(b"\n"):
            self._find(Fault.TORN, number, f"line {number}, the last one, has no end")
        else:
            try:
                link = parse_entry(line[:-1])
            except NotAnEntry as error:
                self._find(Fault.ALTERED, number, f"line {number} is altered: {error}")
        self._placed.append(_Placed(number, link))

    def check_order(self) -> None:
        """Every seq from 0 on once and in order; a damaged line stands for one entry that is not there."""
        present = sorted({placed.link.seq for placed in self._placed if placed.link})
        expected = damaged = 0
        for placed in self._placed:
            line, link = placed.line, placed.link
            if link is None:
                damaged += 1
                continue
            if link.seq in self._by_seq:
                first = self._by_seq[link.seq].line
                self._find(Fault.REPEATED, line, f"line {line} repeats entry {link.seq} of line {first}")
                continue
            self._by_seq[link.seq] = placed
            if link.seq < expected:
                self._find(Fault.REORDERED, line, f"line {line} is out of order: entry {link.seq} stands too late")
                continue
            elsewhere = bisect_left(present, link.seq) - bisect_left(present, expected)
            absent = link.seq - expected - elsewhere
            if absent > damaged:
                what = f"{absent - damaged} of the entries {expected} to {link.seq - 1}"
                self._find(Fault.MISSING, line, f"before line {line}: {what} missing")
            expected, damaged = link.seq + 1, 0
        self._damaged_at_end = damaged

    def check_links(self) -> None:
        """Every entry knows the hash of the one before it."""
        for seq, placed in self._by_seq.items():
            if seq == 0:
                known: str | None = FIRST_PREV
            else:
                before = self._by_seq.get(seq - 1)
                known = before.link.hash if before and before.link else None
            if known is not None and placed.link and placed.link.prev != known:
                line = placed.line
                text = f"line {line} does not continue entry {seq - 1}: one of the two is replaced"
                self._find(Fault.REPLACED, line, text if seq else f"line {line} is not the begin of a chain")

    def check_head(self, head: Head | None, unverified: str, wrong: str) -> tuple[int, str]:
        """Against the head record: entries that it vouches for, and why not all."""
        if wrong:
            self._find(Fault.HEAD, None, wrong)
        if head is None:
            return 0, unverified
        last = max(self._by_seq, default=-1)
        lost = head.seq - last - self._damaged_at_end
        if lost > 0:
            text = f"the tail is cut: {lost} entries before entry {head.seq}, that of the head record, are missing"
            self._find(Fault.CUT, None, text)
        placed = self._by_seq.get(head.seq)
        if placed and placed.link and placed.link.hash != head.hash:
            text = f"line {placed.line} is not the entry {head.seq} that the head record was signed for"
            self._find(Fault.REPLACED, placed.line, text)
        if self.findings:
            return 0, ""
        more = last - head.seq
        return head.seq + 1, f"{more} entries after entry {head.seq}, that of the head record" if more else ""

    def _find(self, fault: Fault, line: int | None, message: str) -> None:
        self.findings.append(Finding(fault, line, message))
