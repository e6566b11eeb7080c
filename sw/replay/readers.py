"""Reads a trace of any known form; which one it is follows from what is in the file, not from its name."""

from __future__ import annotations

import json
from pathlib import Path

from sw.replay.formats import opened
from sw.replay.sessions import is_session, read_sessions
from sw.replay.tables import columns_of, read_table
from sw.replay.trace import MAX_LINE_BYTES, Trace, check_unit, guarded, load_trace


def load(path: Path, limit: int | None = None, *, block_tokens: int | None = None, unit: str | None = None) -> Trace:
    """The first `limit` requests of a file: block hashes, sessions, or a table of requests.

    `block_tokens` and `unit` are what the user says of it, None for nothing said.

    Raises:
        TraceError: as `load_trace`, `read_sessions`, `read_table`; and times that look like seconds.
    """
    first = _first_line(path)
    if columns_of(first) is not None:
        return read_table(path, limit, block_tokens=block_tokens, unit=unit)
    if not _holds_session(first):
        return load_trace(path, limit, block_tokens=block_tokens, unit=unit)
    trace = read_sessions(path, limit, block_tokens=block_tokens, unit=unit)
    if unit is None:
        check_unit(path, [request.timestamp_ms for request in trace.requests])
    return trace


def assumption(path: Path, trace: Trace) -> str | None:
    """What the user gets to know of a trace that was read, before it runs; None when nothing was assumed."""
    if not trace.assumed:
        return None
    return (
        f"trace {path}: no block size in it, so one block is taken for {trace.block_tokens:,} tokens "
        "(BLOCK_SIZE=<n> if it is another)"
    )


def _first_line(path: Path) -> str:
    """The first line that is not blank; "" when there is none that is text."""
    with guarded(path), opened(path) as lines:
        while line := lines.readline(MAX_LINE_BYTES):
            if line.strip():
                return line.decode(errors="replace")
    return ""


def _holds_session(line: str) -> bool:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and is_session(value)
