"""The page of the experiment `serving`: plots that answer one question each, and the figures with their intervals."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tb.lab.axes import log_scale
from tb.lab.results import Record
from tb.lab.serving import CURVE, SHOWN, rows, title
from tb.run.page import pages
from tb.run.provenance import shown_commit

TEMPLATES = Path(__file__).resolve().parent / "templates"
COLOURS = ("#868e96", "#212529", "#1c7ed6", "#0b7285", "#7048e8", "#d6336c", "#f08c00", "#2b8a3e")
NAMES = {"none": "no device", "lru": "LRU, two tiers"}
SOURCES = (
    ("kept_percent", "kept in the fast tier", "#2f9e44"),
    ("prefetched_percent", "brought back before its use", "#94d82d"),
    ("loaded_percent", "moved on demand", "#fab005"),
    ("again_percent", "computed again", "#e03131"),
    ("new_percent", "new: computed for the first time", "#ced4da"),
)
STALLS = (
    ("stall_first_ms_request", "for the first slower tier", "#fab005"),
    ("stall_second_ms_request", "for the second slower tier", "#e8590c"),
)
Policies = Mapping[str, Any]


def write_page(results: Record, path: Path) -> None:
    """Write the page."""
    text = (
        pages(TEMPLATES)
        .get_template("serving.html.j2")
        .render(
            results=results,
            about=f"{results['time']} · {shown_commit(results)} · seed {results['seed']}",
            settings=results["settings"],
            traces=[
                {"about": trace, "plots": list(_plots(trace, results["settings"])), "tables": list(_tables(trace))}
                for trace in results["traces"]
            ],
        )
    )
    path.write_text(text)


def _tables(trace: Record) -> Iterator[tuple[str, list[str], list[tuple[str, list[str]]]]]:
    """(title, policies, rows) of each capacity and engine: every figure with its interval."""
    for capacity, engines in trace["capacities"].items():
        for engine, policies in engines.items():
            yield title(trace, capacity, engine), list(policies), rows(policies, SHOWN, intervals=True)


def label(policy: str) -> str:
    """A policy in words."""
    return NAMES.get(policy, f"device, {policy}")


def _plots(trace: Record, settings: Record) -> list[tuple[str, str, str]]:
    """(question, how to read it, SVG) of every plot."""
    serving, found = settings["serving"], []
    for capacity, engines in trace["capacities"].items():
        where = f"{int(capacity):,} blocks of fast memory"
        limits = (
            f"Limits: first token within {serving['ttft_limit_s']:g} s, each further one within "
            f"{1000 * serving['tpot_limit_s']:g} ms on average. Line: 95 % interval. Longer is better."
        )
        for question, reading, draw, height in (
            (
                "How long does a user wait for the first token?",
                "Dot: mean over all traces; line: its 95 % interval. Further left is better.",
                _waits,
                1.1,
            ),
            (
                "What changes against LRU with two tiers, on the same traces?",
                "Time to the first token. Line: 95 % interval; where it crosses 0 the traces show no difference.",
                _differences,
                0.9,
            ),
            (
                "How many requests have their first token after so many seconds?",
                "Further left and higher is better; the dotted line is the limit that counts as good.",
                _curves,
                0.0,
            ),
            (
                "How many requests a second are answered within both limits?",
                limits,
                _goodput,
                0.5,
            ),
            (
                "Where did the prompts' tokens come from?",
                "Green and yellow: from blocks that the store still had; red: computed a second time.",
                _sources,
                0.5,
            ),
            (
                "How long does a request wait for blocks that are not in fast memory?",
                "Mean over all requests, those that wait for nothing included. Shorter is better.",
                _stalls,
                0.5,
            ),
        ):
            if draw is _differences and "lru" not in serving["policies"]:
                continue
            svg = _figure(engines, partial(draw, serving), height)
            found.append((f"{question} ({where})", reading, svg))
    return found


def _figure(engines: Mapping[str, Policies], draw: Callable[[Axes, Policies], None], height: float) -> str:
    """One panel for each engine, as SVG."""
    # text stays text, and names inside the SVG do not change from run to run
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lab", "font.size": 9.0, "axes.axisbelow": True}):
        count = max(len(policies) for policies in engines.values())
        size = (8.6, 1.3 + height * 0.42 * count if height else 3.2)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(engines), sharey=True, squeeze=False)[0]
        for axes, (engine, policies) in zip(panels, engines.items(), strict=True):
            axes.set_title(f"{engine} engine", fontsize=9.0)
            axes.grid(axis="x", alpha=0.3)
            draw(axes, policies)
        handles, labels = panels[0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)), frameon=False)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _names(axes: Axes, policies: Policies) -> None:
    axes.set_yticks(range(len(policies)), [label(policy) for policy in policies])
    axes.set_ylim(len(policies) - 0.4, -0.6)


def _bar(entry: Record) -> tuple[float, tuple[list[float], list[float]]]:
    """Mean, and how far its interval reaches below and above."""
    mean = entry["mean"]
    if entry["low"] is None:
        return mean, ([0.0], [0.0])
    return mean, ([max(0.0, mean - entry["low"])], [max(0.0, entry["high"] - mean)])


def _value(axes: Axes, text: str, at: float, place: float, size: int = 8) -> None:
    """A value to the right of its mark."""
    axes.annotate(
        text, (at, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=size, annotation_clip=False
    )


def _waits(_serving: Record, axes: Axes, policies: Policies) -> None:
    for shift, (key, text, marker) in enumerate((("p50", "median", "o"), ("p95", "p95", "s"), ("p99", "p99", "D"))):
        for place, (policy, one) in enumerate(policies.items()):
            mean, reach = _bar(one["figures"][f"ttft_{key}_s"])
            axes.errorbar(
                mean, place + 0.24 * (shift - 1), xerr=reach, marker=marker, markersize=4.5, linewidth=1.6,
                color=COLOURS[list(policies).index(policy) % len(COLOURS)],
            )  # fmt: skip
            _value(axes, f"{text} {mean:.2f}", mean + reach[1][0], place + 0.24 * (shift - 1), size=7)
    log_scale(axes)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * 3)
    axes.set_xlabel("seconds to the first token (logarithmic)")
    _names(axes, policies)


def _differences(_serving: Record, axes: Axes, policies: Policies) -> None:
    compared = {policy: one for policy, one in policies.items() if "lru" in one["against"]}
    for shift, (key, text, marker) in enumerate((("p50", "median", "o"), ("p95", "p95", "s"), ("p99", "p99", "D"))):
        for place, (policy, one) in enumerate(compared.items()):
            unit = policies["lru"]["figures"][f"ttft_{key}_s"]["mean"] / 100
            mean, reach = _bar({name: None if v is None else v / unit for name, v in _difference(one, key).items()})
            axes.errorbar(
                mean, place + 0.24 * (shift - 1), xerr=reach, marker=marker, markersize=4.5, linewidth=1.6,
                color=COLOURS[list(policies).index(policy) % len(COLOURS)],
            )  # fmt: skip
            _value(axes, f"{text} {mean:+.1f} %", mean + reach[1][0], place + 0.24 * (shift - 1), size=7)
    axes.axvline(0, color="#495057", linestyle=":", linewidth=1.0)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + 0.3 * (high - low))
    axes.set_xlabel("% of LRU's time to the first token")
    _names(axes, compared)


def _difference(one: Record, key: str) -> Record:
    found: Record = one["against"]["lru"][f"ttft_{key}_s"]
    return found


def _curves(serving: Record, axes: Axes, policies: Policies) -> None:
    for place, (policy, one) in enumerate(policies.items()):
        axes.plot(
            np.maximum(one["ttft_curve_s"], 1e-3), CURVE, label=label(policy), color=COLOURS[place % len(COLOURS)],
            linewidth=1.6, linestyle="--" if policy in NAMES else "-",
        )  # fmt: skip
    axes.axvline(serving["ttft_limit_s"], color="#495057", linestyle=":", linewidth=1.0)
    axes.set_xscale("log")
    axes.set_ylim(0, 100)
    axes.set_xlabel("seconds to the first token (logarithmic)")
    axes.set_ylabel("% of requests")


def _goodput(_serving: Record, axes: Axes, policies: Policies) -> None:
    for place, one in enumerate(policies.values()):
        mean, reach = _bar(one["figures"]["goodput_per_s"])
        axes.barh(place, mean, color=COLOURS[place % len(COLOURS)], height=0.6)
        axes.errorbar(mean, place, xerr=reach, color="#000", linewidth=1.2, capsize=2)
        _value(axes, f"{mean:.2f}", mean + reach[1][0], place)
    axes.set_xlim(0, axes.get_xlim()[1] * 1.12)
    axes.set_xlabel("requests a second within both limits")
    _names(axes, policies)


def _sources(_serving: Record, axes: Axes, policies: Policies) -> None:
    left = np.zeros(len(policies))
    for name, text, colour in SOURCES:
        values = np.array([one["figures"][name]["mean"] for one in policies.values()])
        axes.barh(range(len(policies)), values, left=left, color=colour, label=text, height=0.6)
        left += values
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of the prompts' tokens")
    _names(axes, policies)


def _stalls(_serving: Record, axes: Axes, policies: Policies) -> None:
    left = np.zeros(len(policies))
    for name, text, colour in STALLS:
        values = np.array([one["figures"][name]["mean"] for one in policies.values()])
        axes.barh(range(len(policies)), values, left=left, color=colour, label=text, height=0.6)
        left += values
    for place, one in enumerate(policies.values()):
        mean, reach = _bar(one["figures"]["stall_ms_request"])
        axes.errorbar(mean, place, xerr=reach, color="#000", linewidth=1.2, capsize=2)
        _value(axes, f"{mean:.3g}", mean + reach[1][0], place)
    axes.set_xlim(0, max(1e-3, axes.get_xlim()[1] * 1.15))
    axes.set_xlabel("milliseconds a request (line: 95 % interval of the sum)")
    _names(axes, policies)
