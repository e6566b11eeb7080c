"""Checks the test plan: `python -m tb.plan [--names] [--results FILE] [--record FILE]`.

Every row of docs/testplan.toml must quote the contract, have a stage, name tests that the manifest has and coverage
points that exist, or say why it needs none; every coverage point must be named by a row. Unless only `--names` is asked
for, every test that a row names must have passed in the last regression and every coverage point been hit. Exit status
1 when a row does not hold, 2 for wrong use.
"""

import ast
import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from sw.terminal import new_console
from tb.contract import CONTRACTS, words
from tb.run.artefacts import write_whole
from tb.run.command import Parser, run_command
from tb.run.errors import CheckError, UsageError
from tb.run.manifest import Manifest, load
from tb.run.paths import REPORT, ROOT, RUNS, shown

PLAN = ROOT / "docs" / "testplan.toml"
RESULTS = REPORT / "regress.json"
RECORD = REPORT / "testplan.json"
STAGES = ("V1", "V2", "V3")
_KEYS = {"id": str, "section": int, "stage": str, "sentence": str, "tests": list, "coverage": list, "why": str}
_DEFAULTS = {"contract": "device", "why": ""}


@dataclass(frozen=True)
class Row:
    """One sentence of a contract, the tests that show it (`leg.test`) and the coverage points that must be hit.

    `stage` is that of the sign-off from which on the row must hold in full; `why` says why it needs no coverage point.
    """

    id: str
    section: int
    sentence: str
    tests: tuple[str, ...]
    coverage: tuple[str, ...]
    contract: str = "device"
    stage: str = "V1"
    why: str = ""


def read_plan(path: Path = PLAN) -> list[Row]:
    """The plan's rows. Raises UsageError when the file is not what it should be."""
    try:
        data = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"test plan {shown(path)}: {error}") from None
    rows = []
    for number, given in enumerate(data.get("rows", []), 1):
        entry = _DEFAULTS | given
        contract = entry.pop("contract")
        if (
            contract not in CONTRACTS
            or set(entry) != set(_KEYS)
            or any(not isinstance(entry[k], kind) for k, kind in _KEYS.items())
        ):
            needed = ", ".join(key for key in _KEYS if key not in _DEFAULTS)
            known = f"{needed}, why where it has no coverage point, contract only for {' or '.join(CONTRACTS)}"
            raise UsageError(f"test plan {shown(path)}: row {number} must have exactly {known}")
        entry |= {"tests": tuple(entry["tests"]), "coverage": tuple(entry["coverage"])}
        rows.append(Row(**entry, contract=contract))
    if not rows:
        raise UsageError(f"test plan {shown(path)} has no rows")
    return rows


def name_problems(rows: list[Row], manifest: Manifest, contracts: dict[str, str], goals: set[str]) -> Iterator[str]:
    """What is wrong with the plan itself."""
    known = {f"{leg.name}.{test}" for leg in manifest.legs for test in leg.tests}
    texts = {name: words(text) for name, text in contracts.items()}
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            yield f"row {row.id}: the id is used twice"
        seen.add(row.id)
        if words(row.sentence) not in texts[row.contract]:
            yield f"row {row.id}: the {row.contract} contract has no sentence `{row.sentence}`"
        if row.stage not in STAGES:
            yield f"row {row.id}: stage {row.stage} is none of {', '.join(STAGES)}"
        if not row.tests:
            yield f"row {row.id}: no test shows it"
        if not row.coverage and not row.why.strip():
            yield f"row {row.id}: it names no coverage point and does not say why it needs none (`why`)"
        if row.coverage and row.why:
            yield f"row {row.id}: it says why it needs no coverage point, and names one"
        yield from (f"row {row.id}: the manifest has no test `{test}`" for test in row.tests if test not in known)
        yield from (f"row {row.id}: there is no coverage point `{c}`" for c in row.coverage if c not in goals)
    named = {point for row in rows for point in row.coverage}
    yield from (f"coverage point `{point}` is named by no row: it decides nothing" for point in sorted(goals - named))


def result_problems(row: Row, passed: dict[str, bool], bins: dict[str, int]) -> list[str]:
    """Why the row does not hold after the last regression; empty when it does."""
    found = [f"{test} did not run" for test in row.tests if test not in passed]
    found += [f"{test} failed" for test in row.tests if passed.get(test) is False]
    found += [f"coverage point {point} was not hit" for point in row.coverage if not bins.get(point)]
    return found


