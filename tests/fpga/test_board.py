"""`python -m fpga.board` against the bridge in Python, over a pseudo terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fpga import board, smoke
from tests.transport.bridge import Bridge, Terminal


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal(Bridge())
    yield terminal
    terminal.close()


def test_every_test_passes(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    assert board.main([str(terminal.path)]) == 0
    assert capsys.readouterr().out.count("passed") == len(smoke.TESTS)


def test_a_difference_is_named(
    terminal: Terminal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "_expected", lambda *_: {"WEIGHT_R after it": 8})
    monkeypatch.setattr(smoke, "TESTS", {"registers": smoke.registers})
    assert board.main([str(terminal.path)]) == 1
    told = capsys.readouterr()
    assert "WEIGHT_R after it: expected 8, seen 9" in told.out
    assert told.err == "error: 1 of 1 tests differ from the device model\n"


def test_no_such_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert board.main([str(tmp_path / "ttyUSB7")]) == 2
    assert capsys.readouterr().err.endswith("ttyUSB7: No such file or directory\n")


def test_no_board_at_the_port(
    terminal: Terminal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "LIMIT_NS", 200_000_000)
    monkeypatch.setattr(Bridge, "take", lambda *_: b"")
    assert board.main([str(terminal.path)]) == 2
    assert capsys.readouterr().err.startswith("error: no board: ")


def test_board_that_falls_silent(
    terminal: Terminal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "LIMIT_NS", 1_000_000_000)
    take, taken = Bridge.take, []

    def silent_after_a_while(bridge: Bridge, data: bytes) -> bytes:
        taken.append(data)
        return take(bridge, data) if len(taken) < 10 else b""

    monkeypatch.setattr(Bridge, "take", silent_after_a_while)
    assert board.main([str(terminal.path)]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: the board ends the test: ")
    assert len(told.splitlines()) == 1
