"""B4, B5: a log over several files, its anchor in another place, and how it goes on after damage and loss."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.audit import AuditBroken, AuditLog, AuditUnavailable, Fault, Verification, verify
from sw.audit.chain import LOSS, entry
from sw.audit.files import full_files, head_path
from sw.audit.reseal import reseal
from sw.audit.store import FILE_BYTES
from tests.audit.logs import KEY, Ticks, by_hand, head_by_hand

ENTRY = {"holder": "tenant", "cap_id": 1, "op": "infer.start", "obj": "llm", "code": 0}
SMALL = 1200  # bytes of a file: a few entries


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def anchor(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere" / "anchor"


def write(path: Path, count: int, anchor: Path | None = None, file_bytes: int = SMALL) -> None:
    """So many entries more, over as many files as they take."""
    log = AuditLog(path, KEY, Ticks(), anchor, file_bytes)
    for number in range(count):
        log.record(holder="tenant", cap_id=number, op="infer.start", obj="llm", code=number % 3, prompt_bytes=5)
    log.close()


def all_lines(path: Path) -> list[bytes]:
    return b"".join(file.read_bytes() for file in [*full_files(path), path]).splitlines(keepends=True)


# ---------------------------------------------------------------- files


def test_b4_a_full_file_is_kept_and_the_chain_goes_on(path: Path) -> None:
    write(path, 20)
    assert b"".join(all_lines(path)) == by_hand(20), "the same bytes as in one file"
    files = [*full_files(path), path]
    assert len(files) > 4
    assert all(0 < file.stat().st_size <= SMALL for file in files)
    firsts = [json.loads(file.read_bytes().splitlines()[0])["seq"] for file in full_files(path)]
    assert [int(file.name.rpartition(".")[2]) for file in full_files(path)] == firsts
    report = verify(path, head_path(path), KEY.public)
    assert (report.whole, report.lines, report.covered) == (True, 20, 20)
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}


def test_b4_starts_continue_over_files(path: Path, anchor: Path) -> None:
    for count in range(1, 12):
        write(path, 2, anchor)
        log = AuditLog(path, KEY, Ticks(), anchor, SMALL)
        assert [entry["seq"] for entry in log.entries()] == list(range(2 * count))
        assert [entry["seq"] for entry in log.entries(5)] == list(range(2 * count))[-5:]
        log.close()
    assert verify(path, head_path(path), KEY.public).covered == 22


def test_b4_a_start_reads_the_last_file_only(path: Path) -> None:
    """However long the history is: an older file may even be damaged, which the full verification tells."""
    write(path, 30)
    oldest = full_files(path)[0]
    oldest.write_bytes(oldest.read_bytes().replace(b"tenant", b"forged", 1))
    write(path, 1)
    report = verify(path, head_path(path), KEY.public)
    assert [(finding.fault, finding.line) for finding in report.findings] == [(Fault.ALTERED, 1)]
    assert report.findings[0].message.startswith(f"line 1 of {oldest.name} is altered")


def test_b4_a_start_verifies_the_last_file(path: Path) -> None:
    write(path, 30)
    last = full_files(path)[-1] if not path.stat().st_size else path
    last.write_bytes(last.read_bytes().replace(b"tenant", b"forged", 1))
    with pytest.raises(AuditBroken, match="altered"):
        write(path, 1)


def test_a_crash_between_two_files(path: Path) -> None:
    """Renamed, and the next file not begun; or begun and without a line."""
    write(path, 9)
    path.rename(path.with_name(f"audit.{json.loads(path.read_bytes().splitlines()[0])['seq']:012}"))
    write(path, 1)
    assert verify(path, head_path(path), KEY.public).covered == 10


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_file_that_is_missing(path: Path, which: int) -> None:
    write(path, 30)
    gone = full_files(path)[which]
    entries = len(gone.read_bytes().splitlines())
    gone.unlink()
    findings = verify(path, head_path(path), KEY.public).findings
    assert [finding.fault for finding in findings] == [Fault.MISSING]
    assert f": {entries} of the entries" in findings[0].message


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.data())
def test_any_byte_of_any_file(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("log") / "audit"
    write(path, 12)
    file = data.draw(st.sampled_from([*full_files(path), path]))
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(bytes(content))
    assert not verify(path, head_path(path), KEY.public).whole


def test_one_process_at_a_time_over_files(path: Path) -> None:
    log = AuditLog(path, KEY, Ticks(), None, SMALL)
    for _ in range(12):
        log.record(**ENTRY)
        with pytest.raises(AuditUnavailable, match="in use"):
            AuditLog(path, KEY, Ticks(), None, SMALL)
    log.close()


def test_no_next_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be begun: the entry is refused, nothing has changed, and with room it goes on."""
    log = AuditLog(path, KEY, Ticks(), None, SMALL)
    while path.stat().st_size < SMALL - 300:
        log.record(**ENTRY)
    before, real = all_lines(path), os.open

    def full(file: object, flags: int, *more: int) -> int:
        if flags & os.O_EXCL:
            raise OSError(28, "No space left on device")
        return real(file, flags, *more)  # type: ignore[call-overload,no-any-return]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        with pytest.raises(AuditUnavailable, match="No space left"):
            log.record(**ENTRY)
    assert all_lines(path) == before
    log.record(**ENTRY)
    log.close()
    assert verify(path, head_path(path), KEY.public).covered == len(before) + 1


