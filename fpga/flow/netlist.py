"""A Yosys JSON netlist, and what can be read from it: memories, clocks and resets, utilisation by module."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

FLIP_FLOPS = ("$dff", "$adff", "$sdff", "$aldff")  # and those with enable, all with these beginnings
_CLOCK_PINS = ("CLK", "CLKA", "CLKB", "WCK", "CLKI")
LATCHES = ("$dlatch", "$adlatch", "$dlatchsr", "$sr")


@dataclass(frozen=True, slots=True)
class Domain:
    """A clock or a reset: its net, its edge or level, and the flip-flop bits on it."""

    net: str
    active: str
    bits: int


class Netlist:
    """One flat module of a JSON netlist."""

    def __init__(self, path: Path, top: str) -> None:
        """Read module `top` of `path`."""
        module: dict[str, Any] = json.loads(path.read_text())["modules"][top]
        self.ports: Mapping[str, Mapping[str, Any]] = module["ports"]
        self.cells: Mapping[str, Mapping[str, Any]] = module["cells"]
        self.nets: Mapping[str, Mapping[str, Any]] = module["netnames"]

    @cached_property
    def names(self) -> dict[int, str]:
        """The best name of each bit: of the source rather than made up, and the highest in the hierarchy."""
        best: dict[int, tuple[tuple[bool, int, int], str]] = {}
        for name, net in self.nets.items():
            made_up = name.startswith("$") or bool(net.get("hide_name"))
            rank = (made_up, name.count("."), len(name))
            several = len(net["bits"]) > 1
            for i, bit in enumerate(net["bits"]):
                if isinstance(bit, int) and (bit not in best or rank < best[bit][0]):
                    best[bit] = (rank, f"{name}[{i}]" if several else name)
        return {bit: name for bit, (_, name) in best.items()}

    def name(self, bit: int | str) -> str:
        """Name of a bit; of a constant, the constant."""
        return self.names.get(bit, f"bit {bit}") if isinstance(bit, int) else f"constant {bit}"

    def _flip_flops(self) -> Iterator[Mapping[str, Any]]:
        return (cell for cell in self.cells.values() if cell["type"].startswith(FLIP_FLOPS))

    def latches(self) -> list[str]:
        """Names of what latches drive, of a word-level netlist."""
        found: set[str] = set()
        for cell in self.cells.values():
            if cell["type"] in LATCHES:
                found.update(self.name(bit).split("[")[0] for bit in cell["connections"]["Q"])
        return sorted(found)

    def clocks(self) -> list[Domain]:
        """Clocks of flip-flops and memories of a word-level netlist."""
        count: Counter[tuple[str, str]] = Counter()
        for cell in self._flip_flops():
            edge = "rising" if _is_one(cell["parameters"]["CLK_POLARITY"]) else "falling"
            count[self.name(cell["connections"]["CLK"][0]), edge] += len(cell["connections"]["Q"])
        return [Domain(net, edge, bits) for (net, edge), bits in count.most_common()]

    def resets(self) -> list[Domain]:
        """Asynchronous resets of flip-flops of a word-level netlist."""
        count: Counter[tuple[str, str]] = Counter()
        for cell in self._flip_flops():
            if "ARST" in cell["connections"]:
                level = "high" if _is_one(cell["parameters"]["ARST_POLARITY"]) else "low"
                count[self.name(cell["connections"]["ARST"][0]), level] += len(cell["connections"]["Q"])
        return [Domain(net, level, bits) for (net, level), bits in count.most_common()]

    def memories(self) -> dict[str, tuple[int, int]]:
        """(words, bits of a word) of each memory of a word-level netlist; tables of constants are none."""
        return {
            cell["parameters"]["MEMID"].lstrip("\\"): (
                int(cell["parameters"]["SIZE"], 2),
                int(cell["parameters"]["WIDTH"], 2),
            )
            for cell in self.cells.values()
            if cell["type"] == "$mem_v2" and int(cell["parameters"]["WR_PORTS"], 2)
        }

    def count(self) -> Counter[str]:
        """Cells by type."""
        return Counter(cell["type"] for cell in self.cells.values())

    def port_bits(self) -> dict[str, tuple[str, int]]:
        """(direction, bits) of each port."""
        return {name: (port["direction"], len(port["bits"])) for name, port in self.ports.items()}

    def clock_ports(self) -> set[str]:
        """Input ports that clock a cell of a mapped netlist, or a PLL."""
        clocked = {
            bit
            for cell in self.cells.values()
            for port, bits in cell["connections"].items()
            if port in _CLOCK_PINS
            for bit in bits
        }
        return {
            name
            for name, port in self.ports.items()
            if port["direction"] == "input" and any(bit in clocked for bit in port["bits"])
        }

    def scopes(self, depth: int) -> dict[str, Counter[str]]:
        """Cells by instance, to `depth` levels, and by type, of a mapped netlist.

        Logic has no name of its own after mapping; it counts for the instance of what it drives.
        """
        scope = self._spread(self._named_scopes())
        result: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for name, cell in self.cells.items():
            path = [part for part in scope.get(name, "").split(".") if part]
            for level in range(min(depth, len(path)) + 1):
                result[".".join(path[:level])][cell["type"]] += 1
        return dict(result)

    def _named_scopes(self) -> dict[str, str]:
        """The instance of each cell whose source name says it."""
        found = {}
        for name, cell in self.cells.items():
            source = self.name(cell["connections"]["Q"][0]) if _is_flip_flop(cell["type"]) else name
            if not source.startswith("$"):
                found[name] = source.rpartition(".")[0]
        return found

    def _inputs(self, name: str) -> Iterator[int]:
        cell = self.cells[name]
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] != "output":
                yield from (bit for bit in bits if isinstance(bit, int))

    def _spread(self, scope: dict[str, str]) -> dict[str, str]:
        """`scope`, spread from each cell to what drives it, as far as that has none of its own."""
        drivers = {
            bit: name
            for name, cell in self.cells.items()
            for port, bits in cell["connections"].items()
            if cell["port_directions"][port] == "output"
            for bit in bits
        }
        front = list(scope)
        while front:
            reached = []
            for name in front:
                for bit in self._inputs(name):
                    driver = drivers.get(bit)
                    if driver is not None and driver not in scope:
                        scope[driver] = scope[name]
                        reached.append(driver)
            front = reached
        return scope


def _is_flip_flop(kind: str) -> bool:
    """Of a mapped netlist: ECP5's TRELLIS_FF, UltraScale+'s FDRE and its like."""
    return "FF" in kind or kind.startswith("FD")


def _is_one(parameter: str | int) -> bool:
    return str(parameter).endswith("1")
