"""The files of a log: the one that is written, older ones that were full, and the head record next to them."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from pathlib import Path

from sw.audit.chain import MAX_LINE, Link, NotAnEntry, parse_entry

HEAD_SUFFIX = ".head"
TORN_SUFFIX = ".torn"
FIRST_DIGITS = 12


def head_path(path: Path) -> Path:
    """Where the head record of the log at `path` is."""
    return path.with_name(path.name + HEAD_SUFFIX)


def full_path(path: Path, first: int) -> Path:
    """Where a full file of the log at `path` is kept whose first entry is number `first`."""
    return path.with_name(f"{path.name}.{first:0{FIRST_DIGITS}}")


def full_files(path: Path) -> list[Path]:
    """The full files of a log, oldest first.

    Raises:
        OSError: the folder cannot be read.
    """
    name = re.compile(re.escape(path.name) + rf"\.[0-9]{{{FIRST_DIGITS}}}")
    return sorted(file for file in path.parent.glob(glob.escape(path.name) + ".*") if name.fullmatch(file.name))


def first_of(path: Path, file: Path) -> int | None:
    """Number of the first entry of a full file, as its name says; None for the file that is written."""
    return None if file == path else int(file.name[-FIRST_DIGITS:])


def lines_of(file: Path) -> Iterator[bytes]:
    """Lines with their line feeds, none longer than just too long.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        while line := stream.readline(MAX_LINE + 1):
            rest = line
            while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
                rest = stream.readline(MAX_LINE + 1)
            yield line


def last_link(file: Path) -> Link | None:
    """The link of a file's last line; None for a file without a byte.

    Raises:
        NotAnEntry: the last line is no entry.
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - MAX_LINE - 1))
        tail = stream.read()
    if not tail:
        return None
    if not tail.endswith(b"\n"):
        raise NotAnEntry("the last line has no end")
    return parse_entry(tail[:-1].rpartition(b"\n")[2])
