"""The report page: self-contained, the same for the same snapshot, with every plot that is asked for."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sw.metrics import snapshots
from sw.metrics.page import write_page
from sw.metrics.registry import Metrics
from sw.metrics.schema import SnapshotError
from sw.metrics.state import State
from tests.metrics.scenario import busy

VOID = {"meta", "br", "img", "link", "hr", "input"}
PLOTS = ["Queue depth", "Tokens per second", "Latency", "Deadline misses", "Tier occupancy", "Migrations"]


class Reader(HTMLParser):
    """Checks that tags nest; collects headings, text and what would be loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.text: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.loaded += [f"{tag} {name}={value}" for name, value in attributes if name in ("src", "data", "action")]
        self.loaded += [
            f"{tag} {value}" for name, value in attributes if name.endswith("href") and value and value[0] != "#"
        ]
        if tag in ("script", "link", "iframe"):
            self.loaded.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        self.text.append(data.strip())


def page(tmp_path: Path, snapshot: dict[str, Any]) -> tuple[str, Reader]:
    path = tmp_path / "deep" / "page.html"
    write_page(snapshot, path)
    text = path.read_text()
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return text, reader


def test_page(tmp_path: Path) -> None:
    text, reader = page(tmp_path, snapshots.snapshot(busy()))
    assert reader.headings == [*PLOTS, "Refusals", "Servers", "Channels"]
    assert text.count("<svg") == len(PLOTS)
    assert reader.loaded == []
    assert "@import" not in text
    assert "url(http" not in text


def test_figures(tmp_path: Path) -> None:
    metrics = busy()
    _, reader = page(tmp_path, snapshots.snapshot(metrics))
    words = [word for word in reader.text if word]
    shown = dict(reversed(list(pairwise(words))))  # the figure, not a later heading of the same name
    assert shown["Tokens"] == f"{metrics.tokens_out:,}"
    assert shown["Deadline misses"] == str(metrics.deadline_misses)
    assert shown["Latency p95, µs"] == f"{metrics.infer_ns.percentile(95) / 1000:,.1f}"
    assert shown["QueueFull"] == str(snapshots.snapshot(metrics)["llm_rejects_by_code"]["QueueFull"])


def test_same_snapshot_same_bytes(tmp_path: Path) -> None:
    assert page(tmp_path, snapshots.snapshot(busy()))[0] == page(tmp_path, snapshots.snapshot(busy()))[0]


def test_curves_are_the_data(tmp_path: Path) -> None:
    """More misses, another curve: the plot of misses is drawn from the series."""
    few, many = snapshots.snapshot(busy()), snapshots.snapshot(busy())
    many["series"]["deadline_misses"] = [3 * n for n in many["series"]["deadline_misses"]]
    svgs = [re.findall(r"<svg.*?</svg>", page(tmp_path, one)[0], re.DOTALL) for one in (few, many)]
    different = [PLOTS[n] for n, (a, b) in enumerate(zip(*svgs, strict=True)) if a != b]
    assert different == ["Deadline misses"]


@pytest.mark.parametrize("times", [[], [5], [5, 5]])
def test_without_time_there_are_no_plots(tmp_path: Path, times: list[int]) -> None:
    metrics = Metrics()
    for now in times:
        metrics.observe(State(now_ns=now))
    text, reader = page(tmp_path, snapshots.snapshot(metrics))
    assert "<svg" not in text
    assert "No observations, so no plots." in reader.text


@pytest.mark.parametrize("times", [[0, 1], [0, 0, 7], list(range(1000))])
def test_any_number_of_observations(tmp_path: Path, times: list[int]) -> None:
    """Without tiers, inferences or servers as well."""
    metrics = Metrics()
    for now in times:
        metrics.observe(State(now_ns=now, migrations=(5 * now) % 7))
    assert page(tmp_path, snapshots.snapshot(metrics))[0].count("<svg") == len(PLOTS)


def test_not_a_snapshot(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError):
        write_page({}, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
