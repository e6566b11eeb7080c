"""Check that a package is as it was made, make its report and data again, and compare the bytes.

Exit status: 0 the same bytes, 1 something differs, 2 this is no package.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from . import data, document
from .records import Run, load

SUMS = "SHA256SUMS"
REPORT = "report.md"
AGAIN = "reproduced"


def made(runs: Sequence[Run]) -> dict[str, str]:
    """Text of every file that is made from the runs, by its name in the package."""
    return {REPORT: document.document(runs), **data.files(runs)}


def sums(files: dict[str, bytes]) -> str:
    """Digests of files by name, as `sha256sum -c` reads them."""
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))


def changed(folder: Path) -> list[str]:
    """Files of a package that are missing or not as they were packed. Raises OSError."""
    wrong = []
    for line in (folder / SUMS).read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(name)
    return wrong


def main(folder: Path) -> int:
    """Reproduce the package in `folder`; returns the exit status."""
    try:
        wrong = [f"{name} is not as it was packed" for name in changed(folder)]
        again = made(load(folder))
    except OSError as error:
        print(f"error: {error.filename}: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        return 2
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"error: a run of this package cannot be read ({type(error).__name__}: {error})", file=sys.stderr)
        return 1
    for name, text in again.items():
        path = folder / AGAIN / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        packed = folder / name
        if not packed.is_file() or packed.read_bytes() != text.encode():
            wrong.append(f"{name} comes out other than it was packed")
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    if not wrong:
        print(f"the same bytes: {', '.join(again)}")
    return 1 if wrong else 0