# ---------------------------------------------------------------- verification in parallel with a writer


def test_b4_verification_in_slices_while_files_come_and_go(path: Path) -> None:
    log = AuditLog(path, KEY, Ticks(), None, SMALL)
    log.record(**ENTRY)
    verification = Verification(path, head_path(path), KEY.public)
    for _ in range(100):
        for _ in range(3):
            log.record(**ENTRY)
        verification.step(2)
    while not verification.step(2):
        pass
    assert verification.report.whole
    assert verification.report.lines > 200


def test_b4_verification_goes_on_where_the_last_one_ended(path: Path) -> None:
    log = AuditLog(path, KEY, Ticks(), None, SMALL)
    log.record(**ENTRY)
    mark, read = Verification(path, head_path(path), KEY.public).mark, []
    for count in (1, 0, 20, 3):
        for _ in range(count):
            log.record(**ENTRY)
        verification = Verification(path, head_path(path), KEY.public, mark)
        steps = 1
        while not verification.step(1):
            steps += 1
        read.append(steps)
        assert verification.report.whole
        mark = verification.mark
    assert verification.report.lines == 25
    assert read[1] <= 2, "nothing new is read again"
    assert read[3] <= 5
    full = full_files(path)[0]
    full.write_bytes(full.read_bytes().replace(b"tenant", b"forged", 1))
    assert verify(path, head_path(path), KEY.public, mark).whole, "what is verified is not read again"
    assert not verify(path, head_path(path), KEY.public).whole


def test_b4_a_writer_does_not_wait_for_the_verifier(path: Path) -> None:
    log = AuditLog(path, KEY, Ticks(), None, 20_000)
    for _ in range(500):
        log.record(**ENTRY)
    reports, done = [], threading.Event()

    def check() -> None:
        while not done.is_set():
            reports.append(verify(path, head_path(path), KEY.public))

    thread = threading.Thread(target=check)
    thread.start()
    for _ in range(300):
        log.record(**ENTRY)
    time.sleep(0.05)
    done.set()
    thread.join()
    log.close()
    assert reports
    assert all(report.whole for report in reports)


# ---------------------------------------------------------------- the anchor


def remove_both(path: Path) -> None:
    for file in [*full_files(path), path, head_path(path)]:
        file.unlink()


def older_pair(path: Path) -> None:
    """Log and head record as they were two entries ago, both good."""
    old = path.with_name("old")
    write(old, 28)
    for file in [*full_files(path), path]:
        file.unlink()
    for file in [*full_files(old), old, head_path(old)]:
        file.rename(file.with_name(file.name.replace("old", "audit")))


def rewritten(path: Path) -> None:
    """As many entries, other ones, and a head record that the key has signed."""
    for file in [*full_files(path), path, head_path(path)]:
        file.unlink()
    log = AuditLog(path, KEY, Ticks(), None, SMALL)
    for _ in range(40):
        log.record(**ENTRY)
    log.close()


@pytest.mark.parametrize("damage", [remove_both, older_pair, rewritten])
def test_b5_the_anchor_shows_deletion_and_rollback(path: Path, anchor: Path, damage: Callable[[Path], None]) -> None:
    """Neither gives a fresh chain, nor an older one, without a word; the word is one line with a next step."""
    write(path, 30, anchor)
    assert anchor.read_bytes() == head_path(path).read_bytes()
    damage(path)
    words = {remove_both: "entries 0 to 29, which the anchor knows, are gone", older_pair: "are gone"}
    with pytest.raises(AuditBroken, match=words.get(damage, "not the one that the anchor was written for")) as caught:
        AuditLog(path, KEY, Ticks(), anchor, SMALL)
    assert "\n" not in str(caught.value)
    assert "next step: " in str(caught.value)
    with pytest.raises(AuditBroken):
        reseal(path, KEY, anchor) if path.exists() else AuditLog(path, KEY, Ticks(), anchor, SMALL)


