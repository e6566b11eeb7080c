"""Constraint files against port lists, every complaint with its text; no FPGA tool is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpga.flow.constraints import check_lpf, check_xdc
from fpga.flow.project import load
from tb.run.errors import UsageError
from tb.run.paths import ROOT
from tests.fpga.designs import PINS, PROJECT, XDC, lpf

PORTS = {
    "clk_i": ("input", 1),
    "rst_ni": ("input", 1),
    "a_i": ("input", 4),
    "we_i": ("input", 1),
    "q_o": ("output", 8),
}


def problems_lpf(folder: Path, text: str) -> list[str]:
    (folder / "t.lpf").write_text(text)
    return check_lpf(folder / "t.lpf", PORTS, {"clk_i"}).problems


def problems_xdc(folder: Path, text: str) -> list[str]:
    (folder / "t.xdc").write_text(text)
    return check_xdc(folder / "t.xdc", PORTS).problems


def test_complete_files(tmp_path: Path) -> None:
    assert problems_lpf(tmp_path, lpf()) == []
    assert problems_xdc(tmp_path, XDC) == []


@pytest.mark.parametrize("port", PINS)
def test_each_port_is_missed(tmp_path: Path, port: str) -> None:
    text = "\n".join(line for line in lpf().splitlines() if f'"{port}"' not in line or "FREQ" in line)
    assert problems_lpf(tmp_path, text) == [
        f"t.lpf: port `{port}` has no pin (LOCATE COMP)",
        f"t.lpf: port `{port}` has no I/O standard (IOBUF PORT)",
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('LOCATE COMP "led" SITE "A1";', "LOCATE COMP of `led`, which is no port of the top"),
        ('LOCATE COMP "we_i" SITE "A1";', "port `we_i` has several of LOCATE COMP"),
        ('IOBUF PORT "we_i" PULLMODE=UP;', "IOBUF of `we_i` names no IO_TYPE"),
        ('LOCATE COMP "we_i" SITE "A9"', "not understood"),
        ("SYSCONFIG nothing", "not understood"),
    ],
)
def test_lines_of_lpf(tmp_path: Path, line: str, problem: str) -> None:
    assert any(problem in found for found in problems_lpf(tmp_path, lpf() + line + "\n"))


def test_pin_given_twice_and_clock_without_frequency(tmp_path: Path) -> None:
    text = lpf().replace('SITE "K4"', 'SITE "M3"').replace("FREQUENCY", "# FREQUENCY")
    assert problems_lpf(tmp_path, text) == [
        "t.lpf: clock `clk_i` has no FREQUENCY PORT",
        "t.lpf: pin M3 is given 2 times",
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{q_*}", "{q_o[0]}", None),
        ("{q_*}", "{x_*}", "`x_*` matches no port of the top"),
        ("{a_i we_i}", "{a_i}", "input `we_i` has neither set_input_delay nor a false path"),
        ("set_output_delay", "set_input_delay", "output `q_o` has neither set_output_delay nor a false path"),
        ("create_clock", "set_input_delay", "no clock is created"),
        ("set_false_path", "set_multicycle_path", "not understood: set_multicycle_path"),
    ],
)
def test_lines_of_xdc(tmp_path: Path, old: str, new: str, problem: str | None) -> None:
    found = problems_xdc(tmp_path, XDC.replace(old, new))
    assert (found == []) if problem is None else any(problem in line for line in found)


@given(st.text(alphabet='"{}[]#;\\ \nLOCATEget_portsclk_i', max_size=80))
@settings(derandomize=True, max_examples=200, deadline=None)
def test_parsers_take_anything(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("fuzz", numbered=True)
    assert problems_lpf(folder, text)
    assert problems_xdc(folder, text)


# ---------------------------------------------------------------- project and budget


def write(folder: Path, project: str, budget: str = "") -> Path:
    (folder / "project.toml").write_text(project)
    (folder / "budget.toml").write_text(budget)
    return folder / "project.toml"


def test_projects_own_files() -> None:
    project = load(ROOT / "fpga" / "project.toml")
    assert project.ecp5
    assert project.u250
    assert project.netlist
    assert project.ecp5.design.contents()
    assert project.budget["ecp5"]["fmax_mhz"] >= 100
    assert project.budget["u250"]["lut_percent"] <= 5
    assert project.budget["u250"]["memory_percent"] <= 25


@pytest.mark.parametrize(
    ("project", "budget", "message"),
    [
        (PROJECT.replace("speed = 8", "speed = 9"), "", "ecp5/speed: 9 is not one of"),
        (PROJECT + "[vivado]\n", "", "Additional properties are not allowed"),
        (PROJECT.replace('"tiny.sv"', ""), "", "sources"),
        (PROJECT + "[", "", "project.toml"),
        (PROJECT, "[ecp5]\nlut = -1\n", "ecp5/lut"),
        (PROJECT, "[ecp5]\nluts = 1\n", "Additional properties"),
    ],
)
def test_faults_of_project_files(tmp_path: Path, project: str, budget: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(write(tmp_path, project, budget), tmp_path)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "project.toml", tmp_path)
    project = load(write(tmp_path, PROJECT), tmp_path)
    assert project.ecp5
    with pytest.raises(UsageError, match=r"source `tiny.sv` matches no file"):
        project.ecp5.design.files()
    with pytest.raises(UsageError, match=r"constraints `tiny.lpf` of ecp5 do not exist"):
        project.ecp5.design.constraints_path()