def read_results(path: Path) -> dict[str, bool]:
    """`leg.test` to whether all its seeds passed. Raises CheckError when there is no usable result."""
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text())["rows"]
    except (OSError, ValueError, KeyError) as error:
        raise CheckError(f"no results of a regression in {shown(path)}: {error}") from None
    passed: dict[str, bool] = {}
    for row in rows:
        name = f"{row['leg']}.{row['test']}"
        passed[name] = passed.get(name, True) and bool(row["passed"])
    return passed


def read_coverage(results: Path) -> dict[str, int]:
    """Functional coverage of the runs in the results, added up."""
    from tb.env.coverage import merge  # needs the simulator's Python packages

    rows = json.loads(results.read_text())["rows"]
    files = [RUNS / r["leg"] / r["test"] / f"seed{r['seed']}" / "functional.json" for r in rows if r["passed"]]
    try:
        return merge([file for file in files if file.exists()])
    except (ValueError, KeyError) as error:
        raise CheckError(f"the functional coverage of a run is damaged ({error}): run it again") from None


def purposes(manifest: Manifest) -> dict[str, str]:
    """By `leg.test`: what the test drives and checks, the first paragraph of its docstring."""
    found = {}
    for leg in manifest.legs:
        module = ast.parse((ROOT / f"{leg.module.replace('.', '/')}.py").read_text())
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        texts = {node.name: ast.get_docstring(node) or "" for node in module.body if isinstance(node, kinds)}
        for test in leg.tests:
            found[f"{leg.name}.{test}"] = " ".join(texts.get(test, "").partition("\n\n")[0].split())
    return found


def record_of(rows: list[Row], failing: dict[str, list[str]], passed: dict[str, bool], bins: dict[str, int]) -> Any:
    """What the reports show: every row with the state and purpose of its tests, its points, and all points."""
    about = purposes(load())
    state = {True: "passed", False: "failed", None: "not run"}
    plan = [
        {
            "id": row.id,
            "contract": row.contract,
            "section": row.section,
            "stage": row.stage,
            "sentence": row.sentence,
            "tests": {test: state[passed.get(test)] for test in row.tests},
            "purposes": {test: about.get(test, "") for test in row.tests},
            "coverage": {point: bins.get(point, 0) for point in row.coverage},
            "why": row.why,
            "problems": failing[row.id],
        }
        for row in rows
    ]
    problems = {name: found for name, found in failing.items() if found}
    return {
        "rows": len(rows), "holding": len(rows) - len(problems), "problems": problems, "bins": bins, "plan": plan,
    }  # fmt: skip


def check(results: Path, names_only: bool, record: Path = RECORD) -> int:
    """Print the table of the plan, write its record; 0 when every row holds. Raises CheckError, UsageError."""
    from tb.env.coverage import GOALS

    rows = read_plan()
    contracts = {name: path.read_text() for name, path in CONTRACTS.items()}
    problems = list(name_problems(rows, load(), contracts, set(GOALS)))
    if problems:
        raise CheckError("\n".join(["test plan:", *problems]))
    if names_only:
        tests, points = {t for r in rows for t in r.tests}, {p for r in rows for p in r.coverage}
        print(f"test plan: {len(rows)} rows, {len(tests)} tests, {len(points)} coverage points, all there")
        return 0
    passed, bins = read_results(results), read_coverage(results)
    failing = {row.id: result_problems(row, passed, bins) for row in rows}
    table = Table("row", "sentence", "problem", title="test plan: rows that do not hold")
    for row in rows:
        for problem in failing[row.id]:
            table.add_row(row.id, row.sentence[:60], problem)
    holding = sum(not p for p in failing.values())
    if holding < len(rows):
        new_console().print(table)
    write_whole(record, json.dumps(record_of(rows, failing, passed, bins), indent=1) + "\n")
    print(f"test plan: {holding} of {len(rows)} rows hold")
    return 0 if holding == len(rows) else 1


def _command(arguments: list[str]) -> int:
    parser = Parser("python -m tb.plan", "Check the test plan.")
    parser.add_argument("--names", action="store_true", help="check the plan itself, not the results")
    parser.add_argument("--results", type=Path, default=RESULTS, help="results of a regression (regress.json)")
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write what was found (testplan.json)")
    options = parser.parse_args(arguments)
    return check(options.results, options.names, options.record)


def main(arguments: list[str]) -> int:
    """Command line; errors end in one line."""
    return run_command(lambda: _command(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
