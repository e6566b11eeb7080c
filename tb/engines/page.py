"""The page of `make rt-bench`: one self-contained HTML file with plots as inline SVG."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tb.run.page import pages
from tb.run.provenance import shown_commit

Record = dict[str, Any]
TEMPLATES = Path(__file__).resolve().parent / "templates"
COLOURS = ("#1c7ed6", "#d9480f", "#2b8a3e", "#862e9c")
OURS = 4  # threads of the published study


def write_page(record: Record, path: Path) -> None:
    """Write the page: criteria, plots of each model, the published table next to the same cells, every cell."""
    with mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "rt-bench", "font.size": 9.0, "axes.grid": True, "grid.alpha": 0.3}
    ):
        models = [_model(record, name) for name in record["models"]]
    text = (
        pages(TEMPLATES)
        .get_template("rt-bench.html.j2")
        .render(
            record=record,
            about=f"{record['time']} · {shown_commit(record)} · seed {record['seed']} · {record['engine']}",
            models=models,
            rows=[_row(cell) for cell in record["cells"]],
            compared=_compared(record),
        )
    )
    path.write_text(text)


def _model(record: Record, name: str) -> Record:
    mine = [cell for cell in record["cells"] if cell["model"] == name]
    return {
        "name": name,
        "about": record["models"][name],
        "tails": _draw(lambda axes: _tails(axes, mine), sorted({cell["threads"] for cell in mine})),
        "distribution": _draw(
            lambda axes: _distributions(axes, mine, record["distributions"]),
            sorted({cell["threads"] for cell in mine}),
        ),
        "memory": _draw(lambda axes: _memory(axes, mine), [min(cell["threads"] for cell in mine)]),
    }


def _draw(plot: Callable[[dict[int, Axes]], None], threads: Sequence[int]) -> str:
    """One plot for each number of threads, side by side, as SVG."""
    figure = Figure(figsize=(10.4 if len(threads) > 1 else 6.4, 3.1), layout="constrained")
    row = figure.subplots(1, len(threads), sharey=True, squeeze=False)[0]
    plot(dict(zip(threads, row, strict=True)))
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _bounds(token: Record, key: str) -> list[list[float]]:
    """Distances of an interval from its value, as error bars want them."""
    low, high = token[f"{key}_interval"] or (token[key], token[key])
    return [[max(0.0, token[key] - low)], [max(0.0, high - token[key])]]


def _tails(axes: dict[int, Axes], cells: list[Record]) -> None:
    """p99 and maximum over the load, one line for each sampling."""
    names = list(dict.fromkeys(cell["sampling"] for cell in cells))
    for threads, plot in axes.items():
        for number, name in enumerate(names):
            line = [
                cell for cell in cells if (cell["sampling"], cell["threads"], cell["bounded"]) == (name, threads, True)
            ]
            places = [cell["load"] + 1.5 * (number - (len(names) - 1) / 2) for cell in line]
            for place, cell in zip(places, line, strict=True):
                token, colour = cell["token_ms"], COLOURS[number]
                plot.errorbar(place, token["p99"], _bounds(token, "p99"), color=colour, marker="o", ms=3, capsize=2)
                plot.errorbar(place, token["max"], _bounds(token, "max"), color=colour, marker="^", ms=4, capsize=2)
            plot.plot(places, [cell["token_ms"]["p99"] for cell in line], color=COLOURS[number], lw=1, label=name)
        plot.set_yscale("log")
        plot.set_xticks(sorted({cell["load"] for cell in cells}))
        plot.set_xlabel("load asked for, % of each core")
        plot.set_title(_threads(threads), fontsize=9.0)
    first = next(iter(axes.values()))
    first.set_ylabel("ms a token: p99 (dot), maximum (triangle)")
    first.legend(fontsize=8, frameon=False)


def _distributions(axes: dict[int, Axes], cells: list[Record], found: Record) -> None:
    """Distribution of greedy tokens, one line for each load."""
    for threads, plot in axes.items():
        greedy = [cell for cell in cells if (cell["sampling"], cell["threads"]) == ("greedy", threads)]
        for number, cell in enumerate(one for one in greedy if one["bounded"]):
            drawn = found[cell["name"]]
            plot.stairs(drawn["counts"], drawn["edges"], color=COLOURS[number], label=f"load {cell['load']} %")
        plot.set_xscale("log")
        plot.set_yscale("log")
        plot.set_xlabel("ms a token")
        plot.set_title(_threads(threads), fontsize=9.0)
    first = next(iter(axes.values()))
    first.set_ylabel("tokens")
    first.legend(fontsize=8, frameon=False)


def _memory(axes: dict[int, Axes], cells: list[Record]) -> None:
    """Resident set over time of every repetition without load: with all constraints, and without any."""
    for threads, plot in axes.items():
        for bounded, colour, label in ((True, COLOURS[0], "all constraints"), (False, COLOURS[1], "none")):
            for cell in cells:
                if (cell["sampling"], cell["threads"], cell["load"], cell["bounded"]) != (
                    "greedy",
                    threads,
                    0,
                    bounded,
                ):
                    continue
                for number, line in enumerate(cell["rss"]):
                    plot.plot(line["seconds"], line["mib"], color=colour, lw=1, label=None if number else label)
        plot.set_xlabel("seconds since the start of the process")
        plot.set_ylabel("resident set, MiB")
        plot.set_ylim(bottom=0)
        plot.set_title(f"{_threads(threads)}, no load", fontsize=9.0)
        plot.legend(fontsize=8, frameon=False)


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _row(cell: Record) -> list[str]:
    token, peak = cell["token_ms"], cell["peak_rss_mib"]
    return [
        cell["name"],
        f"{token['tokens']:,}",
        f"{token['mean']:.3f}",
        f"{token['p50']:.3f}",
        f"{token['p95']:.3f}",
        f"{token['p99']:.3f}{_shown(token['p99_interval'])}",
        f"{token['max']:.3f}{_shown(token['max_interval'])}",
        _percent(token["cv"]),
        _percent(token["cv_of_p99"]),
        f"{100 * cell['load_share']:.0f}",
        f"{peak['mean']:.1f}",
        _percent(peak["cv"]),
    ]


def _shown(bounds: Sequence[float] | None) -> str:
    return "" if bounds is None else f" [{bounds[0]:.3f}, {bounds[1]:.3f}]"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def _compared(record: Record) -> list[list[str]]:
    """Rows of the comparison: the published models, then ours in the same sampling, without load."""
    table, rows = record["published"], []
    for name, model in table["models"].items():
        for place, sampling in enumerate(table["sampling"]):
            values = [f"{model[key][place]:.2f}" for key in ("mean", "p99", "max", "cv", "memory")]
            same = "yes" if model["p99"][place] == model["max"][place] else "no"
            rows.append([f"published: {name}", sampling, "4", *values[:3], same, *values[3:]])
    for cell in record["cells"]:
        if not cell["bounded"] or cell["load"] or cell["threads"] not in {OURS, record["machine"]["cores_usable"]}:
            continue
        token = cell["token_ms"]
        rows.append(
            [
                f"here: {cell['model']}",
                cell["sampling"],
                str(cell["threads"]),
                f"{token['mean']:.3f}",
                f"{token['p99']:.3f}",
                f"{token['max']:.3f}",
                "yes" if token["p99"] == token["max"] else "no",
                _percent(token["cv"]),
                f"{cell['peak_rss_mib']['mean'] * 1.048576:.2f}",
            ]
        )
    return rows
