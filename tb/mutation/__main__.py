"""Mutate the RTL by the hundred and see the regression notice each mutant.

Exit status: 0 every mutant was noticed or its survival is explained, 1 one was not, 2 wrong use, 130 interrupted.
"""

import json
import random
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sw.terminal import new_console
from tb.mutation.explained import Explained, load_explained
from tb.mutation.schema import PACKAGE_SOURCE, PLUSARG, Mutant, mutate
from tb.run import evidence
from tb.run.artefacts import write_whole
from tb.run.build import Built, build
from tb.run.command import MAX_COUNT, Parser, checked_seed, run_command, whole
from tb.run.errors import CheckError, UsageError
from tb.run.leg import Job, run_built
from tb.run.manifest import Leg, Manifest, load
from tb.run.paths import MANIFEST, REPORT, ROOT, SIM_BUILD, shown

PACKAGE_HOME = "rtl/kvcpu_pkg.sv"  # every top reads it first
TIMEOUT_S = 60
GENERATED = "rtl/regs/"

# Folder of the RTL -> legs that must notice its mutants, the quick ones first.
TOP = (
    "top_smoke",
    "top_random",
    "top_scan",
    "top_moves",
    "top_commands",
    "top_directory",
    "top_ports",
    "top_reset",
    "top_fill",
    "top_mmio",
    "top_bounds",
    "top_queues",
    "top_upper",
    "top_widths",
    "top_bad_parity",
    "top_relocation",
    "top_meetings",
    "top_meetings_entry",
    "top_meetings_registers",
)
LEGS: dict[str, tuple[str, ...]] = {
    "rtl/rtbd": ("rtbd", "rtbd_free", "rtbd_hash", *TOP),
    "rtl/hepc": ("hepc_lane", "hepc_scan", "hepc_scan_16", "moveq_4", *TOP),
    "rtl/cmd": ("cmd", *TOP),
    "rtl/csr": ("csr_map", "csr_refusals", "csr_events", "csr_bus", "bar2", "bar2_65536", *TOP),
    "rtl/dma": ("dma", "slot_pool", "slot_pool_65536", *TOP),
    "rtl/prim": ("dma", "moveq_4", *TOP),
    "rtl": ("counters", *TOP),
}


@dataclass(frozen=True)
class Result:
    """What became of a mutant: the test that noticed it, or none."""

    mutant: Mutant
    noticed_by: str | None
    seen: str
    reason: str


