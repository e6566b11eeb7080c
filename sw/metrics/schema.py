"""The JSON Schema of a snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "kvcpu-metrics-v1.schema.json"


class SnapshotError(ValueError):
    """A snapshot that is not as the schema describes it; one line."""


def check(snapshot: Any) -> None:
    """Check a snapshot against the schema.

    Raises:
        SnapshotError: it is not valid; the first place and why.
    """
    raise NotImplementedError
