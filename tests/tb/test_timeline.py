"""A run as a timeline: spans of the device and of the software on one axis, in a form that trace viewers read."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.device import DeviceModel
from sw.kernel.scheduler import Decision
from sw.run import run
from sw.transport.model import ModelTransport
from tb import eventlog
from tb.events.decode import KIND_BYTE
from tb.events.log import EventLog, open_log
from tb.events.records import (
    DTYPES,
    STREAM_MAIN,
    STREAM_PORT,
    STREAM_WORDS,
    Kind,
    LookupAnswerRecord,
    LookupRequestRecord,
    Op,
    PortKind,
    Tier,
)
from tb.events.timeline import CLOCK, SPANS, Span, device_spans, trace, write_spans
from tb.harness.link import Array
from tb.llm.job import LlmJob
from tb.llm.outcome import Served
from tb.llm.setup import shipped
from tb.llm.spans import prompt_spans, server_spans
from tb.llm.workload import default
from tb.sim.counter import Counter
from tests.tb.test_eventlog import SIZES, record

KEY = 3 << 48 | 2 << 40 | 1 << 32 | 4
MOVE = {"item_key": KEY, "item_generation": 9}
MAIN = [
    record(Kind.Step, 20, step=7),
    record(Kind.ScanBegin, 22),
    record(Kind.ScanStart, 23, step=7),
    record(Kind.Push, 24, channel=0, **MOVE),
    record(Kind.Pop, 30, channel=0, **MOVE),
    record(Kind.Op, 34, op=Op.START, move_id=5, found_tier=Tier.HBM, to_tier=Tier.HOST, **MOVE),
    record(Kind.ScanDone, 40),
    record(Kind.Command, 42, cmd=4, kv_addr=KEY),
    record(Kind.CmdDone, 46),
    record(Kind.Op, 50, op=Op.END, move_id=5, result=3, **MOVE),
    record(Kind.Irq, 51, events=1),
    record(Kind.ScanBegin, 60),
    record(Kind.ScanStart, 61, step=8),
]


def port(kind: type[Any], code: PortKind, cycle: int, **fields: Any) -> Array:
    one = np.zeros(1, DTYPES[kind])
    one["cycle"] = cycle
    for name, value in fields.items():
        one[name] = value
    one.view(np.uint8)[KIND_BYTE] = code
    return one.view(np.uint64)


LOOKUPS = [
    port(LookupRequestRecord, PortKind.LookupRequest, 10, port_no=1, kv_addr=KEY),
    port(LookupRequestRecord, PortKind.LookupRequest, 11, port_no=0, kv_addr=KEY, write=True),
    port(LookupAnswerRecord, PortKind.LookupAnswer, 14, port_no=1, hit=True),
    port(LookupAnswerRecord, PortKind.LookupAnswer, 15, port_no=0),
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    out = EventLog(tmp_path / "events.sqlite", {**SIZES, CLOCK: 10_000})
    for stream, records in ((STREAM_MAIN, MAIN), (STREAM_PORT, LOOKUPS)):
        out.add(stream, np.array(records, dtype=np.uint64).reshape(-1, STREAM_WORDS[stream]))
    out.close()
    return tmp_path / "events.sqlite"


def test_lookups_scans_moves_and_commands_have_their_times(log: Path) -> None:
    spans = {(span.track, span.name): (span.begin_ns, span.end_ns) for span in device_spans(open_log(log))}
    assert spans == {
        ("lookups of port 1", "hit"): (100, 140),
        ("lookups of port 0", "miss"): (110, 150),
        ("scans", "scan of step 7"): (220, 400),  # the second one does not end
        ("queue EVICT", "3:2:1:#4"): (240, 300),
        ("moves EVICT", "3:2:1:#4"): (340, 500),
        ("commands", "SHARE"): (420, 460),
        ("steps", "step 7"): (200, None),
        ("interrupts", "IRQ_STATUS 0x01"): (510, None),
    }


def test_a_move_says_whence_whither_and_how_it_ended(log: Path) -> None:
    [move] = [span for span in device_spans(open_log(log)) if span.track == "moves EVICT"]
    assert move.args == {"from": "HBM", "to": "HOST", "end": "VOID", "move": 5}


def test_a_window_has_what_ends_in_it(log: Path) -> None:
    tracks = {span.track for span in device_spans(open_log(log), 30, 50)}
    assert tracks == {"moves EVICT", "commands"}


DECISIONS = [
    Decision(100, "arrive", 2, 7, 50, 900),
    Decision(120, "dispatch", 2, 7, 50, 900),
    Decision(180, "ran", 2, 7, -10, 900),
    Decision(180, "throttle", 2, None, -10, 900),
    Decision(900, "replenish", 2, None, 40, 1800),
]
SERVED = Served(4, "done", [65, 66], [150, 170], 90, 200, 250, True)


def test_servers_chunks_and_prompts() -> None:
    spans = [*server_spans(DECISIONS), *prompt_spans([SERVED])]
    assert [(span.track, span.name, span.begin_ns, span.end_ns) for span in spans] == [
        ("server 2", "chunk of job 7", 120, 180),
        ("server 2, throttled", "throttled", 180, 900),
        ("server 2", "replenish", 900, None),
        ("prompt 4", "done", 90, 250),
        ("prompt 4", "token 1", 150, None),
        ("prompt 4", "token 2", 170, None),
    ]
    assert spans[3].args["missed"] is True


def test_the_command_writes_one_trace_of_both(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_spans(log.with_name(SPANS), [*server_spans(DECISIONS), *prompt_spans([SERVED])])
    assert eventlog.main(["timeline", str(log)]) == 0
    assert capsys.readouterr().out.startswith("14 spans and instants: ")
    found = json.loads((log.parent / "timeline.json").read_text())
    events = [event for event in found["traceEvents"] if event["ph"] != "M"]
    assert [event["ts"] for event in events] == sorted(event["ts"] for event in events)
    processes = {event["args"]["name"] for event in found["traceEvents"] if event["name"] == "process_name"}
    assert processes == {"device", "scheduler", "prompts"}
    chunk = next(event for event in events if event["name"] == "chunk of job 7")
    assert (chunk["ph"], chunk["ts"], chunk["dur"]) == ("X", 0.12, 0.06)


def test_what_runs_at_the_same_time_is_on_tracks_of_its_own() -> None:
    spans = [Span("p", "t", "one", 1000, 3000), Span("p", "t", "two", 2000, 5000), Span("p", "t", "three", 3000, 4000)]
    events = trace([*spans, Span("p", "t", "at once", 2500)])["traceEvents"]
    tracks = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert [(event["name"], event["ph"], event.get("dur"), tracks[event["tid"]]) for event in events[3:]] == [
        ("one", "X", 2.0, "t"), ("two", "X", 3.0, "t (2)"), ("at once", "i", None, "t"), ("three", "X", 1.0, "t"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["{", "[]\n3", '{"process": 1}'])
def test_a_damaged_file_of_spans_is_one_line(log: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    log.with_name(SPANS).write_text(text)
    assert eventlog.main(["timeline", str(log)]) == 2
    assert f"{SPANS} is not as it was written" in capsys.readouterr().err


def test_no_event_log_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert eventlog.main(["timeline", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"error: there is no event log {tmp_path / 'none'}\n"


def test_spans_of_a_run_agree_with_its_figures(tmp_path: Path) -> None:
    """Two prompts served on the device model: every chunk's time is what the scheduler charged, no two at one time."""
    prompts = default(2)[:2]
    job = LlmJob(ModelTransport(DeviceModel()), prompts, shipped(), Counter(), tmp_path, seed=2, trace=True)
    outcome = run(job.run())
    chunks = [span for span in server_spans(job.system.scheduler.trace or ()) if span.name.startswith("chunk")]
    charged = sum(job.system.scheduler.stats(server).consumed_ns for server in job.system.scheduler.servers)
    assert sum((span.end_ns or 0) - span.begin_ns for span in chunks) == charged > 0
    assert all((one.end_ns or 0) <= other.begin_ns for one, other in pairwise(chunks))
    ends = [span for span in prompt_spans(outcome.served) if span.end_ns is not None]
    assert [(span.name, span.begin_ns, span.end_ns) for span in ends] == [
        ("done", served.accepted_ns, served.ended_ns) for served in outcome.served
    ]
    tokens = [span for span in prompt_spans(outcome.served) if span.end_ns is None]
    assert len(tokens) == sum(len(served.tokens) for served in outcome.served)
