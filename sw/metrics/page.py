"""The report page: one self-contained HTML file with plots as inline SVG."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sw import page
from sw.metrics.schema import check

TEMPLATES = Path(__file__).resolve().parent / "templates"
COLOURS = ("#d9480f", "#f59f00", "#1c7ed6", "#868e96")
TIERS = ("HBM", "T1", "host", "NVMe")
POINTS = 120  # rates are drawn over at most so many intervals of time

Snapshot = dict[str, Any]


def write_page(snapshot: Snapshot, path: Path, home: str = "") -> None:
    """Write the page of a snapshot; without two observations at different times it has the tables only.

    `home` is a page that it links, such as the one of all reports; "" for none.

    Raises:
        SnapshotError: the snapshot is not valid.
        OSError: the file cannot be written.
    """
    check(snapshot)
    environment = page.environment([TEMPLATES], home)
    environment.filters["figure"] = _figure
    times = snapshot["series"]["now_ns"]
    plots = _plots(snapshot) if times and times[0] < times[-1] else []
    text = environment.get_template("metrics.html.j2").render(
        snapshot=snapshot, figures=_figures(snapshot), plots=plots
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _figure(value: object) -> str:
    """A value for a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _figures(snapshot: Snapshot) -> list[tuple[str, object]]:
    """The table at the top: what, and its figure."""
    summary = snapshot["summary"]
    lookups = snapshot["llm_infer_lookups"]
    rows: list[tuple[str, object]] = [
        ("Device time, ms", snapshot["now_ns"] / 1e6),
        ("Inferences done", snapshot["llm_infers"]["done"]),
        ("Inferences cancelled", snapshot["llm_infers"]["cancelled"]),
        ("Inferences failed", snapshot["llm_infers"]["failed"]),
        ("Submissions refused", snapshot["llm_rejects"]),
        ("Tokens", snapshot["llm_tokens_out"]),
        ("Tokens per second", summary["llm_tokens_per_sec"]),
        ("Latency p50, µs", summary["llm_infer_p50_us"]),
        ("Latency p95, µs", summary["llm_infer_p95_us"]),
        ("Latency p99, µs", summary["llm_infer_p99_us"]),
        ("Token jitter p99, ns", summary["llm_jitter_p99_ns"]),
        ("Deadline misses", snapshot["llm_deadline_miss_count"]),
        ("Queue depth now", sum(snapshot["llm_queue_depth"])),
        ("Deepest queue", snapshot["llm_queue_depth_max"]),
        ("Lookups", lookups),
        ("Lookups that hit, %", 100 * (1 - snapshot["llm_infer_misses"] / lookups) if lookups else None),
        ("K/V bytes moved", snapshot["llm_infer_bytes_moved"]),
        ("Migrations", snapshot["migrations"]),
        ("Bytes of control streams dropped", snapshot["control_dropped_bytes"]),
        ("Utilisation used, ppm", snapshot["det_used_ppm"]),
        ("Utilisation bound, ppm", snapshot["det_bound_ppm"]),
        ("Growth refused", snapshot["det_growth_refused"]),
    ]
    return rows


def _plots(snapshot: Snapshot) -> list[tuple[str, str, str]]:
    """(title, what it shows, SVG) of every plot."""
    # text stays text, and names inside the SVG do not change from run to run
    with mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "metrics", "font.size": 9.0, "axes.grid": True, "grid.alpha": 0.3}
    ):
        return [
            (title, text, _draw(plot, snapshot))
            for title, text, plot in (
                ("Queue depth", "Inferences that wait for their first chunk, by class; line: those that run.", _queue),
                ("Tokens per second", "Tokens in each interval, over its device time.", _tokens),
                ("Latency", "Dots: each done inference at its end. Line: 95th percentile of all so far.", _latency),
                ("Deadline misses", "Inferences that finished after their deadline, so far.", _misses),
                ("Tier occupancy", "Slots of each tier that are not free; dashed: its slots.", _occupancy),
                ("Migrations", "Blocks that the device moved in each interval.", _migrations),
            )
        ]


