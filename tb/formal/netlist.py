"""From SystemVerilog to what the solvers read: one netlist per proof, as SMT-LIB and as AIGER, with the names kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tb.formal.catalogue import Proof
from tb.run import yosys
from tb.run.errors import CheckError
from tb.run.paths import ROOT
from tb.run.sources import expand

SMT = "design.smt2"
AIGER = "design.aig"
GRAPH = "design.json"
NAMES = "design.ywmap"  # of the AIGER netlist: its asserts, in the order of its outputs
INSTANCE = "u_fv"  # of the property module in its module
RESET = "a_reset"  # the assumption that every property module has
INCLUDES = ("rtl/prim", "tb/formal")
COVERS = ROOT / "tb" / "formal" / "kvcpu_covers.v"
HELPERS = ("tb/formal/kvcpu_any.sv", "tb/formal/kvcpu_fv_stream.sv")


@dataclass(frozen=True)
class Labels:
    """Labels of the statements in a netlist, with the instance of their property module: u_fv.p_order."""

    asserts: tuple[str, ...]
    assumes: tuple[str, ...]
    covers: tuple[str, ...]


def sources(proof: Proof) -> list[Path]:
    """The files of a proof, packages first. Raises UsageError for a pattern without a match."""
    return expand([*HELPERS, *proof.files])


def inputs(proof: Proof) -> list[Path]:
    """Every file that a proof's netlist depends on."""
    return [*sources(proof), *(path for folder in INCLUDES for path in sorted((ROOT / folder).glob("*.svh")))]


def _only(names: Sequence[str]) -> list[str]:
    """Commands that leave these properties only; none for all. `a b %d` is what is in selection a and not in b."""
    if not names:
        return []
    kept = " ".join(f"c:{INSTANCE}.{name} %d c:{INSTANCE}.*.{name} %d" for name in names)
    return ["chformal -cover -remove", f"delete t:$assert {kept}"]


def _covers() -> list[str]:
    """Commands that leave, as asserts that fail where a cover point is reached, the cover points only."""
    return ["chformal -assert -remove", f"techmap -map {COVERS}"]


def script(
    proof: Proof, files: Sequence[Path], *, aiger: bool, only: Sequence[str] = (), covers: bool = False
) -> list[str]:
    """Yosys' commands: read, flatten, make what is without a driver free, write the netlists.

    With `only`, labels of asserts, every other assert and every cover point goes, and what only they look at. With
    `covers` the asserts are the cover points: one fails where its cover point is reached.
    """
    words = ["read_slang", "-D SYNTHESIS", f"--top {proof.top}"]
    words += [f"-G {name}={value}" for name, value in sorted(proof.parameters.items())]
    words += [f"-I {ROOT / folder}" for folder in INCLUDES]
    commands = [
        f"tee -q -o read.log {' '.join([*words, *map(str, files)])}",
        f"hierarchy -top {proof.top}",
        "setundef -undriven -anyseq",
        f"prep -flatten -top {proof.top}",
        "async2sync",
        "chformal -lower",
        *_only(only),
        *(_covers() if covers else []),
        f"write_json {GRAPH}",
        "design -save read",
        "formalff -clk2ff -ff2anyinit",
        "formalff -setundef -clk2ff -ff2anyinit",
        "chformal -early",
        "opt_clean",
        "setundef -anyseq",
        f"write_smt2 -wires {SMT}",
    ]
    if aiger:
        commands += [
            "design -load read",
            "chformal -cover -remove",
            "delete -output",
            "setattr -unset keep",
            "setattr -set keep 1 t:$assert",  # else two that say the same become one, and a name goes
            "opt -full",
            "techmap",
            "opt -fast",
            "memory_map -formal",
            "formalff -clk2ff -ff2anyinit",
            "simplemap",
            "dffunmap",
            "setundef -anyseq",
            "aigmap",
            "opt_clean",
            f"write_aiger -ywmap {NAMES} -I -B -zinit -no-startoffset {AIGER}",
        ]
    return commands


def labels(text: str) -> Labels:
    """The statements that an SMT-LIB netlist has."""
    found = re.findall(r"^; yosys-smt2-(assert|assume|cover) \d+ (\S+)", text, re.M)
    return Labels(*(tuple(name for kind, name in found if kind == wanted) for wanted in ("assert", "assume", "cover")))


def short(label: str) -> str:
    """The label without its instance."""
    return label.rsplit(".", 1)[-1]


def is_property(label: str) -> bool:
    """Whether it is a property of the top module. One of a module inside it helps the proof, as a lemma does."""
    return label.startswith(f"{INSTANCE}.") and short(label).startswith("p_")


def build(
    proof: Proof, files: Sequence[Path], folder: Path, *, aiger: bool, only: Sequence[str] = (), covers: bool = False
) -> Labels:
    """Write the netlists of `script` into `folder`. Raises CheckError when Yosys refuses the sources."""
    yosys.run(script(proof, files, aiger=aiger, only=only, covers=covers), folder)
    return labels((folder / SMT).read_text())


def check_labels(proof: Proof, found: Labels) -> None:
    """Raise CheckError unless the netlist states exactly what the catalogue names.

    A property that has gone from the netlist would else count as one that holds.
    """
    for label in found.assumes:
        if not label.startswith(f"{INSTANCE}.") and short(label) != RESET:
            raise CheckError(f"{proof.name}: {label} would be assumed of a module inside {proof.top}: state it there")
    wanted = (
        ("property", proof.properties, {short(name) for name in found.asserts if is_property(name)}),
        ("assumption", proof.assumptions, {short(name) for name in found.assumes} - {RESET}),
    )
    for what, named, stated in wanted:
        for name in sorted(named.keys() - stated):
            raise CheckError(f"{proof.name}: {what} {name} of the catalogue is not in the netlist of {proof.top}")
        for name in sorted(stated - named.keys()):
            raise CheckError(f"{proof.name}: {what} {name} of {proof.top} has no sentence in the catalogue")
