"""After a crash between a line and its head record: an administrator signs the chain as it stands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from sw.audit import chain
from sw.audit.errors import AuditBroken
from sw.audit.store import FileStore, head_path
from sw.audit.verifier import Fault, verify
from sw.signing import PrivateKey


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


def reseal(path: Path, key: PrivateKey) -> Resealed:
    """Vouch for the whole chain of a log whose head record is behind or missing, and say so in the log.

    A whole log is left as it is. Nothing but an unfinished last line is ever taken out; an altered,
    reordered or cut log is not sealed.

    Raises:
        AuditBroken: something else is wrong with the log.
        AuditUnavailable: it is in use or cannot be written.
        OSError: there is no log, or it cannot be read.
    """
    path.stat()  # opening it would make one
    store = FileStore(path)
    try:
        report = verify(path, head_path(path), key.public)
        if report.whole:
            return Resealed(report.covered, report.covered, 0)
        if any(finding.fault is not Fault.TORN for finding in report.findings):
            raise AuditBroken(f"{path}: {report.summary()}")
        torn = store.take_torn_line()
        covered = verify(path, head_path(path), key.public).covered
        seq, prev, time = _end(store)
        fields = {
            "capability": None, "code": 0, "covered": covered, "holder": "", "object": "audit",
            "operation": "audit.reseal", "time": time, "torn_bytes": torn,
        }  # fmt: skip
        line, digest = chain.entry(seq, prev, fields)
        store.append(line, chain.head(seq, digest, key))
    finally:
        store.close()
    return Resealed(covered, seq + 1, torn)


def _end(store: FileStore) -> tuple[int, str, int]:
    """seq and prev of the next entry, and the time of the last one: there is no device here to ask."""
    last = store.lines(1)
    if not last:
        return 0, chain.FIRST_PREV, 0
    link = chain.parse_entry(last[0].removesuffix(b"\n"))
    return link.seq + 1, link.hash, json.loads(last[0])["time"]
