"""`make bench` as its user meets it: exit status, one line for an error, exactly the JSON that is promised."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tb.figures import cli
from tb.figures.cosim import Bare, compare_ends
from tb.figures.files import IMAGE, PINS
from tb.figures.fpga import fpga
from tb.figures.measure import Figure, Found, Settings, Workshop
from tb.figures.rows import BY_NAME, PARTS, ROWS
from tb.run.errors import CheckError
from tb.run.leg import Job

Part = Callable[[Workshop], Found]


def good(name: str) -> float:
    row = BY_NAME[name]
    return 1.0 if row.target is None else row.target


def standing(part: str) -> Part:
    """A part whose rows just reach their targets."""
    return lambda _: Found({row.name: Figure(good(row.name), "by a test") for row in ROWS if row.part == part})


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Part]:
    made = {part: standing(part) for part in PARTS}
    monkeypatch.setattr(cli, "_parts", lambda: made)
    return made


def bench(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, dict[str, object]]]:
    status = cli.main(["--report", str(tmp_path), *arguments])
    path = tmp_path / "bench.json"
    return status, json.loads(path.read_text())["metrics"] if path.exists() else {}


def test_all_rows_met(parts: dict[str, Part], tmp_path: Path) -> None:
    assert parts
    status, metrics = bench(tmp_path)
    assert status == 0
    assert list(metrics) == [row.name for row in ROWS]
    assert all(set(metric) == {"value", "unit", "target", "how"} for metric in metrics.values())
    about = json.loads((tmp_path / "bench.json").read_text())
    assert set(about) == {"metrics", "time", "commit", "clean", "seed", "settings"}
    assert about["settings"] == {"rows": None, "debug": False}
    assert "<table>" in (tmp_path / "bench.html").read_text()


def test_a_missed_row_is_status_1(parts: dict[str, Part], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts["model"] = lambda _: Found({"model_scan": Figure(2.001, "slow")})
    status, metrics = bench(tmp_path)
    assert status == 1
    assert metrics["model_scan"] == {"value": 2.001, "unit": "ms", "target": 2, "how": "slow"}
    assert capsys.readouterr().err == "error: missed: model_scan\n"


def test_a_part_that_fails_does_not_hide_the_others(
    parts: dict[str, Part], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: Workshop) -> Found:
        raise CheckError("the simulator ended\nand more")

    parts["steps"] = broken
    status, metrics = bench(tmp_path)
    assert status == 1
    assert metrics["lookup_latency"]["value"] is None
    assert metrics["lookup_latency"]["how"] == "failed: the simulator ended"
    assert metrics["first_full"]["value"] == 0.98
    assert "missed: lookup_latency, step_to_decision, step_to_dma" in capsys.readouterr().err


def test_not_measured_is_no_miss(parts: dict[str, Part], tmp_path: Path) -> None:
    parts["fpga"] = lambda _: Found({n: Figure(None, "none") for n in ("fmax_ecp5", "u250_bram", "u250_lut")})
    status, metrics = bench(tmp_path)
    assert status == 0
    assert metrics["fmax_ecp5"]["value"] is None


def test_some_rows_only(parts: dict[str, Part], tmp_path: Path) -> None:
    parts["fill"] = lambda _: pytest.fail("this part has none of the rows")
    status, metrics = bench(tmp_path, "--rows", "lookup_latency, model_scan")
    assert status == 0
    assert list(metrics) == ["lookup_latency", "model_scan"]
    assert not (tmp_path / "bench.html").exists()


def test_unknown_row_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(tmp_path, "--rows", "lookup_latencies")[0] == 2
    assert "no figure is called `lookup_latencies`" in capsys.readouterr().err


def test_curves_are_drawn_into_one_page(parts: dict[str, Part], tmp_path: Path) -> None:
    def with_curves(_: Workshop) -> Found:
        found = standing("directory")(_)
        found.curves = {
            "throughput_by_occupancy": [{"occupancy": 0.5, "hits": 0.9}, {"occupancy": 0.9, "hits": 0.99}],
            "by_load": [{"offered": 0.0, "alone": 0.0, "in_scan": 0.0, "scan_cycles": 4000}],
            "sizes": [{"entries": 1024, "cycles": 10, "references": 5, "seconds": 1.0, "megabytes": 100.0}],
        }
        return found

    parts["directory"] = with_curves
    assert bench(tmp_path)[0] == 0
    page = (tmp_path / "bench.html").read_text()
    assert page.count("<svg") == 4
    assert "Growth with the directory" in page
    assert "<script" not in page
    assert "<link" not in page


def shop() -> Workshop:
    return Workshop(Settings(frozenset(BY_NAME)), lambda _: None)


def test_a_measurement_names_the_command_that_repeats_it() -> None:
    some = Settings(frozenset({"lookup_latency", "dma_util_8k"}), curves=False, debug=True)
    for settings, command in (
        (Settings(frozenset(BY_NAME)), "make bench"),
        (some, "make bench ROWS=dma_util_8k,lookup_latency DEBUG=1"),
    ):
        leg = Workshop(settings, lambda _: None).leg("figures_cosim", of=5_000)
        assert Job(leg, leg.tests[0], 1).repeat == command


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"parts": 1}', '{"parts": {"place": {"figures": {"fmax_mhz": "fast"}}}}']
)
def test_a_damaged_fpga_report_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    path = tmp_path / "fpga.json"
    path.write_text(text)
    monkeypatch.setattr("tb.figures.fpga.SOURCE", path)
    with pytest.raises(CheckError, match=r"fpga\.json is no report"):
        fpga(shop())


def test_fpga_rows_are_taken_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "fpga.json"
    monkeypatch.setattr("tb.figures.fpga.SOURCE", path)
    assert fpga(shop()).figures["u250_lut"].value is None
    place = {"time": "2026-01-02T03:04:05Z", "commit": "abc", "figures": {"fmax_mhz": 126.5}}
    lint = {"time": "2026-02-03T04:05:06Z", "commit": "def", "figures": {}}
    path.write_text(json.dumps({"time": lint["time"], "commit": "def", "parts": {"lint": lint, "place": place}}))
    figures = fpga(shop()).figures
    assert figures["fmax_ecp5"] == Figure(126.5, "`make fpga-check` of 2026-01-02T03:04:05Z, commit abc")
    assert figures["u250_bram"].value is None


def recording(folder: Path, cycles: int, signature: int) -> None:
    words = [3, 64, cycles, signature]
    (folder / PINS).write_bytes(b"KVPINS1\0" + b"".join(word.to_bytes(8, "little") for word in words))


def test_the_bare_loop_must_end_as_the_full_run(tmp_path: Path) -> None:
    recording(tmp_path, 1000, 0xABCD)
    image = bytes(range(256)) * 2
    (tmp_path / IMAGE).write_bytes(image)
    bare = tmp_path / "bare_directory.bin"
    bare.write_bytes(image)
    compare_ends(tmp_path, Bare(1000, 1.0, 0xABCD))
    with pytest.raises(CheckError, match="expected 1,000 cycles with outputs 0x000000000000abcd"):
        compare_ends(tmp_path, Bare(1000, 1.0, 0xABCE))
    with pytest.raises(CheckError, match="seen 999 cycles"):
        compare_ends(tmp_path, Bare(999, 1.0, 0xABCD))
    bare.write_bytes(image[:100] + b"\xff" + image[101:])
    with pytest.raises(CheckError, match="1 other entries, the first 3"):
        compare_ends(tmp_path, Bare(1000, 1.0, 0xABCD))
    bare.write_bytes(image[:-32])
    with pytest.raises(CheckError, match="other entries"):
        compare_ends(tmp_path, Bare(1000, 1.0, 0xABCD))
