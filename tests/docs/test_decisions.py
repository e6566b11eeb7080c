"""docs/decisions.md: one table, each decision once, every test that a row names exists."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from tb.run.manifest import load
from tb.run.paths import MANIFEST, ROOT

HEADER = ["contract", "question", "decision", "reason", "test"]
PAGE = ROOT / "docs" / "decisions.md"


@dataclass(frozen=True)
class Row:
    """A decision: its line, and the cells of its row."""

    line: int
    cells: list[str]


def _rows() -> list[Row]:
    return [
        Row(number, [cell.strip() for cell in line.strip()[1:-1].split("|")])
        for number, line in enumerate(PAGE.read_text().splitlines(), 1)
        if line.startswith("|")
    ]


def test_one_table_of_five_columns() -> None:
    header, rule, *rows = _rows()
    assert header.cells == HEADER
    assert rows[-1].line - header.line == len(rows) + 1, "rows outside the table"
    assert len(rows) > 100
    wrong = [row.line for row in (rule, *rows) if len(row.cells) != len(HEADER)]
    assert not wrong, f"lines of docs/decisions.md without {len(HEADER)} cells: {wrong}"
    assert not [row.line for row in rows if not (row.cells[0] and row.cells[2])], "a row needs contract and decision"


def test_each_decision_once() -> None:
    counts = Counter((row.cells[0], row.cells[1]) for row in _rows() if row.cells[1])
    assert not [question for question, count in counts.items() if count > 1]


def test_every_named_test_exists() -> None:
    legs = {f"{leg.name}.{test}" for leg in load(MANIFEST).legs for test in leg.tests}
    sources = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("*.py")))
    functions = set(re.findall(r"def (\w+)\(", sources))
    suites = {path.stem.removeprefix("test_"): path for path in (ROOT / "tb/linux/guest").glob("test_*.c")}
    guest = {
        f"{suite}.{test}" for suite, path in suites.items() for test in re.findall(r"TEST\((\w+)\)", path.read_text())
    }
    missing = []
    for row in _rows()[2:]:
        for name in re.findall(r"`([^`]+)`", row.cells[-1]):
            if name.startswith("tests/"):
                known = (ROOT / name).exists()
            elif name.endswith("*"):
                known = any(function.startswith(name[:-1]) for function in functions)
            else:
                known = name in legs or name in functions or name in guest or name in suites
            if not known:
                missing.append(f"docs/decisions.md:{row.line}: no test {name}")
    assert not missing, "\n".join(missing)
