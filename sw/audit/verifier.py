"""The verifier of an audit log: which line is altered, missing or out of order, and how far the head reaches."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sw.signing import PublicKey


class Fault(Enum):
    """What is wrong at a place."""

    ALTERED = "altered"
    MISSING = "missing"
    REORDERED = "out of order"
    REPEATED = "repeated"
    REPLACED = "replaced"
    TORN = "cut short"
    CUT = "tail cut"
    HEAD = "head record"


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
        covered: lines that the signed head record vouches for.
        unverified: why lines after `covered` (or a cut tail) are not vouched for; "" when all are.
    """

    lines: int
    findings: tuple[Finding, ...]
    covered: int
    unverified: str

    @property
    def whole(self) -> bool:
        """The chain is whole and the head record vouches for every line."""
        return not self.findings and not self.unverified


def verify(path: Path, head: Path | None, public: PublicKey | None) -> Report:
    """Verify a log.

    Args:
        path: the log.
        head: its head record; None or no such file: the tail stays unverified.
        public: the service's public key; None: the head cannot be verified, the tail stays unverified.

    Raises:
        OSError: a file cannot be read.
    """
    raise NotImplementedError
