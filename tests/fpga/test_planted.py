"""Every failure that `make fpga-check` is for, planted in a small design: exit status 1 and one clear line."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fpga.designs import Ran, Tiny

pytestmark = pytest.mark.skipif(
    find_spec("pyosys") is None, reason="the FPGA tools are not installed: `make setup-fpga` does it"
)


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return Tiny(tmp_path)


def refused(ran: Ran, line: str) -> None:
    """Exit status 1, and one line on stderr that says why."""
    assert ran.status == 1, ran.out + ran.err
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    assert line in ran.err
    assert "Traceback" not in ran.out + ran.err


def test_good_design_passes_and_is_kept(tiny: Tiny) -> None:
    ran = tiny.check("lint,u250,ecp5,place")
    assert ran.status == 0, ran.out + ran.err
    record = ran.record
    assert record["failed"] == 0
    assert record["fmax_mhz"] > 60
    assert record["bitstream_bytes"] > 10_000
    assert (ran.folder / "board.bit").stat().st_size == record["bitstream_bytes"]
    assert record["ecp5_bram"] == 1
    assert record["ecp5_ff"] >= 16
    assert record["u250_lut"] > 0
    assert record["memories"] == {"mem": {"words": 256, "bits": 8, "kind": "block RAM"}}
    assert [domain["net"] for domain in record["clocks"]] == ["clk_i"]
    assert [(domain["net"], domain["active"]) for domain in record["resets"]] == [("rst_ni", "low")]
    assert 0 < len(record["worst_paths"]) <= 10
    assert any("count_q" in path["from"] for path in record["worst_paths"])
    page = (ran.folder / "fpga.html").read_text()
    assert "Worst paths" in page
    assert "Memory map" in page
    again = tiny.check("u250,ecp5,place")
    assert again.status == 0
    assert again.out.count("(kept)") >= 3
    assert again.record["fmax_mhz"] == record["fmax_mhz"]


def test_budget_ecp5(tiny: Tiny) -> None:
    tiny.budget = "[ecp5]\nlut = 3\n"
    refused(tiny.check("ecp5"), "budget of ecp5: over budget: lut ")


def test_budget_u250(tiny: Tiny) -> None:
    tiny.budget = "[u250]\nlut = 3\n"
    refused(tiny.check("u250"), "budget of u250: over budget: lut ")


def test_latch_by_a_missing_assignment(tiny: Tiny) -> None:
    refused(tiny.spoil("    q_d = read_q;\n", "").check("ecp5"), "no latches: latch on q_d")


def test_latch_as_written(tiny: Tiny) -> None:
    tiny.spoil("  // spoil here\n", "  logic [3:0] held;\n  always_latch if (we_i) held = a_i;\n")
    refused(tiny.spoil("q_d = read_q;", "q_d = read_q ^ 8'(held);").check("ecp5"), "no latches: latch on held")


def test_loop(tiny: Tiny) -> None:
    tiny.spoil("  // spoil here\n", "  logic round;\n  assign round = !(round && a_i[0]);\n")
    refused(tiny.spoil("q_d = read_q;", "q_d = read_q ^ 8'(round);").check("ecp5"), "combinational loop: round")


def test_net_without_a_driver(tiny: Tiny) -> None:
    tiny.spoil("  // spoil here\n", "  wire undriven;\n")
    refused(tiny.spoil("q_d = read_q;", "q_d = read_q ^ 8'(undriven);").check("ecp5"), "no driver: tiny.undriven")


def test_net_with_two_drivers(tiny: Tiny) -> None:
    tiny.spoil("  // spoil here\n", "  wire both;\n  assign both = a_i[0];\n  assign both = a_i[1];\n")
    refused(tiny.spoil("q_d = read_q;", "q_d = read_q ^ 8'(both);").check("ecp5"), "several drivers: tiny.both")


def test_memory_with_a_reset_falls_apart(tiny: Tiny) -> None:
    tiny.spoil(
        "    if (!rst_ni) count_q <= '0;\n",
        "    if (!rst_ni) begin\n      count_q <= '0;\n      mem <= '{default: '0};\n    end\n",
    )
    tiny.spoil(
        "    else count_q <= count_q + 8'(a_i);\n",
        "    else begin\n      count_q <= count_q + 8'(a_i);\n      if (we_i) mem[count_q] <= {a_i, a_i};\n    end\n",
    )
    tiny.spoil("    if (we_i) mem[count_q] <= {a_i, a_i};\n    read_q", "    read_q")
    refused(tiny.check("ecp5"), "array mem of 2,048 bits is no memory: it falls apart into flip-flops")


def test_memory_with_two_writers_falls_apart(tiny: Tiny) -> None:
    tiny.spoil(
        "    read_q <= mem[count_q];\n",
        "    if (a_i[0]) mem[~count_q] <= 8'h55;\n    read_q <= mem[count_q] ^ mem[8'(a_i)];\n",
    )
    refused(tiny.check("ecp5"), "memory mem (256 x 8) falls apart into flip-flops")


def test_port_without_a_pin(tiny: Tiny) -> None:
    tiny.lpf = "\n".join(line for line in tiny.lpf.splitlines() if '"q_o[5]"' not in line)
    refused(tiny.check("ecp5"), "port `q_o[5]` has no pin (LOCATE COMP)")


def test_port_without_timing(tiny: Tiny) -> None:
    tiny.xdc = tiny.xdc.replace("{a_i we_i}", "{a_i}")
    refused(tiny.check("u250"), "tiny.xdc: input `we_i` has neither set_input_delay nor a false path")


def test_timing_fails(tiny: Tiny) -> None:
    tiny.budget = "[ecp5]\nfmax_mhz = 900\n"
    refused(tiny.check("place"), "timing: clock clk_i: ")


def test_timing_fails_by_the_constraints(tiny: Tiny) -> None:
    tiny.lpf = tiny.lpf.replace("50 MHZ", "850 MHZ")
    refused(tiny.check("place"), "MHz, 850.")


def test_lint(tiny: Tiny) -> None:
    refused(tiny.spoil("q_d = read_q;", "q_d = {1'b0, read_q};").check("lint"), "verilator: ")


def test_source_that_yosys_refuses(tiny: Tiny) -> None:
    refused(tiny.spoil("q_d = read_q;", "q_d = no_such_thing;").check("ecp5"), "Yosys refuses the design")
