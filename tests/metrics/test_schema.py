"""Snapshots are valid, and the schema sees what is not."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.codes import Code
from sw.metrics import snapshots
from sw.metrics.__main__ import main
from sw.metrics.registry import Metrics
from sw.metrics.schema import SCHEMA, SnapshotError, check, load
from tests.metrics.scenario import busy

DOCUMENT = json.loads(SCHEMA.read_bytes())
CONTRACT = (
    "llm_infer_us", "llm_tokens_out", "llm_deadline_miss_count", "llm_queue_depth_max", "llm_rejects",
)  # fmt: skip
SUMMARY = ("llm_infer_p50_us", "llm_infer_p95_us", "llm_infer_p99_us", "llm_tokens_per_sec", "llm_jitter_p99_ns")


@pytest.fixture(scope="module")
def snapshot() -> dict[str, Any]:
    return json.loads(json.dumps(snapshots.snapshot(busy())))  # type: ignore[no-any-return]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(DOCUMENT)
    assert DOCUMENT["$id"] == "kvcpu-metrics-v1"


def test_valid(snapshot: dict[str, Any]) -> None:
    check(snapshot)
    check(snapshots.snapshot(Metrics()))


def test_the_contract_names(snapshot: dict[str, Any]) -> None:
    assert set(CONTRACT) <= set(snapshot)
    assert set(SUMMARY) == set(snapshot["summary"])


def test_every_code(snapshot: dict[str, Any]) -> None:
    """The schema knows exactly the codes of the control plane."""
    known = DOCUMENT["properties"]["llm_rejects_by_code"]["propertyNames"]["enum"]
    assert known == [code.label for code in Code if code is not Code.OK]


def paths(thing: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Of every object in a snapshot, lists by their first element."""
    if isinstance(thing, dict):
        return [path, *(inner for name, value in thing.items() for inner in paths(value, (*path, name)))]
    return paths(thing[0], (*path, 0)) if isinstance(thing, list) and thing else []


def at(thing: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        thing = thing[step]
    return thing


def free(path: tuple[Any, ...]) -> bool:
    """Objects whose keys are data."""
    return path in [("device",), ("llm_rejects_by_code",)]


def test_every_field_is_required(snapshot: dict[str, Any]) -> None:
    for path in paths(snapshot):
        for name in at(snapshot, path):
            if not free(path):
                broken = copy.deepcopy(snapshot)
                del at(broken, path)[name]
                with pytest.raises(SnapshotError):
                    check(broken)


def test_no_other_field(snapshot: dict[str, Any]) -> None:
    for path in paths(snapshot):
        broken = copy.deepcopy(snapshot)
        at(broken, path)["more"] = 1
        with pytest.raises(SnapshotError):
            check(broken)


def test_every_field_has_a_type(snapshot: dict[str, Any]) -> None:
    for path in paths(snapshot):
        for name in at(snapshot, path):
            for wrong in ("text", {"x": "y"}, True if name != "missed" else 1):
                broken = copy.deepcopy(snapshot)
                at(broken, path)[name] = wrong
                with pytest.raises(SnapshotError):
                    check(broken)


@pytest.mark.parametrize("name", ["", "hit_count", "9", "A B", "A\n", "A{"])
def test_registers_have_plain_names(snapshot: dict[str, Any], name: str) -> None:
    """They become names of metrics."""
    with pytest.raises(SnapshotError):
        check({**snapshot, "device": {name: 1}})


def test_columns_of_one_length(snapshot: dict[str, Any]) -> None:
    for name in snapshot["series"]:
        broken = copy.deepcopy(snapshot)
        broken["series"][name].pop()
        with pytest.raises(SnapshotError, match="different lengths"):
            check(broken)


@settings(derandomize=True, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda t: st.lists(t) | st.dictionaries(st.text(), t)
    )
)
def test_anything_else(thing: Any) -> None:
    with pytest.raises(SnapshotError) as caught:
        check(thing)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "NaN", "\xff", '{"now_ns": Infinity}'])
def test_files_that_are_no_snapshots(tmp_path: Path, content: str) -> None:
    path = tmp_path / "snapshot.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(SnapshotError):
        load(path)


def test_tool(tmp_path: Path, snapshot: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    path, page = tmp_path / "snapshot.json", tmp_path / "page.html"
    path.write_text(json.dumps(snapshot))
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr() == (f"{path}: valid\n", "")
    assert main(["prometheus", str(path)]) == 0
    assert capsys.readouterr() == (snapshots.prometheus(busy()), "")
    assert main(["page", str(path), str(page)]) == 0
    assert "<svg" in page.read_text()
    capsys.readouterr()
    path.write_text("{}")
    assert main(["check", str(path)]) == 1
    assert capsys.readouterr() == ("", f"metrics: {path}: $: 'schema' is a required property\n")
    assert main(["check", str(tmp_path / "missing")]) == 2
    assert capsys.readouterr() == ("", f"metrics: {tmp_path / 'missing'}: No such file or directory\n")
    assert main(["page", str(path), str(page)]) == 1
    with pytest.raises(SystemExit) as caught:
        main(["nonsense"])
    assert caught.value.code == 2
