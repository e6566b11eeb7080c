"""The JSON Schema of a snapshot."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "kvcpu-metrics-v1.schema.json"


class SnapshotError(ValueError):
    """A snapshot that is not as the schema describes it; one line."""


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_bytes()))


def check(snapshot: Any) -> None:
    """Check a snapshot against the schema, and that the columns of its series have one length.

    Raises:
        SnapshotError: it is not valid; the first place and why.
    """
    for error in _validator().iter_errors(snapshot):
        why = str(error.message).replace("\n", " ")
        raise SnapshotError(f"{error.json_path}: {why[:200]}")
    lengths = {name: len(column) for name, column in snapshot["series"].items()}
    if len(set(lengths.values())) != 1:
        raise SnapshotError(f"$.series: columns of different lengths: {lengths}")


def load(path: Path) -> dict[str, Any]:
    """A snapshot from a file.

    Raises:
        SnapshotError: it is no valid snapshot.
        OSError: it cannot be read.
    """
    try:
        snapshot = json.loads(path.read_bytes(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise SnapshotError("not JSON") from None
    check(snapshot)
    return dict(snapshot)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
