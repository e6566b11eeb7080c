"""Constraint files against the ports of the top: nothing forgotten, nothing left over."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from fpga.flow.step import Check

Ports = Mapping[str, tuple[str, int]]  # name to (direction, bits)


def _bits(ports: Ports) -> dict[str, str]:
    """(direction) of each bit by the name that constraint files give it."""
    named = {}
    for name, (direction, width) in ports.items():
        for i in range(width):
            named[name if width == 1 else f"{name}[{i}]"] = direction
    return named


# ---------------------------------------------------------------- ECP5: .lpf


_LPF = re.compile(r'^(?P<what>LOCATE COMP|IOBUF PORT|FREQUENCY PORT)\s+"(?P<port>[^"]+)"\s*(?P<rest>[^;]*);$', re.I)


def check_lpf(path: Path, ports: Ports, clocks: set[str]) -> Check:
    """Every port bit has a pin and an I/O standard, every clock input a frequency; every line names a port."""
    check = Check(f"ports of {path.name}")
    bits = _bits(ports)
    seen: dict[str, Counter[str]] = {"LOCATE COMP": Counter(), "IOBUF PORT": Counter(), "FREQUENCY PORT": Counter()}
    sites: Counter[str] = Counter()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        found = _LPF.match(text)
        if not found:
            check.problems.append(f"{path.name}:{number}: not understood: {text[:60]}")
            continue
        what, port, rest = found["what"].upper(), found["port"], found["rest"]
        if port not in bits:
            check.problems.append(f"{path.name}:{number}: {what} of `{port}`, which is no port of the top")
        seen[what][port] += 1
        if what == "LOCATE COMP" and (site := re.search(r'SITE\s+"(\w+)"', rest)):
            sites[site[1]] += 1
        if what == "IOBUF PORT" and "IO_TYPE=" not in rest.upper():
            check.problems.append(f"{path.name}:{number}: IOBUF of `{port}` names no IO_TYPE")
    for port in bits:
        for what, missing in (("LOCATE COMP", "pin (LOCATE COMP)"), ("IOBUF PORT", "I/O standard (IOBUF PORT)")):
            if not seen[what][port]:
                check.problems.append(f"{path.name}: port `{port}` has no {missing}")
            elif seen[what][port] > 1:
                check.problems.append(f"{path.name}: port `{port}` has several of {what}")
    untimed = sorted(port for port in clocks if not seen["FREQUENCY PORT"][port])
    check.problems += [f"{path.name}: clock `{port}` has no FREQUENCY PORT" for port in untimed]
    check.problems += [f"{path.name}: pin {site} is given {n} times" for site, n in sites.items() if n > 1]
    check.notes.append(f"{len(bits)} port bits")
    return check


# ---------------------------------------------------------------- Xilinx: .xdc


def _xdc_lines(text: str) -> list[tuple[int, str]]:
    """(line number, command) with continuation lines joined and comments gone."""
    lines: list[tuple[int, str]] = []
    start, joined = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not joined:
            start = number
        if bare.startswith("#"):
            continue
        joined += bare.removesuffix("\\") + " "
        if not bare.endswith("\\"):
            if joined.strip():
                lines.append((start, joined.strip()))
            joined = ""
    return lines


_COMMANDS = {
    "create_clock": "clock",
    "set_input_delay": "input",
    "set_output_delay": "output",
    "set_false_path": "any",
}


def check_xdc(path: Path, ports: Ports) -> Check:
    """Every port is timed: a clock is created, inputs and outputs have a delay or are declared a false path."""
    check = Check(f"ports of {path.name}")
    timed: dict[str, set[str]] = {port: set() for port in ports}
    for number, line in _xdc_lines(path.read_text()):
        command = line.split()[0]
        groups = re.findall(r"\[get_ports\s+(?:\{([^}]*)\}|([^\]\s]+))\s*\]", line)
        if command not in _COMMANDS:
            if command not in ("set_property", "set_clock_uncertainty"):
                check.problems.append(f"{path.name}:{number}: not understood: {line[:60]}")
            continue
        for pattern in " ".join(a or b for a, b in groups).split():
            plain = re.sub(r"\[.*\]$", "", pattern)
            matches = [port for port in ports if fnmatchcase(port, plain)]
            if not matches:
                check.problems.append(f"{path.name}:{number}: `{pattern}` matches no port of the top")
            for port in matches:
                timed[port].add(_COMMANDS[command])
    for port, (direction, _) in ports.items():
        kinds = timed[port]
        if not kinds & {direction, "any", "clock"}:
            needed = f"set_{direction}_delay nor a false path"
            check.problems.append(f"{path.name}: {direction} `{port}` has neither {needed}")
    clocks = [port for port, kinds in timed.items() if "clock" in kinds]
    if not clocks:
        check.problems.append(f"{path.name}: no clock is created")
    check.notes.append(f"{len(ports)} ports, clock {', '.join(clocks)}")
    return check
