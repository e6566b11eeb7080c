"""Declarative settings: checked against the schema, every key documented, refusals in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sw.replay.trace import Trace, TraceRequest
from tb.lab import settings
from tb.lab.stream import stream_of
from tb.run.errors import UsageError
from tb.run.paths import ROOT


def keys(schema: dict[str, Any], prefix: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name, entry in schema["properties"].items():
        found += keys(entry, f"{prefix}{name}.") if "properties" in entry else [(f"{prefix}{name}", entry)]
    return found


OWN = {"serving": ("policy.layers",)}
"""Keys that an experiment has no use for, of tables that it has."""
KEYS = keys(json.loads(settings.SCHEMA.read_text()))


@pytest.mark.parametrize(("key", "entry"), KEYS, ids=[key for key, _ in KEYS])
def test_every_key_is_described_and_in_the_guide(key: str, entry: dict[str, Any]) -> None:
    assert len(entry["description"]) > 10
    assert f"`{key}`" in (ROOT / "docs" / "laboratory.md").read_text()


@pytest.mark.parametrize("name", [name for name in settings.names() if name not in settings.OWN_SCHEMAS])
def test_every_experiment_has_every_key(name: str) -> None:
    given = settings.load(name)
    assert given["name"] == name
    for key, _ in KEYS:
        if key.startswith("policy.weights.") or key.split(".")[0] not in given:
            continue  # searched unless they are given; a table of another experiment
        if key in OWN.get(name, ()):
            continue
        value: Any = given
        for part in key.split("."):
            assert part in value, key
            value = value[part]


def test_a_config_replaces_single_keys(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("seed = 7\n[device]\ncapacities = [512]\n")
    given = settings.load("eviction", tmp_path / "c.toml")
    assert (given["seed"], given["device"]["capacities"], given["device"]["entries"]) == (7, [512], 65_536)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("seed = 0", "c.toml: `seed`: 0 is less than the minimum of 1"),
        ("sede = 1", "c.toml: Additional properties are not allowed ('sede' was unexpected)"),
        ("[device]\ncapacities = [3]", "c.toml: `device.capacities.0`: 3 is less than the minimum of 64"),
        ("[device]\nblock_bytes = 100", "c.toml: `device.block_bytes`: 100 is less than the minimum of 256"),
        ("[policy.weights]\nw_f = 256", "c.toml: `policy.weights.w_f`: 256 is greater than the maximum of 255"),
        ('[policy]\nlayers = ["none"]', "c.toml: `policy.layers.0`: 'none' is not one of"),
        ("[engine.healthy]\nrunning = 0", "c.toml: `engine.healthy.running`: 0 is less than the minimum of 1"),
        ("seed = ", "c.toml: not TOML: "),
        ('name = "mine"', "c.toml: `name` is the experiment's own; leave it out"),
    ],
)
def test_a_wrong_config_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(UsageError) as raised:
        settings.load("eviction", tmp_path / "c.toml")
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)


def test_slots_and_policy_go_before_the_settings() -> None:
    chosen = settings.Chosen.parsed("512, 2048", "blind")
    given = chosen.applied(settings.load("eviction"), "eviction")
    assert (given["device"]["capacities"], given["policy"]["layers"]) == ([512, 2048], ["blind"])
    given = settings.Chosen.parsed(None, "none,all").applied(settings.load("serving"), "serving")
    assert (given["device"]["capacities"], given["serving"]["policies"]) == ([1024], ["none", "all"])
    assert settings.Chosen.parsed(None, None).applied(given, "serving") == given


def test_a_missing_config_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or directory"):
        settings.load("eviction", tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("device", "problem"),
    [
        ({"entries": 1024}, "a device of 1,024 entries holds prompts of up to 768"),
        ({"capacities": [512]}, "a fast tier of 512 slots cannot hold it"),
        ({"entries": 2048, "capacities": [4096]}, "4,096 slots need as many directory entries"),
        (
            {"capacities": [1024], "reserve": 200},
            "1,100 with its answer and a reserve of 200, and a fast tier of 1,024",
        ),
        ({"reserve": 64, "low": 32}, "device.low: 32 is below device.reserve (64)"),
        ({"reserve": 64, "low": 64, "high": 63}, "device.high: 63 is below device.reserve (64)"),
        (
            {"capacities": [1024], "high": 1025},
            "device.high: 1,025 free slots are never reached in a fast tier of 1,024",
        ),
    ],
)
def test_what_does_not_fit_is_said_before_the_run(device: dict[str, Any], problem: str) -> None:
    given = settings.load("eviction")
    given["device"] |= device
    stream = stream_of("t", Trace([TraceRequest(0, 512 * 900, 1, tuple(range(900)))] * 2))
    with pytest.raises(UsageError) as raised:
        settings.check_fit(given, stream)
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ({"weights": {"evict_thresh": 9}, "prefetch_thresh": 8}, "evict_thresh: 9 is above policy.prefetch_thresh (8)"),
        ({"room": "exact", "prefetch_thresh": 8}, 'policy.room = "exact" sets EVICT_THRESH itself'),
    ],
)
def test_registers_that_contradict_are_said_before_the_run(policy: dict[str, Any], problem: str) -> None:
    given = settings.load("eviction")
    given["policy"] |= policy
    stream = stream_of("t", Trace([TraceRequest(0, 512 * 9, 1, tuple(range(9)))] * 2))
    with pytest.raises(UsageError) as raised:
        settings.check_fit(given, stream)
    assert problem in str(raised.value)


def test_in_an_engine_the_answer_must_fit_too() -> None:
    given = settings.load("serving")
    stream = stream_of("t", Trace([TraceRequest(0, 512 * 1020, 2000, tuple(range(1020)))] * 2))
    with pytest.raises(UsageError, match="1,020 blocks, 1,024 with its answer"):
        settings.check_fit({**given, "device": {**given["device"], "capacities": [1023]}}, stream)
    settings.check_fit(given, stream)
