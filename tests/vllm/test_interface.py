"""The adapter against the abstract classes of vLLM, and the record against the real ones (software.md 6)."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from tests.vllm import record
from tests.vllm.stand_in import Vllm, config, installed, recorded

PAIRS = [
    ("base", "OffloadingManager", "spec", "KvCpuOffloadingManager"),
    ("base", "OffloadingWorker", "spec", "KvCpuOffloadingWorker"),
    ("base", "OffloadingSpec", "spec", "KvCpuOffloadingSpec"),
    ("base", "LoadStoreSpec", "spec", "KvCpuLoadStoreSpec"),
    ("tiering", "SecondaryTierManager", "tier", "KvCpuSecondaryTier"),
]


@pytest.mark.parametrize("pair", PAIRS, ids=[pair[3] for pair in PAIRS])
def test_nothing_abstract_is_left(api: Vllm, pair: tuple[str, str, str, str]) -> None:
    base = getattr(getattr(api, pair[0]), pair[1])
    ours = getattr(getattr(api, pair[2]), pair[3])
    assert issubclass(ours, base)
    assert not getattr(ours, "__abstractmethods__", None), "vLLM cannot make one"


@pytest.mark.parametrize("pair", PAIRS, ids=[pair[3] for pair in PAIRS])
def test_every_call_of_vllm_is_understood(api: Vllm, pair: tuple[str, str, str, str]) -> None:
    """A method of ours takes every parameter of vLLM's, under its name and in its place."""
    base = getattr(getattr(api, pair[0]), pair[1])
    ours = getattr(getattr(api, pair[2]), pair[3])
    for name, method in inspect.getmembers(ours, inspect.isfunction):
        theirs = vars(base).get(name)
        if name.startswith("__") or not inspect.isfunction(theirs) or name not in vars(ours):
            continue
        wanted = list(inspect.signature(theirs).parameters.values())
        given = inspect.signature(method).parameters
        assert [p.name for p in wanted] == list(given)[: len(wanted)], f"{pair[3]}.{name}"
        for parameter in wanted:
            if parameter.default is not parameter.empty:
                assert given[parameter.name].default is not parameter.empty, f"{pair[3]}.{name}({parameter.name})"


def test_our_methods_are_vllms(api: Vllm) -> None:
    """A method that vLLM never calls would be dead: nothing public of ours is unknown to vLLM."""
    for source, base, target, name in PAIRS[:3] + PAIRS[4:]:
        ours = getattr(getattr(api, target), name)
        public = {n for n, v in vars(ours).items() if inspect.isfunction(v) and not n.startswith("_")}
        assert public <= set(dir(getattr(getattr(api, source), base))), name


def test_vllms_factories_find_the_adapter(api: Vllm, flavour: str) -> None:
    if flavour == "recorded":
        pytest.skip("the factories are not recorded: no --vllm-wheel DIRECTORY, and vLLM is not installed")
    specs = importlib.import_module("vllm.v1.kv_offload.factory").OffloadingSpecFactory
    extra = {"spec_name": "KvCpuOffloadingSpec", "spec_module_path": "sw.vllm.spec"}
    assert type(specs.create_spec(config(api, extra=extra))) is api.spec.KvCpuOffloadingSpec
    tiers = importlib.import_module("vllm.v1.kv_offload.tiering.factory").SecondaryTierFactory
    extra = {"type": "KvCpuSecondaryTier", "module_path": "sw.vllm.tier"}
    assert tiers.get_tier_class(extra) is api.tier.KvCpuSecondaryTier


# ---------------------------------------------------------------------- the record


def _differences(expected: Any, found: Any, where: str = "") -> list[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            line
            for name in sorted(set(expected) | set(found))
            for line in _differences(expected.get(name), found.get(name), f"{where}.{name}")
        ]
    return [] if expected == found else [f"{where[1:]}: recorded {expected}, found {found}"]


def _abstract(interface: dict[str, Any]) -> dict[str, Any]:
    return {name: what for classes in interface["modules"].values() for name, what in classes.items()}


def test_the_record_is_the_wheels(wheel: Path | None) -> None:
    if wheel is None:
        pytest.skip("no --vllm-wheel DIRECTORY")
    found = record.record(wheel)
    assert not _differences(recorded(), found), f"vLLM {found['vllm']} is not what was recorded"


def test_the_record_is_the_installed_vllms() -> None:
    if not installed():
        pytest.skip("vLLM is not installed")
    import vllm

    found = record.record(Path(vllm.__file__).parent.parent)
    assert not _differences(recorded()["modules"], found["modules"]), f"vLLM {found['vllm']} is not what was recorded"


def test_the_record_says_what_the_adapter_needs() -> None:
    classes = _abstract(recorded())
    assert recorded()["vllm"].count(".") == 2
    manager = classes["OffloadingManager"]["methods"]
    abstract = {name for name, how in manager.items() if how["abstract"]}
    assert abstract == {"lookup", "prepare_load", "prepare_store", "on_new_request"}
    assert [p["name"] for p in manager["complete_store"]["parameters"]] == ["keys", "req_context", "success"]
    assert classes["LookupResult"]["members"] == ["MISS", "HIT", "HIT_PENDING", "RETRY"]


SOURCE = """
from abc import ABC, abstractmethod
class OffloadingManager(ABC):
    @abstractmethod
    def lookup(self, key, req_context=None, *, deep, wide=1): ...
    @property
    def lock(self): ...
    @classmethod
    def names(cls, config): ...
"""


def test_the_recorder_reads_signatures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MODULES", {"vllm.base": ("OffloadingManager",)})
    (tmp_path / "vllm").mkdir()
    (tmp_path / "vllm" / "base.py").write_text(SOURCE)
    (tmp_path / "vllm" / "_version.py").write_text("__version__ = version = '9.9.9'\n")
    found = record.record(tmp_path)
    assert found["vllm"] == "9.9.9"
    assert found["modules"]["vllm.base"]["OffloadingManager"] == {
        "kind": "abstract",
        "methods": {
            "lookup": {
                "abstract": True,
                "kind": "method",
                "parameters": [
                    {"name": "key", "default": False},
                    {"name": "req_context", "default": True},
                    {"name": "deep", "default": False, "keyword": True},
                    {"name": "wide", "default": True, "keyword": True},
                ],
            },
            "lock": {"abstract": False, "kind": "property", "parameters": []},
            "names": {"abstract": False, "kind": "classmethod", "parameters": [{"name": "config", "default": False}]},
        },
    }
    json.dumps(found)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "base.py"),
        ({"base.py": "class Other: pass"}, "vllm.base has no OffloadingManager"),
        ({"base.py": "class ("}, "base.py"),
        ({"base.py": SOURCE}, "_version.py"),
        ({"base.py": SOURCE, "_version.py": "x = 1"}, "has no version"),
    ],
)
def test_what_is_no_wheel_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    files: dict[str, str],
    message: str,
) -> None:
    monkeypatch.setattr(record, "MODULES", {"vllm.base": ("OffloadingManager",)})
    (tmp_path / "vllm").mkdir()
    for name, text in files.items():
        (tmp_path / "vllm" / name).write_text(text)
    monkeypatch.setattr("sys.argv", ["record", str(tmp_path)])
    assert record.main() == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    monkeypatch.setattr("sys.argv", ["record"])
    assert record.main() == 2
