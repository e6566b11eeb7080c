"""The first page links every page, with time, verdict, main figures and histories that have axes; one template."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tb.run.paths import ROOT
from tb.run.store.database import Store
from tb.run.store.site import INDEX, write_site
from tb.run.trend import values_chart
from tests.results.conftest import publish

TEMPLATES = sorted(path for top in ("tb", "fpga", "sw") for path in (ROOT / top).rglob("*.html.j2"))
PARTS = {"page.html.j2", "chart.html.j2"}


class Page(HTMLParser):
    """Links and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(place: Path) -> Page:
    return Page((place / "report" / INDEX).read_text())


def test_every_page_is_linked_with_time_verdict_and_figures(place: Path) -> None:
    publish(place, hit_rate=0.25, requests=40)
    publish(place, "regress", "failed", passed=3, failed=1, rows=[])
    (place / "report" / "coverage.html").write_text("")
    publish(place, "bench", metrics={"scan_cycles": {"value": 4119, "unit": "cycles"}})
    page = page_of(place)
    assert set(page.links) >= {"sim.html", "regress.html", "bench.html", "coverage.html"}
    assert all((place / "report" / link).exists() for link in page.links if "#" not in link and link != INDEX)
    for text in ("2026-01-02 03:04 UTC", "commit 0123456789ab", "failed", "hit_rate", "0.25", "4,119 cycles"):
        assert text in page.text
    assert "Without a run so far: LLM service, Experiment: eviction, Experiment: bounded" in page.text
    assert not any("runs/" in link for link in page.links)


def test_an_unlisted_kind_is_an_experiment_of_its_own(place: Path) -> None:
    publish(place, "bounded", met=True)
    assert "Experiment: bounded: passed" in page_of(place).text


def test_a_history_is_drawn_over_runs_with_the_same_settings(place: Path) -> None:
    for rate in (0.25, 0.5):
        publish(place, hit_rate=rate)
    publish(place, hit_rate=0.75, settings={"entries": 2048})
    publish(place, hit_rate=0.3, settings={"entries": 2048}, verdict="interrupted")
    publish(place, hit_rate=0.4, settings={"entries": 2048}, seed=2)
    publish(place, hit_rate=0.8, settings={"entries": 2048})
    page = page_of(place)
    assert "history: 2 runs with these settings and this seed" in page.text
    assert "run (month-day time, UTC)" in page.text
    drawn = re.findall(r"<title>(.*?)</title>", (place / "report" / INDEX).read_text())
    assert [title.rsplit(": ", 1)[1].strip() for title in drawn[1:]] == ["0.75 number", "0.8 number"]


def test_an_axis_has_marks_and_a_unit() -> None:
    runs = [{"time": f"2026-01-0{day}T00:00:00Z", "commit": "c", "clean": True} for day in (1, 2, 3)]
    chart = values_chart("rate", "1/s", runs, [0.1, None, 0.35])
    assert [text for _, text in chart.marks] == ["0", "0.2", "0.4"]
    assert chart.unit == "1/s"
    assert len(chart.lines[0].points) == 2
    assert chart.bars[1].title.endswith(": -")
    assert [text for _, text in values_chart("x", "", runs, [-3, 0, 8]).marks] == ["-4", "3", "10"]
    assert [text for _, text in values_chart("x", "", runs, [0, 0, 0]).marks] == ["0", "0.5", "1"]


def test_an_empty_store_has_a_page(place: Path, store: Store) -> None:
    (place / "report").mkdir()
    write_site(store, place / "report")
    assert "All 0 runs" in page_of(place).text


def test_names_from_outside_are_text(place: Path) -> None:
    publish(place, **{"<script>x</script>": 1})
    assert "<script>" not in (place / "report" / INDEX).read_text()


@pytest.mark.parametrize("path", [path for path in TEMPLATES if path.name not in PARTS], ids=lambda path: path.name)
def test_every_page_has_the_one_template(path: Path) -> None:
    text = path.read_text()
    assert text.startswith('{% extends "page.html.j2" %}')
    assert "<style" not in text
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)


def test_the_template_is_for_light_and_dark_phones_and_no_network() -> None:
    shared = ROOT / "sw" / "page" / "templates"
    text, style = (shared / "page.html.j2").read_text(), (shared / "style.css").read_text()
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text
    assert "prefers-color-scheme: dark" in style
    assert "max-width: 40rem" in style
    assert "//" not in text + style
