"""Plots of the experiment as inline SVG: one idea each, with units, intervals and the bound."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tb.lab.axes import log_scale
from tb.lab.bounded.criteria import ran
from tb.lab.bounded.decode import PARTS

Record = dict[str, Any]
WORST, TYPICAL, BOUND, OTHER = "#1c7ed6", "#868e96", "#e03131", "#f59f00"
COLOURS = dict(zip(PARTS, ("#2b8a3e", "#74b816", "#f59f00", "#1c7ed6", "#e8590c", "#ae3ec9", "#ced4da"), strict=True))
CAUSES = {"algorithmic": "#1c7ed6", "memory": "#f59f00", "hardware": "#e8590c", "concurrency": "#adb5bd"}
SCHEDULERS = {"cbs_hard": "#1c7ed6", "cbs_soft": "#74c0fc", "edf": "#2b8a3e", "rm": "#f59f00", "fifo": "#e03131"}


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot of the page: its title, what to see in it, who draws it, its height in inches."""

    title: str
    see: str
    draw: Callable[[Figure, Record], None]
    height: float = 3.4


def drawn(results: Record) -> list[Record]:
    """Plots in the order of the page: title, what to see, SVG."""
    return [
        {"title": plot.title, "see": plot.see, "svg": _svg(plot.draw, results, (8.6, plot.height))} for plot in _plots()
    ]


def _svg(draw: Callable[[Figure, Record], None], results: Record, size: tuple[float, float]) -> str:
    # text stays text, and names inside the SVG do not change from run to run
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lab", "font.size": 9.0, "axes.axisbelow": True}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure, results)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _kinds(results: Record) -> dict[str, list[Record]]:
    cells = ran(results, "contention")
    return {kind: [c for c in cells if c["name"].startswith(kind)] for kind in ("constrained", "baseline")}


def _contention(figure: Figure, results: Record) -> None:
    both = figure.subplots(1, 2, sharey=True)
    for axes, (kind, cells) in zip(both, _kinds(results).items(), strict=True):
        loads = [cell["load"] for cell in cells]
        middle = np.array([cell["device"]["p50_ns"] for cell in cells]) / 1000
        high = np.array([cell["device"]["p99_ns"] for cell in cells]) / 1000
        axes.errorbar(
            loads, middle, yerr=[np.zeros(len(loads)), high - middle], color=TYPICAL, capsize=4, label="median, p99"
        )
        axes.plot(loads, [cell["device"]["worst_ns"] / 1000 for cell in cells], "o-", color=WORST, label="worst seen")
        axes.plot(
            loads, [cell["device"]["bound_ns"] / 1000 for cell in cells], "_--", color=BOUND, ms=14, label="bound"
        )
        axes.set_title(kind, fontsize=9.0)
        axes.set_xlabel("background load, % of the bus")
        axes.set_xticks(loads)
        axes.grid(alpha=0.3)
    both[0].set_ylabel("device time of a token, us")
    both[0].set_ylim(bottom=0)
    both[0].legend(fontsize=8)


def _parts(figure: Figure, results: Record) -> None:
    cells = ran(results, "contention")
    _stacked(
        figure, [cell["name"] for cell in cells], {p: [c["parts_ns"][p] / 1000 for c in cells] for p in PARTS}, COLOURS
    )
    figure.axes[0].set_xlabel("us of a token")


def _causes(figure: Figure, results: Record) -> None:
    cells = [cell for group in ("contention", "streams") for cell in ran(results, group)]
    names = [f"{cell['group']} {cell['name']}" for cell in cells]
    _stacked(figure, names, {cause: [100 * c["variance_by_cause"][cause] for c in cells] for cause in CAUSES}, CAUSES)
    figure.axes[0].set_xlabel("% of the variance")


def _stacked(figure: Figure, names: list[str], parts: dict[str, list[float]], colours: dict[str, str]) -> None:
    axes = figure.subplots()
    places = np.arange(len(names))
    right, left = np.zeros(len(names)), np.zeros(len(names))
    for part, values in parts.items():
        widths = np.array(values)
        start = np.where(widths >= 0, right, left)
        axes.barh(places, widths, left=start, color=colours[part], label=part)
        right += np.maximum(widths, 0)
        left += np.minimum(widths, 0)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.legend(
        fontsize=8, ncols=len(parts), loc="upper center", bbox_to_anchor=(0.4, 1.13), frameon=False, columnspacing=1.0
    )


def _position(figure: Figure, results: Record) -> None:
    both = figure.subplots(1, 2, sharey=True)
    for axes, (kind, cells) in zip(both, _kinds(results).items(), strict=True):
        for cell, shade in zip(cells, np.linspace(0.35, 1.0, len(cells)), strict=True):
            rows = cell["by_position"]
            at = [row["tokens"] for row in rows]
            axes.plot(
                at, [row["worst_ns"] / 1000 for row in rows], color=WORST, alpha=shade, label=f"worst, {cell['load']} %"
            )
            axes.plot(at, [row["bound_ns"] / 1000 for row in rows], "--", color=BOUND, alpha=shade)
            axes.annotate(
                f"{cell['load']} %",
                (at[-1], rows[-1]["worst_ns"] / 1000),
                fontsize=7,
                xytext=(3, 0),
                textcoords="offset points",
            )
        axes.set_title(f"{kind} (solid: worst seen, dashed: bound)", fontsize=9.0)
        axes.set_xlabel("tokens in the context")
        axes.grid(alpha=0.3)
    both[0].set_ylabel("device time of a token, us")
    both[0].set_ylim(bottom=0)


