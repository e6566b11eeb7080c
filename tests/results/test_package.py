"""A package that was unpacked elsewhere makes its report again, byte for byte, and notices what was changed."""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tb.results import package
from tb.results.cli import main
from tb.results.technical import records
from tb.results.technical.document import document
from tb.results.technical.serving import SHOWN as shown_of_serving
from tb.run.store.database import Store
from tests.results.conftest import publish

OLD_TIMES = (1_000_000_000, 1_000_000_000)


@pytest.fixture
def folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tb.results.cli.PACKAGE", place / "package")
    return place / "package"


def policy(percent: float, moved: int = 0) -> dict[str, Any]:
    return {"references": 100, "retention_percent": percent, "prefetch_hits": 3, "bytes_moved": moved}


def experiment(place: Path) -> None:
    half = {
        "lru": policy(8.0),
        "lirs": policy(12.0),
        "optimum": policy(32.0),
        "hepc": {"blind": policy(14.0, 10**9), "self_tuned": policy(20.0, 2 * 10**9)},
        "hepc_loaded": {"self_tuned": policy(7.5)},
    }
    trace = {"name": "chat", "capacities": {"4096": {"second_half": half, "whole": half}}}
    publish(place, "eviction", traces=[trace])


def fill(place: Path) -> None:
    publish(place, hit_rate=0.25, requests=40, us_samples=[4.0, 1.0, 3.0, 2.0])
    publish(place, "sim", "interrupted", hit_rate=0.1)
    experiment(place)
    publish(place, "bench", "failed", metrics={"scan_cycles": {"value": 9, "unit": "cycles", "target": 8, "how": ""}})
    bounded(place)


def cell(name: str, worst: float) -> dict[str, Any]:
    timed = {
        "mean_ns": worst / 2,
        "p99_ns": worst,
        "worst_ns": worst,
        "bound_ns": 3000.0,
        "bound_over_worst": 3000 / worst,
    }
    found = {"group": "controls", "name": name, "refused": None, "samples": 500, "over_bound_tokens": 0}
    return {**found, "token": timed, "device": timed}


def bounded(place: Path) -> None:
    publish(
        place,
        "bounded",
        criteria={"cv_p99": {"met": False, "value": 0.2, "target": "< 15%"}, "linear": {"met": True, "value": 0.97}},
        cells=[cell("baseline", 2500.0), cell("hard", 2000.0), {"group": "model", "name": "L", "refused": "no room"}],
        answers=[{"question": "What holds?", "answer": "The bound."}],
    )


def serving(place: Path) -> None:
    def policy_of(goodput: float) -> dict[str, Any]:
        names = [key for key, _ in shown_of_serving]
        figures = {name: {"mean": goodput, "low": goodput - 1, "high": goodput + 1} for name in names}
        figures["bytes_moved_per_token"] = {"mean": 10.0, "low": None, "high": None}
        against = {"lru": {"goodput_per_s": {"mean": 2.0, "low": 1.0, "high": 3.0}}}
        return {"figures": figures, "against": against, "samples": {"ttft_p99_s": [goodput, goodput]}}

    policies = {"lru": policy_of(4.0), "queue_256": policy_of(6.0)}
    publish(place, "serving", traces=[{"name": "chat", "capacities": {"1024": {"loaded": policies}}}])


def unpacked(archive: Path, into: Path) -> Path:
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-xzf", archive, "-C", into], check=True)  # as a reader of the package would
    return into / package.NAME


def reproduce(folder: Path) -> subprocess.CompletedProcess[str]:
    """With Python's own library alone, from another folder."""
    command = [sys.executable, "-S", "-B", str(folder / "reproduce.py")]
    return subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, timeout=60, check=False)


