"""`python -m sw.regs.generate` writes the generated files; with `--check` it only compares them.

Exit status: 0 written or all fresh, 1 a file is stale, 2 wrong use or an illegal description.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from systemrdl.messages import RDLCompileError

from sw.regs.generate import cheader, docs, python, systemverilog
from sw.regs.generate.load import load
from sw.regs.generated import ROOT, update

SOURCE = Path("rtl/regs/kvcpu.rdl")


def outputs(source: Path) -> dict[Path, str]:
    """Every generated file, relative to the project, with the text it must have.

    Raises:
        systemrdl.RDLCompileError: the description is not legal.
        OSError: the description cannot be read.
    """
    description = load(source)
    files = {Path("rtl/regs") / name: text for name, text in systemverilog.emit_regblock(description).items()}
    files[Path("rtl/regs/kvcpu_regs_map_pkg.sv")] = systemverilog.emit_map(description)
    files[Path("sw/regs/registers.py")] = python.emit(description)
    files[Path("sw/include/kvcpu_regs.h")] = cheader.emit(description)
    files[Path("docs/registers.md")] = docs.emit(description)
    return files


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sw.regs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; name stale files")
    parser.add_argument("--root", type=Path, default=ROOT, help="project root")
    options = parser.parse_args(arguments)
    try:
        files = outputs(options.root / SOURCE)
    except (RDLCompileError, OSError, systemverilog.UnknownText) as error:
        print(f"regs: {error}", file=sys.stderr)
        return 2
    return update(options.root, files, "regs", check=options.check)


if __name__ == "__main__":
    sys.exit(main())
