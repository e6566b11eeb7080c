"""Writes the RTL: peakrdl-regblock's module and package, and a package of addresses and layouts."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from peakrdl_regblock import RegblockExporter
from peakrdl_regblock.cpuif.passthrough import PassthroughCpuif

from sw.regs.generate.load import Description
from sw.regs.register import Register

# What the generator's code style trips, in code that is not edited by hand.
_WAIVED = ("MULTIDRIVEN", "GENUNNAMED", "UNUSEDSIGNAL")


def _waive(text: str) -> str:
    """Put Verilator's waivers around generated code."""
    off = [f"// verilator lint_off {message}" for message in _WAIVED]
    on = [f"// verilator lint_on {message}" for message in _WAIVED]
    reason = "// Generated code keeps its generator's style; its lint says nothing about the device."
    return "\n".join([reason, *off, text.rstrip("\n"), *on]) + "\n"


class UnknownText(Exception):
    """The generator wrote other text than `_pipeline` knows."""


def _rewrite(text: str, pattern: str, replacement: str) -> str:
    changed, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    if not count:
        raise UnknownText(f"peakrdl-regblock's text has changed: nothing in it matches {pattern!r}")
    return changed


def _pipeline(text: str) -> str:
    """Put a register between the address decoder and the registers, and one-hot addresses into the read path.

    The generator decodes, selects and loads in one cycle, which is too long for the largest fan-outs. A
    request takes effect in the cycle after it; its address alone is decoded, so that it may come late.
    """
    text = _rewrite(text, r"^(    decoded_reg_strb_t decoded_reg_strb);", r"\1, decoded_reg_strb_c;")
    text = _rewrite(
        text,
        r"decoded_reg_strb(\S+) = cpuif_req_masked & (\(cpuif_addr == .*?\))( & !?cpuif_req_is_wr)?;",
        r"decoded_reg_strb_c\1 = \2;",
    )
    text = _rewrite(
        text,
        r"^    assign decoded_addr = .*\n(    assign decoded_\w+ = .*\n)+",
        """\
    logic [31:0] decoded_low;
    always_ff @(posedge clk or negedge arst_n) begin
        if(~arst_n) begin
            decoded_req <= '0;
            decoded_req_is_wr <= '0;
        end else begin
            decoded_req <= cpuif_req_masked;
            decoded_req_is_wr <= cpuif_req_masked & cpuif_req_is_wr;
        end
    end
    always_ff @(posedge clk) begin
        decoded_reg_strb <= decoded_reg_strb_c;
        decoded_addr <= cpuif_addr;
        decoded_wr_data <= cpuif_wr_data;
        decoded_wr_biten <= cpuif_wr_biten;
        for(int i=0; i<32; i++) decoded_low[i] <= cpuif_addr[7:3] == 5'(i);
    end
""",
    )
    text = _rewrite(text, r"if\(ad_low\(rd_mux_addr\) == (ad_low\(.*\))\) begin", r"if(decoded_low[5'(\1 >> 3)]) begin")
    text = _rewrite(text, r"(readback_data_var\[ad_hi\(.*\)\]\[.*\]) = ", r"\1 |= ")  # one of them at most
    text = _rewrite(text, r"logic \[12:0\] readback_addr_rt;", "logic [31:0] readback_high_rt;")
    text = _rewrite(text, r"readback_addr_rt <= '0;", "readback_high_rt <= '0;")
    text = _rewrite(
        text,
        r"readback_addr_rt <= rd_mux_addr;",
        "for(int i=0; i<32; i++) readback_high_rt[i] <= ad_hi(rd_mux_addr) == 5'(i);",
    )
    return _rewrite(
        text,
        r"readback_data = readback_data_rt\[readback_addr_rt\[12:8\]\];",
        "readback_data = '0;\n"
        "        for(int i=0; i<32; i++) readback_data |= readback_high_rt[i] ? readback_data_rt[i] : '0;",
    )


def emit_regblock(description: Description) -> dict[str, str]:
    """Texts of `kvcpu_regs.sv` and `kvcpu_regs_pkg.sv` by file name.

    Raises:
        UnknownText: the generator is another than the one whose text is known.
    """
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
            reuse_hwif_typedefs=False,
        )
        texts = {path.name: path.read_text() for path in sorted(Path(directory).iterdir())}
    texts["kvcpu_regs.sv"] = _pipeline(texts["kvcpu_regs.sv"])
    return {name: _waive(text) for name, text in texts.items()}


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
    for name, mapped in (
        ("Readable", [register for register in description.bar0 if register.readable]),
        ("Writable", [register for register in description.bar0 if register.writable]),
    ):
        bits = sum(1 << register.offset // 8 for register in mapped)
        lines += ["", f"  // Bit n: a {name.lower()} register is at 8 * n.", f"  localparam logic [1023:0] {name} ="]
        lines.append(f"      1024'h{bits:0256X};")
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
