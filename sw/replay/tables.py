"""Reader of request tables, as cloud operators publish them: CSV with each request's time and tokens.

Columns are found by name: `TIMESTAMP, ContextTokens, GeneratedTokens` and
`Timestamp, ..., Request tokens, Response tokens, ...`, in any order, with other columns left aside. Such a table does
not say what a prompt contains, so each request gets block ids of its own: nothing is used twice.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sw.replay.formats import opened
from sw.replay.trace import (
    DEFAULT_BLOCK_TOKENS,
    MAX_TIMESTAMP_MS,
    MAX_TOKENS,
    UNITS_MS,
    Trace,
    TraceError,
    TraceRequest,
    check_unit,
    guarded,
)

TIMES = ("timestamp", "arrivaltimestamp", "arrivaltime")
PROMPTS = ("contexttokens", "requesttokens", "inputtokens", "inputlength", "prompttokens")
OUTPUTS = ("generatedtokens", "responsetokens", "outputtokens", "outputlength", "completiontokens")

Columns = tuple[int, int, int]
"""Places of time, prompt tokens and generated tokens in a row."""


def columns_of(line: str) -> Columns | None:
    """Where a header line has the three columns; None when it is not the header of such a table."""
    cells = next(csv.reader([line]), [])
    if not all(re.fullmatch(r"\w[\w ]*", cell.strip()) for cell in cells):
        return None
    names = [re.sub(r"[^a-z]", "", cell.lower()) for cell in cells]
    found = [next((names.index(name) for name in known if name in names), None) for known in (TIMES, PROMPTS, OUTPUTS)]
    time, prompt, output = found
    return None if time is None or prompt is None or output is None else (time, prompt, output)


def read_table(path: Path, limit: int | None, *, block_tokens: int | None, unit: str | None) -> Trace:
    """The first `limit` requests of a table; `unit` is that of times that are numbers (dates have their own).

    Raises:
        TraceError: a row that is not a request, times that go back, no request at all.
    """
    block = block_tokens or DEFAULT_BLOCK_TOKENS
    requests: list[TraceRequest] = []
    ids = latest = 0
    counted = False  # times are numbers, so their unit can be mistaken
    with guarded(path), opened(path) as lines:
        rows = csv.reader(io.TextIOWrapper(lines, encoding="utf-8", errors="strict", newline=""))
        columns: Columns | None = None
        for number, row in _rows(path, rows):
            if columns is None:
                columns = columns_of(",".join(row))
                assert columns is not None, "the caller has looked at the header"
                continue
            if limit is not None and len(requests) >= limit:
                break
            try:
                time, prompt, output = _request(row, columns, UNITS_MS[unit or "ms"])
                if time < latest:
                    raise ValueError(f"the time goes back by {latest - time:,} ms: sort the table by its times")
            except ValueError as error:
                raise TraceError(path, number, str(error)) from None
            latest = time
            counted = counted or _is_number(row[columns[0]])
            count = -(-prompt // block)
            requests.append(TraceRequest(time, prompt, output, tuple(range(ids, ids + count))))
            ids += count
    if not requests:
        raise TraceError(path, None, "empty: a table has at least one request under its header")
    if unit is None and counted:
        check_unit(path, [request.timestamp_ms for request in requests])
    first = requests[0].timestamp_ms
    moved = [TraceRequest(r.timestamp_ms - first, r.input_length, r.output_length, r.hash_ids) for r in requests]
    return Trace(moved, block, has_content=False, assumed=block_tokens is None)


def _rows(path: Path, rows: Iterator[list[str]]) -> Iterator[tuple[int, Sequence[str]]]:
    """(line number, cells) of every row that is not blank. Raises TraceError."""
    number = 0
    while True:
        number += 1
        try:
            row = next(rows, None)
        except (csv.Error, UnicodeDecodeError):
            raise TraceError(path, number, "not a row of text with commas between its cells") from None
        if row is None:
            return
        if row:
            yield number, row


def _request(row: Sequence[str], columns: Columns, scale: int) -> tuple[int, int, int]:
    """Time in ms, prompt and generated tokens. Raises ValueError."""
    if len(row) <= max(columns):
        raise ValueError(f"{len(row)} cells, and the header has more: the row is cut off")
    time, prompt, output = (row[column].strip() for column in columns)
    return _time(time, scale), _tokens(prompt), _tokens(output)


def _tokens(text: str) -> int:
    if not re.fullmatch(r"\d{1,12}(\.0*)?", text) or int(float(text)) > MAX_TOKENS:
        raise ValueError(f"{text[:40]!r} is no number of tokens")
    return int(float(text))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _time(text: str, scale: int) -> int:
    """Milliseconds of a number (of `scale` ms each) or of a date with a time of day."""
    value = float(text) * scale if _is_number(text) else _date_ms(text)
    if not math.isfinite(value) or not 0 <= value <= MAX_TIMESTAMP_MS:
        raise ValueError(f"{text[:40]!r} is no time")
    return math.floor(value)


def _date_ms(text: str) -> float:
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text)  # published tables have more digits than a microsecond has
    try:
        date = datetime.fromisoformat(shortened)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no time: a number or a date with a time of day is needed") from None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * 1000
