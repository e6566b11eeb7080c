"""Writes `sw/include/kvcpu_regs.h` with peakrdl-cheader."""

from __future__ import annotations

import tempfile
from pathlib import Path

from peakrdl_cheader.exporter import CHeaderExporter

from sw.regs.generate.load import Description

_HEAD = """/* Registers of the device. Generated from rtl/regs/kvcpu.rdl by `make regs`: do not edit.
 * C11 and C++17. BAR0 is kvcpu_regs_t, BAR2 is kvcpu_bar2_t. */
"""


def emit(description: Description) -> str:
    """The text of the header: masks and structs of both BARs, and the values of coded fields."""
    parts = [_HEAD]
    with tempfile.TemporaryDirectory() as directory:
        for node in (description.bar0_node, description.bar2_node):
            path = Path(directory) / f"{node.inst_name}.h"
            CHeaderExporter().export(node, str(path))
            parts.append(path.read_text())
    parts.append("#ifndef KVCPU_VALUES_H\n#define KVCPU_VALUES_H\n")
    for enumeration in description.enumerations:
        for name, value, meaning in enumeration.members:
            parts.append(f"#define KVCPU_{enumeration.name.upper()}_{name} {value} /* {meaning} */")
    parts.append("\n#endif /* KVCPU_VALUES_H */\n")
    return "\n".join(parts)
