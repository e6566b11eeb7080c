"""`python -m tb.where [--check]`: where each sentence of the contracts is implemented and tested.

docs/where.toml names, for each unit of docs/device.md and docs/software.md, the files that implement it and the tests
that show it; the tests of docs/testplan.toml are added. Written as docs/reference/where.md. Exit status 1 when a unit
has no row, a row names what does not exist, or (with `--check`) the page is stale; 2 for wrong use.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from sw.regs.generated import update
from tb.contract import CONTRACTS, Unit, units, words
from tb.plan import Row, read_plan
from tb.run.command import Parser, run_command
from tb.run.errors import CheckError, UsageError
from tb.run.manifest import Manifest, load
from tb.run.paths import ROOT, shown

PLACES = ROOT / "docs" / "where.toml"
PAGE = Path("docs/reference/where.md")
KINDS = {"device": ("rtl", "model"), "software": ("sw",)}
"""Which implementations a unit of a contract has, each a list of files in its row."""
_WHOLE_WORD = 2  # terms up to this length must be whole words, longer ones the begin of a word
_TEXT = {"type": "string", "minLength": 1}
_LIST = {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True}
_LISTS = dict.fromkeys(("rtl", "model", "sw", "tests"), _LIST)


def _row(*required: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """The schema of a row with these keys besides its sentence."""
    properties = {key: _LISTS.get(key, _TEXT) for key in ("sentence", *required, *optional)}
    return {
        "type": "object", "additionalProperties": False, "required": ["sentence", *required], "properties": properties,
    }  # fmt: skip


_PROSE = _row("prose")
_DEVICE = [
    _row("term", "rtl", "model", optional=("tests",)),
    _row("term", "rtl", "no_model", optional=("tests",)),
]
_SOFTWARE = [_row("term", "sw", optional=("tests",))]
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "device": {"type": "array", "items": {"oneOf": [_PROSE, *_DEVICE]}},
        "software": {"type": "array", "items": {"oneOf": [_PROSE, *_SOFTWARE]}},
    },
}


@dataclass(frozen=True)
class Place:
    """A row of docs/where.toml: the unit that holds `sentence`, or why it has nothing to be found (`prose`)."""

    contract: str
    sentence: str
    term: str = ""
    tests: tuple[str, ...] = ()
    prose: str = ""
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Located:
    """A unit of a contract with its row and all its tests: `leg.test`, or `file::test` for pytest."""

    unit: Unit
    place: Place
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Sources:
    """What the index is made of; `root` is where the named files are."""

    pages: dict[str, str]
    places: list[Place]
    plan: list[Row]
    manifest: Manifest
    root: Path = ROOT


def read_places(path: Path = PLACES) -> list[Place]:
    """The rows of docs/where.toml. Raises UsageError when one has another form."""
    try:
        data = tomllib.loads(path.read_text())
        jsonschema.validate(data, SCHEMA)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{shown(path)}: {error}") from None
    except jsonschema.ValidationError as error:
        where = ", ".join(str(part) for part in error.absolute_path)
        raise UsageError(f"{shown(path)}: {where or 'the file'} (counted from 0): {error.message[:300]}") from None
    return [_place(contract, entry) for contract in KINDS for entry in data.get(contract, [])]


def _place(contract: str, entry: dict[str, Any]) -> Place:
    files = {kind: tuple(entry[kind]) for kind in KINDS[contract] if kind in entry}
    tests = tuple(entry.get("tests", ()))
    return Place(contract, words(entry["sentence"]), entry.get("term", ""), tests, entry.get("prose", ""), files)


def read_sources() -> Sources:
    """Everything as it is in the project."""
    pages = {name: path.read_text() for name, path in CONTRACTS.items()}
    return Sources(pages, read_places(), read_plan(), load())


def index(sources: Sources) -> tuple[list[Located], list[str]]:
    """Every unit with its row, in the contracts' order; and what is wrong, each in one line that names the sentence."""
    found: list[Located] = []
    problems: list[str] = []
    for contract, page in sources.pages.items():
        rest = [place for place in sources.places if place.contract == contract]
        for unit in units(contract, page):
            matching = [place for place in rest if place.sentence in unit.text]
            if len(matching) != 1:
                problems.append(f"{contract}.md {unit.section}: {len(matching)} rows in where.toml for `{unit.text}`")
            for place in matching[:1]:
                rest.remove(place)
                found.append(Located(unit, place, _tests(unit, place, sources)))
        problems += [f"{contract}.md has no sentence `{place.sentence}`" for place in rest]
    return found, problems


def _tests(unit: Unit, place: Place, sources: Sources) -> tuple[str, ...]:
    """The row's tests, and those of the plan for a part of the unit whose file mentions the row's term."""
    rows = [row for row in sources.plan if (row.contract, row.section) == (unit.contract, unit.section)]
    planned = [test for row in rows if _overlap(words(row.sentence), unit.text) for test in row.tests]
    return tuple(
        dict.fromkeys([
            *(test for test in planned if mentions(_file_of(test, sources.manifest), place.term, sources.root)),
            *place.tests,
        ])
    )  # fmt: skip


