"""Reader of block-hash traces: one JSON object a line, streamed; gzip-compressed or with a byte-order mark as well.

Keys: `timestamp`, `input_length`, `output_length` (tokens), `hash_ids` (one id per block of the prompt, in prefix
order; equal ids are equal content), and `block_size` (tokens of a block, 512 where nothing says otherwise). Other keys
are ignored, blank lines skipped. What would be replayed as something that it is not is refused: times that go back or
look like seconds, and a number of ids that does not fit the length and the block size.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sw.replay.formats import FormatError, opened, what_else

MAX_LINE_BYTES = 1 << 24
MAX_TOKENS = 1 << 32
MAX_TIMESTAMP_MS = 1 << 53
MAX_HASH_ID = (1 << 64) - 1
MAX_BLOCK_TOKENS = 1 << 16
DEFAULT_BLOCK_TOKENS = 512
"""Tokens behind one hash id in the published traces."""
UNITS_MS = {"ms": 1, "s": 1000}
SECONDS_GAP = 5.0
"""Requests whose times differ by less than this on average have times in seconds: no engine gets 200 a second."""


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


@dataclass(frozen=True, slots=True)
class Trace:
    """The requests of a file, and the tokens behind one of their hash ids.

    `has_content` is False when the file does not say what prompts contain: then no id is used twice. `assumed` is True
    when neither the file nor the user says how many tokens a block has, so that `block_tokens` is the usual number.
    """

    requests: list[TraceRequest]
    block_tokens: int = DEFAULT_BLOCK_TOKENS
    has_content: bool = True
    assumed: bool = False


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Read a trace file: what goes wrong with the file as a whole is a TraceError."""
    try:
        yield
    except FormatError as error:
        raise TraceError(path, None, str(error)) from None
    except (EOFError, zlib.error):
        raise TraceError(path, None, "the gzip file is damaged or cut off") from None
    except OSError as error:
        raise TraceError(path, None, (error.strerror or str(error)).lower()) from None


class TraceReader:
    """Requests of a file in its order.

    `block_tokens` and `unit` ("ms" or "s" of timestamps) are what the user says of it, None for nothing said; what has
    been found is in `block_tokens` once the first request was read; `assumed`: nothing was, and it is the default.
    """

    def __init__(self, path: Path, block_tokens: int | None = None, unit: str | None = None) -> None:
        self.path = path
        self.block_tokens = block_tokens
        self.assumed = False
        self._asked = block_tokens
        self._scale = UNITS_MS[unit or "ms"]
        self._latest = 0

    def __iter__(self) -> Iterator[TraceRequest]:
        """Stream the requests.

        Raises:
            TraceError: no such file, no request in it, another format, or a line that is not a request.
        """
        found = False
        with guarded(self.path), opened(self.path) as lines:
            number = 0
            while line := lines.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise TraceError(self.path, number, f"a line of more than {MAX_LINE_BYTES:,} bytes")
                if line.strip():
                    try:
                        request = self._request(line, first=not found)
                    except ValueError as error:
                        raise TraceError(self.path, number, str(error)) from None
                    found = True
                    yield request
        if not found:
            raise TraceError(self.path, None, "empty: a trace has at least one request")

    def _request(self, line: bytes, *, first: bool) -> TraceRequest:
        """One request from one line. Raises ValueError, whose text is the problem."""
        value = json_object(line, first=first)
        timestamp = _timestamp(value, self._scale)
        if timestamp < self._latest:
            raise ValueError(
                f"`timestamp` is {timestamp} ms, and {self._latest} ms in a line before: sort the trace by its times"
            )
        self._latest = timestamp
        block = self._block_of(value)
        request = TraceRequest(
            timestamp,
            member_integer(value, "input_length", MAX_TOKENS),
            member_integer(value, "output_length", MAX_TOKENS),
            _ids(value),
        )
        _check_fit(request, block, said=self._asked is not None or "block_size" in value)
        return request

    def _block_of(self, value: dict[str, Any]) -> int:
        """Tokens of a block. Raises ValueError."""
        if "block_size" not in value:
            if self.block_tokens is None:
                self.block_tokens, self.assumed = DEFAULT_BLOCK_TOKENS, True
            return self.block_tokens
        block = member_integer(value, "block_size", MAX_BLOCK_TOKENS)
        if block == 0:
            raise ValueError("`block_size` is 0: a block has at least one token")
        if self.block_tokens not in (None, block):
            where = "BLOCK_SIZE" if self._asked else "the line before"
            raise ValueError(f"`block_size` is {block}, and {where} says {self.block_tokens}")
        self.block_tokens = block
        return block