def test_b5_without_the_anchor_they_do_not_show(path: Path, anchor: Path) -> None:
    """What the anchor is for; and that the test above would not pass without it."""
    write(path, 30, anchor)
    remove_both(path)
    write(path, 1)
    assert verify(path, head_path(path), KEY.public).lines == 1


def test_b5_an_anchor_of_another_key(path: Path, anchor: Path) -> None:
    write(path, 3, anchor)
    anchor.write_bytes(anchor.read_bytes().replace(b'"seq":2', b'"seq":1'))
    with pytest.raises(AuditBroken, match="the anchor is not the service key's"):
        write(path, 1, anchor)


def test_b5_an_anchor_that_is_behind_by_a_crash(path: Path, anchor: Path) -> None:
    """Line and head record are written before the anchor."""
    write(path, 3, anchor)
    before = anchor.read_bytes()
    write(path, 1, anchor)
    anchor.write_bytes(before)
    write(path, 1, anchor)
    assert verify(path, head_path(path), KEY.public).covered == 5


def test_b5_a_new_anchor_for_an_old_log_is_recorded(path: Path, anchor: Path) -> None:
    write(path, 3)
    write(path, 0, anchor)
    write(path, 0, anchor)
    assert [json.loads(line)["operation"] for line in all_lines(path)[3:]] == ["audit.anchor"]
    assert anchor.read_bytes() == head_path(path).read_bytes()


# ---------------------------------------------------------------- going on after a loss


@pytest.mark.parametrize("damage", [remove_both, older_pair])
def test_b5_an_administrator_lets_a_lost_log_go_on(path: Path, anchor: Path, damage: Callable[[Path], None]) -> None:
    """Behind the last entry that the anchor knows, with an entry that says so; the files that are left are kept."""
    write(path, 30, anchor)
    damage(path)
    left = sum(file.stat().st_size for file in [*full_files(path), path] if file.exists())
    reseal(path, KEY, anchor, accept_loss=True)
    first = json.loads(all_lines(path)[0])
    assert (first["seq"], first["operation"], first["lost"]) == (30, "audit.loss", 30)
    aside = list(path.parent.glob("audit*.lost-before-30"))
    assert sum(file.stat().st_size for file in aside) == left
    write(path, 20, anchor)
    report = verify(path, head_path(path), KEY.public)
    assert (report.whole, report.lines, report.begins) == (True, 21, 30)
    assert "entries 0 to 29 are lost, as entry 30 says" in report.summary()
    remove_both(path)
    with pytest.raises(AuditBroken):
        write(path, 1, anchor)


def test_b5_a_damaged_log_goes_on_by_permission_only(path: Path) -> None:
    write(path, 30)
    last = path if path.stat().st_size else full_files(path)[-1]
    last.write_bytes(last.read_bytes().replace(b"tenant", b"forged", 1))
    with pytest.raises(AuditBroken, match=r"altered.*--accept-loss"):
        write(path, 1)
    with pytest.raises(AuditBroken, match="altered"):
        reseal(path, KEY)
    reseal(path, KEY, accept_loss=True)
    write(path, 1)
    assert verify(path, head_path(path), KEY.public).begins == 30


@pytest.mark.parametrize("begin", ["loss", "again"])
def test_b5_only_the_first_line_may_begin_a_chain(path: Path, begin: str) -> None:
    """An entry further on that says that all before it are lost, or another entry 0: neither hides a thing."""
    if begin == "loss":
        fields = {"capability": None, "code": 0, "holder": "", "object": "audit", "operation": LOSS, "time": 0}
        second, _ = entry(10, "1" * 64, fields)
    else:
        second = by_hand(2, prompt_bytes=6)
    path.write_bytes(by_hand(3) + second)
    head_path(path).write_bytes(head_by_hand(path.read_bytes()))
    for file in (path, head_path(path)):
        file.chmod(0o600)
    assert not verify(path, head_path(path), KEY.public).whole
    with pytest.raises(AuditBroken):
        write(path, 1)


def test_b4_a_start_with_a_damaged_line_before_the_last_file(path: Path) -> None:
    """Where the last file's beginning cannot be known: all of it is read, and the start is refused in one line."""
    write(path, 30)
    before = full_files(path)[-1]
    before.write_bytes(before.read_bytes()[:-5] + b"xxxx\n")
    with pytest.raises(AuditBroken, match=rf"{before.name} is altered") as caught:
        write(path, 1)
    assert "\n" not in str(caught.value)


def test_the_size_of_a_file_is_bounded(path: Path) -> None:
    assert FILE_BYTES <= 8 << 20, "a start verifies so many bytes"
