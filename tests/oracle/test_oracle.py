"""The device model against the second reading of the contract, and the reading's independence."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.oracle import commands, on_model, stream, tiers
from tests.oracle.planted import PLANTED, Planted, plant
from tests.oracle.state import Sizes

HERE = Path(__file__).parent
LENGTH = 60
READING = ("state", "lookup", "moves", "tiers", "scan", "commands", "csr", "stream")
"""The modules that read the contract or make streams; `compare` also knows the driver's transport."""


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize("module", READING)
def test_the_oracle_knows_neither_model_nor_software(module: str) -> None:
    chapters = tuple(f"tests.oracle.{name}" for name in READING)
    allowed = ("sw.regs.registers", "__future__.", "dataclasses.", "collections.abc.", "random", *chapters)
    strangers = {
        name
        for name in imported(HERE / f"{module}.py")
        if not name.startswith(allowed) and name.removeprefix("tests.oracle.") not in READING
    }
    assert not strangers, f"{module}.py imports {strangers}"


@pytest.mark.parametrize("seed", range(1, 13))
def test_streams_on_the_model(seed: int) -> None:
    sizes = on_model.sizes_of(seed)
    ops = stream.make(seed, sizes, LENGTH)
    if on_model.difference(ops, sizes) is not None:
        pytest.fail(on_model.report(seed, LENGTH, ops, sizes))


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.what.replace(" ", "-"))
def test_planted_misreadings_are_detected(planted: Planted) -> None:
    sizes = on_model.sizes_of(planted.seed)
    ops = stream.make(planted.seed, sizes, LENGTH)
    with plant(planted):
        found = on_model.difference(ops, sizes)
    assert found is not None, (
        f"the device model with '{planted.what}' passes the stream of seed {planted.seed}: "
        "`python -m tests.oracle --planted` looks for a seed that detects it"
    )


def test_a_failure_is_shrunk_and_names_its_command() -> None:
    planted = next(planted for planted in PLANTED if planted.what.startswith("INSERT: F is 0"))
    sizes = on_model.sizes_of(planted.seed)
    with plant(planted):
        text = on_model.report(planted.seed, LENGTH, stream.make(planted.seed, sizes, LENGTH), sizes)
    lines = text.splitlines()
    assert len(lines) < 9, text
    assert "F is 0x0, the contract gives 0x1" in lines[-2]
    assert lines[-1] == f"repeat: .venv/bin/python -m tests.oracle --seed {planted.seed} --streams 1 --length {LENGTH}"


def test_choices_of_the_device_are_checked() -> None:
    """Slots and places are the device's to choose; the oracle still refuses one that is taken, or FULL too early."""
    comparison = on_model.ModelComparison(Sizes(1024, 4, 1, 16))
    state = comparison.state
    state.registers["TIER1_SLOTS"] = 2
    state.tiers[1].free = {1}
    for address, why in ((0, "not free"), (3 * 8192, "no slot"), (100, "no slot")):
        with pytest.raises(tiers.BadSlot, match=why):
            tiers.occupy(state, 1, address)
    tiers.occupy(state, 1, 8192)
    state.result = commands.insert(state, 0, {"TOKEN_END": 0, "TIER": 0, "PREFIX": 0, "HOT": 0})
    assert state.result.status == commands.NO_SLOT
    state.tiers[0].free = {0}
    commands.insert(state, 0, {"TOKEN_END": 0, "TIER": 0, "PREFIX": 0, "HOT": 0})
    assert commands.inserted(state, 0, commands.FULL, 0, 0) == "FULL with 0 of 1024 entries"
