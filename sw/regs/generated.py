"""Generated files: comparing them with what they must be, writing those that differ."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def stale(root: Path, files: dict[Path, str]) -> list[Path]:
    """The files under `root` that are missing or differ from `files`."""
    return [path for path, text in files.items() if not (root / path).is_file() or (root / path).read_text() != text]


def update(root: Path, files: dict[Path, str], who: str, *, check: bool) -> int:
    """Write what is stale, or with `check` only name it.

    Returns:
        The exit status: 0 written or all fresh, 1 stale files were named.
    """
    old = stale(root, files)
    if check:
        for path in old:
            print(f"{who}: {path} is stale: run `make regs`", file=sys.stderr)
        return 1 if old else 0
    for path in old:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(files[path])
        print(f"{who}: wrote {path}")
    return 0
