"""The verifier: every byte, every line, every cut; which line it names; and any bytes at all."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.audit import AuditLog, Fault, Report, verifier, verify
from sw.audit.chain import MAX_LINE
from sw.signing import PrivateKey
from tests.audit.logs import KEY, Ticks, by_hand, head_by_hand, write_log

LOG = by_hand(5)
LINES = LOG.splitlines(keepends=True)
HEAD = head_by_hand(LOG)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verifier")


def overwrite(path: Path, data: bytes) -> None:
    """In place: some file systems wait for the disk when a file is emptied first, thousands of times here."""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.write(data)
        file.truncate()


def check(folder: Path, log: bytes, head: bytes | None = HEAD) -> Report:
    """The report on these bytes."""
    overwrite(folder / "log", log)
    if head is not None:
        overwrite(folder / "head", head)
    return verify(folder / "log", None if head is None else folder / "head", KEY.public)


def found(report: Report) -> list[tuple[Fault, int | None]]:
    return [(finding.fault, finding.line) for finding in report.findings]


def rehashed(lines: list[dict[str, object]]) -> bytes:
    """Lines with seq, prev and hash made good, as one without the key could write them."""
    prev, text = "0" * 64, ""
    for seq, line in enumerate(lines):
        fields = {**line, "seq": seq, "prev": prev}
        fields.pop("hash", None)
        body = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        prev = hashlib.sha256((prev + body).encode()).hexdigest()
        text += json.dumps({**fields, "hash": prev}, sort_keys=True, separators=(",", ":")) + "\n"
    return text.encode()


def test_whole(folder: Path) -> None:
    report = check(folder, LOG)
    assert report == Report(lines=5, findings=(), covered=5, unverified="")
    assert report.whole


def test_every_bit_of_every_byte(folder: Path) -> None:
    """The line that holds the byte is the first that is named."""
    log = by_hand(3)
    head = head_by_hand(log)
    line_of = [number for number, line in enumerate(log.splitlines(keepends=True), 1) for _ in line]
    for place, bit in itertools.product(range(len(log)), range(8)):
        altered = bytearray(log)
        altered[place] ^= 1 << bit
        findings = check(folder, bytes(altered), head).findings
        assert findings, f"byte {place}, bit {bit}: not seen"
        assert findings[0].line == line_of[place], f"byte {place}, bit {bit}: {findings[0]}"
        assert findings[0].fault in (Fault.ALTERED, Fault.TORN), f"byte {place}, bit {bit}: {findings[0]}"


def test_every_byte_removed_or_doubled(folder: Path) -> None:
    log = by_hand(2)
    for place in range(len(log)):
        assert not check(folder, log[:place] + log[place + 1 :], head_by_hand(log)).whole, f"byte {place} removed"
        doubled = log[: place + 1] + log[place:]
        assert not check(folder, doubled, head_by_hand(log)).whole, f"byte {place} doubled"


def test_every_length(folder: Path) -> None:
    """With a head every cut shows; without one a cut at the end of a line does not, and it says so."""
    ends = list(itertools.accumulate(map(len, LINES), initial=0))
    for length in range(len(LOG)):
        with_head, without = check(folder, LOG[:length]), check(folder, LOG[:length], None)
        if length in ends:
            assert found(with_head) == [(Fault.CUT, None)], f"first {length} bytes"
            assert (without.findings, without.unverified) == ((), "there is no head record")
        else:
            torn = ends.index(max(end for end in ends if end < length)) + 1
            assert found(with_head)[0] == (Fault.TORN, torn), f"first {length} bytes"
            assert found(without) == [(Fault.TORN, torn)]
        assert not with_head.whole
        assert not without.whole


def test_how_much_is_cut(folder: Path) -> None:
    report = check(folder, b"".join(LINES[:2]))
    assert [finding.message for finding in report.findings] == [
        "the tail is cut: 3 entries before entry 4, that of the head record, are missing"
    ]


def test_every_line_removed(folder: Path) -> None:
    for gone in range(4):
        report = check(folder, b"".join(LINES[:gone] + LINES[gone + 1 :]))
        assert found(report) == [(Fault.MISSING, gone + 1)], f"line {gone + 1} removed"
        assert report.findings[0].message == f"before line {gone + 1}: 1 of the entries {gone} to {gone} missing"
    report = check(folder, b"".join(LINES[:1] + LINES[4:]))
    assert [finding.message for finding in report.findings] == ["before line 2: 3 of the entries 1 to 3 missing"]


def test_every_pair_swapped(folder: Path) -> None:
    for a, b in itertools.combinations(range(5), 2):
        lines = list(LINES)
        lines[a], lines[b] = lines[b], lines[a]
        report = check(folder, b"".join(lines))
        assert set(report.findings), f"lines {a + 1} and {b + 1} swapped"
        late = list(range(a + 1, b + 1))  # everything that is now after the entry from further down
        assert found(report) == [(Fault.REORDERED, line + 1) for line in late], f"lines {a + 1} and {b + 1} swapped"


def test_every_line_repeated(folder: Path) -> None:
    for source, place in itertools.product(range(5), range(6)):
        lines = [*LINES[:place], LINES[source], *LINES[place:]]
        faults = {fault for fault, _ in found(check(folder, b"".join(lines)))}
        assert Fault.REPEATED in faults, f"line {source + 1} again before line {place + 1}"


def test_every_line_written_anew(folder: Path) -> None:
    """A line altered with its own hash made good: its neighbour knows better, and the head of the last one."""
    for target in range(5):
        fields = json.loads(LINES[target])
        fields["prompt_bytes"] = 6
        del fields["hash"]
        body = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256((fields["prev"] + body).encode()).hexdigest()
        line = json.dumps({**fields, "hash": digest}, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        report = check(folder, b"".join([*LINES[:target], line, *LINES[target + 1 :]]))
        assert found(report) == [(Fault.REPLACED, min(target + 2, 5))], f"line {target + 1}"


def test_everything_written_anew(folder: Path) -> None:
    """All hashes made good: the chain is whole, and the head record shows it."""
    fields = [json.loads(line) for line in LINES]
    fields[1]["prompt_bytes"] = 6
    forged = rehashed(fields)
    assert found(check(folder, forged)) == [(Fault.REPLACED, 5)]
    assert check(folder, forged, None).findings == ()
    shorter = rehashed(fields[:1] + fields[2:])
    assert found(check(folder, shorter)) == [(Fault.CUT, None)]
    longer = rehashed(fields[:1] + fields)
    assert found(check(folder, longer)) == [(Fault.REPLACED, 5)]


def test_chain_that_begins_elsewhere(folder: Path) -> None:
    fields = json.loads(LINES[0])
    del fields["hash"]
    fields["prev"] = "1" * 64
    body = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256((fields["prev"] + body).encode()).hexdigest()
    line = json.dumps({**fields, "hash": digest}, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    assert (Fault.REPLACED, 1) in found(check(folder, line, None))


def test_damaged_lines_count_as_entries(folder: Path) -> None:
    """Two damaged lines in a row explain two entries that are not there, a third one does not."""
    damaged = [b"x\n", b"y\n"]
    assert found(check(folder, b"".join([LINES[0], *damaged, *LINES[3:]]))) == [(Fault.ALTERED, 2), (Fault.ALTERED, 3)]
    more = check(folder, b"".join([LINES[0], *damaged, LINES[4]]))
    assert found(more) == [(Fault.ALTERED, 2), (Fault.ALTERED, 3), (Fault.MISSING, 4)]
    at_end = check(folder, b"".join([*LINES[:3], *damaged]))
    assert found(at_end) == [(Fault.ALTERED, 4), (Fault.ALTERED, 5)]


def test_every_bit_of_the_head(folder: Path) -> None:
    for place, bit in itertools.product(range(len(HEAD)), range(8)):
        altered = bytearray(HEAD)
        altered[place] ^= 1 << bit
        report = check(folder, LOG, bytes(altered))
        assert found(report) == [(Fault.HEAD, None)], f"byte {place}, bit {bit}"
        assert report.covered == 0


def test_every_length_of_the_head(folder: Path) -> None:
    for length in range(1, len(HEAD)):
        assert found(check(folder, LOG, HEAD[:length])) == [(Fault.HEAD, None)], f"first {length} bytes"
    assert check(folder, LOG, b"").unverified == "there is no head record"
    assert found(check(folder, LOG, HEAD + b"\n")) == [(Fault.HEAD, None)]


def test_without_a_head(folder: Path) -> None:
    report = check(folder, LOG, None)
    assert report.summary() == "chain whole, 5 entries, 0 vouched for; tail unverified: there is no head record"
    report = verify(folder / "log", folder / "missing", KEY.public)
    assert report.unverified == "there is no head record"


def test_without_a_key(folder: Path) -> None:
    check(folder, LOG)
    report = verify(folder / "log", folder / "head", None)
    assert (report.findings, report.covered) == ((), 0)
    assert report.unverified == "there is no public key to verify the head record with"


def test_head_of_another_key(folder: Path) -> None:
    check(folder, LOG)
    report = verify(folder / "log", folder / "head", PrivateKey(bytes(32)).public)
    assert found(report) == [(Fault.HEAD, None)]


def test_an_older_head(folder: Path) -> None:
    """Entries after the head are not vouched for; an old head kept elsewhere still vouches for the begin."""
    older = head_by_hand(b"".join(LINES[:3]))
    report = check(folder, LOG, older)
    assert (report.findings, report.covered) == ((), 3)
    assert report.unverified == "2 entries after entry 2, that of the head record"
    fields = [json.loads(line) for line in LINES]
    fields[1]["prompt_bytes"] = 6
    assert found(check(folder, rehashed(fields), older)) == [(Fault.REPLACED, 3)]


def test_empty(folder: Path) -> None:
    assert check(folder, b"", None) == Report(0, (), 0, "there is no head record")
    assert found(check(folder, b"")) == [(Fault.CUT, None)]


def test_endless_line(folder: Path) -> None:
    """Lines of any length take no memory, and the lines after them are judged."""
    report = check(folder, LINES[0] + b"x" * (3 * MAX_LINE) + b"\n" + b"".join(LINES[1:]))
    assert found(report) == [(Fault.ALTERED, 2)]
    assert found(check(folder, LOG + b"x" * (2 * MAX_LINE)))[0] == (Fault.ALTERED, 6)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"[" * 10_000,
        b'{"seq":' + b"9" * 10_000 + b"}",
        b'{"hash":1,"prev":2,"seq":-1}',
        b"\xff\xfe",
        b'{"a":1,"a":1}',
        b"NaN",
        b'"\\ud800"',
    ],
)
def test_lines_that_are_no_entries(folder: Path, line: bytes) -> None:
    assert found(check(folder, line + b"\n", None)) == [(Fault.ALTERED, 1)]


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.data())
def test_any_pieces(folder: Path, data: st.DataObject) -> None:
    """Lines, parts of lines and noise in any order: a report, and whole only for the very bytes."""
    part = st.tuples(st.sampled_from(LINES), st.integers(0, 400), st.integers(0, 400)).map(
        lambda pick: pick[0][min(pick[1:]) : max(pick[1:])]
    )
    noise = st.binary(max_size=50)
    log = b"".join(data.draw(st.lists(st.sampled_from(LINES) | part | noise, max_size=8)))
    head = data.draw(st.just(HEAD) | noise)
    report = check(folder, log, head)
    assert report.whole == ((log, head) == (LOG, HEAD))
    assert all("\n" not in finding.message for finding in report.findings)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.permutations(range(5)), st.sets(st.integers(0, 4)))
def test_any_order_and_any_lines_gone(folder: Path, order: list[int], gone: set[int]) -> None:
    """Lines that are too late are named, no others, and what is missing is counted."""
    left = [number for number in order if number not in gone]
    report = check(folder, b"".join(LINES[number] for number in left))
    late = [place + 1 for place, number in enumerate(left) if number < max(left[:place], default=-1)]
    assert [line for fault, line in found(report) if fault is Fault.REORDERED] == late
    faults = {fault for fault, _ in found(report)}
    inside = any(number < max(left, default=-1) for number in gone)
    assert (Fault.MISSING in faults) == inside
    assert (Fault.CUT in faults) == (max(left, default=-1) < 4)
    assert report.whole == (left == list(range(5)))


def test_while_it_is_written(tmp_path: Path) -> None:
    """A verifier in parallel with a running service never sees a fault that is not there."""
    path = tmp_path / "audit"
    write_log(path, 20)
    log = AuditLog(path, KEY, Ticks())

    def write() -> None:
        for _ in range(200):
            log.record(holder="tenant", cap_id=1, op="infer.start", obj="llm", code=0)

    writer = threading.Thread(target=write)
    writer.start()
    reports = [verify(path, tmp_path / "audit.head", KEY.public)]
    while writer.is_alive():
        reports.append(verify(path, tmp_path / "audit.head", KEY.public))
    writer.join()
    log.close()
    assert {report.findings for report in reports} == {()}
    assert verify(path, tmp_path / "audit.head", KEY.public).covered == 220


def test_an_entry_that_comes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head record is from before the entry, the lines are from after it: it looks again."""
    path = tmp_path / "audit"
    write_log(path, 3)
    log = AuditLog(path, KEY, Ticks())
    real, reads = verifier._read_head, 0

    def read_head(head: Path | None) -> bytes:
        nonlocal reads
        record = real(head)
        reads += 1
        if reads == 1:
            log.record(holder="tenant", cap_id=1, op="infer.start", obj="llm", code=0)
        return record

    monkeypatch.setattr(verifier, "_read_head", read_head)
    report = verify(path, tmp_path / "audit.head", KEY.public)
    log.close()
    assert report == Report(lines=4, findings=(), covered=4, unverified="")
