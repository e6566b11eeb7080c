"""Success criteria, each met or not with its figure, and the answers in words (experiments.md 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tb.lab.bounded.statistics import r_squared

Record = dict[str, Any]
CV_P99, CV_PEAK, CV_SAMPLING, LINEAR, RATIO, TOKENS = 0.15, 0.05, 0.05, 0.95, 1.5, 100_000
PROVENANCE = ("settings", "seed", "versions", "commit", "clean", "workload_sha256")


def ran(results: Record, group: str | None = None) -> list[Record]:
    """Cells that have figures."""
    return [cell for cell in results["cells"] if cell["refused"] is None and group in {None, cell["group"]}]


def constrained(cell: Record) -> bool:
    """Every control is on, and the server is hard."""
    return len(cell["controls"]) == 5 and cell["scheduler"] == "cbs_hard"


def title(cell: Record) -> str:
    """Name of a cell in a sentence."""
    return f"{cell['group']} {cell['name']}"


def _criterion(met: bool, value: Any, target: str, what: str, **more: Any) -> Record:
    return {"met": bool(met), "value": value, "target": target, "what": what, **more}


def _worst(cells: list[Record], figure: Callable[[Record], float]) -> tuple[float, str]:
    first = max(cells, key=figure)
    return figure(first), title(first)


def judged(results: Record) -> dict[str, Record]:
    """The criteria by name."""
    every = ran(results)
    bounded = [cell for cell in every if constrained(cell)]
    main = [cell for cell in ran(results, "contention") if constrained(cell)]
    p99, p99_cell = _worst(bounded, lambda cell: cell["p99_by_run"]["cv"])
    peak, peak_cell = _worst(every, lambda cell: cell["peak_slots"]["cv"])
    sampling = ran(results, "sampling")
    spreads = {
        which: max(cell[which] for cell in sampling) - min(cell[which] for cell in sampling)
        for which in ("cv", "device_cv")
    }
    missing = [name for name in PROVENANCE if results.get(name) in (None, "", {})]
    fits = {kind: _fit(results, kind) for kind in ("constrained", "baseline")}
    over = sum(cell["over_bound_tokens"] for cell in every)
    fewest = min(cell["samples"] for cell in main)
    ratio, ratio_cell = _worst(main, lambda cell: cell["token"]["bound_over_worst"])
    all_ratio, all_cell = _worst(bounded, lambda cell: cell["token"]["bound_over_worst"])
    enough = fewest >= TOKENS
    return {
        "cv_of_p99": _criterion(
            p99 < CV_P99,
            p99,
            f"< {CV_P99:.0%}",
            f"CV of a run's p99 over the seeds, the worst constrained cell: {p99_cell}",
            cell=p99_cell,
        ),
        "cv_of_peak_occupancy": _criterion(
            peak < CV_PEAK,
            peak,
            f"< {CV_PEAK:.0%}",
            f"CV of the most slots of tier 0 in use, the worst cell: {peak_cell}",
            cell=peak_cell,
        ),
        "linear_degradation": _criterion(
            fits["constrained"]["r_squared"] >= LINEAR,
            fits["constrained"]["r_squared"],
            f">= {LINEAR}",
            "R^2 of a straight line through the mean device time of each run over the load",
            fits=fits,
        ),
        "sampling_independence": _criterion(
            max(spreads.values()) < CV_SAMPLING,
            max(spreads.values()),
            f"< {CV_SAMPLING:.0%}",
            "largest difference between the CVs of two sampling strategies",
            **spreads,
        ),
        "traceability": _criterion(
            not missing,
            missing,
            "nothing missing",
            "settings, seed, versions, revision, clean tree or not, workload hash",
        ),
        "bound_holds": _criterion(
            over == 0 and enough,
            over,
            f"0 tokens over it, of {TOKENS:,} or more at each load",
            f"tokens over their bound, in all cells that have one; at least {fewest:,} tokens at each load",
            fewest_tokens_at_a_load=fewest,
        ),
        "bound_is_close": _criterion(
            ratio <= RATIO,
            ratio,
            f"<= {RATIO}",
            f"bound / worst token, the worst load of the constrained configuration: {ratio_cell}",
            cell=ratio_cell,
            worst_of_all_constrained_cells=all_ratio,
            in_cell=all_cell,
        ),
    }


def _fit(results: Record, kind: str) -> Record:
    rows = [
        (cell["load"], mean)
        for cell in ran(results, "contention")
        if cell["name"].startswith(kind)
        for mean in cell["device_mean_by_run"]["samples"]
    ]
    fit, slope, intercept = r_squared([row[0] for row in rows], [row[1] for row in rows])
    return {"r_squared": fit, "ns_per_percent": slope, "ns_at_0": intercept}


# ---------------------------------------------------------------- answers


def us(ns: float | None) -> str:
    """A time in words."""
    return "no bound" if ns is None else f"{ns / 1000:,.1f} us"


def answers(results: Record) -> list[Record]:
    """The questions of the study, each with its answer in words."""
    return [
        {"question": question, "answer": answer(results)}
        for question, answer in (
            ("Which p99 and maximum hold for which model and quantisation?", _models),
            ("What does pre-allocation buy?", _preallocation),
            ("What does each quantisation level cost?", _quantisation),
            ("At which load does bounded behaviour break?", _load),
            ("Does sampling change the variance of the time?", _sampling),
            ("What could not be bounded, and why?", _unbounded),
        )
    ]


def _models(results: Record) -> str:
    cells = ran(results, "model")
    parts = [
        f"{cell['name']}: p99 {us(cell['device']['p99_ns'])}, worst {us(cell['device']['worst_ns'])}, "
        f"bound {us(cell['device']['bound_ns'])}"
        for cell in cells
    ]
    refusals = [f"{cell['group']} {cell['name']}: {cell['refused']}" for cell in results["cells"] if cell["refused"]]
    text = f"Device time of a token, one stream at a context of 512, {cells[0]['load']} % load: {'; '.join(parts)}."
    return text + (f" Refused, because it does not fit: {'; '.join(refusals)}." if refusals else "")


def _named(results: Record, group: str, name: str) -> Record | None:
    return next((cell for cell in ran(results, group) if cell["name"] == name), None)


def _preallocation(results: Record) -> str:
    without, alone = _named(results, "controls", "baseline"), _named(results, "controls", "preallocated")
    if without is None or alone is None:
        return "Not measured with these settings."
    a, b = without["device"], alone["device"]
    peaks = [cell["peak_slots"]["cv"] for cell in (without, alone)]
    return (
        f"Against the baseline: worst token {us(a['worst_ns'])} to {us(b['worst_ns'])}, p99 {us(a['p99_ns'])} to "
        f"{us(b['p99_ns'])}; time in INSERT {us(without['parts_ns']['insert'])} to {us(alone['parts_ns']['insert'])} "
        f"a token (it falls on one token in 16); the bound {us(a['bound_ns'])} to {us(b['bound_ns'])}. CV of the peak "
        f"occupancy {peaks[0]:.2%} to {peaks[1]:.2%}."
    )


def _quantisation(results: Record) -> str:
    cells = ran(results, "model")
    texts = []
    for model in dict.fromkeys(cell["model"] for cell in cells):
        mine = [cell for cell in cells if cell["model"] == model]
        first = mine[0]["device"]["mean_ns"]
        texts.append(
            f"{model}: " + ", ".join(f"{cell['quantisation']} {cell['device']['mean_ns'] / first:.0%}" for cell in mine)
        )
    return (
        f"Mean device time against {cells[0]['quantisation']}: {'; '.join(texts)}. A block of fewer bytes takes fewer "
        "beats of the bus; lookups and compute stay as they are (the cost of decoding a format is not in the model)."
    )


def _load(results: Record) -> str:
    main = ran(results, "contention")
    rows = [
        f"{cell['name']}: worst {us(cell['device']['worst_ns'])} of {us(cell['device']['bound_ns'])}, "
        f"{cell['over_bound_tokens']} of {cell['samples']:,} over"
        for cell in main
    ]
    broken = [cell["name"] for cell in main if cell["over_bound_tokens"]]
    head = f"It breaks at: {', '.join(broken)}. " if broken else "The bound holds at every load that was run. "
    return (
        f"{head}Device time: {'; '.join(rows)}. Up to half of the bus a regulator bounds what the background takes; "
        "above it only the bus's turns do: a token then takes up to twice its own beats, at whatever load."
    )


def _sampling(results: Record) -> str:
    found = results["criteria"]["sampling_independence"]
    rows = [
        f"{cell['name']} CV {cell['device_cv']:.2%}, mean {us(cell['device']['mean_ns'])}"
        for cell in ran(results, "sampling")
    ]
    return (
        f"Device time: {'; '.join(rows)}. The largest difference is {found['value']:.2%}"
        f" ({'below' if found['met'] else 'not below'} 5 %); what differs is the mean: top-p sorts the vocabulary."
    )


def _unbounded(results: Record) -> str:
    free = [title(cell) for cell in ran(results) if cell["token"]["bound_ns"] is None]
    loose = [
        f"{title(cell)} {cell['token']['bound_over_worst']:.2f}"
        for cell in ran(results)
        if (cell["token"]["bound_over_worst"] or 0) > RATIO
    ]
    text = (
        f"No bound of the time between two tokens: {', '.join(free) or 'none'}. A soft server with others may have run "
        "ahead, and then waits for all of them; without servers one stream's overrun is another's delay. "
    )
    return text + (
        f"A bound more than {RATIO} times the worst seen: {', '.join(loose)}: without the controls a move "
        "of the device may take every second beat, and an INSERT may wait for the directory and search."
        if loose
        else ""
    )
