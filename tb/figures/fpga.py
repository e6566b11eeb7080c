"""The FPGA rows, from the report that `make fpga-check` leaves."""

import json

from tb.figures.measure import Figure, Found, Workshop
from tb.run.errors import CheckError
from tb.run.paths import REPORT, shown

SOURCE = REPORT / "fpga.json"
KEYS = {"fmax_ecp5": "fmax_mhz", "u250_bram": "u250_memory_percent", "u250_lut": "u250_lut_percent"}


def fpga(_shop: Workshop) -> Found:
    """What the report holds; rows that it lacks are not measured."""
    if not SOURCE.exists():
        return Found({name: Figure(None, "not measured: run `make fpga-check` first") for name in KEYS})
    try:
        report = json.loads(SOURCE.read_text())
        how = f"`make fpga-check` of {report['time']}, commit {report['commit']}"
        return Found({name: _figure(report.get(key), how) for name, key in KEYS.items()})
    except (ValueError, KeyError, TypeError) as error:
        raise CheckError(f"{shown(SOURCE)} is no report of `make fpga-check`: {error!r}") from None


def _figure(value: float | None, how: str) -> Figure:
    if value is None:
        return Figure(None, f"not in {shown(SOURCE)}: run `make fpga-check`")
    return Figure(float(value), how)
