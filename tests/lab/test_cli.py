"""The command: what it refuses, what it leaves."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from tb.lab.cli import main
from tb.lab.hepc import LAYERS
from tb.lab.settings import names

needs_library = pytest.mark.skipif(
    find_spec("libcachesim") is None, reason="libCacheSim is installed on request: make setup-lab"
)
needs_scipy = pytest.mark.skipif(find_spec("scipy") is None, reason="SciPy is installed on request: make setup-lab")
LAYERS_THERE = ", ".join([*LAYERS, "own"])
ALWAYS = "; classic policies and the optimum are always run"
SMALL = "[traces]\nrequests = 120\n[device]\ncapacities = [256, 1024]\n[search]\nbudget = 2\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--only=evict"], f"ONLY=evict: no experiment is called `evict`; there are {', '.join(names())}"),
        (["--time-unit=s"], "TIME_UNIT has no effect without TRACE"),
        (["--trace=x", "--time-unit=h"], "TIME_UNIT=h: ms or s is needed"),
        (["--only=eviction", "--slots=9"], "SLOTS=9: a whole number from 64 to 65,536 is needed"),
        (["--only=eviction", "--slots=512,512"], "SLOTS=512,512: a value is there twice"),
        (["--only=eviction", "--policy="], f"POLICY=: for `eviction` one of {LAYERS_THERE} is needed{ALWAYS}"),
        (["--only=eviction", "--policy=lru"], f"POLICY=lru: for `eviction` one of {LAYERS_THERE} is needed{ALWAYS}"),
        (["--only=serving", "--policy=arc"], f"POLICY=arc: for `serving` one of none, lru, {LAYERS_THERE} is needed"),
        (
            ["--only=bounded", "--policy=all"],
            "POLICY has no effect on `bounded`: leave it out of ONLY (its settings: CONFIG)",
        ),
        (["--slots=512"], "SLOTS has no effect on `bounded`: leave it out of ONLY (its settings: CONFIG)"),
        (["--config=c"], "CONFIG: `bounded` has keys of its own: give ONLY=<experiment> as well"),
        (["--only=bounded", "--trace=x"], "TRACE has no effect with ONLY=bounded: its streams are generated"),
        (["--trace=x", "--block-size=0"], "BLOCK_SIZE=0: a whole number from 1 to 65,536 is needed"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"error: {problem}\n"


@pytest.mark.skipif(find_spec("libcachesim") is not None, reason="libCacheSim is installed here")
def test_a_missing_library_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only=eviction"]) == 2
    assert "libCacheSim is not installed" in capsys.readouterr().err


REQUEST = {"timestamp": 0, "input_length": 1024, "output_length": 5, "hash_ids": [1, 2]}


def written(tmp_path: Path, *requests: dict[str, object]) -> Path:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(request) + "\n" for request in requests))
    return path


@pytest.mark.parametrize(
    ("requests", "problem"),
    [
        ([REQUEST, {**REQUEST, "timestamp": 1}] * 1, "the timestamps look like seconds"),
        ([{**REQUEST, "input_length": 9000}], "`hash_ids` has 2"),
        ([{**REQUEST, "timestamp": 90_000}, REQUEST], "sort the trace by its times"),
        ([{**REQUEST, "input_length": 512 * 50_000, "hash_ids": list(range(50_000))}] * 2, "holds prompts of up to"),
        ([{**REQUEST, "input_length": 512 * 2000, "hash_ids": list(range(2000))}] * 2, "cannot hold it"),
    ],
    ids=["seconds", "lengths", "unsorted", "larger than the device", "larger than the fast tier"],
)
@needs_scipy
def test_what_would_be_silently_wrong_is_refused(
    tmp_path: Path, requests: list[dict[str, object]], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--only=serving", f"--trace={written(tmp_path, *requests)}", f"--report={tmp_path / 'out'}"]) == 2
    said = capsys.readouterr()
    assert problem in said.err
    assert said.err.count("\n") == 1
    assert not said.out
    assert not (tmp_path / "out").exists()


@needs_scipy
def test_a_pipe_and_a_known_format_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "t.parquet").write_bytes(b"PAR1" + bytes(64))
    assert main(["--only=serving", f"--trace={tmp_path / 'pipe'}"]) == 2
    assert main(["--only=serving", f"--trace={tmp_path / 't.parquet'}"]) == 2
    pipe, parquet = capsys.readouterr().err.splitlines()
    assert "a trace is read twice: write it to a file first" in pipe
    assert "a Parquet file: write it as JSON lines first" in parquet


@needs_library
def test_a_table_without_content_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1200,5\n")
    assert main([f"--trace={tmp_path / 't.csv'}"]) == 2
    assert "does not say what prompts contain" in capsys.readouterr().err


@needs_library
def test_an_experiment_leaves_its_results_and_a_page(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(SMALL)
    assert main(["--only=eviction", f"--config={tmp_path / 'c.toml'}", f"--report={tmp_path / 'out'}"]) == 0
    results = json.loads((tmp_path / "out" / "eviction.json").read_text())
    assert [trace["name"] for trace in results["traces"]] == ["chat", "agents"]
    for trace in results["traces"]:
        assert trace["capacities"].keys() == {"256", "1024"}
        for point in trace["capacities"].values():
            assert point["whole"].keys() == point["second_half"].keys() >= {"lru", "optimum", "hepc", "hepc_loaded"}
            assert point["whole"]["lru"]["references"] == trace["references"]
            assert point["whole"]["hepc"].keys() == LAYERS.keys()
            assert {search["budget"] for search in point["search"].values()} == {2}
            for layer in point["whole"]["hepc"].values():
                kinds = ("retention_hits", "prefetch_hits", "prefix_hits", "bytes_moved")
                assert all(layer[kind] >= 0 for kind in kinds)
    page = (tmp_path / "out" / "eviction.html").read_text()
    assert page.count("<svg") == 4
    assert "src=" not in page
    assert 'href="http' not in page
