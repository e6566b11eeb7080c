"""`make sim CONFIG=`: the same hits on the device model as at the policy level, and what it refuses."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from model.policy import PolicyModel
from tb.lab.point.cli import Options, main
from tb.make import Step, plan
from tb.run.errors import UsageError

POINT = """
[traces]
generated = ["{kind}"]
requests = 60
[device]
capacities = [{slots}]
entries = 4096
slow_slots = 3000
block_bytes = 256
{device}
[policy]
layers = ["{layer}"]
{policy}
[policy.own]
queue = 16
session_end = true
[policy.weights]
w_r = 0
w_f = {w_f}
w_s = 255
w_d = 0
steps = 180
[point]
engine = "{engine}"
"""
PLAIN = {
    "kind": "chat", "slots": 256, "device": "", "layer": "own", "policy": "", "w_f": 0, "engine": "healthy",
}  # fmt: skip


def run(tmp_path: Path, *arguments: str, **changes: object) -> int:
    (tmp_path / "c.toml").write_text(POINT.format(**{**PLAIN, **changes}))
    return main([f"--config={tmp_path / 'c.toml'}", "--backend=model", f"--report={tmp_path}", *arguments])


@pytest.mark.parametrize(
    "changes",
    [
        {"policy": 'room = "exact"', "w_f": 255, "engine": "loaded"},
        {"layer": "queue_64", "engine": "loaded", "policy": 'room = "exact"\nheld_share = 0.5\nprefetch = 4'},
        {"layer": "self_tuned", "kind": "agents", "slots": 384},
        {"policy": 'room = "exact"\nhold = 0\nlookahead = 3', "engine": "loaded"},
    ],
    ids=["exact", "queue", "self_tuned", "nothing held"],
)
def test_model_and_policy_level_have_the_same_hits(tmp_path: Path, changes: dict[str, object]) -> None:
    assert run(tmp_path, **changes) == 0
    found = json.loads((tmp_path / "point.json").read_text())
    assert found["hits"]["policy"] == found["hits"]["device"] > 50
    assert (found["mismatches"], found["overflows"], found["state"]) == (0, 0, "complete")
    assert found["comparisons"] > found["references"]


@pytest.mark.parametrize(
    "changes",
    [{}, {"device": "low = 40\nhigh = 60\nreserve = 4"}, {"policy": "prefetch_thresh = 62000", "w_f": 9}],
    ids=["what is needed", "marks and reserve", "scores bring blocks up"],
)
def test_watermarks_where_no_prompt_fills_the_queue(tmp_path: Path, changes: dict[str, object]) -> None:
    draw, lines = random.Random(4), []
    for number in range(50):
        turns = [{"input_length": draw.randrange(600, 9000), "output_length": 40, "delay": 50_000} for _ in range(3)]
        lines.append(json.dumps({"timestamp": 9000 * number, "turns": turns}))
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    assert run(tmp_path, f"--trace={tmp_path / 't.jsonl'}", **changes) == 0
    found = json.loads((tmp_path / "point.json").read_text())
    assert found["hits"]["policy"] == found["hits"]["device"] > 50
    assert found["moves"] > 200


SERVING = POINT + 'experiment = "serving"\n[serving]\npolicies = ["own"]\nrunning = 6\n'


def serve(tmp_path: Path, *arguments: str, **changes: object) -> int:
    """A point of the engine in a fast tier that is hardly larger than what runs: pins, growth, preemption."""
    plain = {**PLAIN, "policy": 'room = "exact"', "engine": "loaded", "w_f": 255}
    (tmp_path / "c.toml").write_text(SERVING.format(**{**plain, **changes}))
    return main([f"--config={tmp_path / 'c.toml'}", "--backend=model", f"--report={tmp_path}", *arguments])


@pytest.mark.parametrize("kind", ["chat", "agents"])
def test_an_engine_has_the_same_hits_on_the_model(tmp_path: Path, kind: str) -> None:
    assert serve(tmp_path, kind=kind) == 0
    found = json.loads((tmp_path / "point.json").read_text())
    assert found["hits"]["policy"] == found["hits"]["device"] > 50
    assert (found["experiment"], found["mismatches"], found["overflows"]) == ("serving", 0, 0)
    assert found["requests"] == 60


def test_a_pin_that_the_device_does_not_get_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sw.policy.lockstep.Recorder.share", PolicyModel.share)
    assert serve(tmp_path) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_a_policy_without_a_device_is_no_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(tmp_path, "--policy=lru") == 2
    assert "with the policy `lru` there is no device to run: name a layer of HEPC" in capsys.readouterr().err


def test_a_difference_is_one_line_and_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy level that forgets every hint: the device still holds what was hinted."""
    monkeypatch.setattr(PolicyModel, "hint", lambda _self, _blocks, _step: None)
    assert run(tmp_path, layer="queue_64", engine="loaded") == 1
    said = capsys.readouterr()
    assert "repeat: make sim CONFIG=" in said.out
    assert said.err.startswith("error: ")
    assert json.loads((tmp_path / "point.json").read_text())["state"] == "failed"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"layer": 'own", "blind'}, "`policy.layers` has 2 values, and `make sim` runs one point"),
        ({"slots": "256, 512"}, "`device.capacities` has 2 values"),
        ({"kind": 'chat", "agents'}, "`traces.generated` has 2 values"),
        ({"slots": 64}, "a fast tier of 64 slots cannot hold it"),
        ({"device": "reserve = 9\nlow = 8"}, "device.low: 8 is below device.reserve (9)"),
    ],
)
def test_what_is_no_point_is_refused(
    tmp_path: Path, changes: dict[str, object], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, **changes) == 2
    said = capsys.readouterr().err
    assert problem in said
    assert said.count("\n") == 1


