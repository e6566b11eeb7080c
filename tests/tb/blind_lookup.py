"""Looks up sentences of the contracts drawn at random: `python -m tests.tb.blind_lookup --seed 7 [--count 40]`.

For each sentence it follows docs/reference/where.md as a reader does: the files that the page links for it must exist
and contain its term, and its tests must be in the manifest or in their file. Shares no code with the index but the
division of the contracts into sentences and the manifest.
"""

import random
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tb.contract import CONTRACTS, Unit, units
from tb.run.command import Parser, run_command
from tb.run.errors import UsageError
from tb.run.manifest import load
from tb.run.paths import ROOT
from tb.where import PAGE, read_places

_LINK = re.compile(r"\[`([^`]+)`\]\(([^)]+)\)")


@dataclass(frozen=True)
class PageRow:
    """A row of the page: the begin of its sentence, its term, links (text, target) by column."""

    begin: str
    term: str
    columns: tuple[tuple[tuple[str, str], ...], ...]


def plain(text: str) -> str:
    """Text without markup, blanks, and underscores."""
    return re.sub(r"[\s`*|\\_-]", "", text).lower()


def page_rows(page: str) -> dict[str, list[PageRow]]:
    """The rows of the page by their heading (`device.md, section 3`)."""
    found: dict[str, list[PageRow]] = {}
    heading = ""
    for line in page.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith(("| sentence", "| ---")):
            sentence, term, *columns = line.strip("| ").split(" | ")
            links = tuple(tuple(_LINK.findall(column)) for column in columns)
            found.setdefault(heading, []).append(PageRow(plain(sentence.removesuffix(" ...")), term.strip("`"), links))
    return found


def misses(unit: Unit, rows: dict[str, list[PageRow]], root: Path = ROOT) -> list[str]:
    """Why a reader does not find the sentence; empty when everything is found."""
    heading = f"{unit.contract}.md" + (f", section {unit.section}" if unit.section else "")
    matching = [row for row in rows.get(heading, []) if plain(unit.text).startswith(row.begin)]
    if not matching:
        return [f"{heading}: `{unit.text}` is not on the page"]
    wrong = [_row_misses(row, root) for row in matching]
    return [f"{heading}: `{unit.text}`: {why}" for why in min(wrong, key=len)]


def _row_misses(row: PageRow, root: Path) -> list[str]:
    found = [] if row.columns[-1] else ["no test"]
    for _text, target in (link for column in row.columns for link in column):
        path = (root / PAGE.parent / target).resolve()
        if not path.is_file():
            found.append(f"{target} does not exist")
        elif plain(row.term) not in _plain_text(path):
            found.append(f"{target} does not contain `{row.term}`")
    return found + [f"there is no test {text}" for text, target in row.columns[-1] if not _is_test(text, target, root)]


def _is_test(text: str, target: str, root: Path) -> bool:
    if text in _legs_tests():
        return True
    file, _, function = text.partition(" ")
    path = (root / PAGE.parent / target).resolve()
    return path.is_file() and path.name == file and (not function or f"def {function}(" in path.read_text())


@cache
def _legs_tests() -> frozenset[str]:
    return frozenset(f"{leg.name}.{test}" for leg in load().legs for test in leg.tests)


@cache
def _plain_text(path: Path) -> str:
    return plain(path.read_text())


def draw(seed: int, count: int) -> list[Unit]:
    """Sentences that have something to be found, from both contracts. Raises UsageError: fewer than `count`."""
    prose = [place for place in read_places() if place.prose]
    everything = [
        unit
        for name, path in CONTRACTS.items()
        for unit in units(name, path.read_text())
        if not any(place.contract == name and place.sentence in unit.text for place in prose)
    ]
    if not 0 < count <= len(everything):
        raise UsageError(f"--count {count}: there are {len(everything)} sentences")
    return random.Random(seed).sample(everything, count)


def look_up(seed: int, count: int = 40) -> list[str]:
    """What a reader does not find of the sentences drawn with this seed."""
    rows = page_rows((ROOT / PAGE).read_text())
    return [why for unit in draw(seed, count) for why in misses(unit, rows)]


def _command(arguments: list[str]) -> int:
    parser = Parser("python -m tests.tb.blind_lookup", "Look up sentences of the contracts drawn at random.")
    parser.add_argument("--seed", type=int, required=True, help="which sentences are drawn")
    parser.add_argument("--count", type=int, default=40, help="how many sentences")
    options = parser.parse_args(arguments)
    missed = look_up(options.seed, options.count)
    print("\n".join([*missed, f"seed {options.seed}: {options.count} sentences, {len(missed)} misses"]))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(run_command(lambda: _command(sys.argv[1:])))
