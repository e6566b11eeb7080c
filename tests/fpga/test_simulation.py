"""The netlist's simulation model against Yosys' own models of the cells, and what it refuses."""

from __future__ import annotations

import json
import random
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpga.flow import yosys
from fpga.flow.netlist import Netlist
from fpga.flow.simulation import template, verilog
from tb.run.errors import CheckError

OUTPUTS = frozenset({"Z", "S0", "S1", "COUT", "Q"})
INPUTS = 24  # bits 2.. of every design here
DESIGNS = 8


def design(cells: list[tuple[str, dict[str, str], dict[str, int | str]]]) -> dict[str, Any]:
    """A netlist `cells` of (type, parameters, pins); bits 2 to INPUTS + 1 are inputs, every other bit is watched."""
    bits = {bit for _, _, pins in cells for bit in pins.values() if isinstance(bit, int)}
    inputs = range(2, INPUTS + 2)
    return {
        "ports": {
            "in": {"direction": "input", "bits": list(inputs)},
            "out": {"direction": "output", "bits": sorted(bits - set(inputs))},
        },
        "cells": {
            f"cell{i}": {
                "hide_name": 0,
                "type": kind,
                "parameters": parameters,
                "attributes": {},
                "port_directions": {pin: "output" if pin in OUTPUTS else "input" for pin in pins},
                "connections": {pin: [bit] for pin, bit in pins.items()},
            }
            for i, (kind, parameters, pins) in enumerate(cells)
        },
        "netnames": {f"n{bit}": {"hide_name": 0, "bits": [bit], "attributes": {}} for bit in sorted(bits)},
    }


def written(folder: Path, module: dict[str, Any]) -> Netlist:
    (folder / "cells.json").write_text(json.dumps({"modules": {"cells": module}}))
    return Netlist(folder / "cells.json", "cells")


@given(st.integers(0, 0xFFFF))
def test_template_is_the_table(table: int) -> None:
    """Its operators are Python's: with the inputs' columns of the table as values, it gives the table."""
    columns = [sum((i >> k & 1) << i for i in range(16)) for k in range(4)]
    expression = template(table, 4).format(*columns).replace("1'b0", "0").replace("1'b1", "-1")
    assert eval(expression) & 0xFFFF == table, template(table, 4)


def test_template_leaves_out_inputs_without_influence() -> None:
    assert template(0xCCCC, 4) == "{1}"
    assert template(0x3333, 4) == "~{1}"
    assert template(0x6996, 4).count("^") == 3
    assert template(0x0000, 4) == "1'b0"


@pytest.mark.skipif(find_spec("pyosys") is None, reason="the FPGA tools are not installed: `make setup-fpga` does it")
@pytest.mark.parametrize("seed", range(DESIGNS))
def test_cells_are_those_of_yosys(tmp_path: Path, seed: int) -> None:
    """Random cells on random nets: Yosys proves each net equal, for every input and state."""
    rng = random.Random(seed)
    nets: list[int | str] = [*range(4, INPUTS + 2), "0", "1"]
    cells: list[tuple[str, dict[str, str], dict[str, int | str]]] = []

    def some(*pins: str) -> dict[str, int | str]:
        return {pin: rng.choice(nets) for pin in pins}

    def new(*pins: str) -> dict[str, int | str]:
        made = {pin: len(nets) + i + 100 for i, pin in enumerate(pins)}
        nets.extend(made.values())
        return dict(made)

    def table() -> str:
        return f"{rng.getrandbits(16):016b}"

    for _ in range(150):
        kind = rng.choice(["LUT4", "LUT4", "LUT4", "CCU2C", "PFUMX", "L6MUX21", "TRELLIS_FF", "TRELLIS_FF"])
        if kind == "LUT4":
            cells.append((kind, {"INIT": table()}, some(*"ABCD") | new("Z")))
        elif kind == "PFUMX":
            cells.append((kind, {}, some("ALUT", "BLUT", "C0") | new("Z")))
        elif kind == "L6MUX21":
            cells.append((kind, {}, some("D0", "D1", "SD") | new("Z")))
        elif kind == "CCU2C":
            pins = some("CIN", *(f"{pin}{half}" for half in "01" for pin in "ABCD"))
            tables = {"INIT0": table(), "INIT1": table(), "INJECT1_0": "NO", "INJECT1_1": "NO"}
            cells.append((kind, tables, pins | new("S0", "S1", "COUT")))
        else:
            settings = {"CLKMUX": "CLK", "LSRMUX": "LSR", "GSR": "DISABLED"}
            settings["CEMUX"] = rng.choice(["1 ", "CE", "INV"])
            settings["REGSET"] = rng.choice(["SET", "RESET"])
            settings["SRMODE"] = rng.choice(["ASYNC", "LSR_OVER_CE"])
            # The asynchronous reset comes from outside: through logic it is no reset to a prover.
            pins = some("DI", "CE") | {"LSR": 3 if settings["SRMODE"] == "ASYNC" else rng.choice(nets), "CLK": 2}
            cells.append((kind, settings, pins | new("Q")))
    netlist = written(tmp_path, design(cells))
    (tmp_path / "cells.sv").write_text(verilog(netlist, "cells", []))
    script = [
        "read_verilog -sv cells.sv",
        "proc",
        "opt_clean",
        "async2sync",
        "design -stash gate",
        "read_verilog -D NO_INCLUDES +/lattice/cells_sim_ecp5.v",
        "read_json cells.json",
        "hierarchy -top cells",
        "proc",
        "flatten -wb",
        "async2sync",
        "design -copy-to gate -as gold cells",
        "design -load gate",
        "rename cells gate",
        "miter -equiv -flatten gold gate miter",
        "hierarchy -top miter",
        # Every net is an output, so one step of induction holds every state.
        "sat -verify -tempinduct -prove trigger 0 -show-inputs -show-outputs miter",
    ]
    yosys.run(script, tmp_path)
    proven = (tmp_path / "yosys.log").read_text()
    assert "Induction step proven: SUCCESS!" in proven


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("LUT7", {}, "cell cell0 of type LUT7 has no simulation model"),
        ("CCU2C", {"INIT0": "0" * 16, "INIT1": "0" * 16, "INJECT1_0": "YES", "INJECT1_1": "NO"}, "INJECT1_0 = YES"),
        ("TRELLIS_FF", {"CEMUX": "1 ", "CLKMUX": "INV", "LSRMUX": "LSR", "REGSET": "SET"}, "CLKMUX = INV"),
        ("TRELLIS_FF", {"CEMUX": "0", "CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "SET"}, "CEMUX = 0"),
        ("DP16KD", {"INITVAL_00": "0001"}, "has initial contents"),
        ("TRELLIS_DPR16X4", {"INITVAL": "1" + "0" * 63}, "has initial contents"),
    ],
)
def test_what_has_no_model_is_refused(tmp_path: Path, kind: str, parameters: dict[str, str], message: str) -> None:
    netlist = written(tmp_path, design([(kind, parameters, {"A": 2, "CLK": 3, "Q": 100})]))
    with pytest.raises(CheckError, match=message):
        verilog(netlist, "cells", ["DP16KD"])
