"""What a run found, as JSON and as a page: figures, checks, utilisation by module, worst paths, trend."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import copyfile
from typing import Any

from fpga.flow.checks import GROUPS, Run
from fpga.flow.step import Check
from tb.run.artefacts import published
from tb.run.page import pages
from tb.run.paths import REPORT
from tb.run.provenance import provenance
from tb.run.store.keep import keep_run, past_figures, verdict

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


LISTS = {
    "clocks": "clocks",
    "resets": "resets",
    "worst_paths": "paths",
    "memories": "memories",
    "ecp5_instances": "ecp5_instances",
    "u250_instances": "u250_instances",
}
"""Tables of the report, by the fact that each is made from."""


def figures(facts: Mapping[str, Any]) -> dict[str, float]:
    """The figures of FIGURES among `facts`, in that order."""
    return {name: facts[name] for name in FIGURES if name in facts}


def part_record(checks: Sequence[Check], facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of one part of a run, with its time and the commit that it was run at."""
    found = provenance(None, {})
    return {
        "time": found["time"],
        "commit": found["commit"],
        "clean": found["clean"],
        "figures": figures(facts),
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
        **{name: facts[fact] for name, fact in LISTS.items() if fact in facts},
    }


def merged(before: Mapping[str, Any], now: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """The parts of this run in place of those of earlier runs, which otherwise stay as they are, and their sums."""
    parts = {name: now.get(name) or before[name] for name in order if name in now or name in before}
    checks = [{**check, "part": name} for name, part in parts.items() for check in part["checks"]]
    newest = max(now.values(), key=lambda part: str(part["time"]))
    record: dict[str, Any] = {
        **figures({name: value for part in parts.values() for name, value in part["figures"].items()}),
        **{key: newest[key] for key in ("time", "commit", "clean")},
        "passed": sum(check["passed"] for check in checks),
        "failed": sum(not check["passed"] for check in checks),
        "parts": parts,
        "checks": checks,
    }
    for name in LISTS:
        record[name] = next((part[name] for part in parts.values() if name in part), {})
    return record


def _parts_before(path: Path) -> dict[str, Any]:
    """The parts of an earlier report; none where there is no report of this form."""
    try:
        parts = json.loads(path.read_text())["parts"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return parts if isinstance(parts, dict) else {}


def write(runs: Mapping[str, Run], seconds: float, folder: Path = REPORT) -> Path:
    """Write fpga.json, fpga.html (with the trend over the last runs) and the bitstream, together. Returns the page.

    `runs` are the parts that were run; what the report had of other parts stays, with its time and commit. Raises
    UsageError when they cannot be written; those of the last run stay then.
    """
    now = {name: part_record(run.checks, run.facts) for name, run in runs.items()}
    record = merged(_parts_before(folder / "fpga.json"), now, GROUPS) | {"seconds": round(seconds, 1)}
    record |= {"seed": None, "settings": {"parts": list(runs)}}
    measured = figures(record)
    history = [*past_figures("fpga", FIGURES, TREND_LENGTH - 1, folder), measured]
    page = pages(TEMPLATES).get_template("fpga.html.j2").render(data=record, figures=measured, history=history)
    bitstreams = [Path(run.facts["bitstream"]) for run in runs.values() if "bitstream" in run.facts]
    with published(folder, "fpga") as staged:
        for path in bitstreams or [path for path in [folder / BITSTREAM] if path.exists()]:
            copyfile(path, staged / BITSTREAM)
        (staged / "fpga.json").write_text(json.dumps(record, indent=1) + "\n")
        (staged / "fpga.html").write_text(page)
    keep_run("fpga", record, verdict(not record["failed"]), folder)
    return folder / "fpga.html"
