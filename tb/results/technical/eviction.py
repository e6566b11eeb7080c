"""What the report says of the experiment `eviction`: hits of every policy, the share of the gap, the price in bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .records import Run, Table, table

HALF = "second_half"
CLASSIC = ("lfu", "arc", "lirs", "s3fifo", "wtinylfu", "gdsf")
TOLERANCE_POINTS = 0.2
GOAL_PERCENT = 50.0
GIGABYTE = 1e9


@dataclass(frozen=True)
class Point:
    """One trace at one capacity: policies of the second half by name, layers as `hepc queue_8`."""

    trace: str
    capacity: int
    policies: Mapping[str, Table]

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"{self.trace}, {self.capacity:,} slots"

    def hits(self, name: str) -> float:
        """Retention hits in per cent."""
        return float(self.policies[name]["retention_percent"])

    def layers(self) -> list[str]:
        """Names of the layers of HEPC that were run, both engines."""
        return [name for name in self.policies if name.startswith("hepc")]

    def gap_percent(self, name: str) -> float | None:
        """Share of the gap from LRU to the optimum that a policy closes; None without a gap."""
        gap = self.hits("optimum") - self.hits("lru")
        return 100 * (self.hits(name) - self.hits("lru")) / gap if gap > 0 else None


def points(record: Table) -> Iterator[Point]:
    """Every trace at every capacity."""
    for trace in record["traces"]:
        for capacity, halves in trace["capacities"].items():
            yield Point(str(trace["name"]), int(capacity), _flat(halves[HALF]))


def _flat(policies: Mapping[str, Any]) -> dict[str, Table]:
    found: dict[str, Table] = {}
    for name, result in policies.items():
        if "references" in result:
            found[name] = result
        else:
            found |= {f"{name} {layer}": entry for layer, entry in result.items()}
    return found


def results(run: Run) -> list[str]:
    """Hits and share of the gap of each policy."""
    lines = ["Retention hits of the second half, in % of all references; in brackets the share of the gap from LRU to",
             "the offline optimum that is closed."]  # fmt: skip
    for point in points(run["record"]):
        rows = [
            [name, f"{point.hits(name):.2f}", _share(point, name), f"{result['prefetch_hits']:,}"]
            for name, result in point.policies.items()
        ]
        lines += [
            "",
            f"**{point.place}**",
            "",
            *table(("policy", "hits, %", "share of the gap, %", "prefetch hits"), rows),
        ]
    return lines


def _share(point: Point, name: str) -> str:
    share = point.gap_percent(name)
    return "" if share is None or name in {"lru", "optimum"} else f"{share:.1f}"


def trade_offs(run: Run) -> list[str]:
    """What each further hit costs in bytes that move."""
    rows = []
    for point in points(run["record"]):
        base = point.policies["lru"]
        for name in point.layers():
            gained = point.hits(name) - point.hits("lru")
            moved = (point.policies[name]["bytes_moved"] - base["bytes_moved"]) / GIGABYTE
            rows.append([point.place, name, f"{gained:+.2f}", f"{moved:+.3f}"])
    head = ("trace", "layer", "hits against LRU, points", "bytes moved against LRU, GB")
    return ["What the device's layers gain and what they move (second half):", "", *table(head, rows)] if rows else []


def recommendations(run: Run) -> list[str]:
    """Which layer wins where, and whether the self-tuning one is safe."""
    lines, worst = [], []
    for point in points(run["record"]):
        if not point.layers():
            continue
        best = max(point.layers(), key=point.hits)
        classic = max((name for name in CLASSIC if name in point.policies), key=point.hits, default="lru")
        share = point.gap_percent(best)
        of_gap = "" if share is None else f", {share:.1f} % of the gap; half of it: {_met(share >= GOAL_PERCENT)}"
        lines.append(
            f"- {point.place}: `{best}` keeps most ({point.hits(best):.2f} %{of_gap}); the best classic policy is "
            f"`{classic}` ({point.hits(classic):.2f} %)."
        )
        tuned = [name for name in point.layers() if name.endswith("self_tuned")]
        worst += [(point.hits(name) - point.hits("lru"), point.place, name) for name in tuned]
    if worst:
        low, place, name = min(worst)
        verdict = "holds" if low >= -TOLERANCE_POINTS else "does not hold"
        lines.append(
            f"- Self-tuned, never below LRU by more than {TOLERANCE_POINTS} points: {verdict}; its lowest is "
            f"{low:+.2f} points (`{name}`, {place})."
        )
    return lines


def _met(value: bool) -> str:
    return "met" if value else "missed"