def test_unpacked_elsewhere_the_report_is_the_same_byte_for_byte(place: Path, folder: Path, tmp_path: Path) -> None:
    fill(place)
    assert main(["package"]) == 0
    home = unpacked(folder / package.ARCHIVE, tmp_path / "elsewhere")
    done = reproduce(home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("the same bytes: report.md, data/figures.csv, ")
    again = home / "reproduced"
    made = sorted(str(path.relative_to(again)) for path in again.rglob("*") if path.is_file())
    assert "data/sim-1-samples.csv" in made
    assert [name for name in made if (again / name).read_bytes() != (home / name).read_bytes()] == []
    assert (home / "report.md").read_bytes() == (place / "report" / "report.md").read_bytes()
    assert (home / "reports/sim/sim.html").read_text() == "<html></html>"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("runs/sim.json", "0.25", "0.26"),
        ("data/sim-1-samples.csv", "4.0", "4.5"),
        ("report.md", "0.25", "0.35"),
        ("reports/sim/sim.html", "html", "HTML"),
        ("configurations/sim-1.json", "1024", "2048"),
        ("technical/document.py", "Technical report", "Another report"),
    ],
)
def test_a_changed_value_is_noticed(place: Path, folder: Path, tmp_path: Path, name: str, old: str, new: str) -> None:
    fill(place)
    assert main(["package"]) == 0
    home = unpacked(folder / package.ARCHIVE, tmp_path / "elsewhere")
    text = (home / name).read_text()
    assert old in text
    (home / name).write_text(text.replace(old, new))
    done = reproduce(home)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {name} is not as it was packed\n")
    assert "Traceback" not in done.stderr


def test_a_raw_value_changed_with_its_digest_is_noticed(place: Path, folder: Path, tmp_path: Path) -> None:
    fill(place)
    assert main(["package"]) == 0
    home = unpacked(folder / package.ARCHIVE, tmp_path / "elsewhere")
    path = home / "runs/sim.json"
    path.write_text(path.read_text().replace('"value": 0.25', '"value": 0.26'))
    files = {line.split("  ")[1]: (home / line.split("  ")[1]).read_bytes() for line in sums(home)}
    (home / "SHA256SUMS").write_text(package.sums(files))
    done = reproduce(home)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: {name} comes out other than it was packed" for name in ("report.md", "data/figures.csv")
    ]


def sums(home: Path) -> list[str]:
    return (home / "SHA256SUMS").read_text().splitlines()


@pytest.mark.parametrize(("text", "status"), [("{", 1), ("[]", 1), ('{"kind": "sim"}', 1)])
def test_a_broken_run_is_one_line(place: Path, folder: Path, tmp_path: Path, text: str, status: int) -> None:
    fill(place)
    assert main(["package"]) == 0
    home = unpacked(folder / package.ARCHIVE, tmp_path / "elsewhere")
    (home / "runs/sim.json").write_text(text)
    done = reproduce(home)
    assert done.returncode == status
    assert done.stderr.startswith("error: a run of this package cannot be read (")
    (home / "SHA256SUMS").unlink()
    assert reproduce(home).returncode == 2


def test_the_same_runs_give_the_same_archive(place: Path, folder: Path) -> None:
    import os

    fill(place)
    assert main(["package"]) == 0
    first = (folder / package.ARCHIVE).read_bytes()
    for path in (place / "report").rglob("*.html"):
        os.utime(path, OLD_TIMES)
    assert main(["package"]) == 0
    assert (folder / package.ARCHIVE).read_bytes() == first
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(first))) as tar:
        entries = tar.getmembers()
    assert first[4:8] == bytes(4), "the archive says when it was packed"
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.mode) for entry in entries} == {(0, 0, 0, "", 0o644)}
    assert len({entry.name for entry in entries}) == len(entries) > 15


