"""What a start, or an administrator, finds of an existing log: whether it may go on, and from where."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from sw.audit.chain import Head, Link, NotAnEntry, parse_entry, parse_head
from sw.audit.errors import AuditBroken
from sw.audit.files import first_of, full_files, head_path, last_link, lines_of
from sw.audit.verifier import BEGIN, Mark, verify
from sw.signing import PublicKey

CRASH = "after a crash: `{reseal}`"
DAMAGE = (
    "`python -m sw.audit verify {path}` names all of it; restore the files, or let the log go on without them: "
    "`{reseal} --accept-loss` (docs/audit.md)"
)


@dataclass(frozen=True, slots=True)
class End:
    """Where a chain ends: number of the next entry and its `prev`."""

    seq: int
    prev: str


def end_of(path: Path, public: PublicKey, anchor: bytes | None, anchor_path: Path | None) -> End:
    """The end of a log that may be continued: its last file is whole, and head record and anchor know it.

    Raises:
        AuditBroken: it may not; one line with the next step.
        OSError: it cannot be read.
    """
    report = verify(path, head_path(path), public, _last_file(path))
    lost = "" if report.findings else lost_to_anchor(path, public, anchor)
    if report.findings or lost:
        raise _broken(path, lost or report.summary(), DAMAGE, anchor_path)
    if not report.whole:
        raise _broken(path, report.summary(), CRASH, anchor_path)
    last = last_of(path)
    assert last is not None  # a whole log has the entry of its head record
    return End(last.seq + 1, last.hash)


def _broken(path: Path, why: str, step: str, anchor: Path | None) -> AuditBroken:
    """One line: what is wrong, and the next step."""
    more = f" --anchor {anchor}" if anchor else ""
    reseal = f"python -m sw.audit reseal {path} --key KEY{more}"
    return AuditBroken(f"{path}: {why}; next step: {step.format(path=path, reseal=reseal)}")


def last_of(path: Path) -> Link | None:
    """The link of a log's last line; None for a log without one.

    Raises:
        NotAnEntry, OSError: the line is no entry, or cannot be read.
    """
    files = [path, *reversed(full_files(path))]
    return next((link for file in files if file.exists() and (link := last_link(file))), None)


def _last_file(path: Path) -> Mark:
    """Where the verification of a start begins: at the file that was written last."""
    full = full_files(path)
    if not full or not path.exists():
        return BEGIN
    with_lines = path if path.stat().st_size else full[-1]
    earlier = full if with_lines == path else full[:-1]
    if not earlier:
        return BEGIN
    try:
        before = last_link(earlier[-1])
    except NotAnEntry:
        before = None
    first = first_of(path, with_lines)
    if before is None or (first is not None and first != before.seq + 1):
        return BEGIN  # all of it is read, and the verifier says what is wrong
    return Mark(before.seq + 1, 0, before.seq + 1, before.hash)


def lost_to_anchor(path: Path, public: PublicKey, anchor: bytes | None) -> str:
    """What the anchor knows and the log has not, in words; "" for nothing, or without an anchor.

    Raises:
        NotAnEntry, OSError: the log's last line is no entry, or it cannot be read.
    """
    if not anchor:
        return ""
    known = known_to(anchor, public)
    if known is None:
        return "the anchor is not the service key's"
    last = last_of(path)
    if last is None or known.seq > last.seq:
        return f"entries {last.seq + 1 if last else 0} to {known.seq}, which the anchor knows, are gone"
    if _hash_of(path, known.seq) != known.hash:
        return f"entry {known.seq} is not the one that the anchor was written for"
    return ""


def known_to(record: bytes, public: PublicKey) -> Head | None:
    """A head record, or its copy; None where the key has not signed it."""
    try:
        head = parse_head(record)
    except NotAnEntry:
        return None
    return head if head.signed_by(public) else None


def _hash_of(path: Path, seq: int) -> str | None:
    """The hash of an entry; None where it is not."""
    for file in [path, *reversed(full_files(path))]:
        links = (parse_entry(line.removesuffix(b"\n")) for line in (lines_of(file) if file.exists() else ()))
        first = next(links, None)
        if first is not None and first.seq <= seq:
            return next((link.hash for link in chain([first], links) if link.seq == seq), None)
    return None
