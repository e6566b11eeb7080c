"""A small design that passes every FPGA check, and ways to spoil it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tb.run.paths import ROOT

GOOD = """\
// A counter, a multiplier and a memory.

module tiny (
  /// Clock.
  input  logic       clk_i,
  /// Reset, active low.
  input  logic       rst_ni,
  /// Data.
  input  logic [3:0] a_i,
  /// Write.
  input  logic       we_i,
  /// Result.
  output logic [7:0] q_o
);
  logic [7:0] count_q, read_q, q_d;
  logic [7:0] mem[256];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) count_q <= '0;
    else count_q <= count_q + 8'(a_i);
  end

  always_ff @(posedge clk_i) begin
    if (we_i) mem[count_q] <= {a_i, a_i};
    read_q <= mem[count_q];
  end

  // spoil here
  always_comb begin
    q_d = read_q;
    if (we_i) q_d = count_q;
  end

  always_ff @(posedge clk_i) q_o <= q_d;
endmodule
"""
LPF = """\
# every port of tiny
FREQUENCY PORT "clk_i" 50 MHZ;
"""
XDC = """\
create_clock -name clk -period 4.000 [get_ports clk_i]
set_false_path -from [get_ports rst_ni]
set_input_delay -clock clk 1.000 \\
  [get_ports {a_i we_i}]
set_output_delay -clock clk 1.000 [get_ports {q_*}]
"""
PINS = {
    "clk_i": "A9", "rst_ni": "V17", "we_i": "N17", "a_i[0]": "M18", "a_i[1]": "C10", "a_i[2]": "C9", "a_i[3]": "B10",
    "q_o[0]": "K4", "q_o[1]": "M3", "q_o[2]": "J3", "q_o[3]": "H2", "q_o[4]": "J2", "q_o[5]": "N15", "q_o[6]": "R17",
    "q_o[7]": "N16",
}  # fmt: skip
PROJECT = """\
[ecp5]
top = "tiny"
sources = ["tiny.sv"]
constraints = "tiny.lpf"
device = "25k"
package = "CSFBGA285"
speed = 8
seeds = [1]

[u250]
top = "tiny"
sources = ["tiny.sv"]
constraints = "tiny.xdc"
"""


def lpf() -> str:
    """Constraints of every port."""
    lines = [f'LOCATE COMP "{port}" SITE "{pin}";\nIOBUF PORT "{port}" IO_TYPE=LVCMOS33;' for port, pin in PINS.items()]
    return LPF + "\n".join(lines) + "\n"


@dataclass
class Tiny:
    """The design in a folder; each attribute is a file's text and may be changed before `check`."""

    folder: Path
    source: str = GOOD
    lpf: str = ""
    xdc: str = XDC
    budget: str = "[ecp5]\nlut = 100\nfmax_mhz = 60\n[u250]\nlut = 200\nbram = 2\n"

    def __post_init__(self) -> None:
        self.lpf = self.lpf or lpf()

    def spoil(self, old: str, new: str) -> Tiny:
        """Replace one place of the source."""
        assert self.source.count(old) == 1, old
        self.source = self.source.replace(old, new)
        return self

    def check(self, only: str) -> Ran:
        """`python -m fpga.flow --only <parts>` on it."""
        for name, text in (("tiny.sv", self.source), ("tiny.lpf", self.lpf), ("tiny.xdc", self.xdc)):
            (self.folder / name).write_text(text)
        (self.folder / "project.toml").write_text(PROJECT)
        (self.folder / "budget.toml").write_text(self.budget)
        command = [sys.executable, "-m", "fpga.flow", "--project", str(self.folder / "project.toml")]
        command += ["--root", str(self.folder), "--report", str(self.folder / "report"), "--only", only]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
        return Ran(ended.returncode, ended.stdout, ended.stderr, self.folder / "report")


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str
    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        """Its fpga.json."""
        return json.loads((self.folder / "fpga.json").read_text())  # type: ignore[no-any-return]
