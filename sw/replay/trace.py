"""Reader of Mooncake-format traces: one JSON object a line, streamed.

Keys: `timestamp` (ms), `input_length`, `output_length` (tokens), `hash_ids` (one id per block of the
prompt, in prefix order; equal ids are equal content). Other keys are ignored, blank lines skipped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

MAX_LINE_BYTES = 1 << 24
MAX_TOKENS = 1 << 32
MAX_TIMESTAMP_MS = 1 << 53
MAX_HASH_ID = (1 << 64) - 1


class TraceError(Exception):
    """A trace that cannot be replayed; the message is one line with file, line and problem.

    Attributes:
        path: the file.
        line: number of the line from 1 on, or None when the file as a whole is the problem.
        problem: what is wrong.
    """

    def __init__(self, path: Path, line: int | None, problem: str) -> None:
        place = f"{path}:{line}" if line else str(path)
        super().__init__(f"{place}: {problem}")
        self.path = path
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True)
class TraceRequest:
    """One request of a trace: arrival in ms, prompt and output in tokens, ids of its prompt's blocks."""

    timestamp_ms: int
    input_length: int
    output_length: int
    hash_ids: tuple[int, ...]


def read_trace(path: Path, limit: int | None = None) -> Iterator[TraceRequest]:
    """Requests in the order of the file, at most `limit`.

    Raises:
        TraceError: no such file, no request in it, or a line that is not a request.
    """
    return islice(_requests(path), limit)


def _requests(path: Path) -> Iterator[TraceRequest]:
    found = False
    try:
        with path.open("rb") as lines:
            number = 0
            while line := lines.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise TraceError(path, number, f"a line of more than {MAX_LINE_BYTES:,} bytes")
                if line.strip():
                    found = True
                    try:
                        yield _request(line)
                    except ValueError as error:
                        raise TraceError(path, number, str(error)) from None
    except OSError as error:
        raise TraceError(path, None, (error.strerror or str(error)).lower()) from None
    if not found:
        raise TraceError(path, None, "empty: a trace has at least one request")


def _request(line: bytes) -> TraceRequest:
    """One request from one line. Raises ValueError, whose text is the problem."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise ValueError("not text: a trace is JSON lines in UTF-8") from None
    if "\0" in text:
        raise ValueError("not text: a trace is JSON lines in UTF-8")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        cut = not text.endswith("\n")
        why = "cut off in the middle of a request" if cut else f"not JSON ({error.msg}, column {error.colno})"
        raise ValueError(why) from None
    except (ValueError, RecursionError):
        raise ValueError("not a request: numbers too long or lists too deep") from None
    if not isinstance(value, dict):
        raise ValueError(f"a request is a JSON object, this is {_kind(value)}")
    return TraceRequest(
        _timestamp(value),
        _integer(value, "input_length", MAX_TOKENS),
        _integer(value, "output_length", MAX_TOKENS),
        _ids(value),
    )


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _member(request: dict[str, Any], key: str) -> Any:
    if key not in request:
        raise ValueError(f"no `{key}`")
    return request[key]


def _timestamp(request: dict[str, Any]) -> int:
    """Whole milliseconds; some traces have fractions."""
    value = _member(request, "timestamp")
    if isinstance(value, float) and math.isfinite(value):
        request = {"timestamp": int(value) if value >= 0 else -1}
    return _integer(request, "timestamp", MAX_TIMESTAMP_MS)


def _integer(request: dict[str, Any], key: str, limit: int) -> int:
    value = _member(request, key)
    if not isinstance(value, int) or isinstance(value, bool):
        seen = f"{value}" if isinstance(value, float) else _kind(value)
        raise ValueError(f"`{key}` is {seen}: a whole number is needed")
    if value < 0:
        raise ValueError(f"`{key}` is negative")
    if value > limit:
        raise ValueError(f"`{key}` is more than {limit:,}")
    return value


def _ids(request: dict[str, Any]) -> tuple[int, ...]:
    ids = _member(request, "hash_ids")
    if not isinstance(ids, list):
        raise ValueError(f"`hash_ids` is {_kind(ids)}: a list is needed")
    for place, value in enumerate(ids):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_HASH_ID:
            raise ValueError(f"`hash_ids`[{place}]: a whole number from 0 to 2^64 - 1 is needed")
    return tuple(ids)
