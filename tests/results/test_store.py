"""A run is in the store whole or not at all; damage is one line and a new store; a full disk changes no verdict."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tb.replay.cli import main as replay
from tb.run.paths import ROOT
from tb.run.store import database as module
from tb.run.store import keep
from tb.run.store.database import DamagedRun, Head, Run, Store
from tb.run.store.figures import Figure, figures_of
from tests.results.conftest import names, publish, record


def a_run(seed: int = 1) -> Run:
    figures = {"hits": Figure("hits", 3, "", (1, 2.0, 6)), "rate": Figure("rate", 3.0, "1/s")}
    head = Head(0, "sim", "sim", "2026-01-02T03:04:05Z", "0123456789ab", None, seed, "passed")
    return Run(head, {"entries": 1024}, {"cores": 2}, {"hits": [1, 2.0, 6]}, figures)


def test_a_run_comes_back_as_it_was_kept(store: Store) -> None:
    assert store.heads() == []
    head = store.add(a_run())
    assert store.heads() == [head]
    found = store.run(head.number)
    assert (found.settings, found.machine, found.record) == ({"entries": 1024}, {"cores": 2}, {"hits": [1, 2.0, 6]})
    assert found.figures == a_run().figures
    assert isinstance(found.figures["rate"].value, float)
    with pytest.raises(KeyError):
        store.run(2)


def test_a_command_leaves_time_sources_settings_machine_figures_and_files(place: Path, store: Store) -> None:
    written = publish(place, hits=5, rate_per_s=2.5, seed=7)
    [head] = store.heads()
    assert head == Head(1, "sim", "sim", written["time"], written["commit"], True, 7, "passed")
    run = store.run(1)
    assert run.record == written
    assert run.figures == {"hits": Figure("hits", 5), "rate_per_s": Figure("rate_per_s", 2.5, "1/s")}
    assert run.machine.keys() >= {"cpu", "cores", "memory_gib", "python", "verilator"}
    files = {file.name: file for file in run.files}
    assert files.keys() == {"sim.json", "sim.html"}
    assert files["sim.html"].bytes == len("<html></html>")
    assert files["sim.html"].sha256 == keep.file_digest(place / "report" / "sim.html")


def test_files_are_those_of_the_run_not_of_a_later_one(place: Path, store: Store) -> None:
    early = record(hits=1)
    publish(place, hits=1)
    publish(place, hits=2)
    keep.keep_run("sim", early, "passed", place / "report")  # the first command is slower in keeping its run
    digests = [next(file.sha256 for file in store.run(number).files if file.name == "sim.json") for number in (1, 2, 3)]
    assert digests[0] == digests[2] != digests[1]


def test_a_report_in_another_folder_is_not_kept(place: Path, store: Store, tmp_path: Path) -> None:
    keep.keep_run("sim", record(), "passed", tmp_path / "elsewhere")
    assert store.heads() == []


def test_a_run_that_is_a_part_of_another_command_is_not_kept(
    place: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(keep.NOT_KEPT, "1")
    publish(place, hits=1)
    assert store.heads() == []


@pytest.mark.parametrize(
    ("content", "figures"),
    [
        ({"hits": 3, "clean_up": True, "name": "x", "none": None, "bad": float("nan")}, {"hits": 3, "clean_up": 1}),
        ({"by_tier": [1, 2], "series": list(range(17))}, {"by_tier.0": 1, "by_tier.1": 2}),
        ({"a": {"value": 3.0, "unit": "cycles", "samples": [2, 4], "target": 5}}, {"a": 3.0, "a.target": 5}),
        ({"token": {"us_samples": [1, 2, 6]}}, {"token.us": 3.0}),
        ({"p": {"mean": 2.0, "low": 1.0, "high": 3.0}}, {"p": 2.0}),
        ({"p": {"samples": {"ttft_s": [1, 3], "tpot_s": [2, 2]}}}, {"p.ttft_s": 2.0, "p.tpot_s": 2.0}),
        ({"rows": [{"name": "x", "n": 1}, {"name": "x", "n": 2}]}, {"rows.x.n": 1, "rows.x.n (2)": 2}),
        ({"rows": [{"name": "x", "n": 1}, {"name": "y", "n": 2}]}, {"rows.x.n": 1, "rows.y.n": 2}),
        ({"rows": [{"n": 1}], "empty": {}, "none": []}, {}),
    ],
)
def test_figures_are_the_numbers_of_a_record(content: dict[str, Any], figures: dict[str, float]) -> None:
    found = figures_of(record(**content))
    assert {name: figure.value for name, figure in found.items()} == figures
    if "a" in found:
        assert found["a"] == Figure("a", 3.0, "cycles", (2, 4))


# ---------------------------------------------------------------- whole or not at all

ADD = """
import sys
from pathlib import Path
from tb.run.store.database import Store
from tests.results.test_store import a_run
for seed in range(10):
    Store(Path(sys.argv[1])).add(a_run(seed))
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from tb.run.store import database
from tests.results.test_store import a_run
database._figure_rows = lambda number, run: os.kill(os.getpid(), signal.SIGKILL)
database.Store(Path(sys.argv[1])).add(a_run())
"""


def python(program: str, store: Store) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program, str(store.folder)], cwd=ROOT)


def test_commands_that_end_together_are_all_kept(store: Store) -> None:
    programs = [python(ADD, store) for _ in range(2)]
    assert [program.wait(60) for program in programs] == [0, 0]
    assert [head.number for head in store.heads()] == list(range(1, 21))
    assert [store.run(number).head.number for number in range(1, 21)] == list(range(1, 21))


def test_a_killed_command_leaves_nothing_of_its_run(store: Store) -> None:
    store.add(a_run())
    assert python(KILLED, store).wait(60) == -9
    assert names(store.heads()) == ["sim-1"]
    store.add(a_run())
    assert names(store.heads()) == ["sim-1", "sim-2"]


# ---------------------------------------------------------------- damage


def overwrite(path: Path, where: int, text: bytes) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:where] + text + content[where + len(text) :])


def other_form(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 7")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "file is not a database": lambda path: path.write_bytes(b"not a store at all" * 400),
    "malformed": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "btreeInitPage|malformed|Tree|not a database": lambda path: overwrite(path, 4096, b"\xff" * 4096),
    "it has form 7, not 1": other_form,
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_store_is_one_line_and_a_new_one(store: Store, what: str) -> None:
    said: list[str] = []
    store = Store(store.folder, said.append)
    store.add(a_run())
    DAMAGES[what](store.path)
    damaged = store.path.read_bytes()
    store = Store(store.folder, said.append)  # of the next command
    store.add(a_run())
    store.add(a_run())
    assert names(store.heads()) == ["sim-1", "sim-2"]
    assert len(said) == 1
    assert any(word in said[0] for word in what.split("|"))
    assert said[0].endswith(": moved to damaged-1.sqlite, a new one is made")
    assert (store.folder / "damaged-1.sqlite").read_bytes() == damaged


def test_a_changed_raw_value_is_noticed(store: Store) -> None:
    store.add(a_run())
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE figures SET value = 4 WHERE name = 'hits'")
    with pytest.raises(DamagedRun, match=r"^run sim-1 in .* is not as it was written$"):
        store.run(1)
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE runs SET record = x'00'")
    with pytest.raises(DamagedRun, match=r"^run sim-1 in .* cannot be read$"):
        store.run(1)


# ---------------------------------------------------------------- a full disk


@pytest.mark.parametrize("pages", range(6, 9))
def test_a_full_disk_leaves_the_runs_that_are_there(store: Store, monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    real = sqlite3.connect

    def full(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database = real(*arguments, **options)
        database.execute(f"PRAGMA max_page_count = {pages}")
        return database

    store.add(a_run())
    monkeypatch.setattr(module.sqlite3, "connect", full)
    with pytest.raises(OSError, match="No space left on device"):
        _fill(store)
    kept = len(store.heads())
    assert kept >= 1
    assert [store.run(number).figures for number in range(1, kept + 1)] == [a_run().figures] * kept


def _fill(store: Store) -> None:
    for seed in range(400):
        store.add(a_run(seed))


def test_a_run_that_cannot_be_kept_keeps_its_verdict(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--backend=model", "--entries=1024", "--requests=2", f"--report={place / 'report'}"]
    assert replay(arguments) == 0
    assert capsys.readouterr().err == ""
    assert (place / "report" / "index.html").exists()

    def full(_store: Store, _run: Run) -> Head:
        raise module._refusal(_error(sqlite3.SQLITE_FULL), Path("runs.sqlite"))

    monkeypatch.setattr(Store, "add", full)
    assert replay(arguments) == 0
    said = capsys.readouterr()
    assert said.err == (
        f"results: this run is not in {place / 'results'} (runs.sqlite: no space left on device; "
        "free some and call again); its verdict and its report hold\n"
    )
    assert "report: " in said.out


def _error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = code
    return error
