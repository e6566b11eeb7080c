"""How Yosys reads a design of the FPGA flow."""

from __future__ import annotations

from fpga.flow.project import Design
from tb.run.yosys import NICE, run

__all__ = ["NICE", "read_command", "run"]


def read_command(design: Design) -> str:
    """The `read_slang` command of a design; the device's primitives become black boxes."""
    words = ["read_slang", "-D SYNTHESIS", "--top", design.top]
    words += [f"-G {name}={value}" for name, value in sorted(design.parameters.items())]
    words += [f"-y {path} -I {path}" for path in design.folders(with_models=True)]
    words += [f"--blackboxed-module {name}" for name in design.primitives()]
    words += ["-Y .sv", *map(str, design.files())]
    return " ".join(words)
