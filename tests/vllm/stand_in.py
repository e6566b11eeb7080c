"""vLLM for the tests: generated from the record, from an unpacked wheel under stubs, or the installed one."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

RECORD = Path(__file__).with_name("interface.json")
ADAPTERS = ("sw.vllm.spec", "sw.vllm.tier")
_FOREIGN = ("vllm", "torch", "msgspec")


def installed() -> bool:
    """Whether vLLM itself can be imported."""
    return find_spec("vllm") is not None


def recorded() -> dict[str, Any]:
    """The recorded interface."""
    return json.loads(RECORD.read_text())


@dataclass(frozen=True)
class Vllm:
    """The interface of one vLLM, and the adapter on it."""

    base: Any
    tiering: Any
    config: Any
    hints: Any
    spec: Any
    tier: Any


@contextmanager
def vllm(flavour: str, wheel: Path | None) -> Iterator[Vllm]:
    """Import the adapter on "recorded", "wheel" or "installed"; nothing of it stays imported."""
    with _modules():
        if flavour == "recorded":
            for name, classes in recorded()["modules"].items():
                _install(name, {key: _generate(key, what) for key, what in classes.items()})
        elif flavour == "wheel":
            assert wheel is not None
            _under_stubs(wheel)
        found = [importlib.import_module(f"vllm.v1.{name}") for name in _NAMES]
        yield Vllm(*found, *(importlib.import_module(name) for name in ADAPTERS))


_NAMES = ("kv_offload.base", "kv_offload.tiering.base", "kv_offload.config", "kv_hints.protocol")


@contextmanager
def _modules() -> Iterator[None]:
    """Take the foreign modules and the adapter out of `sys.modules` before, and what came in after."""

    def ours(name: str) -> bool:
        return name in ADAPTERS or name.split(".", maxsplit=1)[0] in _FOREIGN

    before = {name: module for name, module in sys.modules.items() if ours(name)}
    for name in before:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in [name for name in sys.modules if ours(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def _install(name: str, contents: dict[str, Any], path: Path | None = None) -> None:
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        parent = ".".join(parts[:end])
        if parent not in sys.modules:
            module = ModuleType(parent)
            module.__path__ = [str(path.joinpath(*parts[:end]))] if path else []
            sys.modules[parent] = module
    vars(sys.modules[name]).update(contents)


def _under_stubs(wheel: Path) -> None:
    """The real `kv_offload` of a wheel: its packages without their own imports, torch and msgspec as stubs."""

    class Struct:
        def __init_subclass__(cls, **options: Any) -> None:
            dataclass(frozen=bool(options.get("frozen")))(cls)

    _install("torch", {"Tensor": np.ndarray})
    _install("msgspec", {"Struct": Struct})
    _install("vllm.logger", {"init_logger": lambda name: SimpleNamespace(info=print, warning_once=print)})
    for package in ("vllm.v1.kv_offload.tiering", "vllm.v1.kv_hints", "vllm.v1.metrics"):
        _install(package, {}, wheel)
    # The package's own names, which its modules import from it.
    protocol = importlib.import_module("vllm.v1.kv_hints.protocol")
    _install("vllm.v1.kv_hints", {name: getattr(protocol, name) for name in ("KvHintAction", "KvHintsEnvelope")})


# ---------------------------------------------------------------------- from the record


def _generate(name: str, what: dict[str, Any]) -> type:
    match what["kind"]:
        case "enum":
            return Enum(name, what["members"])
        case "data":
            fields = [
                (field["name"], Any, dataclasses.field(default=None)) if field["default"] else (field["name"], Any)
                for field in what["fields"]
            ]
            return dataclasses.make_dataclass(name, fields)
        case "tuple":
            return NamedTuple(name, [(field["name"], Any) for field in what["fields"]])  # type: ignore[misc]
        case kind:
            methods = {method: _method(method, how) for method, how in what["methods"].items()}
            return type(name, (ABC,) if kind == "abstract" else (), methods)


def _method(name: str, how: dict[str, Any]) -> Any:
    """A method with the recorded parameters: a constructor keeps them, an abstract one must be overridden."""
    parameters = ["self"]
    for parameter in how["parameters"]:
        if parameter.get("keyword") and "*" not in parameters:
            parameters.append("*")
        parameters.append(parameter["name"] + (" = None" if parameter["default"] else ""))
    body = "vars(self).update(locals())" if name == "__init__" else "return None"
    scope: dict[str, Any] = {}
    exec(f"def {name}({', '.join(parameters)}):\n    {body}", scope)
    function = scope[name]
    if how["abstract"]:
        function = abstractmethod(function)
    if how["kind"] == "property":
        return property(function)
    return classmethod(function) if how["kind"] == "classmethod" else function


# ---------------------------------------------------------------------- values of vLLM


def config(vllm: Vllm, **changes: Any) -> Any:
    """An engine of one group: 2 layers, 16 tokens in a block, 1,024 bytes on its one worker."""
    sizes: dict[str, Any] = {"layers": (2,), "tokens": (16,), "blocks_per_chunk": 1, "workers": 1, "rank": 0}
    sizes |= {"bytes": 1024, "events": False, "extra": {}} | changes
    make = vllm.config
    return make.OffloadingConfig(
        groups=tuple(
            make.OffloadingGroupConfig(
                tokens_per_block=tokens, layer_names=tuple(f"layer.{n}" for n in range(layers)), group_id=group
            )
            for group, (layers, tokens) in enumerate(zip(sizes["layers"], sizes["tokens"], strict=True))
        ),
        worker_kv_bytes_per_block=sizes["bytes"],
        enable_kv_cache_events=sizes["events"],
        extra_config=sizes["extra"],
        engine_id=sizes.get("engine", "engine"),
        model=SimpleNamespace(),
        cache=make.OffloadingCacheConfig(tokens_per_hash=16, blocks_per_chunk=sizes["blocks_per_chunk"]),
        parallel=SimpleNamespace(rank=sizes["rank"], world_size=sizes["workers"]),
    )


def key(number: int, group: int = 0) -> bytes:
    """An offload key: a block hash and the group."""
    return number.to_bytes(32, "little") + group.to_bytes(4, "big")
