"""`python -m sw.audit`: what it says, its exit status, and resealing after a crash."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sw.audit import AuditLog, AuditUnavailable, verify
from sw.audit.__main__ import main
from sw.audit.reseal import reseal
from tests.audit.logs import KEY, Ticks, by_hand, head_by_hand, write_log


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    KEY.save(Path("key"))
    Path("key.pub").write_text(KEY.public.text())
    write_log(Path("audit"), 4)
    return Path("audit")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(list(arguments))
    return status, *capsys.readouterr()


def test_whole(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = "audit: whole, 4 entries, all vouched for by the head record\n"
    assert run(capsys, "verify", "audit", "--public", "key.pub") == (0, said, "")


def test_altered(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_bytes(path.read_bytes().replace(b'"capability":2', b'"capability":3'))
    said = "line 3 is altered: its hash is not that of its bytes"
    assert run(capsys, "verify", "audit", "--public", "key.pub") == (
        1,
        f"{said}\n",
        f"audit: audit: not whole: {said}\n",
    )
    status, out, _ = run(capsys, "verify", "audit", "--public", "key.pub", "--json")
    assert status == 1
    assert json.loads(out) == {
        "lines": 4, "covered": 0, "unverified": "", "whole": False,
        "findings": [{"fault": "altered", "line": 3, "message": said}],
    }  # fmt: skip


def test_unverified_tail(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a head record (or a key) a cut tail cannot be seen: said, and no success unless asked for."""
    Path("audit.head").unlink()
    said = "chain whole, 4 entries, 0 vouched for; tail unverified: there is no head record\n"
    assert run(capsys, "verify", "audit", "--public", "key.pub") == (1, "", f"audit: audit: {said}")
    assert run(capsys, "verify", "audit", "--no-head") == (0, f"audit: {said}", "")


def test_head_kept_elsewhere(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("kept").write_bytes(head_by_hand(by_hand(2)))
    status, _, err = run(capsys, "verify", "audit", "--public", "key.pub", "--head", "kept")
    assert status == 1
    assert "2 vouched for; tail unverified: 2 entries after entry 1" in err


def test_no_such_file(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "verify", "missing") == (2, "", "audit: missing: No such file or directory\n")
    assert run(capsys, "verify", "audit", "--public", "missing") == (
        2,
        "",
        "audit: missing: No such file or directory\n",
    )
    assert run(capsys, "reseal", "missing", "--key", "key") == (2, "", "audit: missing: No such file or directory\n")
    assert not Path("missing").exists()


@pytest.mark.parametrize("arguments", [[], ["verify"], ["reseal", "audit"], ["nonsense"]])
def test_wrong_use(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def crash_before_head(torn: bytes = b"") -> None:
    """The service was stopped after its last line, or within one, and before the head record."""
    log = by_hand(4)
    Path("audit").write_bytes(log + torn)
    Path("audit.head").write_bytes(head_by_hand(by_hand(3)))


@pytest.mark.parametrize("torn", [b"", b'{"capab', b"x"])
def test_reseal_after_a_crash(path: Path, capsys: pytest.CaptureFixture[str], torn: bytes) -> None:
    crash_before_head(torn)
    status, out, _ = run(capsys, "reseal", "audit", "--key", "key")
    said = "audit: the head record vouches for 5 entries, before for 3; "
    assert (status, out) == (0, f"{said}{len(torn)} bytes of an unfinished line were set aside\n")
    assert path.read_bytes().startswith(by_hand(4))
    assert (Path("audit.torn").read_bytes() if torn else b"") == torn
    log = AuditLog(path, KEY, Ticks())
    entry = log.entries(1)[0]
    log.close()
    assert (entry["operation"], entry["covered"], entry["torn_bytes"]) == ("audit.reseal", 3, len(torn))
    assert verify(path, Path("audit.head"), KEY.public).whole


def test_reseal_without_a_head(path: Path) -> None:
    Path("audit.head").unlink()
    assert reseal(path, KEY).covered == 0
    assert verify(path, Path("audit.head"), KEY.public).whole


def test_reseal_leaves_a_whole_log(path: Path) -> None:
    before = path.read_bytes()
    done = reseal(path, KEY)
    assert (done.covered, done.entries, done.torn_bytes) == (4, 4, 0)
    assert path.read_bytes() == before


def test_reseal_never_hides_a_fault(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Altered, cut, reordered, or sealed by another key: refused, and nothing is written."""
    lines = by_hand(4).splitlines(keepends=True)
    for log, head in (
        (by_hand(4).replace(b'"capability":2', b'"capability":3'), head_by_hand(by_hand(3))),
        (by_hand(2), head_by_hand(by_hand(4))),
        (by_hand(2) + b"x", head_by_hand(by_hand(4))),
        (lines[1] + lines[0], b""),
        (by_hand(4), head_by_hand(by_hand(4)).replace(b'"seq":3', b'"seq":2')),
    ):
        path.write_bytes(log)
        Path("audit.head").write_bytes(head)
        status, out, err = run(capsys, "reseal", "audit", "--key", "key")
        assert (status, out) == (1, "")
        assert err.startswith("audit: audit: not whole: ")
        assert (path.read_bytes(), Path("audit.head").read_bytes()) == (log, head)


def test_reseal_of_a_log_in_use(path: Path) -> None:
    log = AuditLog(path, KEY, Ticks())
    with pytest.raises(AuditUnavailable, match="in use"):
        reseal(path, KEY)
    log.close()


def test_as_a_program(path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "sw.audit", "verify", str(path.resolve()), "--no-head"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tail unverified" in done.stdout