def _draw(plot: Callable[[Axes, Snapshot], None], snapshot: Snapshot) -> str:
    figure = Figure(figsize=(8.6, 2.5), layout="constrained")
    axes = figure.add_subplot()
    plot(axes, snapshot)
    axes.set_xlabel("device time, ms")
    times = _times(snapshot)
    margin = (times[-1] - times[0]) / 100
    axes.set_xlim(times[0] - margin, times[-1] + margin)
    axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _legend(axes: Axes, columns: int) -> None:
    """Above the plot, where it hides nothing."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, borderaxespad=0.2)


def _times(snapshot: Snapshot) -> npt.NDArray[np.float64]:
    return np.asarray(snapshot["series"]["now_ns"], dtype=float) / 1e6


def _rate(snapshot: Snapshot, column: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Edges (ms) of at most POINTS intervals, and the growth of a running total in each.

    A counter that a device reset has set back did not grow there.
    """
    times, totals = _times(snapshot), np.asarray(snapshot["series"][column], dtype=float)
    edges = np.unique(times)
    if edges.size > POINTS + 1:
        edges = np.linspace(times[0], times[-1], POINTS + 1)
    grown = np.cumsum(np.maximum(0, np.diff(totals, prepend=totals[0])))
    at_edges = grown[np.searchsorted(times, edges, side="right") - 1]
    return edges, np.diff(at_edges)


def _queue(axes: Axes, snapshot: Snapshot) -> None:
    times, queued = _times(snapshot), np.asarray(snapshot["series"]["queued"]).T
    labels = [f"class {cls}" for cls in range(len(queued))]
    axes.stackplot(times, queued, colors=COLOURS, labels=labels, alpha=0.7, step="post")
    axes.plot(
        times, snapshot["series"]["running"], color="#1c2024", linewidth=1, label="running", drawstyle="steps-post"
    )
    axes.set_ylabel("inferences")
    _legend(axes, 5)


def _tokens(axes: Axes, snapshot: Snapshot) -> None:
    edges, tokens = _rate(snapshot, "tokens_out")
    axes.stairs(tokens / np.diff(edges) * 1e3, edges, color=COLOURS[2], fill=True, alpha=0.7)
    axes.set_ylabel("tokens/s")


def _latency(axes: Axes, snapshot: Snapshot) -> None:
    done = [one for one in snapshot["inferences"] if one["state"] == "done"]
    for missed, colour, label in ((False, COLOURS[2], "in time"), (True, COLOURS[0], "too late")):
        chosen = [one for one in done if one["missed"] is missed]
        ends = [one["ended_ns"] / 1e6 for one in chosen]
        axes.plot(
            ends, [(one["ended_ns"] - one["accepted_ns"]) / 1e3 for one in chosen],
            ".", color=colour, markersize=4, alpha=0.7, label=label,
        )  # fmt: skip
    p95 = np.array([np.nan if value is None else value for value in snapshot["series"]["infer_p95_us"]])
    axes.plot(_times(snapshot), p95, color="#1c2024", linewidth=1, drawstyle="steps-post", label="p95")
    axes.set_ylabel("µs")
    _legend(axes, 3)


def _misses(axes: Axes, snapshot: Snapshot) -> None:
    axes.plot(_times(snapshot), snapshot["series"]["deadline_misses"], color=COLOURS[0], drawstyle="steps-post")
    axes.set_ylabel("inferences")


def _occupancy(axes: Axes, snapshot: Snapshot) -> None:
    times, rows = _times(snapshot), snapshot["series"]["occupied"]
    for tier, (slots, colour) in enumerate(zip((row["slots"] for row in snapshot["tiers"]), COLOURS, strict=False)):
        occupied = [row[tier] if tier < len(row) else np.nan for row in rows]
        axes.plot(times, occupied, color=colour, label=TIERS[tier], drawstyle="steps-post")
        axes.axhline(slots, color=colour, linestyle="--", linewidth=0.7)
    axes.set_ylabel("slots")
    _legend(axes, len(TIERS))


def _migrations(axes: Axes, snapshot: Snapshot) -> None:
    edges, moved = _rate(snapshot, "migrations")
    axes.stairs(moved, edges, color=COLOURS[2], fill=True, alpha=0.7)
    axes.set_ylabel("blocks")
