"""Plant each defect of the catalogue in a copy of the project and see that the named test detects it.

With --assertions: make each assertion of the RTL fire once. With --driver: plant those of the Linux driver, whose tests
run in a guest on the device model.
Exit status: 0 every defect was noticed, 1 one was not, 2 wrong use, 130 interrupted.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from sw.terminal import new_console, visible
from tb.defects.assertions import Assertion, fire, load_assertions
from tb.defects.catalogue import GUIDE, Defect, chosen, guide_with_table, load
from tb.run import evidence
from tb.run.artefacts import write_whole
from tb.run.command import Parser, run_command
from tb.run.errors import UsageError
from tb.run.manifest import load as load_manifest
from tb.run.paths import CACHE, MANIFEST, REPORT, ROOT, SIM_BUILD, VENV, shown

COPIED = ("Makefile", "pyproject.toml", "rtl", "tb", "model", "sw", "fpga", "docs", "requirements")
NOTICED, SURVIVED, OTHER = "noticed", "survived", "other message"


def workspace() -> Path:
    """A copy of the project, sharing the environment and the build cache with it."""
    tree = SIM_BUILD / "defects"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, tree / name)
    (tree / ".venv").symlink_to(VENV)
    CACHE.mkdir(parents=True, exist_ok=True)
    (tree / "sim_build").mkdir()
    (tree / "sim_build" / "cache").symlink_to(CACHE)
    return tree


def run_planted(defect: Defect, tree: Path) -> tuple[str, str]:
    """Verdict and the line that shows it."""
    path = tree / defect.file
    clean = path.read_text()
    path.write_text(defect.planted(tree))
    try:
        done = subprocess.run(
            [str(VENV / "bin" / "python"), "-m", "tb.run", "run", "--test", defect.test],
            cwd=tree,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        path.write_text(clean)
    output = done.stdout + done.stderr
    if done.returncode == 0:
        return SURVIVED, "the test passed"
    if done.returncode != 1:
        return OTHER, f"exit status {done.returncode}: {output.strip().splitlines()[-1] if output.strip() else ''}"
    failed = output.find("FAILED ")
    if failed < 0:
        return OTHER, f"no test ran: {next((x for x in output.splitlines() if x.startswith('%')), output[-200:])}"
    # The headline and the log's path name the test, which is no message.
    output = output[output.find("\n", failed) :].partition("\n  log ")[0]
    found = re.search(defect.message, output)
    if found is None:
        return OTHER, next((line for line in output.splitlines() if "KVCPU-FAIL" in line), output[-200:])
    start = output.rfind("\n", 0, found.start()) + 1
    end = output.find("\n", found.end())
    return NOTICED, output[start : end if end >= 0 else None].strip()


def _report(rows: list[tuple[Defect, str, str]], console: Console, name: str = "defects") -> None:
    table = Table("defect", "section", "what it breaks", "test", "verdict", title="Planted defects")
    for defect, verdict, _ in rows:
        style = "green" if verdict == NOTICED else "bold red"
        table.add_row(defect.id, defect.section, defect.sentence, defect.test, Text(verdict, style))
    console.print(table)
    report = [{**asdict(defect), "verdict": verdict, "seen": seen} for defect, verdict, seen in rows]
    write_whole(REPORT / f"{name}.json", json.dumps(report, indent=1) + "\n")
    console.print(f"{sum(v == NOTICED for _, v, _ in rows)} of {len(rows)} noticed; {shown(REPORT / f'{name}.json')}")


def _command(arguments: list[str]) -> int:
    parser = Parser("python -m tb.defects", __doc__)
    parser.add_argument("ids", nargs="*", help="defects, or assertions (default: all)")
    parser.add_argument("--assertions", action="store_true", help="make the assertions of the RTL fire instead")
    parser.add_argument("--list", action="store_true", help="print the catalogue and stop")
    parser.add_argument("--guide", action="store_true", help="write the table of the verification guide and stop")
    parser.add_argument("--driver", action="store_true", help="plant the defects of the Linux driver instead")
    options = parser.parse_args(arguments)
    console = new_console()
    if options.driver:
        return _plant_driver(options.ids, options.list, console)
    if options.assertions:
        return _fire(_named(load_assertions(), options.ids), console)
    defects = chosen(load(), options.ids)
    if options.guide:
        GUIDE.write_text(guide_with_table(load()))
        return 0
    if options.list:
        for defect in defects:
            text = f"{defect.id}: {defect.sentence} ({defect.section}) -> {defect.test}"
            console.print(text)
        return 0
    return _plant(defects, console)


def _plant_driver(ids: Sequence[str], only_list: bool, console: Console) -> int:
    """The same for the Linux driver."""
    from tb.defects.driver import CATALOGUE, plant  # needs a kernel's packages

    defects = chosen(load(CATALOGUE), ids)
    if only_list:
        for defect in defects:
            console.print(visible(f"{defect.id}: {defect.sentence} ({defect.section}) -> {defect.test}"))
        return 0
    rows: list[tuple[Defect, str, str]] = []
    for defect, noticed, seen in plant(defects, lambda text: console.print(visible(text))):
        rows.append((defect, NOTICED if noticed else SURVIVED, seen))
        console.print(visible(f"{defect.id}: {rows[-1][1]}: {seen}"))
    _report(rows, console, "driver-defects")
    return 0 if all(verdict == NOTICED for _, verdict, _ in rows) else 1


def _plant(defects: list[Defect], console: Console) -> int:
    """Plant each defect, report; the exit status."""
    taken = evidence.stamp("defects")
    tree = workspace()
    rows: list[tuple[Defect, str, str]] = []
    with Progress(console=console) as progress:
        task = progress.add_task("planting", total=len(defects))
        for defect in defects:
            progress.update(task, description=defect.id)
            verdict, seen = run_planted(defect, tree)
            rows.append((defect, verdict, seen))
            evidence.keep("defects", taken, {defect.id: {"verdict": verdict}}, console.print)
            progress.console.print(visible(f"{defect.id}: {verdict}: {seen}"))
            progress.advance(task)
    _report(rows, console)
    return 0 if all(verdict == NOTICED for _, verdict, _ in rows) else 1


def _named(assertions: Sequence[Assertion], names: Sequence[str]) -> list[Assertion]:
    """Those of these names, all without. Raises UsageError for an unknown name."""
    known = {entry.name: entry for entry in assertions}
    for name in names:
        if name not in known:
            raise UsageError(f"no assertion is called {name} (see tb/defects/assertions.toml)")
    return [known[name] for name in names] if names else list(assertions)


def _fire(assertions: Sequence[Assertion], console: Console) -> int:
    """Make each assertion fire, report; the exit status."""
    rows = []
    for row in fire(load_manifest(MANIFEST), assertions, console):
        rows.append(row)
        text = f"{row.assertion.name}: {'fired' if row.fired else 'SILENT'}: {row.seen}"
        console.print(visible(text))
    fired = sum(row.fired for row in rows)
    write_whole(REPORT / "assertions.json", json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    console.print(f"{fired} of {len(rows)} assertions fired; {shown(REPORT / 'assertions.json')}")
    return 0 if fired == len(rows) else 1


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit status."""
    return run_command(lambda: _command(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
