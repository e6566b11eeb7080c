"""Synthesis for an Alveo U250 (UltraScale+ XCU250) at full size: what it takes, of the whole part and by module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpga.flow import yosys
from fpga.flow.netlist import Netlist
from fpga.flow.project import Design
from fpga.flow.step import kept, key_of
from tb.run.kept import Result

# The part's resources (DS962): block RAM in 36-kbit blocks.
LUTS = 1_728_000
BLOCK_RAMS = 2_688
ULTRA_RAMS = 1_280
BLOCK_RAM_BITS = 36 * 1024
ULTRA_RAM_BITS = 288 * 1024

DEPTH = 3  # levels of instances in the report

_LUT_RAM = {"RAM32M": 4, "RAM32M16": 8, "RAM64M": 4, "RAM64M8": 8, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4}
_LUT_RAM |= {"RAM32X1S": 1, "RAM64X1S": 1}  # one port
_FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")


@dataclass(frozen=True, slots=True)
class Utilisation:
    """Facts of the synthesis (see `count`) and where they are kept."""

    result: Result

    def ports(self) -> dict[str, tuple[str, int]]:
        """(direction, bits) of each port of the top."""
        return {name: (port[0], port[1]) for name, port in self.facts["ports"].items()}

    @property
    def facts(self) -> dict[str, Any]:
        """Resources, percentages, instances."""
        return self.result.facts


def script(design: Design) -> list[str]:
    """Commands from sources to the mapped netlist, flat: banks and lanes are mapped once, not one by one."""
    return [
        f"tee -q -o read.log {yosys.read_command(design)}",
        f"select {design.top}",
        "write_json -selected top.json",
        "select -clear",
        'setattr -set fsm_encoding "none" w:*',
        f"tee -q -o synth.log synth_xilinx -family xcup -uram -noiopad -noclkbuf -flatten -top {design.top}",
        f"select {design.top}",
        "write_json -selected netlist.json",
    ]


def utilise(design: Design) -> Utilisation:
    """Synthesise, or take the kept result. Raises CheckError when Yosys refuses the design."""
    commands = script(design)
    shown = [line.replace(f"{design.root}/", "") for line in commands]

    def produce(folder: Path) -> dict[str, Any]:
        yosys.run(commands, folder)
        netlist = Netlist(folder / "netlist.json", design.top)
        (folder / "netlist.json").unlink()  # large, and nothing else needs it
        return {**count(netlist), "ports": Netlist(folder / "top.json", design.top).port_bits()}

    return Utilisation(kept("u250-synthesis", key_of(*shown, files=design.contents()), produce))


def resources(cells: Mapping[str, int]) -> dict[str, float]:
    """LUTs, flip-flops, 36-kbit block RAMs, UltraRAMs and DSPs of cells by type."""
    tally: Counter[str] = Counter()
    for kind, number in cells.items():
        name = kind.lstrip("\\")
        if name == "INV" or (name.startswith("LUT") and name[3:].isdigit()):
            tally["lut"] += number
        elif name in _LUT_RAM:
            tally["lut"] += number * _LUT_RAM[name]
        elif name.startswith(("SRL", "SRLC")):
            tally["lut"] += number
        elif name in _FLIP_FLOPS:
            tally["ff"] += number
        elif name.startswith("RAMB36"):
            tally["half_bram"] += 2 * number
        elif name.startswith("RAMB18"):
            tally["half_bram"] += number
        elif name.startswith("URAM288"):
            tally["uram"] += number
        elif name.startswith("DSP48"):
            tally["dsp"] += number
    return {
        "lut": tally["lut"],
        "ff": tally["ff"],
        "bram": tally["half_bram"] / 2,
        "uram": tally["uram"],
        "dsp": tally["dsp"],
    }


def count(netlist: Netlist) -> dict[str, Any]:
    """Resources of the whole, their shares of the part, and resources by instance."""
    total = resources(netlist.count())
    memory = total["bram"] * BLOCK_RAM_BITS + total["uram"] * ULTRA_RAM_BITS
    whole = BLOCK_RAMS * BLOCK_RAM_BITS + ULTRA_RAMS * ULTRA_RAM_BITS
    return {
        **total,
        "lut_percent": round(100 * total["lut"] / LUTS, 3),
        "memory_percent": round(100 * max(memory / whole, total["bram"] / BLOCK_RAMS, total["uram"] / ULTRA_RAMS), 3),
        "instances": {
            name: uses
            for name, cells in sorted(netlist.scopes(DEPTH).items())
            if any((uses := resources(cells)).values())
        },
    }
