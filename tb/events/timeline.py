"""A run as a timeline: the Chrome trace format (JSON), which Perfetto and `chrome://tracing` show.

Lookups, scans, moves, commands and interrupts come from the event log; servers, chunks and prompts from the file that a
run of the LLM service leaves next to it. All are on one axis, the device's time from the start of the simulation.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tb.events.fields import description
from tb.events.log import EventLogError, read, sizes
from tb.events.text import address, block

SPANS = "spans.jsonl"
"""File next to the event log: spans of the software, one JSON object a line."""
CLOCK = "CLOCK_PS"
CLOCK_PS = 4000
"""Of a log that does not say it: the period of the testbench's clock."""
DEVICE = "device"
OK = 0
NS_IN_US = 1000


@dataclass(frozen=True, slots=True)
class Span:
    """What takes time on a track of a process; `end_ns` None: an instant."""

    process: str
    track: str
    name: str
    begin_ns: int
    end_ns: int | None = None
    args: Mapping[str, Any] = field(default_factory=dict)


def write_spans(path: Path, spans: Iterable[Span]) -> None:
    """Write spans of the software. Raises OSError."""
    path.write_text("".join(json.dumps(asdict(span)) + "\n" for span in spans))


def read_spans(path: Path) -> list[Span]:
    """The spans of a file; none where it is missing. Raises EventLogError."""
    if not path.exists():
        return []
    try:
        return [Span(**json.loads(line)) for line in path.read_text().splitlines()]
    except (ValueError, TypeError) as error:
        raise EventLogError(f"{path} is not as it was written: {error}; run the test again with EVENTS=1") from None


def device_spans(db: sqlite3.Connection, first: int = 0, last: int = 2**62) -> list[Span]:
    """Lookups, scans, steps, moves, commands and interrupts of a window of cycles. What does not end there is left out.

    Raises EventLogError.
    """
    clock_ps = sizes(db).get(CLOCK, CLOCK_PS)
    found = [*_lookups(db, first, last), *_scans(db, first, last), *_moves(db, first, last)]
    found += [*_commands(db, first, last), *_instants(db, first, last)]
    return [
        Span(DEVICE, one.track, one.name, _ns(one.begin, clock_ps),
             None if one.end is None else _ns(one.end, clock_ps), one.args)
        for one in found
    ]  # fmt: skip


def trace(spans: Sequence[Span]) -> dict[str, Any]:
    """The spans as a Chrome trace: the same for the same spans, events in the order of time.

    Spans of a track that run at the same time are on tracks of their own: `moves EVICT`, `moves EVICT (2)`, ...
    """
    placed = [(span, span.process, track) for span, track in _without_overlap(spans)]
    processes = {name: number for number, name in enumerate(dict.fromkeys(span.process for span in spans), 1)}
    used = sorted({(process, track) for _, process, track in placed}, key=lambda one: (processes[one[0]], one[1]))
    tracks = {one: number for number, one in enumerate(used, 1)}
    names = [_name("process_name", number, 0, name) for name, number in processes.items()]
    names += [_name("thread_name", processes[process], number, track) for (process, track), number in tracks.items()]
    events = [_event(span, processes[process], tracks[process, track]) for span, process, track in placed]
    return {"displayTimeUnit": "ns", "traceEvents": [*names, *sorted(events, key=lambda event: event["ts"])]}


def _without_overlap(spans: Sequence[Span]) -> Iterator[tuple[Span, str]]:
    """Each span with the first track of its name that is free at its begin."""
    ends: dict[tuple[str, str], list[int]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.begin_ns):
        if span.end_ns is None:
            yield span, span.track
            continue
        lanes = ends[span.process, span.track]
        lane = next((place for place, end in enumerate(lanes) if end <= span.begin_ns), len(lanes))
        lanes[lane : lane + 1] = [span.end_ns]
        yield span, span.track if lane == 0 else f"{span.track} ({lane + 1})"


