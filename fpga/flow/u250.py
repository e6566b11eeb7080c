"""Synthesis for an Alveo U250 (UltraScale+ XCU250) at full size: what it takes, of the whole part and by module."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpga.flow import yosys
from fpga.flow.project import Design
from fpga.flow.step import Result, kept, key_of

# The part's resources (DS962): block RAM in 36-kbit blocks.
LUTS = 1_728_000
BLOCK_RAMS = 2_688
ULTRA_RAMS = 1_280
BLOCK_RAM_BITS = 36 * 1024
ULTRA_RAM_BITS = 288 * 1024

DEPTH = 3  # levels of instances in the report

_LUT_RAM = {"RAM32M": 4, "RAM32M16": 8, "RAM64M": 4, "RAM64M8": 8, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4}
_FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")


@dataclass(frozen=True, slots=True)
class Utilisation:
    """Facts of the synthesis (see `count`) and where they are kept."""

    result: Result

    @property
    def facts(self) -> dict[str, Any]:
        """Resources, percentages, instances."""
        return self.result.facts


def script(design: Design) -> list[str]:
    """Commands from sources to counts. The hierarchy stays, so that each instance is counted for itself."""
    return [
        f"tee -q -o read.log {yosys.read_command(design)} --keep-hierarchy",
        'setattr -set fsm_encoding "none" w:*',
        f"tee -q -o synth.log synth_xilinx -family xcup -uram -noiopad -noclkbuf -top {design.top}",
        f"tee -q -o stat.json stat -json -top {design.top}",
    ]


def utilise(design: Design) -> Utilisation:
    """Synthesise, or take the kept result. Raises CheckError when Yosys refuses the design."""
    commands = script(design)
    shown = [line.replace(f"{design.root}/", "") for line in commands]

    def produce(folder: Path) -> dict[str, Any]:
        yosys.run(commands, folder)
        text = (folder / "stat.json").read_text()
        return count(json.loads(text[text.index("{") : text.rindex("}") + 1]))

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


def count(stat: Mapping[str, Any]) -> dict[str, Any]:
    """Resources of the whole, their shares of the part, and resources by module, from `stat -json`."""
    total = resources(stat["design"]["num_cells_by_type"])
    memory = total["bram"] * BLOCK_RAM_BITS + total["uram"] * ULTRA_RAM_BITS
    whole = BLOCK_RAMS * BLOCK_RAM_BITS + ULTRA_RAMS * ULTRA_RAM_BITS
    return {
        **total,
        "lut_percent": round(100 * total["lut"] / LUTS, 3),
        "memory_percent": round(100 * max(memory / whole, total["bram"] / BLOCK_RAMS, total["uram"] / ULTRA_RAMS), 3),
        "instances": instances(stat["modules"]),
    }


def instances(modules: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Resources of each instance with all below it, to DEPTH levels; "" is the top.

    Each instance is a module of its own, called `<module>$<top>.<instance>.<instance>...`.
    """
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, module in modules.items():
        path = name.partition("$")[2].split(".")[1:]
        uses = resources(module["num_cells_by_type"])
        for level in range(min(DEPTH, len(path)) + 1):
            sums[".".join(path[:level])].update(uses)
    return {name: dict(uses) for name, uses in sorted(sums.items())}
