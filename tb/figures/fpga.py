"""The FPGA rows, from the report that `make fpga-check` leaves."""

import json

from tb.figures.measure import Figure, Found, Workshop
from tb.run.errors import CheckError
from tb.run.paths import REPORT, shown

SOURCE = REPORT / "fpga.json"
NAMES = ("fmax_ecp5", "u250_bram", "u250_lut")


def fpga(_shop: Workshop) -> Found:
    """What the report holds; rows that it lacks are not measured."""
    if not SOURCE.exists():
        return Found({name: Figure(None, "not measured: run `make fpga-check` first") for name in NAMES})
    try:
        metrics = json.loads(SOURCE.read_text())["metrics"]
        return Found({name: _figure(metrics.get(name)) for name in NAMES})
    except (ValueError, KeyError, TypeError) as error:
        raise CheckError(f"{shown(SOURCE)} is no report of `make fpga-check`: {error!r}") from None


def _figure(metric: dict[str, float | str] | None) -> Figure:
    if metric is None or metric["value"] is None:
        return Figure(None, f"not in {shown(SOURCE)}: run `make fpga-check`")
    return Figure(float(metric["value"]), str(metric["how"]))
