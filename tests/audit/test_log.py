"""The log as the service writes it: bytes, what may be in it, restart, and that it fails closed."""

from __future__ import annotations

import errno
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sw.audit import AuditBroken, AuditLog, AuditUnavailable, BadEntry, store, verify
from sw.codes import Code
from sw.signing import PrivateKey
from tests.audit.logs import KEY, Ticks, by_hand, head_by_hand, write_log

ENTRY: dict[str, Any] = {"holder": "tenant", "cap_id": 1, "op": "infer.start", "obj": "llm", "code": 0}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def log(path: Path) -> Iterator[AuditLog]:
    log = AuditLog(path, KEY, Ticks())
    log.record(**ENTRY)
    yield log
    log.close()


def head_of(path: Path) -> Path:
    return path.with_name("audit.head")


def assert_whole(path: Path, lines: int) -> None:
    report = verify(path, head_of(path), KEY.public)
    assert report.summary() == f"whole, {lines} entries, all vouched for by the head record"


def test_bytes(path: Path) -> None:
    """Lines and head record as the contract's sentences make them."""
    log = write_log(path, 4)
    assert log == by_hand(4)
    assert head_of(path).read_bytes() == head_by_hand(log)


def test_in_memory(path: Path) -> None:
    """The same lines without a file."""
    log = AuditLog(None, KEY, Ticks())
    for number in range(4):
        log.record(holder="tenant", cap_id=number, op="infer.start", obj="llm", code=number % 3, prompt_bytes=5)
    assert log.entries() == [json.loads(line) for line in by_hand(4).splitlines()]
    assert [entry["seq"] for entry in log.entries(2)] == [2, 3]
    assert log.entries(0) == []
    assert len(log.entries(9)) == 4


def test_entries(log: AuditLog) -> None:
    log.record(**ENTRY | {"code": Code.QUEUE_FULL, "cap_id": None, "holder": ""}, tokens=-3)
    entry = log.entries(1)[0]
    assert (entry["code"], entry["capability"], entry["holder"], entry["tokens"]) == (23, None, "", -3)
    assert [entry["seq"] for entry in log.entries()] == [0, 1]
    assert log.entries(0) == []


def test_owner_only(log: AuditLog, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert head_of(path).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "wrong",
    [
        {"op": "tell me a story"},
        {"op": ""},
        {"op": "x" * 65},
        {"op": "a\n"},
        {"obj": "once upon"},
        {"obj": "é"},
        {"holder": "x" * 65},
        {"holder": "a\nb"},
        {"prompt": "text"},
        {"prompt": b"text"},
        {"tokens": [1, 2]},
        {"tokens": True},
        {"tokens": 1.0},
        {"tokens": None},
        {"tokens": 1 << 64},
        {"tokens": -(1 << 63) - 1},
        {"cap_id": "1"},
        {"hash": 1},
        {"seq": 1},
        {"prev": 1},
        {"time": 1},
        {"Tokens": 1},
        {"a b": 1},
        {f"n{number}": 1 for number in range(33)},
    ],
)
def test_bad_entries(log: AuditLog, path: Path, wrong: dict[str, Any]) -> None:
    """No text gets in but the names, and nothing is recorded of a bad entry."""
    before = path.read_bytes()
    with pytest.raises(BadEntry):
        log.record(**ENTRY | wrong)
    assert path.read_bytes() == before
    log.record(**ENTRY)
    assert_whole(path, 2)


def test_the_longest_entry_verifies(log: AuditLog, path: Path) -> None:
    counts = {f"{'n' * 30}{number:02}": -(1 << 63) for number in range(32)}
    log.record(holder="\U0001d11e" * 64, cap_id=(1 << 64) - 1, op="x" * 64, obj="y" * 64, code=39, **counts)
    assert_whole(path, 2)


def test_restart_continues(path: Path) -> None:
    for count in range(1, 5):
        log = AuditLog(path, KEY, Ticks())
        log.record(**ENTRY)
        log.close()
        log.close()
        assert_whole(path, count)
    assert [json.loads(line)["seq"] for line in path.read_bytes().splitlines()] == [0, 1, 2, 3]


def test_a_log_opened_and_not_used(path: Path) -> None:
    AuditLog(path, KEY, Ticks()).close()
    log = AuditLog(path, KEY, Ticks())
    log.record(**ENTRY)
    log.close()
    assert_whole(path, 1)


def damage_line(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"tenant", b"forged", 1))


