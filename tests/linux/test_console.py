"""The guest's console at the user's terminal: keys, output, and how input ends."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

import pytest

from tb.linux.console import Console


def read(fd: int, wanted: bytes) -> bytes:
    """What comes, up to the length of what is wanted."""
    seen = b""
    while len(seen) < len(wanted):
        ready, _, _ = select.select([fd], [], [], 10)
        assert ready, f"{seen!r} instead of {wanted!r}"
        seen += os.read(fd, len(wanted) - len(seen))
    return seen


def test_keys_and_output_and_the_end_of_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, typed = os.pipe()
    shown = tmp_path / "shown"
    with open(keys) as stdin, shown.open("w") as stdout:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", stdout)
        with Console() as console:
            guest = os.open(console.path, os.O_RDWR | os.O_NOCTTY)
            os.write(typed, b"ls\x03\n")
            assert read(guest, b"ls\x03\n") == b"ls\x03\n"  # raw: Ctrl-C is a key
            os.close(typed)
            assert read(guest, b"\x04") == b"\x04"
            assert read(guest, b"\x04") == b"\x04"  # the first may have gone to a program that the shell ran
            os.write(guest, b"bye\r\n")
            os.close(guest)
    assert shown.read_bytes() == b"bye\r\n"
