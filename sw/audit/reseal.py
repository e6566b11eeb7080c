"""After a crash between a line and its head record: an administrator signs the chain as it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from sw.audit import chain
from sw.audit.errors import AuditBroken
from sw.audit.files import head_path
from sw.audit.history import known_to, last_of, lost_to_anchor
from sw.audit.report import Fault
from sw.audit.store import FileStore
from sw.audit.verifier import verify
from sw.signing import PrivateKey

AUDIT_RESEAL = "audit.reseal"


@dataclass(frozen=True, slots=True)
class Resealed:
    """What was done.

    Attributes:
        covered: entries that the head record vouched for before.
        entries: entries that it vouches for now, that of the resealing included.
        torn_bytes: bytes of an unfinished last line, moved to `<log>.torn`.
    """

    covered: int
    entries: int
    torn_bytes: int


def reseal(path: Path, key: PrivateKey, anchor: Path | None = None, *, accept_loss: bool = False) -> Resealed:
    """Vouch for the whole chain of a log whose head record is behind or missing, and say so in the log.

    A whole log is left as it is. Nothing but an unfinished last line is ever taken out; an altered,
    reordered or cut log is not sealed.

    Args:
        path: the log.
        key: the service's.
        anchor: the copy of the head record in another place, if there is one.
        accept_loss: let a damaged or lost log go on: its files are set aside, and the chain goes on behind the
            last entry that anyone knows, with an entry that says what is lost.

    Raises:
        AuditBroken: something else is wrong with the log.
        AuditUnavailable: it is in use or cannot be written.
        OSError: there is no log, or it cannot be read.
    """
    if not accept_loss:
        path.stat()  # opening it would make one
    store = FileStore(path, anchor)
    try:
        report = verify(path, head_path(path), key.public)
        damaged = any(finding.fault is not Fault.TORN for finding in report.findings)
        lost = "" if report.findings else lost_to_anchor(path, key.public, store.anchor)
        if report.whole and not lost:
            return Resealed(report.covered, report.covered, 0)
        if damaged or lost:
            if accept_loss:
                return _go_on(path, key, store)
            raise AuditBroken(f"{path}: {lost or report.summary()}")
        torn = store.take_torn_line()
        covered = verify(path, head_path(path), key.public).covered
        seq, prev, time = _end(store)
        fields = _entry(AUDIT_RESEAL, time, covered=covered, torn_bytes=torn)
        line, digest = chain.entry(seq, prev, fields)
        store.append(seq, line, chain.head(seq, digest, key))
    finally:
        store.close()
    return Resealed(covered, seq + 1, torn)


def _go_on(path: Path, key: PrivateKey, store: FileStore) -> Resealed:
    """Set the files aside; the chain goes on behind the last entry that is known, with one that says so."""
    candidates: list[tuple[int, str]] = []
    for record in (store.head, store.anchor or b""):
        if known := known_to(record, key.public):
            candidates.append((known.seq, known.hash))
    if last := _known_last(path):
        candidates.append((last.seq, last.hash))
    seq, prev = max(candidates, default=(0, chain.FIRST_PREV))
    aside = store.set_aside(f"lost-before-{seq + 1}")
    fields = _entry(chain.LOSS, 0, lost=seq + 1, files=len(aside))
    line, digest = chain.entry(seq + 1, prev, fields)
    store.append(seq + 1, line, chain.head(seq + 1, digest, key))
    return Resealed(0, 1, 0)


def _known_last(path: Path) -> chain.Link | None:
    try:
        return last_of(path)
    except chain.NotAnEntry:
        return None


def _entry(operation: str, time: int, **counts: int) -> dict[str, object]:
    no_holder = {"capability": None, "code": 0, "holder": "", "object": "audit"}
    return {**no_holder, "operation": operation, "time": time, **counts}


def _end(store: FileStore) -> tuple[int, str, int]:
    """seq and prev of the next entry, and the time of the last one: there is no device here to ask."""
    last = store.lines(1)
    if not last:
        return 0, chain.FIRST_PREV, 0
    link = chain.parse_entry(last[0].removesuffix(b"\n"))
    return link.seq + 1, link.hash, json.loads(last[0])["time"]