def _check_fit(request: TraceRequest, block: int, *, said: bool) -> None:
    """A prompt has an id for each block, the last, partial one with or without. Raises ValueError."""
    length, ids = request.input_length, len(request.hash_ids)
    if ids in (length // block, -(-length // block)):
        return
    problem = f"`input_length` {length:,} is {-(-length // block):,} blocks of {block:,} tokens, `hash_ids` has {ids:,}"
    fitting = [size for size in (2**n for n in range(17)) if ids and ids in (length // size, -(-length // size))]
    if fitting and not said:
        problem += f"; blocks of {fitting[-1]:,} would fit: say BLOCK_SIZE={fitting[-1]}, if that is what it has"
    raise ValueError(problem)


def read_trace(path: Path, limit: int | None = None) -> Iterator[TraceRequest]:
    """Requests in the order of the file, at most `limit`, streamed.

    Raises:
        TraceError: no such file, no request in it, or a line that is not a request.
    """
    return islice(TraceReader(path), limit)


def load_trace(
    path: Path, limit: int | None = None, *, block_tokens: int | None = None, unit: str | None = None
) -> Trace:
    """The first `limit` requests of a file, as a whole not obviously something else than what is said of it.

    Raises:
        TraceError: as `read_trace`, and times that look like seconds and are not declared otherwise.
    """
    reader = TraceReader(path, block_tokens, unit)
    requests = list(islice(reader, limit))
    if unit is None:
        check_unit(path, [request.timestamp_ms for request in requests])
    return Trace(requests, reader.block_tokens or DEFAULT_BLOCK_TOKENS, assumed=reader.assumed)


def check_unit(path: Path, times: list[int]) -> None:
    """Raise TraceError for times that look like seconds."""
    span = times[-1] - times[0]
    if span and span < SECONDS_GAP * (len(times) - 1):
        raise TraceError(
            path,
            None,
            f"{len(times):,} requests within {span:,} ms: the timestamps look like seconds; say TIME_UNIT=s, "
            "or TIME_UNIT=ms if they are milliseconds",
        )


def json_object(line: bytes, *, first: bool) -> dict[str, Any]:
    """The JSON object of a line. Raises ValueError."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise ValueError("not text: a trace is JSON lines in UTF-8") from None
    if "\0" in text:
        raise ValueError("not text: a trace is JSON lines in UTF-8")
    if first and (other := what_else(text)):
        raise FormatError(other)
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
    return value


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _member(request: dict[str, Any], key: str) -> Any:
    if key not in request:
        raise ValueError(f"no `{key}`")
    return request[key]


def _timestamp(request: dict[str, Any], scale: int) -> int:
    """Whole milliseconds, of a timestamp that counts `scale` of them; some traces have fractions."""
    value = _member(request, "timestamp")
    if isinstance(value, float) and math.isfinite(value * scale):
        request = {"timestamp": math.floor(value * scale) if value >= 0 else -1}
    elif isinstance(value, int) and not isinstance(value, bool):
        request = {"timestamp": value * scale}
    return member_integer(request, "timestamp", MAX_TIMESTAMP_MS)


def member_integer(request: dict[str, Any], key: str, limit: int) -> int:
    """A member that must be a whole number from 0 to `limit`. Raises ValueError."""
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
