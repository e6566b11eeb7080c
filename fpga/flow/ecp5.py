"""Synthesis for the ECP5 board: the netlist that is placed, and the stages before it that are looked at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpga.flow import yosys
from fpga.flow.netlist import Netlist
from fpga.flow.project import Design
from fpga.flow.step import Result, kept, key_of

BLOCK_RAM = ("$__DP16KD_", "$__PDPW16KD_")
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

    @property
    def verilog_path(self) -> Path:
        """The mapped netlist, for simulation."""
        return self.result.folder / "netlist.v"

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
        "write_verilog -selected -noattr netlist.v",
    ]


def synthesise(design: Design) -> Synthesis:
    """Synthesise, or take the kept result. Raises CheckError when Yosys refuses the design."""
    commands = script(design)
    shown = [line.replace(f"{design.root}/", "") for line in commands]

    def produce(folder: Path) -> dict[str, Any]:
        yosys.run(commands, folder)
        return usage(Netlist(folder / "netlist.json", design.top))

    return Synthesis(kept("ecp5-synthesis", key_of(*shown, files=design.contents()), produce), design.top)


def usage(netlist: Netlist) -> dict[str, Any]:
    """Resources in the units of the data sheet: LUT4s (a carry cell is two, a 16x4 memory four and two for writing)."""
    count = netlist.count()
    return {
        "lut": count["LUT4"] + 2 * count["CCU2C"] + 6 * count["TRELLIS_DPR16X4"],
        "ff": count["TRELLIS_FF"],
        "bram": count["DP16KD"] + count["PDPW16KD"],
        "dsp": count["MULT18X18D"],
        "cells": dict(count.most_common()),
    }


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
