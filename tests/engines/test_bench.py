"""The matrix, the criteria, and the whole command with a script in place of the engine."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb.engines import bench, cells, results
from tb.engines.cells import FULL, LOADS, QUICK, SAMPLING, THREADS, Cell
from tb.engines.load import Load
from tb.run import setup_env
from tb.run.errors import UsageError
from tb.run.paths import ROOT
from tests.engines.conftest import BEFORE, MEASURES, engine, needs_lab, values


def test_the_matrix_is_that_of_the_contract() -> None:
    found = cells.matrix("m", FULL, 2, large=False)
    bounded = {(cell.sampling, cell.threads, cell.load) for cell in found if cell.bounded}
    assert bounded == {(name, threads, load) for name in SAMPLING for threads in THREADS for load in LOADS}
    assert (THREADS, LOADS) == ((1, 2, 4, 8), (0, 25, 50, 75))
    assert set(SAMPLING) == {"greedy", "temperature", "top_k", "top_p"}
    assert all(cell.repetitions * cell.tokens >= 10_000 and cell.repetitions >= 20 for cell in found)
    assert {cell.threads for cell in found if not cell.bounded} == set(THREADS)
    assert len({cell.key for cell in found}) == len(found)
    large = cells.matrix("m", FULL, 2, large=True)
    assert {(cell.threads, cell.load) for cell in large} == {(threads, load) for threads in (1, 2) for load in LOADS}
    assert all(cell.repetitions * cell.tokens >= 10_000 for cell in large)
    assert all(cells.PROMPT + cell.tokens < cells.CONTEXT for cell in [*found, *large])


@pytest.mark.parametrize("form", [FULL, QUICK])
def test_every_cell_has_samples_above_its_p99(form: cells.Form) -> None:
    for large in (False, True):
        for cell in cells.matrix("m", form, 2, large=large):
            count = cell.repetitions * cell.tokens
            assert count - 1 > results.statistics.rank(99, count)


def test_pinned_cores() -> None:
    assert cells.pinned(1, [0, 1, 2, 3]) == [3]
    assert cells.pinned(2, [0, 1, 2, 3]) == [2, 3]
    assert cells.pinned(8, [0, 1]) == [0, 1]


def record(**changes: Any) -> dict[str, Any]:
    one = {"model": "m", "sampling": "greedy", "threads": 1, "load": 0, "bounded": True, "cv": 0.1, "cv_of_p99": 0.1,
           "mean": 1.0, "rss": 0.01, **changes}  # fmt: skip
    return {
        **{key: one[key] for key in ("model", "sampling", "threads", "load", "bounded")},
        "name": Cell(one["model"], one["sampling"], one["threads"], one["load"], one["bounded"], 2, 2).key,
        "token_ms": {"mean": one["mean"], "cv": one["cv"], "cv_of_p99": one["cv_of_p99"]},
        "peak_rss_mib": {"cv": one["rss"]},
    }


def test_criteria_name_the_worst_cell() -> None:
    lines = {0: 1.0, 25: 1.25, 50: 1.5, 75: 1.75}
    found = {
        one["name"]: one
        for one in results.criteria(
            [
                *(record(load=load, mean=mean) for load, mean in lines.items()),
                *(record(threads=2, load=load, mean=mean**4) for load, mean in lines.items()),
                record(sampling="top_k", cv=0.17),
                record(threads=8, cv_of_p99=0.4, rss=0.06),
                record(threads=8, bounded=False, cv_of_p99=9.0, rss=9.0),
            ],
            cpus=2,
        )
    }
    assert {name: (one["met"], one["where"], one["cells_met"], one["cells"]) for name, one in found.items()} == {
        "CV of p99 over repetitions, without load": (True, found_key(found, 0), 3, 3),
        "CV of p99 over repetitions, all cells": (False, "m/greedy/t8/load0/bounded", 9, 10),
        "CV of peak memory": (False, "m/greedy/t8/load0/bounded", 9, 10),
        "mean latency linear in load (R^2)": (False, "m/greedy/t2", 1, 2),
        "difference of CV between sampling strategies, without load": (False, "m/t1", 0, 1),
    }
    assert found["difference of CV between sampling strategies, without load"]["value"] == pytest.approx(0.07)


def found_key(found: dict[str, Any], place: int) -> str:
    """Where the first criterion was worst: any of its cells, which are equal."""
    return str(list(found.values())[place]["where"])


@needs_lab
def test_calibration_finds_the_model_that_made_the_times() -> None:
    """0.2 ms and 10 GB/s; the second half of the positions reads more."""
    about = {
        "a": {"weight_bytes_read": 5_000_000, "kv_bytes": 1_000},
        "b": {"weight_bytes_read": 1_000_000_000, "kv_bytes": 20_000},
    }
    made = []
    for name, model in about.items():
        place = np.arange(400)
        times = 200_000 + (model["weight_bytes_read"] + model["kv_bytes"] * (32 + place)) / 10e9 * 1e9
        cell = Cell(name, "greedy", 1, 0, True, 1, 400)
        made.append((cell, {"prompt": 32, "repetitions": [{"total_ns": times.tolist()}]}))
    found = results.calibration(made, about)
    assert found is not None
    assert found["overhead_ms"] == pytest.approx(0.2, rel=1e-3)
    assert found["bandwidth_gb_s"] == pytest.approx(10, rel=1e-3)
    assert found["worst_error"] < 1e-3
    assert (
        results.calibration(made, {"a": {**about["a"], "kv_bytes": None}, "b": {**about["b"], "kv_bytes": None}})
        is None
    )


def test_the_published_table_repeats_its_maximum() -> None:
    table = results.published()
    assert (table["cells"], table["p99_is_max"]) == (20, 20)
    assert all(len(values) == len(table["sampling"]) for model in table["models"].values() for values in model.values())


def test_a_load_has_the_share_that_it_asks_for() -> None:
    """Of a core that is free it has about half; on a machine that is busy less, never more."""
    load = Load(0.5, [min(os.sched_getaffinity(0))])
    load.begin()
    time.sleep(1.0)
    assert 0.05 < load.end() < 0.65
    idle = Load(0.0, [0])
    idle.begin()
    assert idle.end() == 0.0


# ---------------------------------------------------------------- the command


def command(folder: Path, machine: Path, body: str, *arguments: str) -> list[str]:
    return [
        sys.executable, "-m", "tb.engines.bench", "--quick", f"--host={machine}", f"--report={folder / 'report'}",
        f"--worker={engine(folder, body)}", *arguments,
    ]  # fmt: skip


def call(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


@needs_lab
def test_the_whole_command(tmp_path: Path, machine: Path) -> None:
    done = call(command(tmp_path, machine, MEASURES))
    assert done.returncode == 0, done.stderr
    assert "TinyLlama was left out: 3 GiB of free memory are needed, 1 are there" in (
        (tmp_path / "report/rt-bench.html").read_text()
    )
    found = json.loads((tmp_path / "report/rt-bench.json").read_text())
    assert len(found["cells"]) == len(SAMPLING) * len(THREADS) * len(LOADS) + len(THREADS)
    assert all(cell["token_ms"]["p99"] < cell["token_ms"]["max"] for cell in found["cells"])
    assert {one["state"] for one in found["host"]} == {"set", "not there"}
    assert values(machine) == BEFORE
    with gzip.open(tmp_path / "report/rt-bench-times.csv.gz", "rt") as file:
        rows = list(csv.reader(file))
    assert rows[:2] == [["cell", "repetition", "position", "total_ns", "choice_ns"],
                        ["S/greedy/t1/load0/bounded", "0", "0", "1000000", "10000"]]  # fmt: skip
    assert len(rows) == 1 + len(found["cells"]) * QUICK.repetitions * QUICK.tokens


@needs_lab
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "print('ggml: out of memory'); sys.exit(3)",
            "error: S/greedy/t1/load0/bounded: the engine ended with status 3",
        ),
        (
            "result.write_text(json.dumps({'error': 'llama.cpp does not load the model'}))",
            "error: S/greedy/t1/load0/bounded: llama.cpp does not load the model",
        ),
    ],
)
def test_an_engine_that_fails_is_one_line_and_the_host_is_as_it_was(
    tmp_path: Path, machine: Path, body: str, message: str
) -> None:
    done = call(command(tmp_path, machine, body))
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1
    assert values(machine) == BEFORE
    assert not (tmp_path / "report").exists()


@needs_lab
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_engine_and_restores(tmp_path: Path, machine: Path, number: signal.Signals) -> None:
    arguments = command(
        tmp_path, machine, f"Path('{tmp_path}/pid').write_text(str(__import__('os').getpid())); time.sleep(99)"
    )
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        pid = tmp_path / "pid"
        limit = time.monotonic() + 60
        while not (pid.exists() and pid.read_text()) and time.monotonic() < limit:
            time.sleep(0.05)
        assert values(machine) != BEFORE
        child.send_signal(number)
        _, said = child.communicate(timeout=30)
    assert child.returncode == 130
    assert said == "interrupted: no process is left, the host is as it was, no report was written\n"
    assert values(machine) == BEFORE
    assert not Path(f"/proc/{pid.read_text()}").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model=none.gguf"], "error: MODEL=none.gguf: no such file or directory"),
        (["--model=README.md"], "error: MODEL=README.md: not a GGUF file"),
        (["--seed=0"], "error: SEED=0: a whole number from 1"),
        (["--fast"], "error: unrecognized arguments: --fast"),
    ],
)
def test_wrong_use(arguments: list[str], message: str) -> None:
    done = call([sys.executable, "-m", "tb.engines.bench", *arguments])
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with (
        bench._alone(tmp_path),
        pytest.raises(UsageError, match="another `make rt-bench` runs"),
        bench._alone(tmp_path),
    ):
        pass


def test_without_a_network_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise setup_env.SetupError("PyPI cannot be reached: connect to the network")

    monkeypatch.setattr(setup_env, "set_up", unreachable)
    with pytest.raises(UsageError, match="PyPI cannot be reached"):
        bench.install("llama")
