"""Branch coverage of the driver: gcov's counts of the guests, added up; what no test reached, with the reason.

Each guest leaves its counts in a folder (`Task.coverage`). A branch is one way out of a decision in a source file of
the driver, as the compiler has compiled it (function, line, place in the line). Lines of assertions are left out: the
other way out of an assertion is a defect.
"""

import json
import re
import shutil
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tb.linux.programs import DRIVER, OUTPUT
from tb.run.errors import CheckError
from tb.run.paths import shown
from tb.run.process import clean_env, run

REASONS = Path(__file__).with_name("unreached.toml")
FOLDER = OUTPUT / "coverage"
LIMIT_S = 60.0
_ASSERTION = re.compile(r"^\s*(lockdep_assert_held|BUILD_BUG_ON)\(")
Branch = tuple[str, str, int, int]  # file, function, line, place in the line
Line = tuple[str, int, str]  # file, number, text


@dataclass(frozen=True)
class Reason:
    """Why no test takes a branch of the lines of `file` that have `text` in them.

    `excluded`: of a line with this text so many branches cannot be taken by any test and do not count; when fewer are
    left, one of them was taken, and the exclusion is wrong.
    """

    file: str
    text: str
    why: str
    excluded: int = 0


@dataclass(frozen=True)
class Unreached:
    """Branches of one line that no test has taken; `why` is empty when no reason is known."""

    file: str
    line: int
    text: str
    branches: int
    why: str


@dataclass(frozen=True)
class Coverage:
    """How many branches there are, how many were taken, and the rest."""

    branches: int
    taken: int
    unreached: tuple[Unreached, ...]

    @property
    def percent(self) -> float:
        """Of the branches that were taken."""
        return round(100 * self.taken / self.branches, 2) if self.branches else 0.0


def fresh(suite: str) -> Path:
    """The empty folder into which the guest of a suite puts its counts."""
    folder = FOLDER / suite
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def reasons(path: Path = REASONS) -> list[Reason]:
    """Why what is left is left. Raises CheckError: the file is malformed."""
    try:
        return [Reason(**row) for row in tomllib.loads(path.read_text()).get("unreached", [])]
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise CheckError(f"{shown(path)}: {error}") from None


def counts(folder: Path, objects: Path) -> Counter[Branch]:
    """The counts that one guest has left. Raises CheckError: gcov cannot read them."""
    found: Counter[Branch] = Counter()
    for data in sorted(folder.glob("*.gcda")):
        shutil.copy(objects / f"{data.stem}.gcno", folder)
        output = folder / f"{data.stem}.json"
        ended = run(["gcov", "-b", "--json-format", "--stdout", data.name], env=clean_env(), cwd=folder, log=output,
                    timeout_s=LIMIT_S)  # fmt: skip
        if ended.status:
            raise CheckError(f"gcov ended with status {ended.status} (log: {shown(output)})")
        found.update(branches(json.loads(output.read_text())))
    return found


def branches(report: Mapping[str, object]) -> dict[Branch, int]:
    """How often each branch was taken, of the driver's own files in a report of gcov (form 1 of its JSON)."""
    found: dict[Branch, int] = {}
    for file in report["files"]:  # type: ignore[attr-defined]
        name = Path(file["file"]).name
        if not (DRIVER / name).is_file():
            continue
        for line in file["lines"]:
            where = (name, line.get("function_name", ""), line["line_number"])
            found |= {(*where, place): branch["count"] for place, branch in enumerate(line["branches"])}
    return found


def judge(all_counts: Iterable[Mapping[Branch, int]], sources: Path = DRIVER) -> Coverage:
    """The coverage of all guests together."""
    total: Counter[Branch] = Counter()
    for part in all_counts:
        total.update(part)
    texts = {name: (sources / name).read_text().splitlines() for name in {branch[0] for branch in total}}
    lines = {branch: texts[branch[0]][branch[2] - 1].strip() for branch in total}
    real = {branch: count for branch, count in total.items() if not _ASSERTION.match(lines[branch])}
    missed = Counter((branch[0], branch[2], lines[branch]) for branch, count in real.items() if not count)
    known = reasons()
    excluded = _excluded({(branch[0], branch[2], lines[branch]) for branch in real}, missed, known)
    unreached = tuple(
        Unreached(file, line, text, number, next((r.why for r in known if r.file == file and r.text in text), ""))
        for (file, line, text), number in sorted((missed - excluded).items())
    )
    return Coverage(len(real) - excluded.total(), sum(count > 0 for count in real.values()), unreached)


def _excluded(lines: Iterable[Line], missed: Mapping[Line, int], known: Iterable[Reason]) -> Counter[Line]:
    """How many branches of each line do not count. Raises CheckError: an exclusion is wrong."""
    found: Counter[Line] = Counter()
    for reason in known:
        for line in lines:
            if reason.excluded and reason.file == line[0] and reason.text in line[2]:
                if missed.get(line, 0) < reason.excluded:
                    raise CheckError(
                        f"{line[0]}:{line[1]}: {reason.excluded} branches of `{reason.text}` are excluded "
                        f"({shown(REASONS)}), but a test has taken one: {missed.get(line, 0)} are left"
                    )
                found[line] += reason.excluded
    return found


def coverage(suites: Iterable[str]) -> Coverage:
    """The coverage of these suites' guests, which have run. Raises CheckError."""
    return judge([counts(FOLDER / suite, OUTPUT / "module") for suite in suites])
