"""Coverage is merged by place, and a point that nothing hit stays in the denominator."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tb.run import leg as leg_module
from tb.run.coverage import KINDS, by_module, merge, percentages
from tb.run.engine import Local
from tb.run.lint import lint_spec
from tb.run.manifest import load
from tb.run.regress import run_legs


def record(file: str, line: int, kind: str, what: str, instance: str, count: int) -> str:
    fields = {"f": file, "l": str(line), "n": "3", "t": kind, "page": "x", "o": what, "h": instance}
    return "C '" + "".join(f"\x01{key}\x02{value}" for key, value in fields.items()) + f"' {count}\n"


def test_merge(tmp_path: Path) -> None:
    first, second = tmp_path / "1.dat", tmp_path / "2.dat"
    first.write_text(
        "# SystemC::Coverage-3\n"
        + record("rtl/a.sv", 5, "branch", "if", "top.u_a[0]", 0)
        + record("rtl/a.sv", 5, "branch", "if", "top.u_a[1]", 2)
        + record("rtl/a.sv", 5, "branch", "else", "top.u_a[0]", 0)
        + record("rtl/a.sv", 9, "line", "block", "top.u_a[0]", 0)
        + record("tb/sv/t.sv", 9, "line", "block", "top", 0)
    )
    second.write_text(
        "# SystemC::Coverage-3\n"
        + record("rtl/a.sv", 9, "line", "block", "other.u_a", 1)
        + record("rtl/b.sv", 1, "toggle", "x:0->1", "t", 0)
    )
    files, problems = merge([first, second])
    assert problems == []
    assert sorted(files) == ["rtl/a.sv", "rtl/b.sv"]
    assert [(point.line, point.what) for point in files["rtl/a.sv"].missed] == [(5, "else")]
    assert percentages(files.values()) == {"line": 100.0, "branch": 50.0, "toggle": 0.0}


@pytest.mark.slow
def test_a1_a_leg_runs_with_coverage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leg_module, "RUNS", tmp_path)
    leg = load().leg("slot_pool")
    results = run_legs([leg], Local(1), seeds=1, coverage=True)
    assert results.broken == []
    assert results.counts == (len(leg.tests), 0)
    files, problems = merge(outcome.log.parent / "coverage.dat" for outcome in results.outcomes)
    assert problems == []
    pool = files["rtl/dma/kvcpu_slot_pool.sv"]
    assert {kind for kind in KINDS if pool.hit[kind]} == set(KINDS)
    assert percentages([pool])["line"] > 90
    module = by_module(files)["kvcpu_slot_pool"]
    assert module["file"] == "rtl/dma/kvcpu_slot_pool.sv"
    assert 0 < module["toggle"]["hit"] <= module["toggle"]["total"]


@pytest.mark.parametrize("damage", [lambda text: text[:-1], lambda _: "", lambda text: text.replace("C '", 'C "')])
def test_d1_damaged_coverage_is_named_and_left_out(tmp_path: Path, damage: Callable[[str], str]) -> None:
    good, bad, gone = (tmp_path / name for name in ("good.dat", "bad.dat", "gone.dat"))
    text = "# SystemC::Coverage-3\n" + record("rtl/a.sv", 5, "line", "block", "top", 1)
    good.write_text(text)
    bad.write_text(damage(text))
    files, problems = merge([bad, good, gone])
    assert files["rtl/a.sv"].hit["line"] == 1
    assert len(problems) == 2
    assert problems[0].startswith(f"{bad} is damaged")
    assert problems[1] == f"{gone} is missing"


def test_a1_lint_reads_a_top_with_the_flags_of_coverage(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load().tops["slot_pool"].spec
    assert lint_spec(spec) == []
    monkeypatch.setattr("tb.run.build.COVERAGE", ["--coverage-of-nothing"])
    assert [title for title, _ in lint_spec(spec)] == ["verilator with coverage slot_pool"]
