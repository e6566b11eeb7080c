"""The report page: one self-contained HTML file with plots as inline SVG."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_page(snapshot: dict[str, Any], path: Path) -> None:
    """Write the page of a snapshot; without observations it has the table only.

    Raises:
        SnapshotError: the snapshot is not valid.
        OSError: the file cannot be written.
    """
    raise NotImplementedError
