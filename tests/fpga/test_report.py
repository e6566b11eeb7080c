"""The report of the FPGA checks: of whole runs and of parts, with where it comes from."""

import json
from pathlib import Path

from fpga.flow import report
from fpga.flow.step import Check

FACTS = {"fmax_mhz": 101.5, "u250_lut": 123}


def test_a7_a_part_leaves_the_figures_of_the_whole(tmp_path: Path) -> None:
    (tmp_path / "board").write_text("bits")
    facts = {**FACTS, "bitstream": str(tmp_path / "board")}
    assert report.write([Check("place")], facts, 3.0, tmp_path) == tmp_path / "fpga.html"
    page = report.write([Check("lint", problems=["bad"])], {}, 1.0, tmp_path, ["lint"])
    assert page == tmp_path / "fpga-part.html"
    whole, part = (json.loads((tmp_path / name).read_text()) for name in ("fpga.json", "fpga-part.json"))
    assert (whole["fmax_mhz"], whole["failed"], whole["settings"]) == (101.5, 0, {"parts": None})
    assert (part["failed"], part["settings"]) == (1, {"parts": ["lint"]})
    assert {"time", "commit", "clean", "seed"} <= whole.keys() & part.keys()
    assert (tmp_path / "board.bit").read_text() == "bits"
    assert len((tmp_path / "fpga-trend.jsonl").read_text().splitlines()) == 1


def test_d1_a_damaged_trend_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    report.write([Check("place")], FACTS, 3.0, tmp_path)
    trend = tmp_path / "fpga-trend.jsonl"
    trend.write_text(trend.read_text() + '{"time": "2026\n[]\n')
    report.write([Check("place")], {**FACTS, "fmax_mhz": 99.0}, 3.0, tmp_path)
    assert [json.loads(line)["figures"]["fmax_mhz"] for line in trend.read_text().splitlines()] == [101.5, 99.0]
