"""Writes the RTL: peakrdl-regblock's module and package, and a package of addresses and layouts."""

from __future__ import annotations

import tempfile
from pathlib import Path

from peakrdl_regblock import RegblockExporter
from peakrdl_regblock.cpuif.passthrough import PassthroughCpuif

from sw.register import Register
from sw.regs_gen.load import Description

# What the generator's code style trips, in code that nobody edits.
_WAIVED = ("MULTIDRIVEN", "GENUNNAMED", "UNUSEDSIGNAL")


def _waive(text: str) -> str:
    """Put Verilator's waivers around generated code."""
    off = [f"// verilator lint_off {message}" for message in _WAIVED]
    on = [f"// verilator lint_on {message}" for message in _WAIVED]
    reason = "// Generated code keeps its generator's style; its lint says nothing about the device."
    return "\n".join([reason, *off, text.rstrip("\n"), *on]) + "\n"


def emit_regblock(description: Description) -> dict[str, str]:
    """Texts of `kvcpu_regs.sv` and `kvcpu_regs_pkg.sv` by file name."""
    with tempfile.TemporaryDirectory() as directory:
        RegblockExporter().export(
            description.bar0_node,
            directory,
            cpuif_cls=PassthroughCpuif,
            module_name="kvcpu_regs",
            package_name="kvcpu_regs_pkg",
            default_reset_activelow=True,
            default_reset_async=True,
            retime_read_fanin=True,
            err_if_bad_addr=True,
            err_if_bad_rw=True,
            reuse_hwif_typedefs=False,
        )
        return {path.name: _waive(path.read_text()) for path in sorted(Path(directory).iterdir())}


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _layout(register: Register) -> list[str]:
    """A packed struct of the register's bits up to its highest field, highest first."""
    lines = ["  typedef struct packed {"]
    highest = register.fields[-1]
    top, gaps = highest.lsb + highest.width, 0
    for field in reversed(register.fields):
        if top > field.lsb + field.width:
            lines.append(f"    logic [{top - field.lsb - field.width - 1}:0] unused{gaps};")
            gaps += 1
        lines.append(f"    logic [{field.width - 1}:0] {field.name.lower()};")
        top = field.lsb
    if top:
        lines.append(f"    logic [{top - 1}:0] unused{gaps};")
    lines.append(f"  }} {register.name.lower()}_t;")
    return lines


def emit_map(description: Description) -> str:
    """Text of `kvcpu_regs_map_pkg.sv`: `Addr*` of every register, and layouts of written ones."""
    arrayed = {name for array in description.bar0_arrays for name in array.members}
    by_name = {register.name: register for register in description.bar0}
    lines = [
        "// Addresses and write layouts of BAR0. Generated from kvcpu.rdl by `make regs`: do not edit.",
        "",
        "package kvcpu_regs_map_pkg;",
        "",
    ]
    for register in description.bar0:
        if register.name not in arrayed:
            name = _camel(register.name)
            lines.append(f"  localparam logic [15:0] Addr{name} = 16'h{register.offset:04X};")
    for array in description.bar0_arrays:
        offsets = ", ".join(f"16'h{by_name[m].offset:04X}" for m in reversed(array.members))
        lines.append(
            f"  localparam logic [{len(array.members) - 1}:0][15:0] Addr{_camel(array.name)} =\n      {{{offsets}}};"
        )
    for register in description.bar0:
        if register.writable and register.name not in arrayed:
            lines.append("")
            lines.extend(_layout(register))
    for enumeration in description.enumerations:
        lines.append("")
        for name, value, _ in enumeration.members:
            lines.append(f"  localparam logic [2:0] {enumeration.name}{_camel(name)} = 3'd{value};")
    lines.extend(["", "endpackage", ""])
    return "\n".join(lines)