def _overlap(sentence: str, unit: str) -> bool:
    return sentence in unit or unit in sentence


def place_problems(located: Located, sources: Sources) -> Iterator[str]:
    """What a reader who follows the row would not find."""
    unit, place = located.unit, located.place
    if place.prose:
        return
    name = f"{unit.contract}.md {unit.section} `{unit.text[:60]}`"
    if not located.tests:
        yield f"{name}: no test of the plan or of where.toml mentions `{place.term}`"
    known = {f"{leg.name}.{test}" for leg in sources.manifest.legs for test in leg.tests}
    named = [(path, path) for paths in place.files.values() for path in paths]
    for test in located.tests:
        if "/" not in test and test not in known:
            yield f"{name}: the manifest has no test `{test}`"
        else:
            named.append((test, _file_of(test, sources.manifest)))
    for what, path in named:
        if not (sources.root / path).is_file():
            yield f"{name}: there is no file {path}"
        elif not mentions(path, place.term, sources.root):
            yield f"{name}: {path} does not mention `{place.term}`"
        elif "::" in what and f"def {what.partition('::')[2]}(" not in _text(sources.root / path):
            yield f"{name}: there is no test {what}"


def _file_of(test: str, manifest: Manifest) -> str:
    """The file of a test, relative to the project: of `leg.test` its leg's module."""
    if "/" in test:
        return test.partition("::")[0]
    leg = manifest.by_name.get(test.partition(".")[0])
    return leg.module.replace(".", "/") + ".py" if leg else ""


def mentions(path: str, term: str, root: Path) -> bool:
    """Whether a file has the term as the begin of a word: `in flight`, `IN_FLIGHT` and `InFlight` are the same."""
    return bool(term) and (root / path).is_file() and _has(root / path, term)


@cache
def _has(path: Path, term: str) -> bool:
    text = _text(path)
    first = re.split(r"[\s_-]", term)[0].lower()
    return first in text.lower() and re.search(_pattern(term), text) is not None


@cache
def _pattern(term: str) -> str:
    parts = [re.escape(part) for part in re.split(r"[\s_-]+", term)]
    word = r"[\s_-]*".join(parts)
    camel = "".join(part.capitalize() for part in parts)
    end = r"(?![A-Za-z0-9])" if len(term) <= _WHOLE_WORD else ""
    return rf"(?<![A-Za-z0-9])(?i:{word}){end}|(?<=[a-z0-9]){camel}{end}"


@cache
def _text(path: Path) -> str:
    return path.read_text()


def all_problems(sources: Sources) -> list[str]:
    """Everything that is wrong with the index."""
    found, problems = index(sources)
    return problems + [problem for located in found for problem in place_problems(located, sources)]


def page_of(found: Sequence[Located], manifest: Manifest) -> str:
    """The index as Markdown: a table for each section, links relative to the page."""
    lines = [
        "# Where each sentence is implemented and tested",
        "",
        "Generated from `docs/where.toml` and `docs/testplan.toml` by `make regs`: do not edit. Every file of a row",
        "mentions the row's term. `leg.test` runs with `make sim TEST=leg.test`, the others with pytest.",
    ]
    section: tuple[str, int] | None = None
    for located in found:
        unit, place = located.unit, located.place
        if place.prose:
            continue
        kinds = KINDS[unit.contract]
        if section != (unit.contract, unit.section):
            section = (unit.contract, unit.section)
            heads = " | ".join(kind.upper() if kind == "rtl" else kind for kind in kinds)
            lines += ["", f"## {unit.contract}.md" + (f", section {unit.section}" if unit.section else ""), ""]
            lines += [f"| sentence | term | {heads} | test |", "| --- " * (len(kinds) + 3) + "|"]
        cells = [_shortened(unit.text), f"`{place.term}`"]
        cells += [", ".join(_link(path, path) for path in place.files.get(kind, ())) for kind in kinds]
        cells.append(", ".join(_link(test, _file_of(test, manifest)) for test in located.tests))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _shortened(text: str) -> str:
    """The begin of a unit that fits a table's cell, as plain text."""
    plain = re.sub(r"[*`|]", " ", text)
    short = words(plain)
    if len(short) > 90:
        short = short[:90].rpartition(" ")[0] + " ..."
    return re.sub(r"([<>_\[\]{}$])", r"\\\1", short)


def _link(name: str, path: str) -> str:
    """A link from the page; of a path only its last part is shown."""
    shown_as = name.rpartition("/")[2].replace("::", " ")
    return f"[`{shown_as}`](../../{path})"


def _command(arguments: list[str]) -> int:
    parser = Parser("python -m tb.where", "Write the index of the contracts' sentences.")
    parser.add_argument("--check", action="store_true", help="write nothing; name stale files")
    options = parser.parse_args(arguments)
    sources = read_sources()
    problems = all_problems(sources)
    if problems:
        raise CheckError("\n".join(["index of sentences (docs/where.toml):", *problems]))
    return update(ROOT, {PAGE: page_of(index(sources)[0], sources.manifest)}, "where", check=options.check)


def main(arguments: list[str]) -> int:
    """Command line; errors end in one line."""
    return run_command(lambda: _command(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
