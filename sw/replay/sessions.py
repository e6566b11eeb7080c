"""Reader of session traces: JSON lines, one session each, with the delays between its turns.

A line has `timestamp` (of the first turn, ms) and `turns`: a list of objects with `input_length` (tokens that the user
adds), `output_length` (tokens of the answer) and `delay` (ms after the answer of the turn before, or 0); and
optionally `session_id`, `shared_prefix` (a name) with `prefix_length` (tokens that all sessions of that name begin
with), and `block_size`. A turn's prompt is all that was said before, and its own text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from sw.replay.formats import opened
from sw.replay.trace import (
    DEFAULT_BLOCK_TOKENS,
    MAX_BLOCK_TOKENS,
    MAX_LINE_BYTES,
    MAX_TIMESTAMP_MS,
    MAX_TOKENS,
    UNITS_MS,
    Trace,
    TraceError,
    TraceRequest,
    guarded,
    json_object,
    member_integer,
)

TOKENS_PER_S = 32
"""Decode speed that places the end of an answer, from which a turn's delay counts."""
MAX_TURNS = 100_000
MAX_SESSION_TOKENS = 1 << 22


@dataclass(slots=True)
class _Content:
    """Block ids that have been given, and those of each shared prefix."""

    block: int
    new: Any = field(default_factory=count)
    prefixes: dict[tuple[str, int], list[int]] = field(default_factory=dict)

    def shared(self, name: str, tokens: int) -> list[int]:
        key = (name, tokens // self.block)
        if key not in self.prefixes:
            self.prefixes[key] = [next(self.new) for _ in range(key[1])]
        return list(self.prefixes[key])


def is_session(value: dict[str, Any]) -> bool:
    """Whether the first object of a file is a session, not a request."""
    return "turns" in value


def read_sessions(path: Path, limit: int | None, *, block_tokens: int | None, unit: str | None) -> Trace:
    """The first `limit` turns of all sessions, in order of their arrival.

    Raises:
        TraceError: a line that is not a session, or none at all.
    """
    scale = UNITS_MS[unit or "ms"]
    content = _Content(block_tokens or DEFAULT_BLOCK_TOKENS)
    found: list[TraceRequest] = []
    assumed = block_tokens is None
    with guarded(path), opened(path) as lines:
        for number in count(1):
            line = lines.readline(MAX_LINE_BYTES + 1)
            if not line:
                break
            if not line.strip():
                continue
            try:
                value = json_object(line, first=number == 1)
                content.block = _block(value, content.block, asked=block_tokens is not None, first=not found)
                assumed = assumed and "block_size" not in value
                found += _turns(value, content, scale)
            except ValueError as error:
                raise TraceError(path, number, str(error)) from None
    if not found:
        raise TraceError(path, None, "empty: a trace has at least one turn")
    found.sort(key=lambda request: request.timestamp_ms)
    return Trace(found[:limit], content.block, assumed=assumed)


def _block(value: dict[str, Any], known: int, *, asked: bool, first: bool) -> int:
    if "block_size" not in value:
        return known
    block = member_integer(value, "block_size", MAX_BLOCK_TOKENS)
    if block == 0 or (block != known and (asked or not first)):
        raise ValueError(f"`block_size` is {block}, and {'BLOCK_SIZE' if asked else 'a line before'} says {known}")
    return block


def _turns(value: dict[str, Any], content: _Content, scale: int) -> list[TraceRequest]:
    """The turns of one session as requests. Raises ValueError."""
    turns = value.get("turns")
    if not isinstance(turns, list) or not 0 < len(turns) <= MAX_TURNS:
        raise ValueError(f"`turns`: a list of 1 to {MAX_TURNS:,} turns is needed")
    now = member_integer(value, "timestamp", MAX_TIMESTAMP_MS // scale) * scale
    tokens = member_integer(value, "prefix_length", MAX_SESSION_TOKENS) if "prefix_length" in value else 0
    ids = content.shared(str(value.get("shared_prefix", "")), tokens)
    requests = []
    for place, turn in enumerate(turns):
        if not isinstance(turn, dict):
            raise ValueError(f"`turns`[{place}]: an object is needed")
        if place:
            now += member_integer(turn, "delay", MAX_TIMESTAMP_MS // scale) * scale if "delay" in turn else 0
        tokens += member_integer(turn, "input_length", MAX_TOKENS)
        output = member_integer(turn, "output_length", MAX_TOKENS)
        if tokens + output > MAX_SESSION_TOKENS:
            raise ValueError(f"`turns`[{place}]: a session of more than {MAX_SESSION_TOKENS:,} tokens")
        whole, last = divmod(tokens, content.block)
        ids += [next(content.new) for _ in range(whole - len(ids))]
        requests.append(TraceRequest(now, tokens, output, (*ids, *([next(content.new)] if last else []))))
        tokens += output
        now += output * 1000 // TOKENS_PER_S
    return requests
