"""What a run found, as JSON and as a page: figures, checks, utilisation by module, worst paths, trend."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import copyfile
from typing import Any

import jinja2

from fpga.flow.step import Check
from tb.run.paths import REPORT, ROOT

FIGURES = (
    "fmax_mhz",
    "ecp5_lut",
    "ecp5_ff",
    "ecp5_bram",
    "ecp5_dsp",
    "u250_lut",
    "u250_ff",
    "u250_bram",
    "u250_uram",
    "u250_dsp",
    "u250_lut_percent",
    "u250_memory_percent",
    "bitstream_bytes",
    "netlist_tests_passed",
)
TREND_LENGTH = 50
BITSTREAM = "board.bit"
TEMPLATES = Path(__file__).parent / "templates"


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def figures(facts: Mapping[str, Any]) -> dict[str, float]:
    """The figures of FIGURES that this run measured."""
    return {name: facts[name] for name in FIGURES if name in facts}


def write(checks: Sequence[Check], facts: Mapping[str, Any], seconds: float, folder: Path = REPORT) -> Path:
    """Write fpga.json, fpga.html and one line of the trend, copy the bitstream there. Returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    if "bitstream" in facts:
        copyfile(facts["bitstream"], folder / BITSTREAM)
    measured = figures(facts)
    failed = [check for check in checks if check.problems]
    record = {
        **measured,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _commit(),
        "seconds": round(seconds, 1),
        "passed": len(checks) - len(failed),
        "failed": len(failed),
        "checks": [
            {
                "name": check.name,
                "passed": not check.problems,
                "problems": check.problems,
                "notes": check.notes,
                "seconds": round(check.seconds, 1),
                "cached": check.cached,
            }
            for check in checks
        ],
        "clocks": facts.get("clocks", []),
        "resets": facts.get("resets", []),
        "worst_paths": facts.get("paths", []),
        "memories": facts.get("memories", {}),
        "ecp5_instances": facts.get("ecp5_instances", {}),
        "u250_instances": facts.get("u250_instances", {}),
    }
    (folder / "fpga.json").write_text(json.dumps(record, indent=1) + "\n")
    history = _trend(folder / "fpga-trend.jsonl", record, measured)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    page = folder / "fpga.html"
    page.write_text(environment.get_template("fpga.html.j2").render(data=record, figures=measured, history=history))
    return page


def _trend(path: Path, record: Mapping[str, Any], measured: Mapping[str, float]) -> list[dict[str, Any]]:
    """Add this run to the trend, unless nothing but the time has changed; the last runs."""
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    entry = {"time": record["time"], "commit": record["commit"], "failed": record["failed"], "figures": dict(measured)}
    if not runs or any(runs[-1][key] != entry[key] for key in ("commit", "failed", "figures")):
        runs.append(entry)
    runs = runs[-TREND_LENGTH:]
    path.write_text("".join(json.dumps(run) + "\n" for run in runs))
    return runs
