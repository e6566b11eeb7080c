"""Which flip-flops of a module its properties can see: the cone of influence of the asserts."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from tb.formal.netlist import INSTANCE

CHECKS = ("$assert",)


def _bits(connections: dict[str, list[Any]], directions: dict[str, str], wanted: str) -> list[int]:
    return [
        bit
        for port, bits in connections.items()
        if directions.get(port) == wanted
        for bit in bits
        if isinstance(bit, int)
    ]


def state_in_cone(path: Path) -> tuple[int, int]:
    """(flip-flops of the module in the cone of its asserts, flip-flops of the module), in bits, memories included.

    What belongs to the property module itself is not counted.
    """
    module = next(iter(json.loads(path.read_text())["modules"].values()))
    mine: set[Any] = set()
    others: set[Any] = set()
    for name, net in module["netnames"].items():
        if INSTANCE in name.split("."):
            others.update(net["bits"])
        elif not name.startswith("$"):
            mine.update(net["bits"])
    drivers: dict[int, list[str]] = defaultdict(list)
    cells = module["cells"]
    for name, cell in cells.items():
        for bit in _bits(cell["connections"], cell["port_directions"], "output"):
            drivers[bit].append(name)
    seen: set[str] = set()
    waiting = [name for name, cell in cells.items() if cell["type"] in CHECKS]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        cell = cells[name]
        for bit in _bits(cell["connections"], cell["port_directions"], "input"):
            waiting += drivers[bit]
    inside = total = 0
    for name, cell in cells.items():
        size = _state(cell, others - mine)
        total += size
        inside += size if name in seen else 0
    return inside, total


def _state(cell: dict[str, Any], not_counted: set[Any]) -> int:
    """Bits of state of a cell, but for those of the property module."""
    if cell["type"].startswith("$mem"):
        return int(cell["parameters"]["WIDTH"], 2) * int(cell["parameters"]["SIZE"], 2)
    if "ff" not in cell["type"] or "Q" not in cell["connections"]:
        return 0
    return sum(bit not in not_counted for bit in cell["connections"]["Q"])
