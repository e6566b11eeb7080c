"""A store of its own for each test, and records as commands write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tb.run.artefacts import published
from tb.run.store import keep
from tb.run.store.database import Head, Store


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `report` and `results`, which every command takes for those of sim_build."""
    monkeypatch.setattr(keep, "REPORT", tmp_path / "report")
    monkeypatch.setattr(keep, "RESULTS", tmp_path / "results")
    monkeypatch.setattr("tb.results.cli.REPORT", tmp_path / "report")
    monkeypatch.setattr("tb.results.cli.RESULTS", tmp_path / "results")
    monkeypatch.delenv("COLUMNS", raising=False)  # tables as wide as they are
    return tmp_path


@pytest.fixture
def store(place: Path) -> Store:
    return Store(place / "results")


def record(time: str = "2026-01-02T03:04:05Z", seed: int | None = 1, **content: Any) -> dict[str, Any]:
    """What a command writes."""
    about = {"time": time, "commit": "0123456789ab", "clean": True, "seed": seed, "settings": {"entries": 1024}}
    return {**about, **content}


def publish(place: Path, kind: str = "sim", verdict: str = "passed", **content: Any) -> dict[str, Any]:
    """Write a report as a command does, and keep the run."""
    written = record(**content)
    with published(place / "report", kind) as staged:
        (staged / f"{kind}.json").write_text(json.dumps(written))
        (staged / f"{kind}.html").write_text("<html></html>")
    keep.keep_run(kind, written, verdict, place / "report")
    return written


def names(heads: list[Head]) -> list[str]:
    return [head.name for head in heads]
