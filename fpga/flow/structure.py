"""Checks on the netlist before mapping: latches, loops, drivers, memories, clocks and resets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pyslang

from fpga.flow.ecp5 import Synthesis, memory_map
from fpga.flow.project import Design
from fpga.flow.step import Check
from tb.run.errors import CheckError

# An unpacked array with fewer bits than this may become flip-flops.
MEMORY_BITS = 512
_LOOP = re.compile(r"^Warning: found logic loop in module .*\n((?:    .*\n?)*)", re.M)
_MULTIPLE = re.compile(r"^Warning: multiple conflicting drivers for (.*):$", re.M)
_UNDRIVEN = re.compile(r"^Warning: Wire (.*) is used but has no driver\.$", re.M)
_MUXES = ("$mux", "$pmux", "$bmux", "$buf")


def _plain(name: str) -> str:
    """A net's name without Yosys' escapes."""
    return name.replace("\\", "").replace(" ", "")


def _loops(log: str) -> Iterator[tuple[bool, str]]:
    """(is a latch, nets) of each loop: feedback through multiplexers alone is a missing `else`."""
    for found in _LOOP.finditer(log):
        body = found.group(1)
        types = re.findall(r"^    cell \S+ \((\$\w+)\)", body, re.M)
        nets = [_plain(net) for net in re.findall(r"^    wire (.*?) source:", body, re.M)]
        yield all(kind in _MUXES for kind in types), " -> ".join(nets) or "nets without a name"


def check_latches(synthesis: Synthesis) -> Check:
    """No latch, written as one or left over from a missing assignment."""
    check = Check("no latches")
    nets = set(synthesis.words().latches())
    nets |= {re.sub(r"\[\d+\]$", "", net) for latch, net in _loops(synthesis.log("check")) if latch}
    check.problems += [f"latch on {net}" for net in sorted(nets)]
    return check


def check_loops(synthesis: Synthesis) -> Check:
    """No combinational loop."""
    check = Check("no combinational loops")
    check.problems += [f"combinational loop: {nets}" for latch, nets in _loops(synthesis.log("check")) if not latch]
    return check


def check_drivers(synthesis: Synthesis) -> Check:
    """Every net has one driver."""
    check = Check("one driver for every net")
    log = synthesis.log("check")
    check.problems += [f"several drivers: {_plain(net)}" for net in _MULTIPLE.findall(log)]
    check.problems += [f"no driver: {_plain(net)}" for net in _UNDRIVEN.findall(log)]
    return check


def declared_arrays(design: Design) -> dict[str, int]:
    """Bits of every unpacked array variable of the elaborated design, by hierarchical name.

    Raises CheckError when slang does not elaborate the design.
    """
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    words = ["slang", "--top", design.top, "--libext", "sv", "--timescale", "1ns/1ps"]
    words += [word for path in design.folders(with_models=True) for word in ("-y", str(path))]
    words += [f"-G{name}={value}" for name, value in sorted(design.parameters.items())]
    words += map(str, design.files())
    if not (driver.parseCommandLine(" ".join(words)) and driver.processOptions() and driver.parseAllSources()):
        raise CheckError(f"slang does not read the sources of {design.name}")
    compilation = driver.createCompilation()
    found: dict[str, int] = {}

    def visit(symbol: Any) -> None:
        if symbol.kind == pyslang.ast.SymbolKind.Variable and symbol.type.isUnpackedArray:
            found[symbol.hierarchicalPath.partition(".")[2]] = symbol.type.bitstreamWidth

    compilation.getRoot().visit(visit)
    return found


def check_memories(design: Design, synthesis: Synthesis, waived: Callable[[str], bool]) -> Check:
    """Every array that is large enough, and is not `waived`, is a memory, and every memory is RAM."""
    check = Check("memories are RAM")
    memories = memory_map(synthesis)
    check.facts["memories"] = memories
    for name, memory in memories.items():
        if memory["kind"] == "flip-flops":
            check.problems.append(f"memory {name} ({memory['words']} x {memory['bits']}) falls apart into flip-flops")
        elif memory["kind"] == "unknown":
            check.problems.append(f"memory {name} ({memory['words']} x {memory['bits']}) was mapped to no RAM")
    for name, bits in sorted(declared_arrays(design).items()):
        if bits >= MEMORY_BITS and name not in memories and not waived(name):
            check.problems.append(f"array {name} of {bits:,} bits is no memory: it falls apart into flip-flops")
    block = sum(memory["kind"] == "block RAM" for memory in memories.values())
    check.notes.append(f"{block} in block RAM, {len(memories) - block} in distributed RAM")
    return check


def list_domains(synthesis: Synthesis) -> Check:
    """Clock and reset domains; there is nothing to fail but a design without a clock."""
    check = Check("clock and reset domains")
    words = synthesis.words()
    clocks, resets = words.clocks(), words.resets()
    check.facts["clocks"] = [{"net": d.net, "edge": d.active, "bits": d.bits} for d in clocks]
    check.facts["resets"] = [{"net": d.net, "active": d.active, "bits": d.bits} for d in resets]
    if not clocks:
        check.problems.append("the design has no clock")
    check.notes += [f"clock {d.net}, {d.active} edge: {d.bits:,} flip-flops" for d in clocks]
    check.notes += [f"reset {d.net}, active {d.active}: {d.bits:,} flip-flops" for d in resets]
    return check
