"""Writes `sw/regs/registers.py`."""

from __future__ import annotations

from sw.regs.generate.load import Description
from sw.regs.register import Register

_HEAD = '''"""Registers of the device. Generated from rtl/regs/kvcpu.rdl by `make regs`: do not edit."""

from __future__ import annotations

from enum import IntEnum

from sw.regs.register import Field, Register

# Tables, one field a line however long it is: a change of one field changes one line.
# ruff: noqa: E501
# fmt: off
'''


def _register(register: Register) -> str:
    lines = [f"{register.name} = Register("]
    lines.append(f"    name={register.name!r}, offset={register.offset:#06x}, launches={register.launches},")
    lines.append(f"    title={register.title!r},")
    lines.append(f"    description={register.description!r},")
    lines.append("    fields=(")
    for f in register.fields:
        reset = "None" if f.reset is None else hex(f.reset)
        lines.append(f"        Field({f.name!r}, {f.lsb}, {f.width}, {f.access!r}, {reset}, {f.description!r}),")
    lines.append("    ),")
    lines.append(")")
    return "\n".join(lines)


def emit(description: Description) -> str:
    """The text of `sw/regs/registers.py`."""
    parts = [_HEAD]
    for enumeration in description.enumerations:
        members = "\n".join(f"    {n} = {v}  # {d}" for n, v, d in enumeration.members)
        parts.append(f'\nclass {enumeration.name}(IntEnum):\n    """Values of a field."""\n\n{members}\n')
    parts.append("")
    parts.extend(_register(r) for r in description.bar0)
    parts.append("")
    for array in description.bar0_arrays:
        parts.append(f"{array.name} = ({', '.join(array.members)})")
    names = "\n".join(f"    {r.name}," for r in description.bar0)
    parts.append(f"\nREGISTERS: tuple[Register, ...] = (\n{names}\n)")
    parts.append("BY_OFFSET: dict[int, Register] = {r.offset: r for r in REGISTERS}")
    parts.append("BY_NAME: dict[str, Register] = {r.name: r for r in REGISTERS}")
    parts.append("\n# BAR2: the directory window; slot `index` begins at index * ENTRY_STRIDE.")
    parts.append(f"ENTRY_STRIDE = {description.entry_stride}")
    parts.extend(_register(r) for r in description.entry_words)
    words = ", ".join(r.name for r in description.entry_words)
    parts.append(f"ENTRY_WORDS = ({words})")
    return "\n".join(parts) + "\n"
