"""Code coverage of the RTL: read what Verilator wrote, merged over tests, seeds and builds.

A point is a place in a source file (line, column) with what happened there; the instances of a
module and the parameter sets of the builds count together, so a point is hit when any of them hit it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

KINDS = ("line", "branch", "expr", "toggle")
MEASURED = "rtl/"  # the testbench's own lines say nothing about the device
_RECORD = re.compile(r"^C '(.*)' (\d+)$")


@dataclass(frozen=True, order=True)
class Point:
    """One coverage point: `what` is the branch side, the expression's values or the bit's edge."""

    file: str
    line: int
    column: int
    kind: str
    what: str


@dataclass
class FileCoverage:
    """Hit and total points of one file by kind, and the points that nothing hit."""

    hit: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    missed: list[Point] = field(default_factory=list)


def read(path: Path) -> Counter[Point]:
    """Counts by point of one `coverage.dat`."""
    counts: Counter[Point] = Counter()
    for line in path.read_text().splitlines():
        match = _RECORD.match(line)
        if match is None:
            continue
        fields = dict(item.split("\x02", 1) for item in match[1].split("\x01") if "\x02" in item)
        if fields["f"].startswith(MEASURED) and fields["t"] in KINDS:
            point = Point(fields["f"], int(fields["l"]), int(fields.get("n", "0")), fields["t"], fields.get("o", ""))
            counts[point] += int(match[2])
    return counts


def merge(paths: Iterable[Path]) -> dict[str, FileCoverage]:
    """Coverage by file over all runs."""
    counts: Counter[Point] = Counter()
    for path in paths:
        for point, count in read(path).items():  # Counter.update would drop the points with count 0
            counts[point] = counts[point] + count
    files: dict[str, FileCoverage] = defaultdict(FileCoverage)
    for point, count in sorted(counts.items()):
        entry = files[point.file]
        entry.total[point.kind] += 1
        if count:
            entry.hit[point.kind] += 1
        else:
            entry.missed.append(point)
    return dict(files)


def percentages(files: Mapping[str, FileCoverage]) -> dict[str, float]:
    """Percent of the points hit, by kind, over all files; a kind without points is left out."""
    hit: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for entry in files.values():
        hit.update(entry.hit)
        total.update(entry.total)
    return {kind: round(100 * hit[kind] / total[kind], 2) for kind in KINDS if total[kind]}