def _name(what: str, process: int, track: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": process, "tid": track, "args": {"name": name}}


def _event(span: Span, process: int, track: int) -> dict[str, Any]:
    begin = span.begin_ns / NS_IN_US
    event = {"name": span.name, "pid": process, "tid": track, "ts": begin, "args": dict(span.args)}
    if span.end_ns is None:
        return {**event, "ph": "i", "s": "t"}
    return {**event, "ph": "X", "dur": (span.end_ns - span.begin_ns) / NS_IN_US}


# ---------------------------------------------------------------- from the event log


@dataclass(frozen=True, slots=True)
class _Part:
    """A span in cycles."""

    track: str
    name: str
    begin: int
    end: int | None = None
    args: Mapping[str, Any] = field(default_factory=dict)


def _ns(cycle: int, clock_ps: int) -> int:
    return cycle * clock_ps // NS_IN_US


def _rows(db: sqlite3.Connection, kind: str, first: int, last: int) -> Iterator[dict[str, int]]:
    return (values for _record, values in read(db, kind, first, last))


def _labels(kind: str, name: str) -> Any:
    """The function from a number of an enumeration's field to its name."""
    record = next(record for record in description().logged if record.name == kind)
    found = next(one for one in record.fields if one.name == name)
    assert found.enum
    return found.enum.label


def _lookups(db: sqlite3.Connection, first: int, last: int) -> Iterator[_Part]:
    """Each port answers in the order in which it was asked."""
    asked: dict[int, deque[dict[str, int]]] = defaultdict(deque)
    for values in _rows(db, "LookupRequest", first, last):
        asked[values["port_no"]].append(values)
    for answer in _rows(db, "LookupAnswer", first, last):
        waiting = asked[answer["port_no"]]
        if not waiting or waiting[0]["cycle"] > answer["cycle"]:
            continue  # it was asked before the window
        request = waiting.popleft()
        result = "denied" if answer["denied"] else "hit" if answer["hit"] else "miss"
        args = {"address": address(request["kv_addr"]), "write": bool(request["write"])}
        yield _Part(f"lookups of port {answer['port_no']}", result, request["cycle"], answer["cycle"], args)


def _scans(db: sqlite3.Connection, first: int, last: int) -> Iterator[_Part]:
    """From a scan's begin to its end; the step that it uses is known a little later."""
    steps = deque(values["step"] for values in _rows(db, "ScanStart", first, last))
    ends = deque(values["cycle"] for values in _rows(db, "ScanDone", first, last))
    for values in _rows(db, "ScanBegin", first, last):
        while ends and ends[0] < values["cycle"]:
            ends.popleft()
        if ends and steps:
            yield _Part("scans", f"scan of step {steps.popleft()}", values["cycle"], ends.popleft())


def _moves(db: sqlite3.Connection, first: int, last: int) -> Iterator[_Part]:
    """Items from their queue to the DMA, and each try of a move from its start to its end."""
    tier, result = _labels("Completion", "to_tier"), _labels("Op", "result")
    queued: dict[tuple[int, int], dict[str, int]] = {}
    channels: dict[tuple[int, int], str] = {}
    running: dict[int, dict[str, int]] = {}
    channel = _labels("Push", "channel")
    rows = [("push", values) for values in _rows(db, "Push", first, last)]
    rows += [("pop", values) for values in _rows(db, "Pop", first, last)]
    rows += [("op", values) for values in _rows(db, "Op", first, last)]
    operation = _labels("Op", "op")
    for what, values in sorted(rows, key=lambda row: row[1]["cycle"]):
        item = (values["item_key"], values["item_generation"])
        if what == "push":
            queued[item] = values
        elif what == "pop":
            channels[item] = channel(values["channel"])
            if push := queued.pop(item, None):
                name = f"queue {channels[item]}"
                yield _Part(name, block(item[0]), push["cycle"], values["cycle"])
        elif operation(values["op"]) == "START" and values["result"] == OK:
            running[values["move_id"]] = values
        elif operation(values["op"]) == "END" and (start := running.pop(values["move_id"], None)):
            args = {
                "from": tier(start["found_tier"]), "to": tier(start["to_tier"]), "end": result(values["result"]),
                "move": values["move_id"],
            }  # fmt: skip
            track = f"moves {channels.get(item, '')}".rstrip()
            yield _Part(track, block(item[0]), start["cycle"], values["cycle"], args)


def _commands(db: sqlite3.Connection, first: int, last: int) -> Iterator[_Part]:
    """From entering the command queue to their end; they end in their order."""
    name = _labels("Command", "cmd")
    ends = deque(values["cycle"] for values in _rows(db, "CmdDone", first, last))
    for values in _rows(db, "Command", first, last):
        while ends and ends[0] < values["cycle"]:
            ends.popleft()
        if ends:
            args = {"address": address(values["kv_addr"])}
            yield _Part("commands", name(values["cmd"]), values["cycle"], ends.popleft(), args)


def _instants(db: sqlite3.Connection, first: int, last: int) -> Iterator[_Part]:
    for values in _rows(db, "Step", first, last):
        yield _Part("steps", f"step {values['step']}", values["cycle"])
    for values in _rows(db, "Irq", first, last):
        yield _Part("interrupts", f"IRQ_STATUS {values['events']:#04x}", values["cycle"])
