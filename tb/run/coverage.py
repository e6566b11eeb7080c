"""Code coverage of the RTL: read what Verilator wrote, merged over tests, seeds and builds.

A point is a place in a source file (line, column) with what happened there; the instances of a
module and the parameter sets of the builds count together, so a point is hit when any of them hit it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KINDS = ("line", "branch", "expr", "toggle")
MEASURED = "rtl/"  # the testbench's own lines say nothing about the device
TOGGLES_SHOWN = 16  # of a source line
_HEADER = "# SystemC::Coverage"
_RECORD = re.compile(r"^C '(.*)' (\d+)$")


@dataclass(frozen=True, order=True)
class Point:
    """One coverage point.

    `what` is the branch side, the expression's values or the bit's edge; `block` the source lines that a point of kind
    line stands for ("55-57,60").
    """

    file: str
    line: int
    column: int
    kind: str
    what: str
    block: str = ""


@dataclass
class FileCoverage:
    """Hit and total points of one file by kind, and the count of every point."""

    hit: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    counts: dict[Point, int] = field(default_factory=dict)

    def add(self, point: Point, count: int) -> None:
        """Add a point."""
        self.counts[point] = count
        self.total[point.kind] += 1
        self.hit[point.kind] += count > 0

    @property
    def missed(self) -> list[Point]:
        """The points that nothing hit, in the order of the source."""
        return [point for point, count in self.counts.items() if not count]


@dataclass
class SourceLine:
    """A line of a source file: how often it was executed (None: no statement), and the points on it not hit."""

    number: int
    text: str
    count: int | None = None
    missed: list[str] = field(default_factory=list)
    hit: bool = False  # some point on it was

    @property
    def state(self) -> str:
        """ "hit", "part", "miss", or "" for a line without points."""
        if self.missed or self.count == 0:
            return "part" if self.hit or self.count else "miss"
        return "hit" if self.hit or self.count else ""


def read(path: Path) -> Counter[Point]:
    """Counts by point of one `coverage.dat`. Raises ValueError when it is no complete one, OSError."""
    text = path.read_text()
    if not text.startswith(_HEADER) or not text.endswith("\n"):
        raise ValueError("cut short")
    counts: Counter[Point] = Counter()
    for line in text.splitlines()[1:]:
        match = _RECORD.match(line)
        if match is None:
            raise ValueError(f"no coverage point: {line[:60]!r}")
        parts = (item.partition("\x02") for item in match[1].split("\x01"))
        fields = defaultdict(str, {key: value for key, _, value in parts})
        if fields["f"].startswith(MEASURED) and fields["t"] in KINDS:
            place = int(fields["l"]), int(fields["n"] or 0)
            counts[Point(fields["f"], *place, fields["t"], fields["o"], fields["S"])] += int(match[2])
    return counts


def merge(paths: Iterable[Path]) -> tuple[dict[str, FileCoverage], list[str]]:
    """Coverage by file over all runs, and a line for each `coverage.dat` that could not be read."""
    counts: Counter[Point] = Counter()
    problems = []
    for path in paths:
        try:
            for point, count in read(path).items():  # Counter.update would drop the points with count 0
                counts[point] = counts[point] + count
        except FileNotFoundError:
            problems.append(f"{path} is missing")
        except ValueError as error:
            problems.append(f"{path} is damaged: {error}")
    return by_file(counts), problems


def by_file(counts: Mapping[Point, int]) -> dict[str, FileCoverage]:
    """Points by file, both in their order."""
    files: dict[str, FileCoverage] = defaultdict(FileCoverage)
    for point, count in sorted(counts.items()):
        files[point.file].add(point, count)
    return dict(files)


def lcov(files: Mapping[str, FileCoverage]) -> str:
    """The coverage in the form of lcov's tracefiles, which the common viewers and services read.

    Lines and branches; an expression counts as a branch of its line. That form knows no toggles.
    """
    text = []
    for file, entry in files.items():
        lines: Counter[int] = Counter()
        branches = []
        for point, count in entry.counts.items():
            if point.kind == "line":
                for number in _numbers(point.block) if point.block else [point.line]:
                    lines[number] = max(lines[number], count)
            elif point.kind in ("branch", "expr"):
                branches.append((point.line, point.column, count))
        text += ["TN:", f"SF:{file}"]
        text += [f"BRDA:{line},{column},{n},{count}" for n, (line, column, count) in enumerate(branches)]
        text += [f"BRF:{len(branches)}", f"BRH:{sum(count > 0 for *_, count in branches)}"]
        text += [f"DA:{line},{count}" for line, count in sorted(lines.items())]
        text += [f"LF:{len(lines)}", f"LH:{sum(count > 0 for count in lines.values())}", "end_of_record"]
    return "\n".join([*text, ""])


def percentages(files: Iterable[FileCoverage]) -> dict[str, float]:
    """Percent of the points hit, by kind; a kind without points is left out."""
    hit: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for entry in files:
        hit.update(entry.hit)
        total.update(entry.total)
    return {kind: round(100 * hit[kind] / total[kind], 2) for kind in KINDS if total[kind]}


def by_module(files: Mapping[str, FileCoverage]) -> dict[str, dict[str, Any]]:
    """What `coverage.json` says of each module (one a file): hit, total and percent by kind."""
    return {
        Path(file).stem: {
            "file": file,
            **{
                kind: {"hit": entry.hit[kind], "total": entry.total[kind], "percent": percentages([entry])[kind]}
                for kind in KINDS
                if entry.total[kind]
            },
        }
        for file, entry in files.items()
    }


def annotated(entry: FileCoverage, text: str) -> list[SourceLine]:
    """The source with what was hit on every line."""
    lines = [SourceLine(number, line) for number, line in enumerate(text.splitlines(), 1)]
    toggles: dict[int, list[str]] = defaultdict(list)
    for point, count in entry.counts.items():
        if not 0 < point.line <= len(lines):
            continue
        line = lines[point.line - 1]
        line.hit |= count > 0
        if point.kind == "line":
            for number in _numbers(point.block):
                if number <= len(lines):
                    covered = lines[number - 1]
                    covered.count = max(covered.count or 0, count)
        if not count and point.kind == "toggle":
            toggles[point.line].append(point.what)
        elif not count:
            line.missed.append(f"{point.kind} {point.what}")
    for number, missed in toggles.items():
        more = f" and {len(missed) - TOGGLES_SHOWN} more" if len(missed) > TOGGLES_SHOWN else ""
        lines[number - 1].missed.append(f"toggle {', '.join(missed[:TOGGLES_SHOWN])}{more}")
    return lines


def _numbers(block: str) -> Iterable[int]:
    """Lines of "55-57,60"."""
    for part in filter(None, block.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