def test_the_newest_run_of_each_kind_that_has_ended_is_packed(
    place: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(place)
    publish(place, "bench", metrics={"scan_cycles": {"value": 7, "unit": "cycles", "target": 8, "how": ""}})
    assert main(["package"]) == 0
    assert "packed bench-6, bounded-5, eviction-3, sim-1\n" in capsys.readouterr().out


def test_a_replaced_file_is_said(place: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(place, hit_rate=0.25)
    for path in (place / "report" / "runs" / "sim").rglob("sim.html"):
        path.write_text("of another run")
    assert main(["package"]) == 0
    assert "left out, since a later run has replaced it: sim-1: sim.html\n" in capsys.readouterr().out


def test_nothing_to_pack_is_wrong_use(place: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["package"]) == 2
    assert capsys.readouterr().err.startswith("error: there is nothing to pack")


# ---------------------------------------------------------------- the report


def test_the_report_says_what_the_runs_say(place: Path, store: Store) -> None:
    fill(place)
    serving(place)
    text = document([package.packed(store.run(head.number)) for head in package.chosen(store.heads())])
    for part in ("Methodology", "Results", "Trade-offs", "Recommendations", "Limits"):
        assert f"\n## {part}\n" in text
    for line in (
        "| sim-1 | `make sim` | 2026-01-02T03:04:05Z | 0123456789ab | 1 | passed |",
        "| scan_cycles | 9 | cycles | 8 |",
        "| hepc self_tuned | 20.00 | 50.0 | 3 |",
        "| chat, 4,096 slots | hepc self_tuned | +12.00 | +2.000 |",
        (
            "- chat, 4,096 slots: `hepc self_tuned` keeps most (20.00 %, 50.0 % of the gap; half of it: met); the best "
            "classic policy is `lirs` (12.00 %)."
        ),
        (
            "- Self-tuned, never below LRU by more than 0.2 points: does not hold; its lowest is -0.50 points "
            "(`hepc_loaded self_tuned`, chat, 4,096 slots)."
        ),
        "| us | us | 4 | 2 | 4 | 4 | 4 | 51.6 |",
        "| cv_p99 | < 15% | not met | 0.2 |",
        "| controls | baseline | 500 | 2.5 | 2.5 | 3 | 1.20 | 1.20 | 0 |",
        "| model | L | no room |",
        "**What holds?** The bound.",
        "| hard | -20.0 % | -20.0 % | -20.0 % | 3 |",
        "- The bound held on all 1,000 tokens of this run: deadlines of these cells may rest on it.",
        "| TTFT p99, s | 4 [3, 5] | 6 [5, 7] |",
        "| chat, 1,024 slots, loaded engine | queue_256 | 6 [5, 7] | 10 |",
        (
            "- chat, 1,024 slots, loaded engine: `queue_256` has the best goodput (6 [5, 7] requests/s), "
            "2 [1, 3] more than LRU: distinct."
        ),
        "- Experiment: bounded: criterion `cv_p99` is not met.",
        "- Figures against targets: failed. Nothing should rest on it before it passes.",
        "- Without a run, so without a word here: formal, fpga, kernel, llm, regress, rt-bench, signoff.",
    ):
        assert line in text.splitlines()


def test_raw_samples_are_there_as_csv(place: Path, folder: Path, tmp_path: Path) -> None:
    fill(place)
    assert main(["package"]) == 0
    home = unpacked(folder / package.ARCHIVE, tmp_path / "elsewhere")
    rows = list(csv.DictReader((home / "data/sim-1-samples.csv").read_text().splitlines()))
    assert [float(row["value"]) for row in rows] == [4.0, 1.0, 3.0, 2.0]
    assert {row["figure"] for row in rows} == {"us"}
    assert json.loads((home / "configurations/sim-1.json").read_text()) == {
        "command": "sim", "seed": 1, "settings": {"entries": 1024},
    }  # fmt: skip


def test_percentiles_are_those_of_the_contract() -> None:
    ordered = [float(value) for value in range(1, 201)]
    assert [records.percentile(ordered, p) for p in (50, 95, 99, 100)] == [100, 190, 198, 200]
    assert records.percentile([7.0], 1) == 7
    assert records.variation_percent([2.0, 4.0]) == pytest.approx(100 * 2**0.5 / 3)


def test_the_program_in_a_package_needs_python_only() -> None:
    for path in package.TECHNICAL.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] in sys.stdlib_module_names for alias in node.names), path.name
            elif isinstance(node, ast.ImportFrom) and not node.level:
                assert str(node.module).split(".")[0] in sys.stdlib_module_names, path.name