def cut_tail(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def cut_all(path: Path) -> None:
    path.write_bytes(b"")


def remove_head(path: Path) -> None:
    head_of(path).unlink()


def empty_head(path: Path) -> None:
    head_of(path).write_bytes(b"")


def remove_log(path: Path) -> None:
    path.unlink()


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"capab')


def forge_a_line(path: Path) -> None:
    path.write_bytes(by_hand(4))


BROKEN = [damage_line, cut_tail, cut_all, remove_head, empty_head, remove_log, tear, forge_a_line]


@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_log_is_not_continued(path: Path, damage: Any) -> None:
    write_log(path, 3)
    damage(path)
    left = path.read_bytes() if path.exists() else b""
    with pytest.raises(AuditBroken) as caught:
        AuditLog(path, KEY, Ticks())
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == left


def test_another_key_does_not_continue(path: Path) -> None:
    write_log(path, 3)
    with pytest.raises(AuditBroken, match="not signed by the service's key"):
        AuditLog(path, PrivateKey(bytes(32)), Ticks())


def test_one_writer(log: AuditLog, path: Path) -> None:
    with pytest.raises(AuditUnavailable, match="in use"):
        AuditLog(path, KEY, Ticks())
    log.record(**ENTRY)
    assert_whole(path, 2)


@pytest.mark.parametrize("which", ["audit", "audit.head"])
def test_files_open_to_others(path: Path, which: str) -> None:
    write_log(path, 1)
    path.with_name(which).chmod(0o640)
    with pytest.raises(AuditUnavailable, match="open to other users"):
        AuditLog(path, KEY, Ticks())


def test_links_are_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditUnavailable):
        AuditLog(path, KEY, Ticks())
    assert not (tmp_path / "elsewhere").exists()


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(AuditUnavailable, match="No such file"):
        AuditLog(tmp_path / "missing" / "audit", KEY, Ticks())


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The system refuses every byte past `size`, as a full disk does."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_no_room_for_a_line(log: AuditLog, path: Path) -> None:
    """Whatever part of a line still fits: the entry is refused, line and head stay, and it goes on with room."""
    before, head = path.read_bytes(), head_of(path).read_bytes()
    for room in range(len(before)):  # the next line is as long as this one, or a little longer
        with largest_file(len(before) + room), pytest.raises(AuditUnavailable) as caught:
            log.record(**ENTRY)
        assert "File too large" in str(caught.value)
        assert (path.read_bytes(), head_of(path).read_bytes()) == (before, head)
    log.record(**ENTRY)
    assert_whole(path, 2)


@pytest.mark.parametrize("written", [0, 1, 100])
def test_no_room_for_the_head(log: AuditLog, path: Path, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    """A line without its head is taken back."""
    before, head = path.read_bytes(), head_of(path).read_bytes()
    real, calls = store._overwrite, 0

    def full(descriptor: int, data: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            real(descriptor, data[:written])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor, data)

    monkeypatch.setattr(store, "_overwrite", full)
    with pytest.raises(AuditUnavailable, match="No space left"):
        log.record(**ENTRY)
    assert (path.read_bytes(), head_of(path).read_bytes()) == (before, head)
    log.record(**ENTRY)
    assert_whole(path, 2)


def test_what_cannot_be_taken_back_ends_the_log(log: AuditLog, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(store, "_overwrite", broken)
        patch.setattr(os, "ftruncate", broken)
        with pytest.raises(AuditUnavailable, match="Input/output error"):
            log.record(**ENTRY)
    with pytest.raises(AuditUnavailable, match="could not be removed"):
        log.record(**ENTRY)
    assert not verify(path, head_of(path), KEY.public).whole


@pytest.mark.parametrize("which", ["audit", "audit.head"])
@pytest.mark.parametrize("how", ["removed", "replaced", "changed"])
def test_files_pulled_away(log: AuditLog, path: Path, which: str, how: str) -> None:
    """Entries that would go to a file that cannot be found are refused."""
    file = path.with_name(which)
    match how:
        case "removed":
            file.unlink()
        case "replaced":
            content = file.read_bytes()
            file.unlink()
            file.write_bytes(content)
        case "changed":
            with file.open("ab") as more:
                more.write(b"x")
    with pytest.raises(AuditUnavailable):
        log.record(**ENTRY)


def test_closed(log: AuditLog) -> None:
    log.close()
    with pytest.raises(AuditUnavailable, match="closed"):
        log.record(**ENTRY)
