"""What the report says of the experiment `bounded`: bounds against the worst token, what each control buys, answers."""

from __future__ import annotations

from collections.abc import Iterator

from .records import Run, Table, number, table

CONTROLS, BASELINE = "controls", "baseline"
US_NS = 1000.0
TIMES = ("mean_ns", "p99_ns", "worst_ns")


def _cells(run: Run) -> Iterator[Table]:
    """Cells that were run; one that was refused has its refusal as its result."""
    return (cell for cell in run["record"]["cells"] if not cell["refused"])


def results(run: Run) -> list[str]:
    """The bound and the worst token of each cell, refusals, and the study's own answers."""
    rows = []
    for cell in _cells(run):
        token, device = cell["token"], cell["device"]
        times = [_us(one) for one in (token["p99_ns"], token["worst_ns"], token["bound_ns"])]
        ratios = [_ratio(token), _ratio(device)]
        rows.append(
            [cell["group"], cell["name"], f"{cell['samples']:,}", *times, *ratios, f"{cell['over_bound_tokens']:,}"]
        )
    head = ("group", "cell", "tokens", "p99, us", "worst, us", "bound, us", "bound / worst", "of the device", "over")
    lines = ["Time of a token (simulated) against its analytic bound:", "", *table(head, rows)]
    refused = [[one["group"], one["name"], one["refused"]] for one in run["record"]["cells"] if one["refused"]]
    if refused:
        lines += ["", "Cells that cannot run:", "", *table(("group", "cell", "refused"), refused)]
    for one in run["record"]["answers"]:
        lines += ["", f"**{one['question']}** {one['answer']}"]
    return lines


def trade_offs(run: Run) -> list[str]:
    """What each control does to the mean and to the worst token."""
    cells = {cell["name"]: cell for cell in _cells(run) if cell["group"] == CONTROLS}
    base = cells.get(BASELINE)
    if base is None:
        return []
    rows = [
        [
            name,
            *(_change(cell, base, key) for key in ("mean_ns", "p99_ns", "worst_ns")),
            _us(cell["device"]["bound_ns"]),
        ]
        for name, cell in cells.items()
        if name != BASELINE
    ]
    head = ("control", "mean", "p99", "worst", "bound, us")
    return ["Device time of a token with each control, against none of them:", "", *table(head, rows)]


def recommendations(run: Run) -> list[str]:
    """What the bound may be relied on for."""
    over = [cell for cell in _cells(run) if cell["over_bound_tokens"]]
    tokens = sum(cell["samples"] for cell in _cells(run))
    if over:
        names = ", ".join(f"{cell['group']} {cell['name']}" for cell in over)
        return [f"- The bound does not hold in {names}: no deadline should rest on it."]
    return [f"- The bound held on all {tokens:,} tokens of this run: deadlines of these cells may rest on it."]


def _us(ns: float | None) -> str:
    return "none" if ns is None else number(round(ns / US_NS, 3))


def _ratio(timed: Table) -> str:
    return "" if timed["bound_over_worst"] is None else f"{timed['bound_over_worst']:.2f}"


def _change(cell: Table, base: Table, key: str) -> str:
    before = base["device"][key]
    return f"{100 * (cell['device'][key] - before) / before:+.1f} %" if before else ""
