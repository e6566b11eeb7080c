"""A long build says how far it is."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tb.run import build as build_module
from tb.run import progress
from tb.run.build import build
from tb.run.manifest import Leg


@pytest.mark.parametrize(
    ("done", "share", "seconds", "text"),
    [
        (0, 0.0, 20.0, "build: 0 of 120 C++ files compiled"),
        (30, 0.25, 60.0, "build: 30 of 120 C++ files compiled, about 3 min left"),
        (110, 0.9, 180.0, "build: 110 of 120 C++ files compiled, about 20 s left"),
    ],
)
def test_a7_one_line_of_progress(done: int, share: float, seconds: float, text: str) -> None:
    assert progress.line(done, 120, share, seconds) == text


def test_a7_files_are_counted_by_their_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0.05)
    monkeypatch.setattr(progress, "POLL_S", 0.01)
    (tmp_path / "big.cpp").write_text("x" * 900)
    (tmp_path / "small.cpp").write_text("x" * 100)
    weights = progress.sizes(tmp_path, ["big", "small", "verilated"])
    assert weights == {"big": 900, "small": 100, "verilated": progress.UNKNOWN_BYTES}
    said: list[str] = []
    with progress.compiling(tmp_path, {"big": 900, "small": 100}, said.append):
        time.sleep(0.2)
        (tmp_path / "big.o").touch()
        time.sleep(0.3)
    assert said[0] == "build: 0 of 2 C++ files compiled"
    assert said[-1].startswith("build: 1 of 2 C++ files compiled, about ")
    count = len(said)
    time.sleep(0.1)
    assert len(said) == count, "nothing is said once the build has ended"


def test_a7_a_build_reports_its_files(counter: Leg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(progress, "EVERY_S", 1.0)
    said: list[str] = []
    build(replace(counter.spec, flags=(*counter.spec.flags, "-DPROGRESS")), said.append)
    assert any("C++ files to compile, 0 known from earlier builds" in text for text in said)
    assert any(" C++ files compiled" in text for text in said)
