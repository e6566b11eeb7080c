"""Each command keeps its run, with the verdict of its exit status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fpga.flow import report as fpga
from fpga.flow.checks import Run as Part
from fpga.flow.project import Project
from fpga.flow.step import Check
from tb.figures import cli as figures
from tb.figures.measure import Figure, Settings
from tb.formal import report as formal
from tb.lab import report as lab
from tb.linux import cli as linux
from tb.linux.options import Chosen, Options
from tb.linux.report import Outcome, judge
from tb.run import regress
from tb.run import report as regress_report
from tb.run.results import Results
from tb.run.store.database import Head, Store
from tests.linux.test_results import boot


@pytest.fixture
def kept(place: Path, store: Store) -> Any:
    """The head of the only run of the store, with its main figures."""

    def look() -> tuple[Head, dict[str, float]]:
        [head] = store.heads()
        return head, {name: figure.value for name, figure in store.run(1).figures.items()}

    return look


def test_experiments(place: Path, kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tb.lab.page.write_page", lambda _results, path: path.write_text(""))
    settings = {"seed": 3, "question": "?"}
    lab.write(place / "report" / "experiments", "eviction", settings, [{"name": "chat", "references": 12}])
    head, found = kept()
    assert (head.kind, head.command, head.seed, head.verdict) == ("eviction", "experiments", 3, "passed")
    assert found == {"traces.chat.references": 12}


@pytest.mark.parametrize(("cycles", "verdict"), [(1, "passed"), (10**6, "failed")])
def test_bench(place: Path, kept: Any, cycles: int, verdict: str) -> None:
    settings = Settings(frozenset({"scan_cycles"}), curves=False)
    figures._report(settings, {"scan_cycles": Figure(cycles, "here")}, {}, place / "report")
    head, found = kept()
    assert (head.kind, head.command, head.verdict) == ("bench", "bench", verdict)
    assert found["metrics.scan_cycles"] == cycles


@pytest.mark.parametrize(("problems", "verdict"), [([], "passed"), (["p_full fails within 5 cycles"], "failed")])
def test_formal(place: Path, kept: Any, monkeypatch: pytest.MonkeyPatch, problems: list[str], verdict: str) -> None:
    monkeypatch.setattr(formal.solve, "tool_versions", dict)
    data = formal.record([], {"names": [], "planted": False}, 1.5)
    data["proofs"] = [
        {
            **dict.fromkeys(PROOF, ()),
            "parameters": {},
            "assumptions": {},
            "name": "fifo",
            "problems": problems,
            "seconds": 2.0,
        }
    ]
    formal.write(data, place / "report")
    head, found = kept()
    assert (head.kind, head.command, head.verdict) == ("formal", "formal", verdict)
    assert found["proofs.fifo.seconds"] == 2.0
    assert found["proven"] == 0


PROOF = ("group", "stage", "module", "engine", "cone", "cached", "lemmas", "planted")


@pytest.mark.parametrize(("problems", "verdict"), [([], "passed"), (["too slow"], "failed")])
def test_fpga_check(place: Path, kept: Any, problems: list[str], verdict: str) -> None:
    runs = {"place": Part(Project.__new__(Project), print, [Check("timing", problems)], {"fmax_mhz": 101.5})}
    fpga.write(runs, 1.0, place / "report")
    head, found = kept()
    assert (head.kind, head.command, head.verdict) == ("fpga", "fpga-check", verdict)
    assert found == {"fmax_mhz": 101.5, "passed": 1 - len(problems), "failed": len(problems), "seconds": 1.0}


def test_fpga_check_has_a_trend_over_the_runs_that_are_kept(place: Path, store: Store) -> None:
    for fmax in (101.5, 99.0, 103.25):
        runs = {"place": Part(Project.__new__(Project), print, [Check("timing", [])], {"fmax_mhz": fmax})}
        fpga.write(runs, 1.0, place / "report")
    page = (place / "report" / "fpga.html").read_text()
    assert '<td>fmax_mhz</td><td class="n">103.25</td>\n<td class="n">99.0</td>' in page
    assert "<polyline" in page
    store.path.write_bytes(b"damaged" * 1000)
    fpga.write(runs, 1.0, place / "report")
    assert "<polyline" not in (place / "report" / "fpga.html").read_text()


@pytest.mark.parametrize("result", ["ok", "not ok"])
def test_kernel(place: Path, kept: Any, monkeypatch: pytest.MonkeyPatch, result: str) -> None:
    built = type("Kernel", (), {"version": "6.1"})()
    chosen = Chosen("rate", "*", ("rate.a",))
    ended = boot(f"1..1\n{result} 1 rate.a\n")

    def end(*arguments: object, **_settings: object) -> None:
        outcome = next(one for one in arguments if isinstance(one, Outcome))
        outcome.suites.append(judge(chosen, ended))
        outcome.comparisons += 7

    for name, value in {
        "require_kernel_packages": lambda: None,
        "_listed": lambda _init: ["rate.a"],
        "choose": lambda *_arguments: [chosen],
        "kernel": lambda *_arguments, **_settings: built,
        "_suite": end,
        "REPORT": place / "report",
    }.items():
        monkeypatch.setattr(linux, name, value)
    monkeypatch.setattr(linux.programs, "init", Path)
    status = linux._run(Options(backend="model", pattern="rate.*", seed=1))
    head, found = kept()
    assert judge(chosen, ended).results[0].result == ("passed" if result == "ok" else "failed")
    assert (head.kind, head.command, head.verdict) == ("kernel", "kernel", "failed" if status else "passed")
    assert status == (result != "ok")
    assert found["comparisons"] == 7


def test_regress(place: Path, kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regress_report, "REPORT", place / "report")
    monkeypatch.setattr("tb.run.history.HISTORY", place / "history")
    monkeypatch.setattr(regress_report, "_judge_plan", lambda _staged: ("", True, None))
    settings = {"level": "block", "quick": False, "seeds": None, "coverage": False}
    assert regress.report_on(Results([]), settings, whole=False, taken="") == 1  # zero tests is no pass
    head, found = kept()
    assert (head.kind, head.command, head.verdict) == ("regress", "regress", "failed")
    assert found["passed"] == 0


def test_seconds_of_a_test_over_its_seeds_are_samples(place: Path, store: Store) -> None:
    from tests.results.conftest import publish

    rows = [{"leg": "dma", "test": "test_a", "seed": seed, "seconds": float(seed)} for seed in (1, 2, 3)]
    publish(place, "regress", rows=rows)
    assert store.run(1).figures["tests.dma.test_a.seconds"].samples == (1.0, 2.0, 3.0)
