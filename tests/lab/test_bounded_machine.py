"""The bounded-inference study on the device model: its fast lookups, its cells, its command line, a planted defect."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.timing import Timing
from sw.regs.kv_address import KvAddress
from sw.run import run
from tb.lab import settings
from tb.lab.bounded import cells, command
from tb.lab.bounded.bound import Controls, Platform
from tb.lab.bounded.bus import Load
from tb.lab.bounded.cells import CONSTRAINED, Cell, Plan, Unfit, plan, simulate
from tb.lab.bounded.decode import FIELDS, PARTS
from tb.lab.bounded.geometry import BLOCK_TOKENS, SIZES
from tb.lab.bounded.machine import PORT, ModelMachine, addresses
from tb.lab.bounded.matrix import cells as declared
from tb.lab.cli import main
from tb.run.errors import UsageError
from tb.run.paths import ROOT

QUICK = settings.EXPERIMENTS / "quick" / "bounded.toml"
needs_scipy = pytest.mark.skipif(find_spec("scipy") is None, reason="SciPy is installed on request: make setup-lab")


def planned(cell: Cell) -> Plan:
    return plan(cell, Timing(), Load(cell.load), share=0.5, seed=1)


def machine(controls: Controls) -> ModelMachine:
    slots = (64, 256, 256, 0)
    return ModelMachine(Platform(controls=controls), SIZES["S"], "q4_0", slots, entries=1024, need=192, seed=1)


@pytest.mark.parametrize(
    "controls", [CONSTRAINED, Controls(preallocated=True, demand_off=True)], ids=["still", "evicting"]
)
def test_lookups_of_a_layer_are_those_of_the_device_model(controls: Controls) -> None:
    """The same entries, counters and time as one lookup after the other; blocks in two tiers."""
    fast, slow = machine(controls), machine(controls)
    geometry = fast.geometry
    for one in (fast, slow):
        one.device.advance(200)
        run(one.begin(1, 300, 384))
    for step in range(1, 6):
        for one in (fast, slow):
            run(one.step())
            assert one.device.wait_idle(100_000)  # the scan's decisions: a lookup meanwhile may come before or after
            one.device.state.insert(KvAddress(9, 0, 0, step * BLOCK_TOKENS).pack(), step * BLOCK_TOKENS + 15, 1)
        for layer in range(geometry.layers):
            found = run(fast.look(1, layer, 300 + step))
            named = addresses(geometry, 1, layer, range(-(-(300 + step) // BLOCK_TOKENS)))
            tail = [KvAddress(1, layer, head, 300 + step - 1).pack() for head in range(geometry.kv_heads)]
            answers = slow.device.lookups(PORT, [(a, True) for a in tail] + [(a, False) for a in named])
            tiers = [answer.tier for answer in answers[geometry.kv_heads :]]
            assert found == np.bincount(tiers, minlength=4).tolist()
            assert fast.cycle == slow.cycle
    assert found[1] > 0 or controls is CONSTRAINED
    for name, array in fast.device.state.entries.arrays.items():
        assert (array == slow.device.state.entries.arrays[name]).all(), name
    assert fast.device.state.counters == slow.device.state.counters


@pytest.mark.parametrize("load", [0, 50])
@pytest.mark.parametrize(
    "kind", [{}, {"controls": Controls(), "scheduler": "cbs_soft"}], ids=["constrained", "baseline"]
)
def test_parts_add_up_and_stay_within_the_bound(load: int, kind: dict[str, Any]) -> None:
    cell = Cell("t", "c", load=load, tokens=40, **kind)
    plan_ = planned(cell)
    outcome = simulate(plan_, 1)
    parts = outcome.samples[:, [FIELDS.index(part) for part in PARTS]]
    assert (parts.sum(axis=1) == outcome.samples[:, cells.TOTAL]).all()
    assert (parts >= 0).all()
    assert cells.breach(plan_, outcome, 1) is None
    assert (simulate(plan_, 1).samples == outcome.samples).all()
    if load:
        assert (simulate(plan_, 2).samples != outcome.samples).any()
    if not kind:
        assert outcome.moved == 0


def test_streams_under_every_scheduler() -> None:
    for scheduler in ("cbs_hard", "cbs_soft", "edf", "rm", "fifo"):
        plan_ = planned(Cell("t", scheduler, streams=3, tokens=12, scheduler=scheduler, quantisation="q4_0"))
        outcome = simulate(plan_, 1)
        assert np.bincount(outcome.samples[:, 0]).tolist() == [12, 12, 12]
        assert cells.breach(plan_, outcome, 1) is None
        assert (plan_.gap is None) == (scheduler != "cbs_hard")


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        Unfit, match="180,224 blocks of the streams and 90,112 of others: a directory of 65,536 entries"
    ):
        planned(Cell("t", "large", model="L", context=4096, streams=8))


@pytest.mark.parametrize(
    ("defect", "part"),
    [
        ({"lookup_latency": 60}, "lookup"),
        ({"read_latency": (90, 90, 150, 400)}, "bus"),
        ({"mmio_write": 400}, "lookup"),
    ],
)
def test_a_planted_defect_of_the_timing_breaks_the_bound(defect: dict[str, Any], part: str) -> None:
    """The device is slower than the figures that the bound was made from: the message names the part of the token."""
    plan_ = planned(Cell("t", "c", load=0, tokens=20))
    outcome = simulate(plan_, 1, timing=replace(Timing(), **defect))
    found = cells.breach(plan_, outcome, 1)
    assert found is not None
    assert found.what == "device time"
    assert found.seen > found.bound
    assert found.term.startswith(f"{part} took ")


# ---------------------------------------------------------------- settings and command line

SCHEMA = json.loads(settings.OWN_SCHEMAS["bounded"].read_text())


def keys(schema: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name, entry in schema["properties"].items():
        assert len(entry["description"]) > 8, name
        found += keys(entry, f"{prefix}{name}.") if "properties" in entry else [f"{prefix}{name}"]
    return found


@pytest.mark.parametrize("key", keys(SCHEMA))
def test_every_key_is_declared_and_in_the_guide(key: str) -> None:
    value: Any = settings.load("bounded")
    for part in key.split("."):
        value = value[part]
    assert f"`{key}`" in (ROOT / "docs" / "bounded.md").read_text()


def test_the_declared_timing_is_the_device_models() -> None:
    given = settings.load("bounded")["timing"]
    default = Timing()
    for name, value in given.items():
        assert value == (list(getattr(default, name)) if isinstance(value, list) else getattr(default, name))


def test_the_matrix_has_every_group() -> None:
    found = declared(settings.load("bounded"))
    assert len({(cell.group, cell.name) for cell in found}) == len(found)
    groups = {"contention", "controls", "model", "context", "streams", "sampling", "scheduler", "large"}
    assert {cell.group for cell in found} == groups
    assert [cell.tokens * 20 for cell in found if cell.name.startswith("constrained ")] == [100_000] * 4


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("seeds = 1", "c.toml: `seeds`: 1 is less than the minimum of 2"),
        ("[matrix]\nloads = [90]", "c.toml: `matrix.loads.0`: 90 is not one of"),
        ("[matrix]\nlods = [0]", "c.toml: `matrix`: Additional properties are not allowed ('lods' was unexpected)"),
        ("[timing]\nread_latency = [1, 2]", "c.toml: `timing.read_latency`: [1, 2] is too short"),
        ("[device]\ncapacities = [512]", "c.toml: Additional properties are not allowed ('device' was unexpected)"),
    ],
)
def test_a_wrong_config_ends_with_status_2(
    tmp_path: Path, text: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.toml").write_text(text)
    assert main(["--only=bounded", f"--config={tmp_path / 'c.toml'}", f"--report={tmp_path}"]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--only=bounded", "--trace=x"], "TRACE has no effect with ONLY=bounded"),
        (["--only=bounded,eviction", "--config=x"], "CONFIG: `bounded` has keys of its own"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert problem in capsys.readouterr().err


SMALL = """seeds = 2
[tokens]
constrained = 6
baseline = 6
matrix = 4
[matrix]
loads = [0, 50]
models = ["S"]
quantisations = ["q4_0"]
contexts = [128]
streams = [2]
samplings = ["greedy", "top_k"]
controls = ["pinned"]
schedulers = ["cbs_hard", "fifo"]
[tasksets]
tasks = 3
sets = 1
utilisations = [0.5, 0.7]
[statistics]
resamples = 100
"""


def small(tmp_path: Path) -> Path:
    """Less than the quick form."""
    (tmp_path / "c.toml").write_text(SMALL)
    return tmp_path / "c.toml"


@needs_scipy
def test_the_study_leaves_its_results_and_a_page(tmp_path: Path) -> None:
    from sw.terminal import new_console

    command.experiment(settings.load("bounded", small(tmp_path)), tmp_path / "out", new_console(), workers=1)
    results = json.loads((tmp_path / "out" / "bounded.json").read_text())
    assert {"met", "value", "target", "what"} <= set(results["criteria"]["bound_holds"])
    for cell in results["cells"]:
        if cell["refused"] is None:
            assert cell["device"]["worst_ns"] <= cell["device"]["bound_ns"]
            assert cell["worst_sample"]["total_ns"] == cell["token"]["worst_ns"]
            assert sum(cell["variance_by_cause"].values()) == pytest.approx(1, abs=1e-6)
            assert sum(cell["histogram"]["counts"]) == cell["samples"]
    assert len(results["answers"]) == 6
    _check_tokens(tmp_path / "out" / "bounded-tokens.csv.gz", results)
    page = (tmp_path / "out" / "bounded.html").read_text()
    assert page.count("<svg") == 11
    assert "src=" not in page
    assert 'href="http' not in page


def _check_tokens(path: Path, results: dict[str, Any]) -> None:
    """The raw tokens are those of the results: as many in each cell, and the same worst one."""
    with gzip.open(path, "rt", newline="") as text:
        rows = list(csv.DictReader(text))
    for cell in results["cells"]:
        own = [row for row in rows if (row["group"], row["cell"]) == (cell["group"], cell["name"])]
        if cell["refused"]:
            assert not own
            continue
        assert len(own) == cell["samples"]
        ns = 1000 / results["settings"]["timing"]["clock_mhz"]
        worst = max(own, key=lambda row: int(row["total"]))
        assert int(worst["total"]) * ns == cell["token"]["worst_ns"]
        assert {row["seed"] for row in own} == {str(seed) for seed in range(1, results["settings"]["seeds"] + 1)}
        assert all(sum(int(row[part]) for part in PARTS) == int(row["total"]) for row in own)


@needs_scipy
def test_a_token_over_its_bound_ends_with_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    honest = cells.simulate
    slow = replace(Timing(), lookup_latency=80)
    monkeypatch.setattr("tb.lab.bounded.study.simulate", lambda one, seed: honest(one, seed, timing=slow))
    monkeypatch.setattr("tb.lab.bounded.study.cores", lambda: 1)
    monkeypatch.setattr("tb.lab.bounded.page.write_page", lambda _results, path: path.write_text("no plots"))
    assert main(["--only=bounded", f"--config={small(tmp_path)}", f"--report={tmp_path / 'out'}"]) == 1
    error = capsys.readouterr().err
    assert "the bound does not hold in contention constrained 0 %, seed 1" in error
    assert "lookup took" in error
    assert json.loads((tmp_path / "out" / "bounded.json").read_text())["criteria"]["bound_holds"]["met"] is False


def test_a_quick_form_is_declared() -> None:
    assert settings.load("bounded", QUICK)["seeds"] == 3
    with pytest.raises(UsageError):
        settings.load("eviction", QUICK)
