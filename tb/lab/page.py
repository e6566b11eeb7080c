"""The page of an experiment: one self-contained HTML file with plots as inline SVG."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tb.lab.results import HALVES, Record, flat, label, rows
from tb.run.page import pages
from tb.run.provenance import shown_commit

TEMPLATES = Path(__file__).resolve().parent / "templates"
CLASSIC, DEVICE, BOUND, PREFETCH = "#868e96", "#1c7ed6", "#2b8a3e", "#f59f00"
LEGEND = {
    CLASSIC: "classic policy", DEVICE: "HEPC", BOUND: "optimum", PREFETCH: "brought back by a prefetch before its use",
}  # fmt: skip
TOLD = {
    "shipped": "lookups only; the weights that the device's software ships with",
    "blind": "lookups only; weights searched on the first half of the trace",
    "session_end": "the end of a session, by a bit that is right in {accuracy:.0%} of the turns",
    "returns": "that bit, and when a session is likely to go on",
    "queue_0": "the next request to start",
    "queue_8": "the next 8 requests that wait",
    "queue_64": "the next 64",
    "queue_256": "the next 256",
    "all": "the end of sessions and the next 256 requests",
    "self_tuned": "the next 256 requests; weights chosen while it runs, nothing searched",
    "own": "what the configuration file says",
}
"""What the runtime tells the device, layer by layer."""


def write_page(results: Record, path: Path) -> None:
    """Write the page: for each trace its sizes, a plot and a table of each half."""
    text = (
        pages(TEMPLATES)
        .get_template("eviction.html.j2")
        .render(
            results=results,
            about=f"{results['time']} · {shown_commit(results)} · seed {results['seed']}",
            told=_told(results["settings"]),
            traces=[_trace(trace) for trace in results["traces"]],
        )
    )
    path.write_text(text)


def _told(settings: Record) -> list[tuple[str, str]]:
    """(layer, what the runtime tells the device) of the layers that have run."""
    policy = settings["policy"]
    return [(layer, TOLD[layer].format(accuracy=policy["session_end_accuracy"])) for layer in policy["layers"]]


def _trace(trace: Record) -> dict[str, Any]:
    return {
        "about": trace,
        "capacities": list(trace["capacities"]),
        "halves": [
            {"title": title, "rows": rows(trace, half), "plot": _plot(trace, half)} for half, title in HALVES.items()
        ],
    }


def _plot(trace: Record, half: str) -> str:
    """Hits by policy, one plot for each capacity next to the other, as SVG."""
    # text stays text, and names inside the SVG do not change from run to run
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lab", "font.size": 9.0, "axes.axisbelow": True}):
        points = {capacity: flat(point[half]) for capacity, point in trace["capacities"].items()}
        count = len(next(iter(points.values())))
        figure = Figure(figsize=(9.6, 1.1 + 0.2 * count), layout="constrained")
        axes = figure.subplots(1, len(points), sharey=True, squeeze=False)[0]
        for place, (capacity, policies) in enumerate(points.items()):
            _bars(axes[place], f"{int(capacity):,} slots", policies)
        colours = [Patch(color=colour, label=text) for colour, text in LEGEND.items()]
        line = Line2D([], [], color="#212529", linestyle=":", label="LRU, for comparison")
        figure.legend(handles=[*colours, line], loc="outside lower center", ncols=3, frameon=False)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _colour(name: str) -> str:
    if name == "optimum":
        return BOUND
    return DEVICE if name.startswith("hepc") else CLASSIC


def _bars(axes: Axes, title: str, policies: Record) -> None:
    names = list(policies)
    places = np.arange(len(names))
    retained = np.array([policies[name]["retention_percent"] for name in names])
    prefetched = np.array([policies[name]["hit_percent"] for name in names]) - retained
    axes.barh(places, retained, color=[_colour(name) for name in names])
    axes.barh(places, prefetched, left=retained, color=PREFETCH)
    axes.axvline(policies["lru"]["retention_percent"], color="#212529", linestyle=":", linewidth=1.0)
    axes.set_yticks(places, [label(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)  # in the order of the table; the panels share this axis
    axes.set_title(title, fontsize=9.0)
    axes.set_xlabel("% of references")
    axes.grid(axis="x", alpha=0.3)
