"""Yosys in a child process: `run` here, the child is this file called as a program.

A child can be ended and its log is its own; pyosys brings the slang front end, so nothing else is needed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tb.run import process
from tb.run.errors import CheckError
from tb.run.paths import ROOT, shown

NICE = ("nice", "-n", "3")
SHOWN_ERRORS = 6


def run(script: Sequence[str], folder: Path) -> str:
    """Run a script in `folder` and return its log. Raises CheckError with Yosys' first errors."""
    (folder / "script.ys").write_text("\n".join(script) + "\n")
    log = folder / "yosys.log"
    command = [*NICE, sys.executable, str(Path(__file__).resolve()), "script.ys"]
    ended = process.run(command, env=process.clean_env({"PYTHONPATH": str(ROOT)}), cwd=folder, log=log)
    text = log.read_text(errors="replace")
    if ended.status != 0:
        kept = folder.parent / "failed.log"
        kept.write_text(text)
        reading = folder / "read.log"
        told = (reading.read_text(errors="replace") if reading.exists() else "") + text
        errors = [line for line in told.splitlines() if re.search(r"\berror\b", line, re.I)] or told.splitlines()[-3:]
        picked = "; ".join(line.replace(f"{ROOT}/", "") for line in errors[:SHOWN_ERRORS])
        raise CheckError(f"Yosys refuses the design (log: {shown(kept)}): {picked}")
    return text


def main(script: Path) -> int:
    """The child: every line of the script is one command."""
    from pyosys import libyosys  # here: the parent runs without the FPGA tools

    design = libyosys.Design()
    for line in script.read_text().splitlines():
        libyosys.run_pass(line, design)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
