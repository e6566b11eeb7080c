"""Read `tb/manifest.toml`: tops that can be built, legs that can be run. One list for make, CI and reports."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema

from tb.run.build import BuildSpec
from tb.run.errors import UsageError
from tb.run.paths import MANIFEST, ROOT, shown

LEVELS = ("block", "top", "system", "infra")
_STRINGS = {"type": "array", "items": {"type": "string"}}
_PARAMETERS = {"type": "object", "additionalProperties": {"type": ["integer", "string"]}}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "tops": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["module", "sources"],
                "properties": {
                    "module": {"type": "string"},
                    "sources": {**_STRINGS, "minItems": 1},
                    "libs": _STRINGS,
                    "includes": _STRINGS,
                    "cpp": _STRINGS,
                    "flags": _STRINGS,
                    "parameters": _PARAMETERS,
                    "waves": {"anyOf": [_STRINGS, {"type": "object", "additionalProperties": _STRINGS}]},
                    "clock_ps": {"type": "integer", "minimum": 4},
                },
            },
        },
        "legs": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "level", "top", "module", "tests", "why"],
                "properties": {
                    "name": {"type": "string", "pattern": "^[a-z0-9_]+$"},
                    "level": {"enum": list(LEVELS)},
                    "top": {"type": "string"},
                    "module": {"type": "string"},
                    "tests": {**_STRINGS, "minItems": 1, "uniqueItems": True},
                    "parameters": _PARAMETERS,
                    "settings": {"type": "object"},
                    "seeds": {"type": "integer", "minimum": 1},
                    "quick": {"type": "boolean"},
                    "timeout_s": {"type": "number", "exclusiveMinimum": 0},
                    "expect": {"enum": ["pass", "fail"]},
                    "expect_message": {"type": "string", "minLength": 4},
                    "plusargs": _STRINGS,
                    "why": {"type": "string", "minLength": 10},
                },
                "if": {"properties": {"expect": {"const": "fail"}}, "required": ["expect"]},
                "then": {"required": ["expect_message"]},
            },
        },
    },
}


@dataclass(frozen=True)
class Top:
    """A design that can be built; `waves` names the signals that matter in a viewer, in groups (`tb.run.sessions`)."""

    spec: BuildSpec
    waves: tuple[str, ...] | Mapping[str, tuple[str, ...]] = ()
    clock_ps: int = 4000


@dataclass(frozen=True)
class Leg:
    """Tests of one module on one top with one set of parameters."""

    name: str
    level: str
    top: Top
    module: str
    tests: tuple[str, ...]
    why: str
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 1
    quick: bool = True
    timeout_s: float = 120.0
    expect: str = "pass"
    expect_message: str = ""
    plusargs: tuple[str, ...] = ()
    repeated_by: str = ""  # command that runs it again, where `make sim` does not know it

    @property
    def spec(self) -> BuildSpec:
        """What to build for this leg."""
        return replace(self.top.spec, parameters={**self.top.spec.parameters, **self.parameters})


@dataclass(frozen=True)
class Manifest:
    """All tops and legs."""

    tops: Mapping[str, Top]
    legs: tuple[Leg, ...]
    root: Path = ROOT

    @cached_property
    def by_name(self) -> dict[str, Leg]:
        """Legs by name."""
        return {leg.name: leg for leg in self.legs}

    def leg(self, name: str) -> Leg:
        """The leg of this name. Raises UsageError, naming those that exist."""
        if name not in self.by_name:
            raise UsageError(f"unknown leg `{name}`{_nearest(name, list(self.by_name))}")
        return self.by_name[name]

    def find_test(self, text: str) -> tuple[Leg, str]:
        """The leg and test that `<test>` or `<leg>.<test>` names. Raises UsageError."""
        leg_name, dot, test = text.rpartition(".")
        if dot:
            leg = self.leg(leg_name)
            if test not in leg.tests:
                raise UsageError(f"leg `{leg_name}` has no test `{test}`{_nearest(test, list(leg.tests))}")
            return leg, test
        having = [leg for leg in self.legs if text in leg.tests]
        if not having:
            near = _nearest(text, [*self.by_name, *(test for leg in self.legs for test in leg.tests)])
            raise UsageError(f"unknown test `{text}`{near}; `make list` shows all")
        if len(having) > 1:
            raise UsageError(
                f"test `{text}` is in several legs, name one: " + ", ".join(f"TEST={leg.name}.{text}" for leg in having)
            )
        return having[0], text

    def top(self, name: str) -> Top:
        """The top of this name. Raises UsageError."""
        if name not in self.tops:
            raise UsageError(f"unknown top `{name}`{_nearest(name, list(self.tops))}")
        return self.tops[name]


def _nearest(name: str, names: list[str]) -> str:
    from difflib import get_close_matches  # only wrong calls need it

    close = get_close_matches(name, names, n=1)
    return f" (did you mean `{close[0]}`?)" if close else ""


def load(path: Path = MANIFEST, root: Path = ROOT) -> Manifest:
    """Read and check a manifest. Raises UsageError with the place of the first fault."""
    try:
        data = tomllib.loads(path.read_text())
        jsonschema.validate(data, SCHEMA)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{shown(path)}: {error}") from None
    except jsonschema.ValidationError as error:
        place = "/".join(map(str, error.absolute_path)) or "top"
        raise UsageError(f"{shown(path)}: {place}: {error.message[:200]}") from None
    tops = {name: _top(name, entry, root) for name, entry in data.get("tops", {}).items()}
    legs = tuple(_leg(entry, tops, path) for entry in data.get("legs", []))
    names = [leg.name for leg in legs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{shown(path)}: two legs are named `{name}`")
    return Manifest(tops, legs, root)


def _tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


def _top(name: str, entry: Mapping[str, Any], root: Path) -> Top:
    own = {"waves", "clock_ps"}
    spec = BuildSpec(name=name, root=root, **_tuples({k: v for k, v in entry.items() if k not in own}))
    return Top(spec, **_tuples({k: v for k, v in entry.items() if k in own}))


def _leg(entry: Mapping[str, Any], tops: Mapping[str, Top], path: Path) -> Leg:
    if entry["top"] not in tops:
        raise UsageError(f"{shown(path)}: leg `{entry['name']}` names the unknown top `{entry['top']}`")
    return Leg(**{**_tuples(entry), "top": tops[entry["top"]]})


# --- what the test modules declare, read without importing them (they need a simulator)


def declared_tests(source: Path) -> tuple[set[str], list[str]]:
    """(names declared with `kv_test`, complaints about cocotb's or pyuvm's own decorator) of a module."""
    tests: set[str] = set()
    complaints: list[str] = []
    for node in ast.parse(source.read_text(), str(source)).body:
        if not isinstance(node, (ast.AsyncFunctionDef, ast.FunctionDef, ast.ClassDef)):
            continue
        for decorator in node.decorator_list:
            text = ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if re.fullmatch(r"(\w+\.)*kv_test", text):
                tests.add(node.name)
            elif re.fullmatch(r"((cocotb|pyuvm)\.)+test|test|(cocotb\.)?parametrize", text):
                complaints.append(
                    f"{shown(source)}:{node.lineno}: {node.name} is declared with @{text}; only @kv_test is judged"
                )
    return tests, complaints


def audit(manifest: Manifest, packages: tuple[str, ...] = ("tb",)) -> Iterator[str]:
    """What the manifest and the test modules disagree about, one line each."""
    listed: dict[str, set[str]] = {}
    for leg in manifest.legs:
        listed.setdefault(leg.module, set()).update(leg.tests)
    modules = {
        ".".join(path.relative_to(manifest.root).with_suffix("").parts): path
        for package in packages
        for path in sorted((manifest.root / package).rglob("test_*.py"))
    }
    for module in sorted(listed.keys() - modules.keys()):
        yield f"leg module {module} does not exist"
    for module, path in modules.items():
        declared, complaints = declared_tests(path)
        yield from complaints
        for name in sorted(declared - listed.get(module, set())):
            yield f"{shown(path)}: test {name} is in no leg of the manifest, so nothing runs it"
        for name in sorted(listed.get(module, set()) - declared):
            yield f"{shown(path)}: the manifest lists test {name}, which is not declared there with @kv_test"
