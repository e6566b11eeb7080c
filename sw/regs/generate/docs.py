"""Writes `docs/registers.md`."""

from __future__ import annotations

from collections.abc import Iterable

from sw.regs.generate.load import Description
from sw.regs.register import Register

_HEAD = """# Registers

Generated from `rtl/regs/kvcpu.rdl` by `make regs`: do not edit.

BAR0 is 16 KiB of 64-bit little-endian registers, 8-byte aligned, behind AXI4-Lite. Unmapped or
unaligned addresses, partial strobes, writes to read-only and reads of write-only registers, and
writes that a register's line calls refused, get SLVERR and have no effect (reads give data 0).
Bits without a field read 0 and are ignored. A reset value `-` is decided by the hardware. `launches`
marks a write that starts something; before the directory is initialised it is refused.
"""

_BAR2 = """
## BAR2: the directory window

Slot `index` begins at `index * {stride}` and holds that entry. Read only. Reading word 0 latches the
entry; words 1 to 3 of the same index come from that latch.
"""


def _bits(lsb: int, width: int) -> str:
    return str(lsb) if width == 1 else f"{lsb + width - 1}:{lsb}"


def _details(register: Register) -> list[str]:
    lines = [f"\n### {register.name} (0x{register.offset:04X}, {register.access.upper()})\n"]
    sentences = [register.title[0].upper() + register.title[1:] + "."]
    if register.description:
        sentences.append(register.description)
    lines.append(" ".join(sentences) + "\n")
    lines.append("| bits | field | access | reset | meaning |")
    lines.append("| --- | --- | --- | --- | --- |")
    for field in reversed(register.fields):
        reset = "-" if field.reset is None else f"{field.reset:#x}"
        lines.append(
            f"| {_bits(field.lsb, field.width)} | {field.name} | {field.access} | {reset} | {field.description} |"
        )
    return lines


def _summary(registers: Iterable[Register]) -> list[str]:
    lines = ["\n| offset | name | access | reset | |", "| --- | --- | --- | --- | --- |"]
    for register in registers:
        reset = "-" if register.reset is None else f"{register.reset:#x}"
        mark = " (launches)" if register.launches else ""
        lines.append(
            f"| 0x{register.offset:04X} | [{register.name}](#{_anchor(register)}) "
            f"| {register.access} | {reset} | {register.title}{mark} |"
        )
    return lines


def _anchor(register: Register) -> str:
    return f"{register.name.lower()}-0x{register.offset:04x}-{register.access}"


def emit(description: Description) -> str:
    """The text of `docs/registers.md`."""
    lines = [_HEAD.rstrip("\n")]
    lines.extend(_summary(description.bar0))
    lines.append("\n## Values\n")
    for enumeration in description.enumerations:
        lines.append(f"\n{enumeration.name}:\n")
        lines.append("| value | name | meaning |")
        lines.append("| --- | --- | --- |")
        lines.extend(f"| {v} | {n} | {d} |" for n, v, d in enumeration.members)
    lines.append("\n## Fields")
    for register in description.bar0:
        lines.extend(_details(register))
    lines.append(_BAR2.format(stride=description.entry_stride).rstrip("\n"))
    for register in description.entry_words:
        lines.extend(_details(register))
    return "\n".join(lines) + "\n"
