"""What is checked: designs, constraints, budgets, read from `fpga/project.toml` and `fpga/budget.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

from tb.run.build import BuildSpec
from tb.run.errors import UsageError
from tb.run.paths import ROOT, shown
from tb.run.sources import expand, expand_folders

_STRINGS = {"type": "array", "items": {"type": "string"}}
_DESIGN = {
    "top": {"type": "string"},
    "sources": {**_STRINGS, "minItems": 1},
    "libs": _STRINGS,
    "models": _STRINGS,
    "parameters": {"type": "object", "additionalProperties": {"type": ["integer", "string"]}},
    "constraints": {"type": "string"},
}
_WAIVER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["tool", "pattern", "why"],
    "properties": {
        "tool": {"enum": ["yosys", "memory"]},
        "pattern": {"type": "string", "minLength": 8},
        "why": {"type": "string", "minLength": 10},
    },
}
PROJECT_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "ecp5": {
            "type": "object",
            "additionalProperties": False,
            "required": ["top", "sources", "constraints", "device", "package", "speed", "seeds"],
            "properties": {
                **_DESIGN,
                "device": {"enum": ["12k", "25k", "45k", "85k"]},
                "package": {"type": "string"},
                "speed": {"enum": [6, 7, 8]},
                "seeds": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
            },
        },
        "u250": {
            "type": "object",
            "additionalProperties": False,
            "required": ["top", "sources", "constraints"],
            "properties": _DESIGN,
        },
        "netlist": {
            "type": "object",
            "additionalProperties": False,
            "required": ["leg", "models"],
            "properties": {"leg": {"type": "string"}, "models": {**_STRINGS, "minItems": 1}},
        },
        "waivers": {"type": "array", "items": _WAIVER},
    },
}
_LIMIT = {"type": "number", "exclusiveMinimum": 0}
BUDGET_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "ecp5": {
            "type": "object",
            "additionalProperties": False,
            "properties": dict.fromkeys(("lut", "ff", "bram", "dsp", "fmax_mhz"), _LIMIT),
        },
        "u250": {
            "type": "object",
            "additionalProperties": False,
            "properties": dict.fromkeys(("lut", "ff", "bram", "uram", "dsp", "lut_percent", "memory_percent"), _LIMIT),
        },
    },
}


@dataclass(frozen=True, slots=True)
class Waiver:
    """A finding that is explained: `pattern` is searched in a warning of Yosys, or in the name of an array."""

    tool: str
    pattern: str
    why: str


@dataclass(frozen=True, slots=True)
class Design:
    """A top with its sources; `models` are folders of simulation models of the device's primitives."""

    name: str
    top: str
    sources: tuple[str, ...]
    constraints: str
    root: Path
    libs: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    parameters: Mapping[str, int | str] = field(default_factory=dict)

    def files(self) -> list[Path]:
        """Sources in order, without waiver files. Raises UsageError for one that is missing."""
        return [path for path in expand(self.sources, self.root) if path.suffix != ".vlt"]

    def folders(self, *, with_models: bool = False) -> list[Path]:
        """Library folders. Raises UsageError for one that is missing."""
        return expand_folders((*self.libs, *(self.models if with_models else ())), self.root)

    def primitives(self) -> list[str]:
        """Names of the device's primitives that `models` has, a module a file."""
        return sorted(path.stem for folder in expand_folders(self.models, self.root) for path in folder.glob("*.sv"))

    def contents(self) -> list[Path]:
        """Every HDL file that synthesis might read."""
        found = {path for folder in self.folders(with_models=True) for path in folder.glob("*.sv")}
        return sorted(found | set(self.files()))

    def constraints_path(self) -> Path:
        """The constraint file. Raises UsageError when it is missing."""
        path = self.root / self.constraints
        if not path.is_file():
            raise UsageError(f"constraints `{self.constraints}` of {self.name} do not exist")
        return path

    def lint_spec(self) -> BuildSpec:
        """The design as the testbench's linters take it, with models in place of primitives."""
        return BuildSpec(
            name=self.name,
            module=self.top,
            sources=self.sources,
            libs=(*self.libs, *self.models),
            parameters=self.parameters,
            root=self.root,
        )


@dataclass(frozen=True, slots=True)
class Ecp5:
    """The design for the board, and the part that it is placed on; `seeds` are tried until timing is met."""

    design: Design
    device: str
    package: str
    speed: int
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Netlist:
    """The leg whose tests run on the netlist, with the simulation models of its cells."""

    leg: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that one run checks."""

    root: Path
    ecp5: Ecp5 | None
    u250: Design | None
    netlist: Netlist | None
    waivers: tuple[Waiver, ...]
    budget: Mapping[str, Mapping[str, float]]

    def waived(self, tool: str, text: str) -> bool:
        """Whether a finding of `tool` is explained."""
        return any(waiver.tool == tool and re.search(waiver.pattern, text) for waiver in self.waivers)


def _read(path: Path, schema: Mapping[str, Any]) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text())
        jsonschema.validate(data, schema)
    except OSError as error:
        raise UsageError(f"{shown(path)}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{shown(path)}: {error}") from None
    except jsonschema.ValidationError as error:
        place = "/".join(map(str, error.absolute_path)) or "top"
        raise UsageError(f"{shown(path)}: {place}: {error.message[:200]}") from None
    return data


def _design(name: str, entry: Mapping[str, Any], root: Path) -> Design:
    return Design(
        name=name,
        top=entry["top"],
        sources=tuple(entry["sources"]),
        constraints=entry["constraints"],
        root=root,
        libs=tuple(entry.get("libs", ())),
        models=tuple(entry.get("models", ())),
        parameters=entry.get("parameters", {}),
    )


def load(path: Path, root: Path = ROOT) -> Project:
    """Read a project and the `budget.toml` next to it. Raises UsageError with the place of the first fault."""
    data = _read(path, PROJECT_SCHEMA)
    budget = _read(path.parent / "budget.toml", BUDGET_SCHEMA)
    ecp5, u250, netlist = data.get("ecp5"), data.get("u250"), data.get("netlist")
    return Project(
        root=root,
        ecp5=ecp5
        and Ecp5(_design("ecp5", ecp5, root), ecp5["device"], ecp5["package"], ecp5["speed"], tuple(ecp5["seeds"])),
        u250=u250 and _design("u250", u250, root),
        netlist=netlist and Netlist(netlist["leg"], tuple(netlist["models"])),
        waivers=tuple(Waiver(**entry) for entry in data.get("waivers", [])),
        budget=budget,
    )
