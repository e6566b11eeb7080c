"""Past runs: a line whole or not at all; damaged lines cost one warning."""

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tb.run.history import add_run, past_runs

KEYS = {"time": str, "passed": int}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tb.run.history.HISTORY", tmp_path / "history")
    return tmp_path / "history"


def runs() -> tuple[list[int], list[str]]:
    said: list[str] = []
    return [run["passed"] for run in past_runs("regress", KEYS, said.append)], said


def add(passed: int) -> None:
    add_run("regress", {"time": "2026-01-02T03:04:05Z", "passed": passed, "more": [1]})


def test_runs_come_in_their_order_with_the_keys_asked_for() -> None:
    assert runs() == ([], [])
    add(1)
    add(2)
    assert runs() == ([1, 2], [])
    assert past_runs("regress", KEYS, print)[0].keys() == KEYS.keys()
    assert past_runs("other", KEYS, print) == []


@pytest.mark.parametrize(
    "damage", [b'{"time": "20', b"\xff\xfe\x00", b"[]", b"3", b'{"time": "x", "passed": "1"}', b'{"passed": 1}']
)
def test_a_damaged_line_is_left_out_with_one_line(folder: Path, damage: bytes) -> None:
    add(1)
    path = folder / "regress.jsonl"
    path.write_bytes(path.read_bytes() + damage)  # as after a crash: without the end of the line
    add(2)
    assert runs() == ([1, 2], [f"history: {path}: line 2 is damaged and left out of the trends"])
    path.write_bytes(path.read_bytes() + damage + b"\n")
    assert runs() == ([1, 2], [f"history: {path}: 2 lines (2, 4) are damaged and left out of the trends"])


def test_a_line_is_there_whole_or_not_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(1)
    before = (folder / "regress.jsonl").read_bytes()

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        add(2)
    assert (folder / "regress.jsonl").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["regress.jsonl", "regress.lock"]


def test_two_runs_that_end_together_are_both_kept(folder: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(20)))
    lines = (folder / "regress.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["passed"] for line in lines) == list(range(20))
