"""The two contract pages as units: each sentence of a paragraph or bullet, row of a table, line of a formula."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tb.run.paths import ROOT

CONTRACTS = {name: ROOT / "docs" / f"{name}.md" for name in ("device", "software")}
_HEADING = re.compile(r"## (?P<number>\d+)\. ")
_LABEL = re.compile(r"\*\*[^*]+\.\*\*")
_END = re.compile(r"(?<=[.!?])(?:\*\*|\*|\))? +(?=[\"'(*`A-Z0-9])")


@dataclass(frozen=True)
class Unit:
    """One statement of a contract and the number of its section; 0 stands for the text before the first."""

    contract: str
    section: int
    text: str


def units(contract: str, page: str) -> list[Unit]:
    """The statements of a page in their order, each with single blanks; headings and heads of tables are none."""
    found, section = [], 0
    for block in _blocks(page):
        heading = _HEADING.match(block[0])
        if heading:
            section = int(heading["number"])
        found += [Unit(contract, section, text) for text in _statements(block)]
    return found


def _blocks(page: str) -> Iterator[list[str]]:
    """Lines that belong together: between blank lines, with a bullet or a heading as a block of its own."""
    block: list[str] = []
    for line in [*page.splitlines(), ""]:
        if block and (not line.strip() or line.startswith(("- ", "#"))):
            yield block
            block = []
        if line.strip():
            block.append(line)


def _statements(block: list[str]) -> list[str]:
    first = block[0]
    if first.startswith("#"):
        return _statements(block[1:]) if block[1:] else []
    if first.startswith("|"):
        return [words(line) for line in block[2:]]
    if first.startswith("    "):
        return [words(line) for line in block]
    return _sentences(words(" ".join(block)).removeprefix("- "))


def _sentences(paragraph: str) -> list[str]:
    sentences: list[str] = []
    begin = 0
    for match in _END.finditer(paragraph):
        sentence = paragraph[begin : match.end()].strip()
        if not _LABEL.fullmatch(sentence):  # a bold label belongs to the sentence after it
            sentences.append(sentence)
            begin = match.end()
    return [*sentences, paragraph[begin:]]


def words(text: str) -> str:
    """The text with single blanks."""
    return " ".join(text.split())
