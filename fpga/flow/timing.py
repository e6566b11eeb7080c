"""The worst paths of a routed design, in the names of the source.

nextpnr's report has the arrival time at every register, its SDF file the delay of every cell and
wire; the netlist before packing has the names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from fpga.flow.netlist import Netlist

_WIRE = re.compile(r"\(INTERCONNECT (\S+)/(\S+) (\S+)/(\S+) \(\d+:\d+:(\d+)\)")
_INSTANCE = re.compile(r"\(INSTANCE (\S*)\)")
_PATH = re.compile(r"\(IOPATH (\S+) (\S+) \(\d+:\d+:(\d+)\)")

Pin = tuple[str, str]  # cell, port


class Delays:
    """Wires and cells of an SDF file; delays in ps, slow corner."""

    def __init__(self, path: Path) -> None:
        """Read `path`."""
        self._wire: dict[Pin, tuple[Pin, int]] = {}  # sink to driver and delay
        self._cell: defaultdict[Pin, list[tuple[str, int]]] = defaultdict(list)  # output to inputs and delays
        self._arrival: dict[Pin, tuple[int, Pin | None]] = {}
        instance = ""
        with path.open() as lines:
            for line in lines:
                if found := _WIRE.search(line):
                    driver, out, sink, port, delay = found.groups()
                    self._wire[_plain(sink), port] = ((_plain(driver), out), int(delay))
                elif found := _PATH.search(line):
                    self._cell[instance, found[2]].append((found[1], int(found[3])))
                elif found := _INSTANCE.search(line):
                    instance = _plain(found[1])

    def trace(self, sink: Pin) -> list[tuple[Pin, int, int]]:
        """(output pin, ps up to it, ps of the wire behind it) from the starting register to `sink`."""
        steps = []
        while (wire := self._wire.get(sink)) is not None:
            driver, delay = wire
            total, before = self._at(driver)
            steps.append((driver, total, delay))
            if before is None:
                break
            sink = before
        return steps[::-1]

    def _at(self, output: Pin) -> tuple[int, Pin | None]:
        """Latest time of an output, and the input that it comes from (None: a register's clock)."""
        todo = [output]
        while todo:
            pin = todo[-1]
            if pin in self._arrival:
                todo.pop()
                continue
            missing = [source for source in self._sources(pin) if source not in self._arrival]
            if missing:
                todo += missing
                continue
            best: tuple[int, Pin | None] = (0, None)
            for port, delay in self._cell[pin]:
                wire = None if _is_clock(port) else self._wire.get((pin[0], port))
                arrival = delay if wire is None else self._arrival[wire[0]][0] + wire[1] + delay
                if arrival >= best[0]:
                    best = (arrival, None if wire is None else (pin[0], port))
            self._arrival[pin] = best
            todo.pop()
        return self._arrival[output]

    def _sources(self, pin: Pin) -> list[Pin]:
        inputs = [port for port, _ in self._cell[pin] if not _is_clock(port)]
        return [wire[0] for port in inputs if (wire := self._wire.get((pin[0], port))) is not None]


def _plain(name: str) -> str:
    return name.replace("\\", "")


def _is_clock(port: str) -> bool:
    return "CLK" in port


class Names:
    """Source names of cells after packing."""

    def __init__(self, netlist: Netlist) -> None:
        """Names of `netlist`."""
        self._netlist = netlist

    @cached_property
    def _outputs(self) -> dict[str, str]:
        found = {}
        for name, cell in self._netlist.cells.items():
            bits = [
                bit
                for port, port_bits in cell["connections"].items()
                if cell["port_directions"][port] == "output"
                for bit in port_bits
                if isinstance(bit, int)
            ]
            if bits:
                found[name] = self._netlist.name(bits[0])
        return found

    def register(self, cell: str) -> str:
        """A register or memory: the net of a flip-flop, the name of anything else."""
        if cell.startswith("$PACKER_"):  # nextpnr times the constant at a carry chain's begin too
            return "a constant"
        entry = self._netlist.cells.get(cell)
        return self._outputs.get(cell, cell) if entry is None or "FF" in entry["type"] else cell

    def logic(self, cell: str) -> str | None:
        """The net that a logic cell drives, if the source names it."""
        name = self._outputs.get(cell)
        return None if name is None or name.startswith("$") else name


def worst_paths(report: Mapping[str, Any], delays: Delays, names: Names, count: int) -> list[dict[str, Any]]:
    """The `count` worst paths that end in different registers (bits of one count once)."""
    ends = sorted(
        (
            (end["delay"][1], end["cell"], end["port"])
            for net in report["detailed_net_timings"]
            for end in net["endpoints"]
            if end["event"].startswith(("posedge", "negedge")) and net["event"].startswith(("posedge", "negedge"))
        ),
        reverse=True,
    )
    paths: list[dict[str, Any]] = []
    seen: set[str] = set()
    for arrival, cell, port in ends:
        end = names.register(cell)
        register = re.sub(r"\[\d+\]", "[]", end)
        if register in seen:
            continue
        seen.add(register)
        steps = delays.trace((cell, port))
        if not steps:
            continue
        logic = [names.logic(pin[0]) for pin, _, _ in steps[1:]]
        paths.append(
            {
                "delay_ns": round(arrival, 3),
                "from": names.register(steps[0][0][0]),
                "to": f"{end} ({port})",
                "levels": len(steps) - 1,
                "routing_ns": round(sum(wire for _, _, wire in steps) / 1000, 3),
                "through": [name for name in logic if name],
            }
        )
        if len(paths) == count:
            break
    return paths
