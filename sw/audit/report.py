"""What the verifier of an audit log finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    """What is wrong at a place."""

    ALTERED = "altered"  # the line is not what was written
    TORN = "torn"  # the last line has no end
    MISSING = "missing"  # entries before the line are not there
    REORDERED = "reordered"  # the line is too late
    REPEATED = "repeated"  # its seq was there before
    REPLACED = "replaced"  # a line with a right hash that is not the one its neighbour or the head knows
    CUT = "cut"  # entries after the last line are not there
    HEAD = "head"  # the head record is not the service's


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        fault: what.
        line: number of the line from 1, over all files of the log, or None when it is about no line.
        message: one line for people.
    """

    fault: Fault
    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What the verifier found.

    Attributes:
        lines: lines of the log, over all its files.
        findings: everything that is wrong, in the order of the file; empty: the chain is whole.
        covered: entries that the signed head record vouches for.
        unverified: why entries at the end might be missing or forged unseen; "": they cannot be.
        begins: number of its first entry; over 0: the entries before it are lost, as that entry says.
    """

    lines: int
    findings: tuple[Finding, ...]
    covered: int
    unverified: str
    begins: int = 0

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
        lost = f"; entries 0 to {self.begins - 1} are lost, as entry {self.begins} says" if self.begins else ""
        return f"whole, {self.lines} entries, all vouched for by the head record{lost}"