def workspace(folder: str) -> tuple[Path, list[Mutant]]:
    """A copy of the project in which every file of `folder` holds all its mutants."""
    tree = SIM_BUILD / "mutation" / folder.replace("/", "_")
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("rtl", "tb"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    mutants: list[Mutant] = []
    for path in sorted((tree / folder).glob("*.sv")):
        file = str(path.relative_to(tree))
        if file.startswith(GENERATED) or path.stem.endswith("_pkg"):
            continue
        text, found = mutate(path, file, len(mutants) + 1)
        path.write_text(text)
        mutants += found
    home = tree / PACKAGE_HOME
    home.write_text(PACKAGE_SOURCE + home.read_text())
    return tree, mutants


class Campaign:
    """The legs of one folder, built once with every mutant inside."""

    def __init__(self, manifest: Manifest, tree: Path, legs: Sequence[str], console: Console) -> None:
        known = {leg.name for leg in manifest.legs}
        self._tests: list[tuple[Leg, str]] = []
        self._built: dict[str, Built] = {}
        for leg in (manifest.leg(name) for name in legs if name in known):
            spec = replace(leg.spec, root=tree, flags=(*leg.spec.flags, "-Wno-lint", "-Wno-style", "-Wno-fatal"))
            self._built[leg.name] = build(spec, console.print)
            self._tests += [(leg, test) for test in leg.tests]

    def run(self, number: int) -> tuple[str | None, str]:
        """The first test that notices mutant `number` (0: none is planted), and what it says."""
        for position, (leg, test) in enumerate(self._tests):
            planted = replace(leg, plusargs=(*leg.plusargs, f"{PLUSARG}={number}"), timeout_s=TIMEOUT_S)
            outcome = run_built(Job(planted, test, 1), self._built[leg.name])
            if not outcome.verdict.passed:
                self._tests.insert(0, self._tests.pop(position))  # it may well notice the next one too
                said = outcome.verdict.failure_text or "; ".join(outcome.verdict.reasons)
                return f"{leg.name}.{test}", said.splitlines()[0] if said else ""
        return None, ""


def run_folder(
    manifest: Manifest, folder: str, count: int, seed: int, explained: Explained, console: Console
) -> list[Result]:
    """Plant `count` mutants of a folder, drawn with `seed`.

    Raises:
        CheckError: a build broke, or a test fails without any mutant.
    """
    tree, mutants = workspace(folder)
    drawn = sorted(random.Random(seed).sample(mutants, min(count, len(mutants))), key=lambda m: m.number)
    campaign = Campaign(manifest, tree, LEGS[folder], console)
    noticed_by, seen = campaign.run(0)
    if noticed_by:
        raise CheckError(f"{folder}: {noticed_by} fails without a mutant: {seen}")
    results: list[Result] = []
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task(folder, total=len(drawn))
        for mutant in drawn:
            noticed_by, seen = campaign.run(mutant.number)
            reason = "" if noticed_by else explained.reason(mutant)
            results.append(Result(mutant, noticed_by, seen, reason))
            if not noticed_by:
                told = f"survived{f' ({reason})' if reason else ''}: {mutant}"
                bar.console.print(told)
            bar.advance(task)
    return results


def report(results: Sequence[Result], console: Console) -> int:
    """Print and write what was found; returns how many survivors are not explained."""
    table = Table("folder", "mutants", "noticed", "explained", "survived", title="Mutants of the RTL")
    total = 0
    for folder in dict.fromkeys(str(Path(r.mutant.file).parent) for r in results):
        mine = [r for r in results if str(Path(r.mutant.file).parent) == folder]
        noticed = sum(r.noticed_by is not None for r in mine)
        explained = sum(bool(r.reason) for r in mine)
        left = len(mine) - noticed - explained
        total += left
        style = "green" if not left else "bold red"
        table.add_row(folder, str(len(mine)), str(noticed), str(explained), Text(str(left), style))
    console.print(table)
    path = REPORT / "mutation.json"
    write_whole(path, json.dumps([asdict(result) for result in results], indent=1) + "\n")
    console.print(f"report: {shown(path)}")
    return total


def counts(results: Sequence[Result]) -> dict[str, int]:
    """Mutants of a folder, those that were noticed, and survivors with a reason."""
    noticed = sum(result.noticed_by is not None for result in results)
    return {"mutants": len(results), "noticed": noticed, "explained": sum(bool(result.reason) for result in results)}


def _command(arguments: list[str]) -> int:
    parser = Parser("python -m tb.mutation", __doc__)
    parser.add_argument("folders", nargs="*", help=f"of {', '.join(LEGS)} (default: all)")
    parser.add_argument("--count", default="100", help="mutants of each folder (default 100)")
    parser.add_argument("--seed", default="1", help="which mutants are drawn (default 1)")
    options = parser.parse_args(arguments)
    for folder in options.folders:
        if folder not in LEGS:
            raise UsageError(f"ONLY={folder}: one of {', '.join(LEGS)}")
    count, seed = whole(options.count, "COUNT", 1, MAX_COUNT), checked_seed(options.seed)
    manifest, explained = load(MANIFEST), load_explained()
    console = new_console()
    results: list[Result] = []
    taken = evidence.stamp("mutation")
    try:
        for folder in options.folders or LEGS:
            found = run_folder(manifest, folder, count, seed, explained, console)
            results += found
            evidence.keep("mutation", taken, {folder: counts(found)}, console.print)
    except KeyboardInterrupt:
        if results:
            report(results, console)
        raise
    return 1 if report(results, console) else 0


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit status."""
    return run_command(lambda: _command(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
