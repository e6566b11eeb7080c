"""The technical report in Markdown: the same bytes for the same runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from . import bounded, eviction, serving
from .records import Run, Table, number, percentile, shown, table, variation_percent

METHODS = {
    "sim": "A block-hash trace, or the seeded generator, is replayed: driver and runtime drive the device through its "
    "registers while a scoreboard compares every access, decision and byte with the golden model. Hits, moves and "
    "cycles are of simulated time and repeat exactly; `cycles_per_s`, `wall_s` and `startup_s` are of wall time.",
    "llm": "Prompts of two tenants are served through control frames; K and V of the transformer live in the device. "
    "Every token is compared with that of the same model on a plain array. Latencies are of simulated time.",
    "eviction": "Every policy sees the same references. The settings of HEPC are searched on the first half of a trace "
    "and reported on the second. Retention hits found their block where it had stayed; prefetch hits count apart.",
    "bounded": "Tokens are decoded on the device model, with its timing, bytes and bus, in cells of configuration and "
    "load; an analytic bound is computed before each cell from limits and sizes alone. Times are simulated.",
    "serving": "An engine with continuous batching and a cost model answers the same seeded traces under each policy "
    "with equal fast memory. Times are those of the cost model, not measured on such hardware.",
    "bench": "Each figure is measured by a run of its own against a target; cycles repeat exactly, ratios of speed are "
    "of processor time.",
    "regress": "Every test of the chosen legs with its seeds; a test passes when no check of the scoreboard, the "
    "protocol checkers and the test itself failed and the log is complete.",
    "formal": "Properties bound to the RTL, proven by induction or property-directed reachability, or for a stated "
    "number of cycles; each premise is shown to be reachable.",
    "fpga": "Lint, synthesis for two parts against budgets, placement with timing, and simulation of the netlist, by "
    "open tools. A part of the check that was not run again is reported with the time of its last run.",
    "rt-bench": "llama.cpp generates tokens on the host under each configuration and load; every token is timed by the "
    "wall clock of the machine named below.",
    "signoff": "Numbers of the other commands against the stages of the sign-off.",
    "kernel": "A Linux kernel with the real driver runs on the device over PCI in one simulated time; its tests report "
    "in KTAP, under lockdep and kmemleak.",
}
EXPERIMENT = "A declarative experiment; its configuration is in `configurations/`, its whole record in `runs/`."
LIMITS = (
    "Simulated time is the device's clock; it says nothing about the speed of a host.",
    "Times of wall clocks (units of `s` in figures of speed) hold for the machine of their run only.",
    "A figure without samples is one observation: no interval is given, and none should be assumed.",
)
LISTED = 50
"""Rows of a table that may be long."""
PARTS: dict[str, tuple[Callable[[Run], list[str]], Callable[[Run], list[str]], Callable[[Run], list[str]]]] = {
    "bounded": (bounded.results, bounded.trade_offs, bounded.recommendations),
    "eviction": (eviction.results, eviction.trade_offs, eviction.recommendations),
    "serving": (serving.results, serving.trade_offs, serving.recommendations),
}
"""Results, trade-offs and recommendations that a kind of run has in a form of its own."""


def document(runs: Sequence[Run]) -> str:
    """The whole report. The runs are one of each kind."""
    parts = (_head, _methodology, _results, _trade_offs, _recommendations, _limits)
    return "\n".join(line for part in parts for line in part(runs)).rstrip() + "\n"


def _head(runs: Sequence[Run]) -> Iterator[str]:
    yield "# Technical report"
    yield ""
    yield f"Made from {len(runs)} run{'' if len(runs) == 1 else 's'}, the newest of each kind, and nothing else: the"
    yield "same runs give the same bytes (`python3 reproduce.py`). Every number is in `data/figures.csv`."
    yield ""
    rows = [
        [run["name"], f"`make {run['command']}`", run["time"], run.sources, _seed(run), run["verdict"]] for run in runs
    ]
    yield from table(("run", "command", "time (UTC)", "revision", "seed", "verdict"), rows)
    yield ""


def _seed(run: Run) -> str:
    return "" if run["seed"] is None else str(run["seed"])


def _methodology(runs: Sequence[Run]) -> Iterator[str]:
    yield "## Methodology"
    yield ""
    for run in runs:
        yield f"**{run['title']}** (`{run['name']}`). {METHODS.get(run['kind'], EXPERIMENT)}"
        yield f"Settings: {_settings(run)}."
        yield ""
    machines = {tuple(sorted((key, str(value)) for key, value in run["machine"].items())) for run in runs}
    for place, machine in enumerate(sorted(machines), 1):
        named = [run["name"] for run in runs if {(k, str(v)) for k, v in run["machine"].items()} == set(machine)]
        yield f"Machine {place} ({', '.join(named)}): {', '.join(f'{key} {value}' for key, value in machine)}."
        yield ""
    yield "Percentiles are `sorted[ceil(p * n / 100) - 1]`; CV is sample deviation / mean. Every run has its revision"
    yield "and whether the tree was exactly that revision; every file of a report has its SHA-256 in `runs/`."
    yield ""


def _settings(run: Run) -> str:
    found = list(_leaves("", run["settings"]))
    return ", ".join(f"`{name}` {value}" for name, value in found) or "none"


def _leaves(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, below in sorted(value.items()):
            yield from _leaves(f"{name}.{key}" if name else str(key), below)
    elif value is not None:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _results(runs: Sequence[Run]) -> Iterator[str]:
    yield "## Results"
    yield ""
    for run in runs:
        yield f"### {run['title']}: {run['verdict']}"
        yield ""
        yield from table(("figure", "value"), [[figure["name"], shown(figure)] for figure in run.main])
        yield ""
        for lines in (_targets(run), _criteria(run), _samples(run), PARTS[run["kind"]][0](run) if _known(run) else []):
            if lines:
                yield from (*lines, "")


def _known(run: Run) -> bool:
    return run["kind"] in PARTS


def _metrics(run: Run) -> list[tuple[str, Table]]:
    return sorted(run["record"].get("metrics", {}).items()) if run["kind"] == "bench" else []


def _targets(run: Run) -> list[str]:
    """Every metric with its target, as it was measured."""
    rows = [
        [name, "not measured" if one["value"] is None else number(one["value"]), one["unit"],
         "" if one["target"] is None else number(one["target"])]
        for name, one in _metrics(run)
    ]  # fmt: skip
    return table(("metric", "value", "unit", "target"), rows) if rows else []


def _criteria(run: Run) -> list[str]:
    """Success criteria of an experiment: met or not, with the figure."""
    rows = [
        [name, str(one.get("target", "")), "met" if one["met"] else "not met", _value(one.get("value"))]
        for name, one in _criteria_of(run)
    ]
    return ["Success criteria:", "", *table(("criterion", "target", "", "value"), rows)] if rows else []


def _value(value: object) -> str:
    return "" if value is None else number(value) if isinstance(value, int | float) else str(value)


def _criteria_of(run: Run) -> list[tuple[str, Table]]:
    criteria = run["record"].get("criteria", {})
    if isinstance(criteria, list):
        criteria = {str(one.get("name", place)): one for place, one in enumerate(criteria, 1) if isinstance(one, dict)}
    if not isinstance(criteria, dict):
        return []
    return [(name, one) for name, one in criteria.items() if isinstance(one, dict) and "met" in one]


def _samples(run: Run) -> list[str]:
    """Figures with samples: how many, how they spread; a kind with tables of its own has no need of it."""
    if _known(run):
        return []
    rows = []
    for figure in run.figures:
        if ordered := sorted(figure["samples"]):
            spread = [number(float(percentile(ordered, p))) for p in (50, 95, 99)]
            ends = (number(ordered[-1]), f"{variation_percent(ordered):.1f}")
            rows.append([figure["name"], figure["unit"], f"{len(ordered):,}", *spread, *ends])
    head = ("figure with samples", "unit", "n", "p50", "p95", "p99", "maximum", "CV, %")
    more = [f"| and {len(rows) - LISTED} more in `data/` |"] if len(rows) > LISTED else []
    return [*table(head, rows[:LISTED]), *more] if rows else []


def _trade_offs(runs: Sequence[Run]) -> Iterator[str]:
    yield "## Trade-offs"
    yield ""
    lines = [line for run in runs if _known(run) for line in PARTS[run["kind"]][1](run)]
    yield from lines or ["None of these runs varies a setting, so they show no trade-off."]
    yield ""


def _recommendations(runs: Sequence[Run]) -> Iterator[str]:
    yield "## Recommendations"
    yield ""
    lines = [line for run in runs if _known(run) for line in PARTS[run["kind"]][2](run)]
    for run in runs:
        if run["verdict"] != "passed":
            lines.append(f"- {run['title']}: {run['verdict']}. Nothing should rest on it before it passes.")
        unmet = [name for name, one in _criteria_of(run) if not one["met"]]
        lines += [f"- {run['title']}: criterion `{name}` is not met." for name in unmet]
    yield from lines or ["- None: all runs passed, and none compares alternatives."]
    yield ""


def _limits(runs: Sequence[Run]) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield from (f"- {limit}" for limit in LIMITS)
    modified = [run["name"] for run in runs if run["clean"] is not True]
    if modified:
        yield f"- Made from sources that were not exactly a known revision: {', '.join(modified)}."
    if len(revisions := sorted({run["revision"] for run in runs})) > 1:
        yield f"- The runs are of {len(revisions)} revisions: {', '.join(name or 'unknown' for name in revisions)}."
    missing = sorted(METHODS.keys() - {run["kind"] for run in runs})
    if missing:
        yield f"- Without a run, so without a word here: {', '.join(missing)}."
    for run in runs:
        absent = [name for name, one in _metrics(run) if one["value"] is None]
        if absent:
            yield f"- {run['title']}: not measured: {', '.join(absent)}."
    yield ""