def test_slots_and_policy_go_before_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exact = {"policy": 'room = "exact"'}
    assert run(tmp_path, "--slots=300", "--policy=session_end", **exact) == 0
    found = json.loads((tmp_path / "point.json").read_text())
    assert (found["capacity"], found["layer"]) == (300, "session_end")
    assert (found["settings"]["slots"], found["settings"]["policy"]) == ("300", "session_end")
    assert run(tmp_path, "--slots=300,400") == 2
    assert run(tmp_path, "--policy=lru") == 2
    several, unknown = capsys.readouterr().err.splitlines()
    assert "`device.capacities` has 2 values, and `make sim` runs one point" in several
    assert unknown.startswith("error: POLICY=lru: for `eviction` one of shipped, blind, ")


def test_the_command_that_repeats_has_slots_and_policy() -> None:
    assert "make sim SLOTS=300 POLICY=all SEED=1" in Options(slots="300", policy="all").repeat
    assert "make sim CONFIG=c POLICY=all SEED=1" in Options(config=Path("c"), policy="all").repeat


def test_make_sim_takes_a_configuration() -> None:
    assert plan("sim", {"CONFIG": "c", "BACKEND": "model"}) == [Step("tb.lab.point", ("--config=c", "--backend=model"))]
    with pytest.raises(UsageError, match="ENTRIES has no effect with CONFIG: a point"):
        plan("sim", {"CONFIG": "c", "ENTRIES": "2048"})


def test_score_threshold_brings_blocks_up() -> None:
    """PREFETCH_THRESH at the policy level: blocks of the slower tier with a higher score move up."""
    from model.policy import SLOW, PolicyConfig

    model = PolicyModel(8, fast=4, slow=8, config=PolicyConfig(w_r=0, w_f=0, w_s=255, w_d=0, prefetch_thresh=60_000))
    model.insert(np.arange(6))
    assert (model.where[4:6] == SLOW).all()
    model.evict(np.array([0, 1]))
    model.step(1)
    assert model.brought[[4, 5]].all()
    model.step(200)
    assert model.promotions == 2, "their scores are low by now"
