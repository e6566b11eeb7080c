"""The verifier of an audit log: in slices, while it is written, from the beginning or an earlier end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from sw.audit.analysis import Analysis
from sw.audit.chain import FIRST_PREV, MAX_LINE, Head, NotAnEntry, parse_entry, parse_head
from sw.audit.files import full_files, full_path, lines_of
from sw.audit.report import Report
from sw.signing import PublicKey

TRIES = 50
SLICE_LINES = 500


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a log is verified.

    Attributes:
        first: number of the first entry of the file that is read; None: the log's first file, whatever it begins with.
        offset: bytes of that file that are read.
        seq: number of the next entry.
        prev: its `prev`.
        begins: number of the log's first entry.
    """

    first: int | None = None
    offset: int = 0
    seq: int = 0
    prev: str = FIRST_PREV
    begins: int = 0


BEGIN = Mark()


class Verification:
    """One verification of a log, a slice at a time; the log may be written and rotated meanwhile.

    A whole log is read once, with one entry in memory. When something is wrong with it, all of it is read again for
    the report.
    """

    def __init__(self, path: Path, head: Path | None, public: PublicKey | None, since: Mark = BEGIN) -> None:
        """Begin.

        Args:
            path: the log.
            head: its head record; None or no such file: the tail stays unverified.
            public: the service's public key; None: the head cannot be verified, the tail stays unverified.
            since: what an earlier verification of the same log has found whole.

        Raises:
            OSError: the log cannot be read.
        """
        self._path, self._head, self._public = path, head, public
        self._report: Report | None = None
        self._tries = 0
        self._first, self._seq, self._prev, self._begins = since.first, since.seq, since.prev, since.begins
        start = path
        if since.first is None:
            start = next(iter(full_files(path)), path)
        elif full_path(path, since.first).exists():
            start = full_path(path, since.first)
        self._file: BinaryIO = start.open("rb")
        self._file.seek(since.offset)

    @property
    def mark(self) -> Mark:
        """How far it has come; good for another verification once the report is whole."""
        return Mark(self._first, self._file.tell(), self._seq, self._prev, self._begins)

    @property
    def report(self) -> Report:
        """What was found; only when `step` has returned True."""
        assert self._report is not None
        return self._report

    def step(self, lines: int = SLICE_LINES) -> bool:
        """Read up to so many lines; True when the report is there.

        Raises:
            OSError: a file cannot be read.
        """
        for _ in range(lines):
            if self._report:
                return True
            line = self._next()
            if line is None:
                self._settle()
                return self._report is not None
            if not self._take(line):
                self._analyse()
        return self._report is not None

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _next(self) -> bytes | None:
        """The next whole line, of whatever file it is in; None at the end of what is there now."""
        line = self._line()
        if line is not None:
            return line
        following = self._following()
        if following is None:
            return None
        line = self._line()  # what came before the file was full
        if line is None and not self._more():
            self._file.close()
            self._file, self._first = following.open("rb"), self._seq
            return self._next()
        return line or b""

    def _more(self) -> bool:
        """Whether there is a part of a line behind the last whole one."""
        place = self._file.tell()
        more = bool(self._file.read(1))
        self._file.seek(place)
        return more

    def _line(self) -> bytes | None:
        """The next line of the open file, with its end or too long; None when it is not all there."""
        place = self._file.tell()
        line = self._file.readline(MAX_LINE + 1)
        if line.endswith(b"\n") or len(line) > MAX_LINE:
            return line
        self._file.seek(place)
        return None

    def _following(self) -> Path | None:
        """The file behind the open one; None when that is the one that is written."""
        ours = _identity(self._file.fileno())
        there = [*full_files(self._path), self._path]
        for file, following in pairwise(there):
            if file.exists() and _identity(file) == ours and following.exists():
                return following
        return None

    def _take(self, line: bytes) -> bool:
        """Whether the line is the entry that comes next."""
        try:
            link = parse_entry(line.removesuffix(b"\n"))
        except NotAnEntry:
            return False
        if self._first is None and link.begins:
            self._first = self._begins = self._seq = link.seq
            self._prev = link.prev
        if not line.endswith(b"\n") or (link.seq, link.prev) != (self._seq, self._prev):
            return False
        self._seq, self._prev = link.seq + 1, link.hash
        return True

    def _settle(self) -> None:
        """All lines that are there are good: against the head record, which a writer may be about to write."""
        head, _, _ = _parse_head(_read_head(self._head), self._public)
        if head and (head.seq, head.hash) == (self._seq - 1, self._prev) and not self._more():
            count = self._seq - self._begins
            self._report = Report(count, (), count, "", self._begins)
        self._tries += 1
        if self._tries > TRIES or not head:
            self._analyse()

    def _analyse(self) -> None:
        """Something is wrong, or cannot be vouched for: say what."""
        if self._report:
            return
        record = _read_head(self._head)
        report = _analyse(self._path, record, self._public)
        for _ in range(TRIES):
            before, record = record, _read_head(self._head)
            if report.whole or record == before:
                break
            report = _analyse(self._path, record, self._public)  # the log was written while it was read
        self._report = report


def verify(path: Path, head: Path | None, public: PublicKey | None, since: Mark = BEGIN) -> Report:
    """Verify a log at once; arguments and errors as those of `Verification`."""
    verification = Verification(path, head, public, since)
    try:
        while not verification.step():
            pass
    finally:
        verification.close()
    return verification.report


def _analyse(path: Path, record: bytes, public: PublicKey | None) -> Report:
    files = [*full_files(path), path]
    analysis = Analysis(several=len(files) > 1)
    for file in files:
        analysis.open(file.name)
        for line in lines_of(file):
            analysis.take(line)
    analysis.check_order()
    analysis.check_links()
    covered, unverified = analysis.check_head(*_parse_head(record, public))
    findings = sorted(analysis.findings, key=lambda finding: finding.line or analysis.lines + 1)
    return Report(analysis.lines, tuple(findings), covered, unverified, analysis.begins)


def _read_head(path: Path | None) -> bytes:
    """The bytes of the head record; none at all if there is none."""
    if path is None:
        return b""
    try:
        with path.open("rb") as file:
            return file.read(MAX_LINE)
    except FileNotFoundError:
        return b""


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


def _identity(file: Path | int) -> tuple[int, int]:
    status = os.stat(file)
    return status.st_dev, status.st_ino
