"""The page of a replay: one self-contained HTML file with plots as inline SVG."""

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tb.replay.outcome import Outcome, rows
from tb.run.page import pages
from tb.sim.display import TIER_NAMES

TEMPLATES = Path(__file__).resolve().parent / "templates"
COLOURS = ("#d9480f", "#f59f00", "#1c7ed6", "#868e96")
SCORE_BINS = 64
WINDOW_STEPS = 16  # hit rate over the last steps


def write_page(outcome: Outcome, path: Path) -> None:
    """Write the page; without samples it has the table only."""
    plots = _plots(outcome) if outcome.samples else []
    text = pages(TEMPLATES).get_template("replay.html.j2").render(outcome=outcome, rows=rows(outcome), plots=plots)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _plots(outcome: Outcome) -> list[tuple[str, str, str]]:
    """(title, what it shows, SVG) of every plot."""
    # text stays text, and names inside the SVG do not change from run to run
    with mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "replay", "font.size": 9.0, "axes.grid": True, "grid.alpha": 0.3}
    ):
        return [
            (
                "Tier occupancy",
                "Slots of each tier that are not free, at the end of each step; dashed: its slots.",
                _draw(_occupancy, outcome),
            ),
            (
                "Hit rate",
                f"Share of a prompt's blocks found in the directory, by tier, over the last {WINDOW_STEPS} steps.",
                _draw(_hit_rate, outcome),
            ),
            (
                "Scores",
                "PRIORITY of sampled directory entries over time; darker: more entries.",
                _draw(_scores, outcome),
            ),
            ("Migrations", "Blocks that the device moved in each step.", _draw(_migrations, outcome)),
            ("Requests", "Requests that decode, and that wait.", _draw(_requests, outcome)),
        ]


def _draw(plot: Callable[[Axes, Outcome], None], outcome: Outcome) -> str:
    figure = Figure(figsize=(8.6, 2.7), layout="constrained")
    axes = figure.add_subplot()
    plot(axes, outcome)
    axes.set_xlabel("step")
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _legend(axes: Axes) -> None:
    """Above the plot, where it hides nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(TIER_NAMES), frameon=False, borderaxespad=0.2)


def _steps(outcome: Outcome) -> list[int]:
    return [sample.step for sample in outcome.samples]


def _occupancy(axes: Axes, outcome: Outcome) -> None:
    for tier, (name, colour) in enumerate(zip(TIER_NAMES, COLOURS, strict=True)):
        axes.plot(_steps(outcome), [sample.occupied[tier] for sample in outcome.samples], color=colour, label=name)
        axes.axhline(outcome.config.slots[tier], color=colour, linestyle="--", linewidth=0.7)
    axes.set_ylabel("slots")
    _legend(axes)


def _windowed(values: list[int]) -> npt.NDArray[np.float64]:
    """Growth of a running total over the last WINDOW_STEPS values."""
    total = np.array([0, *values], dtype=float)
    first = np.maximum(0, np.arange(1, total.size) - WINDOW_STEPS)
    return np.asarray(total[1:] - total[first])


def _hit_rate(axes: Axes, outcome: Outcome) -> None:
    references = np.maximum(1.0, _windowed([sample.references for sample in outcome.samples]))
    by_tier = [
        _windowed([sample.hits_by_tier[tier] for sample in outcome.samples]) / references * 100
        for tier in range(len(TIER_NAMES))
    ]
    axes.stackplot(_steps(outcome), by_tier, colors=COLOURS, labels=TIER_NAMES, alpha=0.85)
    axes.set_ylabel("% of references")
    axes.set_ylim(0, 100)
    _legend(axes)


def _scores(axes: Axes, outcome: Outcome) -> None:
    sampled = [sample for sample in outcome.samples if sample.scores]
    if not sampled:
        axes.text(0.5, 0.5, "no sample", transform=axes.transAxes, ha="center")
        return
    steps = [sample.step for sample in sampled for _ in sample.scores or []]
    scores = [score for sample in sampled for score in sample.scores or []]
    bins = min(len(sampled), 120)
    counts, steps_at, scores_at = np.histogram2d(
        steps, scores, bins=(max(1, bins), SCORE_BINS), range=((1, sampled[-1].step + 1), (0, 65536))
    )
    counts /= np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(
        counts.T ** 0.5, origin="lower", aspect="auto", cmap="Blues", interpolation="nearest",
        extent=(steps_at[0], steps_at[-1], scores_at[0], scores_at[-1]),
    )  # fmt: skip
    axes.set_ylabel("PRIORITY")


def _migrations(axes: Axes, outcome: Outcome) -> None:
    evicted = np.diff([0, *(sample.evictions for sample in outcome.samples)])
    promoted = np.diff([0, *(sample.promotions for sample in outcome.samples)])
    axes.fill_between(_steps(outcome), evicted, color=COLOURS[2], alpha=0.7, label="evictions")
    axes.fill_between(_steps(outcome), -promoted, color=COLOURS[0], alpha=0.7, label="promotions (downwards)")
    axes.set_ylabel("blocks")
    _legend(axes)


def _requests(axes: Axes, outcome: Outcome) -> None:
    axes.plot(_steps(outcome), [sample.running for sample in outcome.samples], color=COLOURS[2], label="decoding")
    axes.plot(_steps(outcome), [sample.queued for sample in outcome.samples], color=COLOURS[3], label="waiting")
    axes.set_ylabel("requests")
    _legend(axes)
