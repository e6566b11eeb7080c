"""A mapped ECP5 netlist as SystemVerilog that a simulator compiles in minutes.

A module for each cell, as vendors and Yosys have them, makes three times the C++: every look-up table becomes
three signals and every flip-flop a process. Here a look-up table is one expression of its inputs,
flip-flops of one control set are words, and a carry cell is two sums. Block RAM, multipliers and PLLs stay
instances; their models are those of the RTL's simulation.

Cells, pins and parameters: Yosys' `lattice/cells_sim_ecp5.v`, whose models tests/fpga/test_simulation.py proves equal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from fpga.flow.netlist import Netlist
from tb.run.errors import CheckError

WORD = 32  # flip-flops in one register of the simulation

Cell = Mapping[str, Any]


@cache
def template(table: int, inputs: int) -> str:
    """Expression of a truth table of `inputs` inputs, which it names {0}, {1}, ...

    Bit i of `table` is the value where input k is bit k of i. The input that makes the shortest expression is
    split off; an input without influence never appears.
    """
    ones = (1 << (1 << inputs)) - 1
    if table in (0, ones):
        return "1'b1" if table else "1'b0"
    halves = {k: (_cofactor(table, inputs, k, 0), _cofactor(table, inputs, k, 1)) for k in range(inputs)}
    return min((_split(k, low, high, inputs) for k, (low, high) in halves.items() if low != high), key=len)


def _cofactor(table: int, inputs: int, k: int, value: int) -> int:
    """The table where input k has a value, over all inputs, of which k has no influence any more."""
    result = 0
    for i in range(1 << inputs):
        at = i & ~(1 << k) | value << k
        result |= (table >> at & 1) << i
    return result


def _split(k: int, low: int, high: int, inputs: int) -> str:
    """Expression of the function that is table `low` where input k is 0, and `high` where it is 1."""
    ones = (1 << (1 << inputs)) - 1
    name, inverse = f"{{{k}}}", f"~{{{k}}}"
    if low == 0:
        return name if high == ones else f"({name} & {template(high, inputs)})"
    if high == 0:
        return inverse if low == ones else f"({inverse} & {template(low, inputs)})"
    if low == ones:
        return f"({inverse} | {template(high, inputs)})"
    if high == ones:
        return f"({name} | {template(low, inputs)})"
    if low == ones ^ high:
        return f"({name} ^ {template(low, inputs)})"
    return f"({name} & {template(high, inputs)} | {inverse} & {template(low, inputs)})"


def _net(bit: int | str) -> str:
    return f"n{bit}" if isinstance(bit, int) else f"1'b{bit}"


def _pin(cell: Cell, name: str) -> str:
    """The net at a pin of one bit; a pin that is left open is 0."""
    bits = cell["connections"].get(name)
    return _net(bits[0]) if bits else "1'b0"


def _word(bits: Iterable[int | str]) -> str:
    """Bits from the lowest, as a concatenation."""
    return "{" + ", ".join(_net(bit) for bit in reversed(list(bits))) + "}"


def _function(cell: Cell, parameter: str, *pins: str) -> str:
    """Expression of a look-up table; constants at its pins and undefined table bits are taken as they come."""
    table = int(cell["parameters"][parameter].replace("x", "0"), 2) & ((1 << (1 << len(pins))) - 1)
    for k, pin in enumerate(pins):
        value = _pin(cell, pin)
        if value in ("1'b0", "1'b1"):
            table = _cofactor(table, len(pins), k, int(value[-1]))
    return template(table, len(pins)).format(*(_pin(cell, pin) for pin in pins))


def _expect(name: str, cell: Cell, **allowed: str) -> None:
    """Raises CheckError for a parameter whose meaning is not modelled here."""
    for parameter, values in allowed.items():
        value = str(cell["parameters"].get(parameter, "")).strip()
        if value not in values.split("|"):
            raise CheckError(f"netlist: {cell['type']} {name}: {parameter} = {value} has no simulation model")


def _refuse_contents(name: str, cell: Cell) -> None:
    """Raises CheckError for a memory with initial contents: the models have none."""
    if any("1" in value for parameter, value in cell["parameters"].items() if parameter.startswith("INITVAL")):
        raise CheckError(f"netlist: {cell['type']} {name} has initial contents, which its model has not")


def _carry(name: str, cell: Cell) -> Iterator[str]:
    _expect(name, cell, INJECT1_0="NO", INJECT1_1="NO")
    carry = _pin(cell, "CIN")
    for half in "01":
        sum_, out = f"{name}_s{half}", f"{name}_c{half}"
        generates = _function(cell, f"INIT{half}", f"A{half}", f"B{half}")
        yield f"wire {sum_} = {_function(cell, f'INIT{half}', *(f'{pin}{half}' for pin in 'ABCD'))};"
        if f"S{half}" in cell["connections"]:
            yield f"assign {_pin(cell, f'S{half}')} = {sum_} ^ {carry};"
        yield f"wire {out} = {sum_} ? {carry} : {generates};"
        carry = out
    if "COUT" in cell["connections"]:
        yield f"assign {_pin(cell, 'COUT')} = {carry};"


def _memory(name: str, cell: Cell) -> Iterator[str]:
    """Distributed RAM; what it holds at first is not known. Raises CheckError when it should be."""
    _refuse_contents(name, cell)
    _expect(name, cell, WCKMUX="WCK", WREMUX="WRE")
    pins = cell["connections"]
    yield f"logic [3:0] {name}[16];"
    yield f"always_ff @(posedge {_pin(cell, 'WCK')}) if ({_pin(cell, 'WRE')}) {name}[{_word(pins['WAD'])}] <= "
    yield f"  {_word(pins['DI'])};"
    yield f"wire [3:0] {name}_o = {name}[{_word(pins['RAD'])}];"
    for i, bit in enumerate(pins["DO"]):
        yield f"assign {_net(bit)} = {name}_o[{i}];"


def _instance(name: str, cell: Cell) -> Iterator[str]:
    """A cell with a model of its own."""
    _refuse_contents(name, cell)
    parameters = []
    for parameter, value in cell["parameters"].items():
        if parameter.startswith("INITVAL"):
            continue
        bits = bool(value) and set(value) <= set("01")
        parameters.append(f".{parameter}({len(value)}'b{value})" if bits else f'.{parameter}("{value}")')
    pins = [f".{pin}({_word(bits)})" for pin, bits in cell["connections"].items()]
    yield f"{cell['type']} #({', '.join(parameters)}) {name} ({', '.join(pins)});"


def _flip_flops(netlist: Netlist) -> Iterator[str]:
    """Registers of up to WORD flip-flops with one clock, enable and reset, neighbours in the source together."""
    sets: defaultdict[tuple[str, ...], list[tuple[str, Cell]]] = defaultdict(list)
    for name, cell in netlist.cells.items():
        if cell["type"] != "TRELLIS_FF":
            continue
        _expect(name, cell, CEMUX="1|CE|INV", CLKMUX="CLK", LSRMUX="LSR", LSRMODE="|LSR")
        enable = {"1": "", "CE": _pin(cell, "CE"), "INV": f"~{_pin(cell, 'CE')}"}[cell["parameters"]["CEMUX"].strip()]
        reset = _pin(cell, "LSR")
        mode = cell["parameters"].get("SRMODE", "LSR_OVER_CE") if reset != "1'b0" else ""
        sets[_pin(cell, "CLK"), enable, reset, mode].append((netlist.name(cell["connections"]["Q"][0]), cell))
    number = 0
    for (clock, enable, reset, mode), members in sorted(sets.items(), key=lambda item: item[0]):
        members.sort(key=lambda member: member[0])
        for first in range(0, len(members), WORD):
            chunk = [cell for _, cell in members[first : first + WORD]]
            yield from _register(f"r{number}", chunk, clock, enable, reset, mode)
            number += 1


def _register(name: str, cells: list[Cell], clock: str, enable: str, reset: str, mode: str) -> Iterator[str]:
    value = "".join("1" if cell["parameters"]["REGSET"] == "SET" else "0" for cell in reversed(cells))
    value = f"{len(cells)}'b{value}"
    asynchronous = f" or posedge {reset}" if mode == "ASYNC" else ""
    data = _word(cell["connections"]["DI"][0] for cell in cells)
    yield f"logic [{len(cells) - 1}:0] {name} = {value};"
    yield f"always_ff @(posedge {clock}{asynchronous}) "
    if mode:
        yield f"  if ({reset}) {name} <= {value}; else "
    yield f"  {f'if ({enable}) ' if enable else ''}{name} <= {data};"
    for i, cell in enumerate(cells):
        yield f"assign {_pin(cell, 'Q')} = {name}[{i}];"


def verilog(netlist: Netlist, top: str, models: Iterable[str]) -> str:
    """The netlist as one module `top`; `models` are the cell types that have a module of their own.

    Raises CheckError for a cell, or a setting of one, that has no simulation model.
    """
    known = set(models)
    lines = []
    for i, (name, cell) in enumerate(netlist.cells.items()):
        match cell["type"]:
            case "LUT4":
                lines.append(f"assign {_pin(cell, 'Z')} = {_function(cell, 'INIT', 'A', 'B', 'C', 'D')};")
            case "PFUMX":
                choice = f"{_pin(cell, 'C0')} ? {_pin(cell, 'ALUT')} : {_pin(cell, 'BLUT')}"
                lines.append(f"assign {_pin(cell, 'Z')} = {choice};")
            case "L6MUX21":
                choice = f"{_pin(cell, 'SD')} ? {_pin(cell, 'D1')} : {_pin(cell, 'D0')}"
                lines.append(f"assign {_pin(cell, 'Z')} = {choice};")
            case "CCU2C":
                lines += _carry(f"c{i}", cell)
            case "TRELLIS_DPR16X4":
                lines += _memory(f"m{i}", cell)
            case "TRELLIS_FF":
                pass  # below, in words
            case kind if kind in known:
                lines += _instance(f"u{i}", cell)
            case kind:
                raise CheckError(f"netlist: cell {name} of type {kind} has no simulation model")
    lines += _flip_flops(netlist)
    ports = []
    for name, port in netlist.ports.items():
        width = f"[{len(port['bits']) - 1}:0] " if len(port["bits"]) > 1 else ""
        ports.append(f"{port['direction']} logic {width}{name}")
        word = _word(port["bits"])
        lines.append(f"assign {word} = {name};" if port["direction"] == "input" else f"assign {name} = {word};")
    nets = sorted(
        {bit for cell in netlist.cells.values() for bits in cell["connections"].values() for bit in bits}
        | {bit for port in netlist.ports.values() for bit in port["bits"]},
        key=str,
    )
    wires = [f"wire {_net(bit)};" for bit in nets if isinstance(bit, int)]
    return "\n".join([f"module {top} ({', '.join(ports)});", *wires, *lines, "endmodule", ""])
