"""Synthesis for the ECP5 board: the netlist that is placed, and the stages before it that are looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpga.flow import yosys
from fpga.flow.netlist import Netlist
from fpga.flow.project import Design
from fpga.flow.step import kept, key_of
from tb.run.errors import CheckError
from tb.run.kept import Result

BLOCK_RAM = ("$__DP16KD_", "$__PDPW16KD_")  # both become DP16KD
DISTRIBUTED_RAM = ("$__TRELLIS_DPR16X4_",)


@dataclass(frozen=True, slots=True)
class Synthesis:
    """A finished synthesis."""

    result: Result
    top: str

    @property
    def netlist_path(self) -> Path:
        """The mapped netlist, for place and route."""
        return self.result.folder / "netlist.json"

    def netlist(self) -> Netlist:
        """The mapped netlist."""
        return Netlist(self.netlist_path, self.top)

    def words(self) -> Netlist:
        """The netlist before mapping: memories, adders, flip-flops of whole words."""
        return Netlist(self.result.folder / "words.json", self.top)

    def log(self, name: str) -> str:
        """Log of a stage: read, check, memories."""
        return (self.result.folder / f"{name}.log").read_text(errors="replace")


def script(design: Design) -> list[str]:
    """Commands from sources to the mapped netlist.

    State machines keep their encoding and registers their names, so that reports speak the source's
    language.
    """
    top = design.top
    run = f"synth_ecp5 -top {top} -run"
    return [
        f"tee -q -o read.log {yosys.read_command(design)}",
        'setattr -set fsm_encoding "none" w:*',
        f"{run} begin:coarse",
        "tee -q -o check.log check",
        f"{run} coarse:map_ram",
        f"select {top}",
        "write_json -selected words.json",
        "select -clear",
        f"tee -q -o memories.log {run} map_ram:map_gates",
        f"{run} map_gates:map_luts",
        "setattr -set keep 1 t:TRELLIS_FF %x:+[Q] w:* %i",
        f"{run} map_luts:check",
        "blackbox =A:whitebox",
        "check -mapped",
        f"select {top}",
        "write_json -selected netlist.json",
    ]


def synthesise(design: Design) -> Synthesis:
    """Synthesise, or take the kept result. Raises CheckError when Yosys refuses the design."""
    commands = script(design)
    shown = [line.replace(f"{design.root}/", "") for line in commands]

    def produce(folder: Path) -> dict[str, Any]:
        try:
            yosys.run(commands, folder)
        except CheckError:
            # Mapping refuses latches; the netlist before it knows their names.
            words = folder / "words.json"
            latches = Netlist(words, design.top).latches() if words.exists() else []
            if latches:
                raise CheckError("\n".join(f"no latches: latch on {net}" for net in latches)) from None
            raise
        return dict(resources(Netlist(folder / "netlist.json", design.top).count()))

    return Synthesis(kept("ecp5-synthesis", key_of(*shown, files=design.contents()), produce), design.top)


def resources(count: Mapping[str, int]) -> dict[str, int]:
    """Resources in the units of the data sheet: a carry cell is two LUT4s, a 16 x 4 memory four and two to write."""
    return {
        "lut": count.get("LUT4", 0) + 2 * count.get("CCU2C", 0) + 6 * count.get("TRELLIS_DPR16X4", 0),
        "ff": count.get("TRELLIS_FF", 0),
        "bram": count.get("DP16KD", 0),
        "dsp": count.get("MULT18X18D", 0),
    }


def instances(netlist: Netlist, depth: int) -> dict[str, dict[str, int]]:
    """Resources of each instance with all below it; "" is the top."""
    sums = {name: resources(count) for name, count in netlist.scopes(depth).items()}
    return {name: uses for name, uses in sorted(sums.items()) if any(uses.values())}


def memory_map(synthesis: Synthesis) -> dict[str, dict[str, Any]]:
    """Each memory: words, bits, and what it became ("block RAM", "distributed RAM", "flip-flops")."""
    log = synthesis.log("memories")
    kinds = dict(re.findall(r"^mapping memory \S+?\.(\S+) via (\S+)$", log, re.M))
    lost = set(re.findall(r"^using FF mapping for memory \S+?\.(\S+)$", log, re.M))
    report = {}
    for name, (words, bits) in sorted(synthesis.words().memories().items()):
        kind = kinds.get(name, "")
        made = "block RAM" if kind in BLOCK_RAM else "distributed RAM" if kind in DISTRIBUTED_RAM else "unknown"
        report[name] = {"words": words, "bits": bits, "kind": "flip-flops" if name in lost else made}
    return report
