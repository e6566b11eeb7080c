"""Lint in three front ends: Verilator and slang as for every testbench top, and Yosys' own reading."""

from __future__ import annotations

import re
from collections.abc import Callable

from fpga.flow.project import Design
from fpga.flow.step import Check
from tb.run.lint import lint_spec

_LOCATED = re.compile(r"^(?P<place>\S+:\d+): (?P<kind>ERROR|Warning): (?P<text>.*)$", re.M)
_PLAIN = re.compile(r"^Warning: (?P<text>.*)$", re.M)


def check_lint(design: Design) -> Check:
    """Verilator -Wall and slang -Wextra, no warning."""
    check = Check(f"lint of {design.top}: Verilator, slang")
    for tool, text in lint_spec(design.lint_spec()):
        first = next((line for line in text.splitlines() if line.strip()), "no message")
        check.problems.append(f"{tool.split()[0]}: {first}")
    return check


def check_reading(design: Design, log: str, waived: Callable[[str], bool]) -> Check:
    """No warning of Yosys' slang front end that is not explained."""
    check = Check(f"lint of {design.top}: Yosys")
    root = f"{design.root}/"
    found = [f"{m['place']}: {m['text']}" for m in _LOCATED.finditer(log)]
    found += [m["text"] for m in _PLAIN.finditer(log)]
    explained = 0
    for line in found:
        if waived(line):
            explained += 1
        else:
            check.problems.append(f"Yosys: {line.replace(root, '')}")
    check.notes.append(f"{explained} warnings explained in fpga/project.toml")
    return check
