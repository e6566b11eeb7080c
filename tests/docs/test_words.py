"""Plain field-standard English in every tracked text: words that docs/glossary.md (Wording) replaces."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tb.run.paths import ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
# The given contracts and the files that quote them, the words themselves, locks, keys and trained models.
LEFT_OUT = (
    "LICENSE",
    "docs/device.md",
    "docs/glossary.md",
    "docs/reference/where.md",
    "docs/software.md",
    "docs/where.toml",
    "requirements/*.txt",
    "sw/llm/models/*",
    "tests/docs/test_words.py",
)
# What is searched, and the entry of the table's first column whose row has the replacement.
BANNED = {
    "nobody('?s)?": "nobody",
    "in vain": "in vain",
    "comes? round": "comes round",
    "comes? again": "comes again",
    "in a hurry": "looks in a hurry",
    "for all (it|they) knows?": "for all it knows",
    "turn(s|ed|ing)? red": "turns red",
    "teeth": "has teeth",
    "brim": "the brim",
    "shut out": "shut out",
    "(is|are) told": "is told",
    "stands? in": "stands in",
    "beside": "beside",
    "keeps? (its|their) distance": "keep their distance",
    "what was in the way": "what was in the way",
    "life": "life (of an entry)",
}
_BREAK = r"(?:[\s\\]|//+|[#*])+"  # between two words: the end of a comment line, too
_EDGE = r"(?:\b|(?<=_)|(?=_))"  # names as well: test_x_beside_y
PATTERNS = {
    key: re.compile(_EDGE + pattern.replace(" ", _BREAK) + _EDGE, re.IGNORECASE) for pattern, key in BANNED.items()
}


def replacements() -> dict[str, str]:
    """The glossary's table Wording: each entry that is not to be written, and what to write instead."""
    table = GLOSSARY.read_text().partition("## Wording")[2]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", table, re.MULTILINE)
    return {word: new for old, new in rows for word in old.split(", ")}


def instead(key: str) -> str:
    """What the glossary has instead of a word."""
    return replacements()[key]


def findings(name: str, text: str) -> Iterator[str]:
    """One line for each banned word of a text: file, line, word, and what to write instead."""
    for key, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            word = " ".join(match.group().split())
            yield f'{name}:{line}: "{word}": write instead: {instead(key)} (docs/glossary.md, Wording)'


def tracked() -> Iterator[tuple[str, str]]:
    """Name and text of every tracked text file that is searched."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        path = ROOT / name
        if not name or any(Path(name).match(left_out) for left_out in LEFT_OUT) or not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" not in content:
            yield name, content.decode()


def test_no_text_has_a_banned_word() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no list of tracked files")
    files = list(tracked())
    assert len(files) > 500, "the list of tracked files is cut short"
    found = [line for name, text in files for line in findings(name, f"{text}\n{name}")]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a\nNobody waits", 2, "Nobody"),
        ("// it must come\n  // again", 1, "come // again"),
        ("class test_fill_beside_moves:", 1, "beside"),
        ("tests/model/test_teeth.py", 1, "teeth"),
        ("the device is\ntold", 1, "is told"),
        ("turns red", 1, "turns red"),
    ],
)
def test_a_banned_word_is_reported(text: str, line: int, word: str) -> None:
    (found,) = findings("x.md", text)
    assert found.startswith(f'x.md:{line}: "{word}": write instead: ')


@pytest.mark.parametrize("text", ["besides", "lifetime", "is toldfully", "comes first", "turns to read", "shutout"])
def test_other_words_are_left_alone(text: str) -> None:
    assert not list(findings("x.md", text))


@pytest.mark.parametrize("key", PATTERNS)
def test_every_banned_word_has_a_replacement_in_the_glossary(key: str) -> None:
    assert instead(key)
