"""What the report says of the experiment `serving`: the engine's figures by policy, with intervals over the traces."""

from __future__ import annotations

from collections.abc import Iterator

from .records import Run, Table, number, table

SHOWN = (
    ("ttft_p50_s", "TTFT p50, s"),
    ("ttft_p99_s", "TTFT p99, s"),
    ("tpot_p99_s", "TPOT p99, s"),
    ("goodput_per_s", "goodput, requests/s"),
    ("kept_percent", "kept, % of prompt tokens"),
    ("prefetched_percent", "prefetched, %"),
    ("loaded_percent", "moved on demand, %"),
    ("again_percent", "computed again, %"),
    ("stall_s", "waits for slower tiers, s"),
)
GOODPUT, MOVED, BASE = "goodput_per_s", "bytes_moved_per_token", "lru"


def _engines(run: Run) -> Iterator[tuple[str, Table]]:
    """(place, policies) of each trace, capacity and engine."""
    for trace in run["record"]["traces"]:
        for capacity, engines in trace["capacities"].items():
            for engine, policies in engines.items():
                yield f"{trace['name']}, {int(capacity):,} slots, {engine} engine", policies


def results(run: Run) -> list[str]:
    """Each policy's figures, with 95 % intervals over the seeded traces."""
    lines = ["Means over the seeded traces with 95 % intervals; times are those of the cost model."]
    for place, policies in _engines(run):
        rows = [[text, *(_cell(policies[name]["figures"][key]) for name in policies)] for key, text in SHOWN]
        lines += ["", f"**{place}**", "", *table(("", *policies), rows)]
    return lines


def trade_offs(run: Run) -> list[str]:
    """Goodput against bytes that move."""
    rows = [
        [place, name, _cell(one["figures"][GOODPUT]), _cell(one["figures"][MOVED])]
        for place, policies in _engines(run)
        for name, one in policies.items()
    ]
    head = ("engine", "policy", "goodput, requests/s", "bytes moved a token")
    return ["Goodput against what it moves:", "", *table(head, rows)] if rows else []


def recommendations(run: Run) -> list[str]:
    """The policy with the best goodput, and whether that is distinct from LRU with the same memory."""
    lines = []
    for place, policies in _engines(run):
        goodput = {name: float(one["figures"][GOODPUT]["mean"]) for name, one in policies.items()}
        best = max(goodput, key=goodput.__getitem__)
        line = f"- {place}: `{best}` has the best goodput ({_cell(policies[best]['figures'][GOODPUT])} requests/s)"
        if best != BASE and BASE in policies[best]["against"]:
            gain = policies[best]["against"][BASE][GOODPUT]
            distinct = gain["low"] is not None and gain["low"] > 0
            line += f", {_cell(gain)} more than LRU: {'distinct' if distinct else 'not distinct'}"
        lines.append(f"{line}.")
    return lines


def _cell(entry: Table) -> str:
    if entry["low"] is None:
        return _short(entry["mean"])
    return f"{_short(entry['mean'])} [{_short(entry['low'])}, {_short(entry['high'])}]"


def _short(value: float) -> str:
    return number(float(f"{value:.4g}"))
