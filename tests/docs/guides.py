"""The guides as text: what they name and what they tell a user to type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tb.run.paths import ROOT

GUIDES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FOLDERS = ("rtl", "model", "sw", "tb", "fpga", "tests", "docs", "bin", "requirements")
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./*{{}},-]*")
_COMMAND = re.compile(r"^(make|kvctl|llmctl|llminfer|llmstats|graphctl|det|metrics|kvsh|python -m) ")


@dataclass(frozen=True)
class Found:
    """A piece of a guide: where it is, and its text."""

    guide: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.guide.relative_to(ROOT)}:{self.line}: {self.text}"


def paths() -> list[Found]:
    """Every path of the project that a guide names in code quotes; patterns have `*` or `{a,b}`."""
    return [
        Found(guide, number, path.rstrip("."))
        for guide in GUIDES
        for number, line in enumerate(guide.read_text().splitlines(), 1)
        for quoted in _CODE.findall(line)
        for path in _PATH.findall(quoted)
        if re.match(rf"(?:{'|'.join(FOLDERS)})/", quoted)
    ]


def links() -> list[Found]:
    """Every link to a file."""
    return [
        Found(guide, number, target.partition("#")[0])
        for guide in GUIDES
        for number, line in enumerate(guide.read_text().splitlines(), 1)
        for target in re.findall(r"\]\(([^)#\s][^)\s]*)\)", line)
        if "://" not in target
    ]


def commands() -> list[Found]:
    """Every command that a guide tells a user to type: lines of fenced or indented code, and code quotes."""
    found = []
    for guide in GUIDES:
        inside = False
        joined = ""
        for number, line in enumerate(guide.read_text().splitlines(), 1):
            if line.startswith("```"):
                inside = not inside
                continue
            if inside or line.startswith("    "):
                text = joined + re.sub(r"\s+# .*", "", line.strip()).removeprefix("$ ")
                if text.endswith("\\"):
                    joined = text[:-1] + " "
                    continue
                joined = ""
                candidates = [text]
            else:
                candidates = _CODE.findall(line)
            found += [Found(guide, number, text) for text in candidates if _COMMAND.match(text)]
    return found
