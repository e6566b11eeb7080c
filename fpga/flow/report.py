"""What a run found, as JSON and as a page: figures, checks, utilisation by module, worst paths, trend."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import copyfile
from typing import Any

import jinja2

from fpga.flow.step import Check
from tb.run.artefacts import published, write_whole
from tb.run.paths import REPORT
from tb.run.provenance import provenance, shown_commit

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


def figures(facts: Mapping[str, Any]) -> dict[str, float]:
    """The figures of FIGURES that this run measured."""
    return {name: facts[name] for name in FIGURES if name in facts}


def write(
    checks: Sequence[Check],
    facts: Mapping[str, Any],
    seconds: float,
    folder: Path = REPORT,
    parts: Sequence[str] | None = None,
) -> Path:
    """Write fpga.json, fpga.html, the bitstream and one line of the trend. Returns the page.

    With `parts` (only these were checked) the report is fpga-part.json and .html: that of the last whole run, with all
    figures, stays as it is. Raises UsageError when it cannot be written.
    """
    measured = figures(facts)
    kind = "fpga" if parts is None else "fpga-part"
    record = _record(checks, facts, seconds, {"parts": parts})
    with published(folder, kind) as staged:
        if "bitstream" in facts:
            copyfile(facts["bitstream"], staged / (BITSTREAM if parts is None else f"part-{BITSTREAM}"))
        (staged / f"{kind}.json").write_text(json.dumps(record, indent=1) + "\n")
        trend = folder / "fpga-trend.jsonl"
        history = _runs(trend) if parts else _trend(trend, record, measured)
        environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
        environment.filters["commit"] = shown_commit
        page = environment.get_template("fpga.html.j2").render(data=record, figures=measured, history=history)
        (staged / f"{kind}.html").write_text(page)
    return folder / f"{kind}.html"


def _record(
    checks: Sequence[Check], facts: Mapping[str, Any], seconds: float, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What fpga.json holds."""
    failed = [check for check in checks if check.problems]
    return {
        **figures(facts),
        **provenance(None, settings),
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


def _runs(path: Path) -> list[dict[str, Any]]:
    """The runs of the trend; lines that cannot be read are left out."""
    found = []
    for line in path.read_text(errors="replace").splitlines() if path.exists() else []:
        with suppress(ValueError):
            found.append(json.loads(line))
    return [run for run in found if isinstance(run, dict) and {"commit", "failed", "figures"} <= run.keys()]


def _trend(path: Path, record: Mapping[str, Any], measured: Mapping[str, float]) -> list[dict[str, Any]]:
    """Add this run to the trend, unless nothing but the time has changed; the last runs."""
    runs = _runs(path)
    entry = {"time": record["time"], "commit": record["commit"], "failed": record["failed"], "figures": dict(measured)}
    if not runs or any(runs[-1][key] != entry[key] for key in ("commit", "failed", "figures")):
        runs.append(entry)
    runs = runs[-TREND_LENGTH:]
    write_whole(path, "".join(json.dumps(run) + "\n" for run in runs))
    return runs
