"""Opens a trace file, whatever it is: plain or gzip-compressed lines are read, other known formats are named."""

from __future__ import annotations

import gzip
import io
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
LONGEST_MAGIC = 16

# First bytes of what is not read, what it is called, and how to make lines of it.
_MAGIC = (
    (b"\x28\xb5\x2f\xfd", "Zstandard-compressed", "unpack it first (`zstd -d`)"),
    (b"\xfd7zXZ\0", "xz-compressed", "unpack it first (`xz -d`)"),
    (b"BZh", "bzip2-compressed", "unpack it first (`bzip2 -d`)"),
    (b"PK\x03\x04", "a ZIP archive", "unpack it first (`unzip`)"),
    (b"PAR1", "a Parquet file", "write it as JSON lines first (pandas: `to_json(lines=True, orient='records')`)"),
    (b"ARROW1", "an Arrow file", "write it as JSON lines first (pandas: `to_json(lines=True, orient='records')`)"),
    (b"SQLite format 3\0", "an SQLite database", "write the requests as JSON lines first"),
    (b"\x89HDF", "an HDF5 file", "write the requests as JSON lines first"),
)


class FormatError(ValueError):
    """A file that is no trace of a form that is read; the text is the problem and what to do about it."""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a trace, unpacked and without a byte-order mark.

    Raises:
        FormatError: a pipe, or another format.
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
        raise FormatError("a pipe or a device, and a trace is read twice: write it to a file first")
    with path.open("rb") as file:
        head = file.read(LONGEST_MAGIC)
        file.seek(0)
        for magic, name, advice in _MAGIC:
            if head.startswith(magic):
                raise FormatError(f"{name}: {advice}")
        plain = cast(IO[bytes], gzip.GzipFile(fileobj=file) if head.startswith(GZIP) else file)
        with io.BufferedReader(cast(io.RawIOBase, plain)) as lines:
            if lines.peek(len(BOM)).startswith(BOM):
                lines.read(len(BOM))
            yield lines


def what_else(line: str) -> str | None:
    """What a first line that is no JSON object seems to belong to, and what to do; None for no idea."""
    text = line.strip()
    if text == "{":
        return "one request over several lines: a trace has one on each line (`jq -c . <file>`)"
    if text == "[" or re.match(r"\[\s*\{", text):
        return "a JSON array of requests: a trace has one request on each line (`jq -c '.[]' <file>`)"
    columns = [column.strip().strip('"') for column in re.split(r"[,;\t]", text)]
    if len(columns) > 1 and all(re.fullmatch(r"[A-Za-z_][\w ]*", column) for column in columns):
        named = ", ".join(columns[:3])
        return (
            f"a CSV table ({named}, ...) without the columns that are read: a time (`TIMESTAMP`), prompt tokens "
            "(`ContextTokens`, `Request tokens`) and generated tokens (`GeneratedTokens`, `Response tokens`)"
        )
    return None
