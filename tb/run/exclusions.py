"""What code coverage must reach, and which points do not count: `tb/coverage.toml`.

Exclusions are data: the place with its source text, the kind, the reason. One that is hit, whose line has changed, or
that matches no point is a problem of the regression, so that the list cannot outlive what it describes.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from tb.run.coverage import KINDS, FileCoverage, Point
from tb.run.errors import UsageError
from tb.run.paths import ROOT, shown

RULES = ROOT / "tb" / "coverage.toml"
CANNOT_HAPPEN = "cannot happen"  # how a reason begins that needs a proof
_NEEDED = {"file", "line", "text", "kind", "reason"}
_KNOWN = _NEEDED | {"what", "proof"}
_SPECIAL = str.maketrans({"[": "[[]"})  # brackets of a bit are no set of characters


@dataclass(frozen=True)
class Exclusion:
    """Points of one kind on one line that do not count; `what` "*" means all of them."""

    file: str
    line: int
    text: str
    kind: str
    reason: str
    what: str = "*"
    proof: str = ""

    def __str__(self) -> str:
        return f"exclusion {self.file}:{self.line} {self.kind} {self.what}"

    def matches(self, point: Point) -> bool:
        """Whether a point is one of these."""
        place = (point.file, point.line, point.kind) == (self.file, self.line, self.kind)
        return place and fnmatchcase(point.what, self.what.translate(_SPECIAL))


@dataclass(frozen=True)
class Rules:
    """Exclusions, and floors in per cent by scope ("all" or a level) and kind."""

    exclusions: Sequence[Exclusion] = ()
    floors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def load_rules(path: Path = RULES) -> Rules:
    """The rules of a file. Raises UsageError, naming what is wrong."""
    try:
        data = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{shown(path)}: {error}") from None
    exclusions = []
    for number, row in enumerate(data.get("exclusions", []), 1):
        where = f"{shown(path)}: exclusion {number}"
        if not _NEEDED <= row.keys() <= _KNOWN:
            raise UsageError(f"{where} must have {', '.join(sorted(_NEEDED))}, and may have what and proof")
        if row["kind"] not in KINDS or not str(row["reason"]).strip():
            raise UsageError(f"{where}: the kind is one of {', '.join(KINDS)}, the reason is not empty")
        if row["reason"].startswith(CANNOT_HAPPEN) != bool(row.get("proof")):
            raise UsageError(f'{where}: "{CANNOT_HAPPEN}" goes with a proof ("<proof>.<property>" of `make formal`)')
        exclusions.append(Exclusion(**row))
    floors = data.get("floors", {})
    for scope, kinds in floors.items():
        if not set(kinds) <= set(KINDS):
            raise UsageError(f"{shown(path)}: floors.{scope}: a kind is one of {', '.join(KINDS)}")
    return Rules(exclusions, floors)


def excluded(files: Mapping[str, FileCoverage], exclusions: Sequence[Exclusion]) -> dict[Point, int]:
    """The points that do not count, with how often each was hit."""
    found = {}
    for exclusion in exclusions:
        counts = files[exclusion.file].counts if exclusion.file in files else {}
        found.update({point: count for point, count in counts.items() if exclusion.matches(point)})
    return found


def without(files: Mapping[str, FileCoverage], exclusions: Sequence[Exclusion]) -> dict[str, FileCoverage]:
    """The coverage as if the excluded points did not exist."""
    gone = excluded(files, exclusions)
    left: dict[str, FileCoverage] = {}
    for file, entry in files.items():
        left[file] = FileCoverage()
        for point, count in entry.counts.items():
            if point not in gone:
                left[file].add(point, count)
    return left


def stale(exclusions: Sequence[Exclusion], root: Path = ROOT) -> Iterator[str]:
    """Exclusions whose line is no longer what it was."""
    for exclusion in exclusions:
        path = root / exclusion.file
        lines = path.read_text().splitlines() if path.is_file() else []
        now = lines[exclusion.line - 1].strip() if 0 < exclusion.line <= len(lines) else None
        if now is None:
            yield f"{exclusion}: there is no such line"
        elif now != exclusion.text.strip():
            yield f"{exclusion}: the line has changed from `{exclusion.text.strip()}` to `{now}`: judge it again"


def wrong(files: Mapping[str, FileCoverage], exclusions: Sequence[Exclusion]) -> Iterator[str]:
    """Exclusions that are hit, or that match nothing in a file that was measured."""
    for exclusion in exclusions:
        points = excluded(files, [exclusion])
        hit = {point: count for point, count in points.items() if count}
        if hit:
            point, count = next(iter(hit.items()))
            yield f"{exclusion} ({exclusion.reason}) is hit {count} times ({point.what}): remove it"
        elif not points and exclusion.file in files:
            yield f"{exclusion}: there is no such coverage point"


def below(percent: Mapping[str, float], floors: Mapping[str, float]) -> Iterator[str]:
    """Kinds of coverage that are below their floor."""
    for kind, floor in floors.items():
        if percent.get(kind, 0.0) < floor:
            yield f"{kind} coverage is {percent.get(kind, 0.0)} %, the floor is {floor} % ({shown(RULES)})"
