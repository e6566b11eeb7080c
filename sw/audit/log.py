"""The audit log as the service writes it (software.md 4)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Protocol

from sw.audit import chain
from sw.audit.errors import AuditBroken, AuditUnavailable, BadEntry
from sw.audit.history import end_of
from sw.audit.store import FILE_BYTES, FileStore, MemoryStore, Store
from sw.signing import PrivateKey

NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
COUNT = re.compile(r"[a-z][a-z0-9_]{0,31}")
MAX_HOLDER = 64
MAX_COUNTS = 32
FIELDS = frozenset({"capability", "code", "hash", "holder", "object", "operation", "prev", "seq", "time"})


class Now(Protocol):
    """Whoever knows the time in ns of the device: a clock or a transport."""

    def now(self) -> int:
        """Absolute time in ns."""


class AuditLog:
    """A hash chain of decisions, one JSON object a line, and a signed head record next to it.

    An entry is kept before the decision counts: `record` returns only when line and head are with the
    system. With a `path`, `<path>.head` is the head record; both files are their owner's only, and one
    process writes at a time. A full file is kept as `<path>.<number of its first entry>`, and the chain goes on
    in a new one. A log that exists is continued: its last file is verified, against the head record and the anchor.
    """

    def __init__(
        self, path: Path | None, key: PrivateKey, clock: Now, anchor: Path | None = None, file_bytes: int = FILE_BYTES
    ) -> None:
        """Open or begin a log.

        Args:
            path: of the log; None keeps it in memory.
            key: the service's, signs the head record.
            clock: stamps the entries.
            anchor: where a copy of the head record is kept, in another place than the log's; a log that has lost
                entries which it knows is not continued.
            file_bytes: a file with so many bytes is full.

        Raises:
            AuditBroken: the log's last file does not verify against its head record, or the anchor knows more.
            AuditUnavailable: it cannot be opened, is open elsewhere, or others may touch it.
        """
        self._key = key
        self._clock = clock
        self._seq = 0
        self._prev = chain.FIRST_PREV
        self._store: Store = MemoryStore() if path is None else self._continue(path, anchor, file_bytes)
        self._note_anchor()

    def record(self, *, holder: str, cap_id: int | None, op: str, obj: str, code: int, **counts: int) -> None:
        """Keep one decision.

        Args:
            holder: whose capability; "" when the holder is not known.
            cap_id: number of the capability, never its token; None: none was accepted.
            op: the operation, e.g. "infer.start": 1 to 64 letters, digits and . _ : / -.
            obj: what it was done to, e.g. "infer:7"; the same characters.
            code: reason code (software.md 3), 0 OK.
            counts: sizes and token counts by name, at most 32. No text is recorded but the three above.

        Raises:
            BadEntry: a field that an entry must not have; nothing is recorded.
            AuditUnavailable: it could not be kept; the decision must not happen.
        """
        if len(holder) > MAX_HOLDER or (holder and not holder.isprintable()):
            raise BadEntry(f"a holder has at most {MAX_HOLDER} printable characters")
        for what, name in (("operation", op), ("object", obj)):
            if not NAME.fullmatch(name):
                raise BadEntry(f"the {what} of an entry is 1 to 64 letters, digits and . _ : / -")
        if len(counts) > MAX_COUNTS or not all(COUNT.fullmatch(name) and name not in FIELDS for name in counts):
            raise BadEntry(f"an entry has at most {MAX_COUNTS} counts, in lower case and none named as its fields")
        numbers = {**counts, "code": int(code), "time": self._clock.now()}
        if cap_id is not None:
            numbers["capability"] = cap_id
        for name, number in numbers.items():
            if type(number) is not int or not -(1 << 63) <= number < 1 << 64:
                raise BadEntry(f"{name} is not an integer of 64 bits")
        fields = {"capability": None, "holder": holder, "object": obj, "operation": op, **numbers}
        line, digest = chain.entry(self._seq, self._prev, fields)
        self._store.append(self._seq, line, chain.head(self._seq, digest, self._key))
        self._seq, self._prev = self._seq + 1, digest

    def entries(self, last: int | None = None) -> list[dict[str, Any]]:
        """The entries, or the last so many, oldest first.

        Raises:
            AuditUnavailable: the log cannot be read.
        """
        return [json.loads(line) for line in self._store.lines(last)]

    def close(self) -> None:
        """Give the files back; a second call does nothing."""
        self._store.close()

    def _continue(self, path: Path, anchor: Path | None, file_bytes: int) -> FileStore:
        store = FileStore(path, anchor, file_bytes)
        try:
            if not store.empty:
                end = end_of(path, self._key.public, store.anchor, anchor)
                self._seq, self._prev = end.seq, end.prev
        except OSError as error:
            store.close()
            raise AuditUnavailable(f"{path}: {error.strerror}") from None
        except AuditBroken:
            store.close()
            raise
        return store

    def _note_anchor(self) -> None:
        """An anchor that is new to an existing log: from this entry on it knows the log."""
        if self._seq and isinstance(self._store, FileStore) and self._store.anchor == b"":
            self.record(holder="", cap_id=None, op="audit.anchor", obj="audit", code=0)