def _histograms(figure: Figure, results: Record) -> None:
    cells = _kinds(results)["constrained"]
    rows = figure.subplots(len(cells), 1, sharex=True, squeeze=False)[:, 0]
    for axes, cell in zip(rows, cells, strict=True):
        edges = np.array(cell["histogram"]["edges_ns"]) / 1000
        axes.stairs(cell["histogram"]["counts"], edges, fill=True, color=WORST)
        axes.axvline(cell["token"]["bound_ns"] / 1000, color=BOUND, ls="--")
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)
        axes.set_ylabel(f"{cell['load']} %", rotation=0, ha="right", va="center")
    rows[-1].set_xlabel("time between two tokens, us")


def _group(name: str, *, which: str = "device", log: bool = False) -> Callable[[Figure, Record], None]:
    def draw(figure: Figure, results: Record) -> None:
        axes = figure.subplots()
        cells = ran(results, name)
        places = np.arange(len(cells))
        low, high = (np.array([cell[which][p] for cell in cells]) / 1000 for p in ("p50_ns", "p99_ns"))
        axes.hlines(places, low, high, color=TYPICAL, lw=7, label="p50 to p99")
        runs = [cell["p99_by_run" if which == "token" else "device_p99_by_run"] for cell in cells]
        middle, left, right = (np.array([run[key] for run in runs]) / 1000 for key in ("value", "low", "high"))
        error = [middle - left, right - middle]
        axes.errorbar(middle, places, xerr=error, fmt="k|", ms=5, capsize=3, lw=1, label="p99 of a run, mean, 95 %")
        axes.plot([cell[which]["worst_ns"] / 1000 for cell in cells], places, "o", color=WORST, label="worst seen")
        for place, cell in zip(places, cells, strict=True):
            if cell[which]["bound_ns"] is not None:
                axes.vlines(cell[which]["bound_ns"] / 1000, place - 0.4, place + 0.4, color=BOUND, lw=2)
        axes.plot([], [], color=BOUND, lw=2, label="bound")
        _finish(axes, [cell["name"] for cell in cells], log=log)
        axes.set_xlabel("device time of a token, us" if which == "device" else "time between two tokens, us")

    return draw


def _finish(axes: Axes, names: list[str], *, log: bool) -> None:
    axes.set_yticks(np.arange(len(names)), names)
    axes.invert_yaxis()
    if log:
        log_scale(axes)
    else:
        axes.set_xlim(left=0)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _curves(figure: Figure, results: Record) -> None:
    three = figure.subplots(1, 3)
    picks: tuple[tuple[str, Callable[[Record], float | None]], ...] = (
        ("sets accepted, %", lambda row: row["acceptance"]),
        ("jobs late, %", lambda row: row["miss_ratio"]["all"]),
        ("late next to a runaway, %", lambda row: row["miss_ratio"]["runaway"]),
    )
    for axes, (label, pick) in zip(three, picks, strict=True):
        for scheduler in dict.fromkeys(row["scheduler"] for row in results["tasksets"]):
            rows = [row for row in results["tasksets"] if row["scheduler"] == scheduler and pick(row) is not None]
            values = [100 * (pick(row) or 0.0) for row in rows]
            axes.plot([row["utilisation"] for row in rows], values, ".-", color=SCHEDULERS[scheduler], label=scheduler)
        axes.set_title(label, fontsize=9.0)
        axes.set_xlabel("utilisation")
        axes.set_ylim(-3, 103)
        axes.grid(alpha=0.3)
    three[0].legend(fontsize=8)


def _plots() -> list[Plot]:
    return [
        Plot(
            "The bound, and the worst token that was seen",
            "Red: the analytic bound. Blue: the worst device time of a token. Grey: median with p99 (whiskers). "
            "A blue point above its red line would be a failure.",
            _contention,
        ),
        Plot(
            "What a token's time goes into",
            "Mean of each part. Throttle is waiting for the server's next budget: time that others may use.",
            _parts,
        ),
        Plot(
            "Device time by position",
            "A longer context has more blocks to look up and to read, so the time grows, and the bound with it.",
            _position,
        ),
        Plot(
            "Distribution of the time between two tokens",
            "Constrained, by load; tokens on a logarithmic axis. Dashed: the bound of each.",
            _histograms,
            3.6,
        ),
        Plot(
            "Controls, one at a time and together",
            "Device time: median to p99 (grey), worst (blue), bound (red). Each control alone, on the baseline.",
            _group("controls"),
            3.0,
        ),
        Plot(
            "Models and quantisations",
            "Device time on a logarithmic axis: median to p99 (grey), worst (blue), bound (red).",
            _group("model", log=True),
            4.2,
        ),
        Plot("Context", "Device time of the last tokens of a context.", _group("context"), 2.0),
        Plot(
            "Streams",
            "Time between two tokens of one stream: median to p99 (grey), worst (blue), bound (red; soft servers that "
            "share have none).",
            _group("streams", which="token"),
            3.0,
        ),
        Plot(
            "Schedulers, four streams",
            "Time between two tokens of one stream, on a logarithmic axis: the reservation server (CBS), hard and "
            "soft, and three orders without servers. Only the hard server has a bound.",
            _group("scheduler", which="token", log=True),
            2.4,
        ),
        Plot(
            "Where the variance comes from",
            "Share of each cause in the variance of the time between two tokens. A share is negative where a cause "
            "evens out another: a throttled server waits less after a longer token.",
            _causes,
        ),
        Plot(
            "Task sets: what is accepted, what is missed",
            "Left: share of random task sets that the scheduler's test accepts. Middle: jobs late in all sets. Right: "
            "jobs late in accepted sets when one task asks for three times its share (its own jobs not counted).",
            _curves,
            3.2,
        ),
    ]
