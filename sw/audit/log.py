"""The audit log as the service writes it (software.md 4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from sw.signing import PrivateKey


class Now(Protocol):
    """Whoever knows the time in ns of the device: a clock or a transport."""

    def now(self) -> int:
        """Absolute time in ns."""


class AuditLog:
    """A hash chain of decisions, one JSON object a line, and a signed head record beside it.

    An entry is kept before the decision counts: `record` returns only when line and head are with the
    system. With a `path`, `<path>.head` is the head record; both files are their owner's only, and one
    process writes at a time. A log that exists is verified and continued.
    """

    def __init__(self, path: Path | None, key: PrivateKey, clock: Now) -> None:
        """Open or begin a log.

        Args:
            path: of the log; None keeps it in memory.
            key: the service's, signs the head record.
            clock: stamps the entries.

        Raises:
            AuditBroken: the log does not verify against its head record.
            AuditUnavailable: it cannot be opened, is open elsewhere, or others may touch it.
        """
        raise NotImplementedError

    def record(self, *, holder: str, cap_id: int | None, op: str, obj: str, code: int, **counts: int) -> None:
        """Keep one decision.

        Args:
            holder: whose capability; "" when nobody is known.
            cap_id: number of the capability, never its token; None: none was accepted.
            op: the operation, e.g. "infer.start": letters, digits and . _ : / - only.
            obj: what it was done to, e.g. "infer:7"; the same characters.
            code: reason code (software.md 3), 0 OK.
            counts: sizes and token counts by name. No text can be recorded but the three above.

        Raises:
            BadEntry: a field that an entry must not have; nothing is recorded.
            AuditUnavailable: it could not be kept; the decision must not happen.
        """
        raise NotImplementedError

    def entries(self, last: int | None = None) -> list[dict[str, Any]]:
        """The entries, or the last so many, oldest first.

        Raises:
            AuditUnavailable: the log cannot be read.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Give the files back; a second call does nothing."""
        raise NotImplementedError
