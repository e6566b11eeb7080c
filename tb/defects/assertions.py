"""The assertions of the RTL, each with a defect that makes it fire: `tb/defects/assertions.toml`.

All defects of a top are planted in one copy of the RTL and chosen at run time, as mutants are (`tb/mutation`): one
build shows all its assertions.
"""

import re
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from tb.mutation.schema import PACKAGE, PACKAGE_SOURCE, PLUSARG
from tb.run.build import Built, build
from tb.run.errors import CheckError
from tb.run.leg import Job, Outcome, run_built
from tb.run.manifest import Manifest
from tb.run.paths import ROOT, SIM_BUILD

CATALOGUE = ROOT / "tb" / "defects" / "assertions.toml"
PACKAGE_HOME = "rtl/kvcpu_pkg.sv"  # every top reads it first
ON = "@ON@"
# Another assertion may state the same, a bench's own for example, and fire in the same cycle: all of them are printed.
ERRORS = "verilator+error+limit+20"
_DECLARED = re.compile(r"`KVCPU_ASSERT\((\w+),")


@dataclass(frozen=True)
class Assertion:
    """Assertion `name` (`<module>.<assertion>`) fires in `test` when `old`, once in `file`, becomes `new`.

    `@ON@` in `new` is an expression of one bit: the defect is planted.
    """

    name: str
    file: str
    old: str
    new: str
    test: str

    @property
    def message(self) -> str:
        """What the simulator prints when it fires, up to the sentence."""
        return f"assertion {self.name.partition('.')[2]}:"

    def planted(self, text: str, on: str) -> str:
        """`text` of the file with the defect in it. Raises CheckError when `old` is not there exactly once."""
        if text.count(self.old) != 1:
            raise CheckError(
                f"{CATALOGUE.name}: {self.name}: {self.file} has its `old` text {text.count(self.old)} times, not once"
            )
        return text.replace(self.old, self.new.replace(ON, on))


@dataclass(frozen=True)
class Fired:
    """What became of an assertion: the message that was seen, or why there is none."""

    assertion: Assertion
    fired: bool
    seen: str


def declared(rtl: Path = ROOT / "rtl") -> set[str]:
    """`<module>.<assertion>` of every KVCPU_ASSERT under `rtl`."""
    return {f"{path.stem}.{name}" for path in rtl.rglob("*.sv") for name in _DECLARED.findall(path.read_text())}


def load_assertions(path: Path = CATALOGUE) -> list[Assertion]:
    """The catalogue. Raises CheckError for an entry with other fields, without `@ON@`, or that is there twice."""
    fields = set(Assertion.__dataclass_fields__)
    found: dict[str, Assertion] = {}
    try:
        rows = tomllib.loads(path.read_text()).get("assertions", [])
    except tomllib.TOMLDecodeError as error:
        raise CheckError(f"{path.name}: {error}") from None
    for row in rows:
        if set(row) != fields:
            raise CheckError(f"{path.name}: an entry needs exactly {', '.join(sorted(fields))}; got {sorted(row)}")
        entry = Assertion(**row)
        if ON not in entry.new:
            raise CheckError(f"{path.name}: {entry.name}: `new` does not say where the defect is, with {ON}")
        if entry.name in found:
            raise CheckError(f"{path.name}: {entry.name} is there twice")
        found[entry.name] = entry
    return list(found.values())


def plant(assertions: Sequence[Assertion], tree: Path) -> None:
    """A copy of the RTL and the testbench in `tree`; defect number n, from 1, is that of `assertions[n - 1]`."""
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("rtl", "tb"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for number, entry in enumerate(assertions, 1):
        path = tree / entry.file
        path.write_text(entry.planted(path.read_text(), f"({PACKAGE}::sel == {number})"))
    home = tree / PACKAGE_HOME
    home.write_text(PACKAGE_SOURCE + home.read_text())


def fire(manifest: Manifest, chosen: Sequence[Assertion], console: Console) -> Iterator[Fired]:
    """Run the test of each chosen assertion with its defect; one build for each top.

    Raises:
        CheckError: a build broke, or an entry does not apply.
    """
    planted = load_assertions()
    tree = SIM_BUILD / "assertions"
    plant(planted, tree)
    numbers = {entry.name: number for number, entry in enumerate(planted, 1)}
    builds: dict[str, Built] = {}
    for entry in sorted(chosen, key=lambda entry: entry.test):
        leg_name, _, test = entry.test.partition(".")
        leg = manifest.leg(leg_name)
        if leg_name not in builds:
            flags = (*leg.spec.flags, "-Wno-lint", "-Wno-style", "-Wno-fatal")
            builds[leg_name] = build(replace(leg.spec, root=tree, flags=flags), console.print)
        plusargs = (*leg.plusargs, f"{PLUSARG}={numbers[entry.name]}", ERRORS)
        outcome = run_built(Job(replace(leg, plusargs=plusargs), test, 1), builds[leg_name])
        yield _judged(entry, outcome)


def _judged(entry: Assertion, outcome: Outcome) -> Fired:
    log = outcome.log.read_text(errors="replace") if outcome.log.exists() else ""
    line = next((line for line in log.splitlines() if entry.message in line), "")
    if not outcome.verdict.passed and line:
        return Fired(entry, True, line[line.index(entry.message) :].strip())
    if outcome.verdict.passed:
        return Fired(entry, False, f"{entry.test} passed")
    said = outcome.verdict.failure_text or "; ".join(outcome.verdict.reasons)
    return Fired(entry, False, f"{entry.test} fails otherwise: {said.splitlines()[0] if said else ''}")
