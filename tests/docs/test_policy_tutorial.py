"""docs/tutorials/policy.md, step by step: its trace, its settings, and what it says of the results."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from sw.replay.readers import load
from tb.lab import baselines, eviction, hepc, settings
from tb.lab.stream import Stream, stream_of
from tb.run.paths import ROOT

PAGE = (ROOT / "docs" / "tutorials" / "policy.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.S | re.M)


def _block(language: str, containing: str) -> str:
    (text,) = (text for kind, text in BLOCKS if kind == language and containing in text)
    return text


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "make_trace.py").write_text(_block("python", "import json"))
    done = subprocess.run(
        [sys.executable, "make_trace.py"], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    (folder / "sessions.jsonl").write_text(done.stdout)
    return folder / "sessions.jsonl"


def _settings(folder: Path, text: str) -> settings.Table:
    (folder / "policy.toml").write_text(text)
    return settings.load("eviction", folder / "policy.toml")


def _kept(given: settings.Table, stream: Stream, layer: str) -> float:
    """Retention hits of the second half, in %, of a layer in the healthy engine."""
    (capacity,) = given["device"]["capacities"]
    weights, _ = hepc.search(given, stream, capacity, "blind", lambda _text: None)
    outcome = hepc.Bench(given, stream, capacity).run(hepc.LAYERS[layer], "healthy", weights)
    return float(100 * outcome.retention[stream.middle :].mean())


def test_what_the_page_says_of_the_layers_holds(trace: Path, tmp_path: Path) -> None:
    text = _block("toml", "capacities")
    given, stream = _settings(tmp_path, text), stream_of("t", load(trace), trace)
    settings.check_fit(given, stream)
    lru = 100 * baselines.lru(stream, 256).retention[stream.middle :].mean()
    best = 100 * baselines.optimum(stream, 256).retention[stream.middle :].mean()
    blind, ended = _kept(given, stream, "blind"), _kept(given, stream, "session_end")
    assert best > lru + 5
    assert ended > blind + 1
    assert _kept(given, stream, "queue_256") == blind
    assert _kept(given, stream, "self_tuned") >= lru - 0.2
    wrong = _block("toml", "0.5")
    assert tomllib.loads(wrong).keys() < given["policy"].keys()
    again = _settings(tmp_path, re.sub(r"session_end_accuracy = .*\n", wrong, text))
    assert blind < _kept(again, stream, "session_end") < ended - 1


@pytest.mark.skipif(find_spec("libcachesim") is None, reason="libCacheSim is installed on request: make setup-lab")
def test_the_command_of_the_page_runs(trace: Path, tmp_path: Path) -> None:
    from tb.lab.cli import main

    _settings(tmp_path, _block("toml", "capacities"))
    arguments = [f"--trace={trace}", f"--config={tmp_path / 'policy.toml'}", f"--report={tmp_path / 'out'}"]
    assert main(["--only=eviction", *arguments]) == 0
    results: dict[str, Any] = json.loads((tmp_path / "out" / "eviction.json").read_text())
    half = results["traces"][0]["capacities"]["256"]["second_half"]
    assert half["hepc"].keys() == {"blind", "session_end", "queue_256", "all", "self_tuned"}
    given = settings.load("eviction", tmp_path / "policy.toml")
    assert eviction.units(given, [stream_of("t", load(trace), trace)]) > 10
