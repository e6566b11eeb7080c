"""The FPGA rows, from the report that `make fpga-check` leaves."""

import json
from typing import Any

from tb.figures.measure import Figure, Found, Workshop
from tb.run.errors import CheckError
from tb.run.paths import REPORT, shown

SOURCE = REPORT / "fpga.json"
KEYS = {"fmax_ecp5": "fmax_mhz", "u250_bram": "u250_memory_percent", "u250_lut": "u250_lut_percent"}


def fpga(_shop: Workshop) -> Found:
    """What the report holds; rows missing there are not measured."""
    if not SOURCE.exists():
        return Found({name: Figure(None, "not measured: run `make fpga-check` first") for name in KEYS})
    try:
        report = json.loads(SOURCE.read_text())
        parts = report["parts"].values()
        return Found(
            {name: _figure([part for part in parts if key in part["figures"]], key) for name, key in KEYS.items()}
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckError(f"{shown(SOURCE)} is no report of `make fpga-check`: {error!r}") from None


def _figure(measured: list[dict[str, Any]], key: str) -> Figure:
    """The figure of the part of the report that measured it."""
    if not measured:
        return Figure(None, f"not in {shown(SOURCE)}: run `make fpga-check`")
    part = measured[0]
    return Figure(float(part["figures"][key]), f"`make fpga-check` of {part['time']}, commit {part['commit']}")
