"""Runs by name; what differs in two of them, with intervals that repeat."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from tb.results import bootstrap
from tb.results.cli import main
from tb.results.names import find
from tb.run.errors import UsageError
from tb.run.store.database import Head, Store
from tests.results.conftest import publish


def heads() -> list[Head]:
    kinds = ["sim", "regress", "sim", "sim", "regress"]
    return [Head(n, kind, kind, "2026-01-02T03:04:05Z", "", None, None, "passed") for n, kind in enumerate(kinds, 1)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("last", "regress-5"), ("last-1", "regress-2"), ("sim-last", "sim-4"), ("sim-last-2", "sim-1"),
        ("regress-2", "regress-2"), ("3", "sim-3"), ("last-0", "regress-5"),
    ],
)  # fmt: skip
def test_a_run_by_its_name(text: str, name: str) -> None:
    assert find(text, heads(), "A").name == name


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("sim-44", "sim-4, sim-3, sim-1"), ("regres-2", "regress-2, regress-5"), ("last-2", "regress-5, sim-4, sim-3"),
        ("0", "regress-5, sim-4, sim-3"), ("", "regress-5, sim-4, sim-3"), ("bench-last", "regress-5, sim-4, sim-3"),
        ("x" * 500, "regress-5, sim-4, sim-3"),
    ],
)  # fmt: skip
def test_a_wrong_name_is_refused_with_the_near_ones(text: str, near: str) -> None:
    with pytest.raises(UsageError) as refused:
        find(text, heads(), "B")
    assert str(refused.value) == f"B={text}: no run has this name; near: {near}"


def test_an_empty_store_is_said() -> None:
    with pytest.raises(UsageError, match=r"^A=last: the store has no run: `make sim`"):
        find("last", [], "A")


# ---------------------------------------------------------------- intervals


def test_an_interval_repeats_and_is_that_of_the_mean() -> None:
    samples = np.random.default_rng(3).normal(10.0, 2.0, 400).tolist()
    one = bootstrap.of_mean(samples)
    assert one == bootstrap.of_mean(samples)
    width = 1.96 * np.std(samples) / np.sqrt(400)  # of a normal mean
    assert one.value == pytest.approx(np.mean(samples))
    assert (one.low, one.high) == pytest.approx((one.value - width, one.value + width), rel=0.01)


def test_many_samples_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap.of_mean([1.0, 2.0, 4.0])
    monkeypatch.setattr(bootstrap, "AT_ONCE", 3000)
    assert bootstrap.of_mean([1.0, 2.0, 4.0]) == whole


def test_a_difference_is_distinct_when_its_interval_has_no_zero() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(10, 1, 50).tolist(), rng.normal(12, 1, 50).tolist()
    found = bootstrap.of_difference(a, b)
    assert found.excludes_zero
    assert found.low < 2 < found.high
    assert not bootstrap.of_difference(a, a).excludes_zero


# ---------------------------------------------------------------- the commands


def cells(line: str) -> list[str]:
    """The cells of a row; none of a line that is no row."""
    return [cell.strip() for cell in line.strip("│ ").split("│")] if line.startswith("│") else []


def show(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_settings_and_figures_that_differ(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(place, hits=5, same=1, gone=2, settings={"entries": 1024, "deep": {"x": 1}})
    publish(place, hits=6, same=1, new=3, settings={"entries": 2048, "deep": {"x": 1}}, seed=2)
    text = show(capsys, "compare", "--a=last-1", "--b=last")
    assert [row for line in text.splitlines() if (row := cells(line))] == [
        ["seed", "1", "2"],
        ["settings.entries", "1024", "2048"],
        ["hits", "5", "6", "+1", "+20.00 %"],
    ]
    assert "1 figures differ, 1 are the same" in text
    assert "only in A: gone" in text
    assert "only in B: new" in text


def test_samples_have_intervals(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(place, token={"us_samples": [1.0, 2.0, 3.0, 2.0]})
    publish(place, token={"us_samples": [5.0, 6.0, 7.0, 6.0]})
    publish(place, token={"us_samples": [5.0, 6.0, 7.0, 6.5]})
    text = show(capsys, "compare", "--a=sim-1", "--b=sim-2")
    assert "settings, sources and machine are the same" in text
    assert "token.us │ 2 us [1.25, 2.75] │ 6 us [5.25, 6.75] │ +4 [+3, +5] │ +200.00 % │" in text
    assert "(not distinct)" in show(capsys, "compare", "--a=sim-2", "--b=sim-3")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--a=last"], "A=<run> and B=<run> are needed, such as A=last-1 B=last; `make results` lists the runs"),
        (["--a=sim-9", "--b=last"], "A=sim-9: no run has this name; near: sim-1"),
        (["--a=sim-1", "--b=last"], "sim-1 and bench-2 are of different kinds and have no figures in common"),
    ],
)
def test_wrong_use_is_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    publish(place, "sim", hits=1)
    publish(place, "bench", metrics={})
    assert main(["compare", *arguments]) == 2
    assert capsys.readouterr().err == f"error: {problem}\n"


def test_a_changed_raw_value_is_a_failed_check(place: Path, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    publish(place, hits=1)
    publish(place, hits=2)
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE figures SET value = 9 WHERE run = 1")
    assert main(["compare", "--a=sim-1", "--b=sim-2"]) == 1
    assert capsys.readouterr().err == (
        f"error: run sim-1 in {store.path} is not as it was written: its figures cannot be trusted; "
        "run `make sim` again\n"
    )


def test_the_list(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no run is in the store" in show(capsys, "list")
    publish(place, hit_rate=0.25, requests=40)
    publish(place, "regress", verdict="failed", passed=3, failed=1, rows=[])
    text = show(capsys, "list")
    assert [row for line in text.splitlines() if (row := cells(line))] == [
        ["sim-1", "2026-01-02 03:04", "commit 0123456789ab", "1", "passed", "hit_rate 0.25, requests 40"],
        ["regress-2", "2026-01-02 03:04", "commit 0123456789ab", "1", "failed", "passed 3, failed 1"],
    ]
