"""Figures of a report: the numbers in its record, each with a name, a unit, and samples where there are any."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Number = int | float
PROVENANCE = frozenset({"time", "commit", "clean", "seed", "settings"})
SHORT = 16
"""A list of at most so many numbers is a figure an element; a longer one is a series: it stays in the record only."""
ONE_OR_NONE = "0/1"
OF_ONE = frozenset({"value", "mean", "low", "high", "unit", "samples"})
"""What a table says of one figure: a number, its interval, its unit, its samples."""
UNITS = (
    ("_percent", "%"),
    ("tokens_s", "tokens/s"),
    ("bytes_s", "bytes/s"),
    ("_per_s", "1/s"),
    ("_per_sec", "1/s"),
    ("cycles", "cycles"),
    ("_ns", "ns"),
    ("_us", "us"),
    ("_ms", "ms"),
    ("_s", "s"),
    ("seconds", "s"),
    ("_mhz", "MHz"),
    ("bytes", "bytes"),
    ("bytes_moved", "bytes"),
    ("bytes_written", "bytes"),
)
"""Unit of a number by the end of its name, where the record does not give one."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a run. `samples` are the values that it sums up, empty where it is a single one."""

    name: str
    value: Number
    unit: str = ""
    samples: tuple[Number, ...] = ()


def figures_of(record: Mapping[str, Any]) -> dict[str, Figure]:
    """Every figure of a record by its name: the keys on the way to it, with dots between.

    A table with `value` or `mean` (and perhaps `unit`, `samples`) is one figure. A list under `samples` or
    `<name>_samples` has the samples of one, whose value is their mean; so has each list of a table under `samples`.
    Tables in a list count by their `name`; other tables do not count.
    """
    rows = {key: value for key, value in record.items() if key not in PROVENANCE}
    found: dict[str, Figure] = {}
    for figure in _of_table("", rows):
        name, number = figure.name, 1
        while name in found:
            name, number = f"{figure.name} ({number + 1})", number + 1
        found[name] = replace(figure, name=name)
    return found


def unit_of(name: str) -> str:
    """The unit that a name ends with; "" for a plain number."""
    last = name.rsplit(".", 1)[-1]
    return next((unit for end, unit in UNITS if last.endswith(end) or last == end.removeprefix("_")), "")


def is_number(value: object) -> bool:
    """Whether it is a finite number; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def mean(samples: Sequence[Number]) -> float:
    """The arithmetic mean."""
    return math.fsum(samples) / len(samples)


def _of_table(name: str, table: Mapping[str, Any]) -> Iterator[Figure]:
    samples = tuple(table.get("samples") or ()) if isinstance(table.get("samples"), list) else ()
    if not all(map(is_number, samples)):
        samples = ()
    given = next((table[key] for key in ("value", "mean") if is_number(table.get(key))), None)
    if name and (given is not None or (samples and "value" not in table)):
        value = mean(samples) if given is None else given
        yield Figure(name, value, str(table.get("unit") or unit_of(name)), samples)
        table = {key: value for key, value in table.items() if key not in OF_ONE}
    if isinstance(table.get("samples"), Mapping):
        lists = {f"{key}_samples": values for key, values in table["samples"].items()}
        table = {**{key: value for key, value in table.items() if key != "samples"}, **lists}
    for key, value in table.items():
        yield from _of_value(f"{name}.{key}" if name else key, value)


def _of_value(name: str, value: Any) -> Iterator[Figure]:
    if isinstance(value, bool):
        yield Figure(name, int(value), ONE_OR_NONE)
    elif is_number(value):
        yield Figure(name, value, unit_of(name))
    elif isinstance(value, Mapping):
        yield from _of_table(name, value)
    elif isinstance(value, list | tuple) and value:
        yield from _of_list(name, value)


def _of_list(name: str, values: Sequence[Any]) -> Iterator[Figure]:
    if all(map(is_number, values)):
        base = name.removesuffix("samples").rstrip("._")
        if base != name and base:
            yield Figure(base, mean(values), unit_of(base), tuple(values))
        elif len(values) <= SHORT:
            for place, value in enumerate(values):
                yield Figure(f"{name}.{place}", value, unit_of(name))
    elif all(isinstance(value, Mapping) and isinstance(value.get("name"), str) for value in values):
        for value in values:
            yield from _of_table(f"{name}.{value['name']}", value)
