"""The page of the figures: one self-contained HTML file with plots as inline SVG."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from tb.figures.measure import Figure
from tb.figures.report import ABSENT, GROWTH, growth_cells, growth_head, shown_value, verdict
from tb.figures.rows import BY_NAME
from tb.run.page import pages
from tb.run.provenance import shown_commit

TEMPLATES = Path(__file__).resolve().parent / "templates"
COLOURS = ("#1c7ed6", "#d9480f", "#2b8a3e", "#f59f00", "#862e9c", "#868e96")
Curves = Mapping[str, Any]


def write_page(figures: Mapping[str, Figure], curves: Curves, about: Mapping[str, Any], path: Path) -> None:
    """Write the page: table, plots of the curves that were measured, growth tables."""
    text = (
        pages(TEMPLATES)
        .get_template("figures.html.j2")
        .render(
            rows=[_row(name, figure) for name, figure in figures.items()],
            about=f"{about['time']} · {shown_commit(about)}",
            plots=_plots(curves),
            tables=_tables(curves),
        )
    )
    path.write_text(text)


def _row(name: str, figure: Figure) -> dict[str, str]:
    row = BY_NAME[name]
    what = verdict(row, figure)
    return {
        "name": name,
        "value": shown_value(figure),
        "target": row.shown_target,
        "unit": row.unit,
        "verdict": what,
        "style": "absent" if what == ABSENT else what,
        "limit": row.limit,
        "how": figure.how,
    }


def _tables(curves: Curves) -> list[dict[str, Any]]:
    return [
        {"title": title, "text": text, "head": growth_head(by), "rows": [growth_cells(row, by) for row in curves[key]]}
        for key, by, title, text in GROWTH
        if key in curves
    ]


# ---------------------------------------------------------------- plots


def _plots(curves: Curves) -> list[tuple[str, str, str]]:
    """(title, what it shows, SVG) of every plot whose points there are."""
    all_of_them: list[tuple[str, str, str, Callable[[Axes, Curves], None]]] = [
        (
            "throughput_by_occupancy",
            "Lookup throughput by occupancy",
            "Hits answered per cycle while three ports ask all the time for random blocks.",
            _by_occupancy,
        ),
        (
            "by_load",
            "Lookup throughput by load",
            "Hits answered per cycle, without and with a scan, against what the ports offer; 98 % occupancy.",
            _by_load,
        ),
        ("by_load", "Scan by lookup load", "Cycles of a scan against what the ports offer meanwhile.", _scan_by_load),
        (
            "insert",
            "INSERT by occupancy",
            "Cycles from the command leaving its queue to its result, random keys, up to the first FULL.",
            _insert,
        ),
        (
            "dma",
            "DMA utilisation by block size and memory latency",
            "Read-data beats per cycle, both channels busy; latency to read data and to the write response, in cycles.",
            _dma,
        ),
        (
            "sizes",
            "Co-simulation speed by size",
            "Simulated cycles per second of a replay with driver, runtime and all checks.",
            _cosim,
        ),
        ("lengths", "Replay time by length", "Wall time of a replay against the requests of its trace.", _lengths),
    ]
    # text stays text, and names inside the SVG do not change from run to run
    with mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "figures", "font.size": 9.0, "axes.grid": True, "grid.alpha": 0.3}
    ):
        return [(title, text, _draw(plot, curves)) for key, title, text, plot in all_of_them if key in curves]


def _draw(plot: Callable[[Axes, Curves], None], curves: Curves) -> str:
    canvas = Canvas(figsize=(8.6, 2.9), layout="constrained")
    axes = canvas.add_subplot()
    plot(axes, curves)
    out = io.StringIO()
    canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _line(axes: Axes, points: list[dict[str, float]], x: str, y: str, colour: int, label: str | None = None) -> None:
    points = sorted(points, key=lambda point: point[x])
    xs, ys = [point[x] for point in points], [point[y] for point in points]
    axes.plot(xs, ys, color=COLOURS[colour], label=label, marker=".", markersize=4)


def _target(axes: Axes, name: str) -> None:
    target = BY_NAME[name].target
    if target is not None:
        axes.axhline(target, color="#495057", linestyle="--", linewidth=0.8, label=f"target {target:,g}")


def _legend(axes: Axes) -> None:
    """Above the plot, where it hides nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=6, frameon=False, borderaxespad=0.2)


def _by_occupancy(axes: Axes, curves: Curves) -> None:
    _line(axes, curves["throughput_by_occupancy"], "occupancy", "hits", 0, "hits")
    _target(axes, "lookup_throughput")
    axes.set(xlabel="occupancy", ylabel="hits per cycle", ylim=(0, 1.05))
    _legend(axes)


def _by_load(axes: Axes, curves: Curves) -> None:
    _line(axes, curves["by_load"], "offered", "alone", 0, "no scan")
    _line(axes, curves["by_load"], "offered", "in_scan", 1, "while a scan runs")
    axes.set(xlabel="lookups offered per cycle", ylabel="hits per cycle", ylim=(0, 1.05))
    _legend(axes)


def _scan_by_load(axes: Axes, curves: Curves) -> None:
    _line(axes, curves["by_load"], "offered", "scan_cycles", 1, "scan")
    _target(axes, "scan_cycles_loaded")
    axes.set(xlabel="lookups offered per cycle", ylabel="cycles")
    _legend(axes)


def _insert(axes: Axes, curves: Curves) -> None:
    for colour, (key, label) in enumerate((("mean", "mean"), ("p99", "99 %"), ("max", "longest"))):
        _line(axes, curves["insert"], "occupancy", key, colour, label)
    _target(axes, "insert_mean_90")
    axes.set(xlabel="occupancy", ylabel="cycles", yscale="log")
    _legend(axes)


def _dma(axes: Axes, curves: Curves) -> None:
    latencies = sorted({point["latency"] for point in curves["dma"]})
    for colour, latency in enumerate(latencies):
        points = [point for point in curves["dma"] if point["latency"] == latency]
        _line(axes, points, "bytes", "utilisation", colour, f"{latency} cycles")
    axes.set(xlabel="bytes of a block", ylabel="beats per cycle", xscale="log", ylim=(0, 1.05))
    _legend(axes)


def _cosim(axes: Axes, curves: Curves) -> None:
    points = [{**row, "rate": row["cycles"] / row["seconds"] / 1000} for row in curves["sizes"]]
    _line(axes, points, "entries", "rate", 0)
    axes.set(xlabel="directory entries", ylabel="1,000 cycles per second", xscale="log")
    axes.set_ylim(bottom=0)


def _lengths(axes: Axes, curves: Curves) -> None:
    _line(axes, curves["lengths"], "requests", "seconds", 0)
    axes.set(xlabel="requests", ylabel="seconds")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
