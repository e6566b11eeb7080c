"""The event log: what is written can be read, compared field by field, and replayed."""

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb import eventlog
from tb.events.decode import KIND_BYTE, as_records, decoded
from tb.events.log import EventLog, load, open_log
from tb.events.records import DTYPES, RECORDS, STREAM_MAIN, STREAM_SCAN, STREAM_WORDS, Kind, Op, ScoreRecord, Tier
from tb.harness.link import Array

SIZES = {"ENTRIES": 1024, "LANES": 4, "PORTS": 1, "BLOCK_TOKENS": 16}


def record(kind: Kind, cycle: int, **fields: Any) -> Array:
    """The words of one record of the main stream, shape (16,)."""
    one = np.zeros(1, DTYPES[RECORDS[kind]])
    one["cycle"] = cycle
    for name, value in fields.items():
        one[name] = value
    one.view(np.uint8)[KIND_BYTE] = kind
    return one.view(np.uint64)


def log(path: Path, *records: Array) -> Path:
    """An event log of these records."""
    out = EventLog(path, SIZES)
    out.add(STREAM_MAIN, np.array(records, dtype=np.uint64).reshape(-1, STREAM_WORDS[STREAM_MAIN]))
    out.close()
    return path


RESET = record(Kind.Reset, 8, hard=True)
STEP = record(Kind.Step, 20, step=7)
TOP = (1 << 64) - 1
INSERT = record(
    Kind.Op, 30, op=Op.INSERT, hit=False, index=77, kv_addr=3 << 48 | 2 << 40 | 1 << 32 | 48, arg_tier=Tier.HOST,
    takes_slot=True, taken_tier=Tier.HOST, taken_slot=9, phys_addr=TOP, meta_written=True,
)  # fmt: skip


def test_equal_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = log(tmp_path / "a", RESET, STEP), log(tmp_path / "b", RESET, STEP)
    assert eventlog.main(["compare", str(one), str(other)]) == 0
    assert "2 records, all equal" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ([RESET, record(Kind.Step, 20, step=8)], "Step, step: 7 and 8"),
        ([RESET, record(Kind.Step, 21, step=7)], "Step, cycle: 20 and 21"),
        ([RESET, RESET], "Reset reset_input"),
        ([RESET], "b: ends"),
        ([RESET, STEP, STEP], "a: ends"),
    ],
)
def test_first_divergence(tmp_path: Path, capsys: pytest.CaptureFixture[str], other: list[Array], said: str) -> None:
    one = log(tmp_path / "a", RESET, STEP)
    assert eventlog.main(["compare", str(one), str(log(tmp_path / "b", *other))]) == 1
    out = capsys.readouterr().out
    assert "the runs differ from here" in out
    assert said in out


def test_first_field_that_differs_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """G4: of 63 fields the one that differs, in the contract's words."""
    other = as_records(INSERT.copy(), RECORDS[Kind.Op])
    other["taken_slot"] = 10
    one, two = log(tmp_path / "a", RESET, INSERT), log(tmp_path / "b", RESET, other.view(np.uint64))
    assert eventlog.main(["compare", str(one), str(two)]) == 1
    assert "  Op, allocated slot: 9 and 10\n" in capsys.readouterr().out


def test_replay_finds_a_scan_without_a_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = log(tmp_path / "a", RESET, STEP)
    assert eventlog.main(["replay", str(good)]) == 0
    bad = log(tmp_path / "b", RESET, record(Kind.ScanBegin, 30))
    assert eventlog.main(["replay", str(bad)]) == 1
    assert "expected after a STEP_ADVANCE only, seen none due" in capsys.readouterr().err


def test_show_prints_names_of_fields_and_enumerations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = log(tmp_path / "a", RESET, STEP, INSERT)
    assert eventlog.main(["show", str(path), "--kind", "Step"]) == 0
    assert capsys.readouterr().out == "cycle 20 Step step=7\n"
    assert eventlog.main(["show", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[2] == (
        "cycle 30 Op operation=INSERT client=PORT KV_address=3:2:1:48 status=OK meta_written tier_asked_for=HOST "
        "TOKEN_END_offset_asked_for=0 slot_allocated allocated_in_tier=HOST allocated_slot=9"
    )


def test_columns_have_names(tmp_path: Path) -> None:
    db = sqlite3.connect(log(tmp_path / "a", RESET, STEP, INSERT))
    assert db.execute("SELECT op, kv_addr, taken_tier, phys_addr FROM op WHERE taken_slot = 9").fetchall() == [
        ("INSERT", "3:2:1:48", "HOST", "0xffffffffffffffff")
    ]
    assert db.execute("SELECT seq, op, taken_tier, phys_addr FROM op_raw").fetchall() == [(2, Op.INSERT, 2, -1)]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Every kind, with every field at its greatest value, in the order in which it was written."""
    rng = np.random.default_rng(1)
    kinds = [Kind(int(code)) for code in rng.permutation([*Kind, *Kind])]
    records = []
    for cycle, kind in enumerate(kinds):
        fields = {
            name: np.iinfo(DTYPES[RECORDS[kind]][name]).max if DTYPES[RECORDS[kind]][name] != np.bool_ else True
            for name in (DTYPES[RECORDS[kind]].names or ())[1:]
        }
        records.append(record(kind, cycle, **fields))
    words = np.array(records)
    read_back = load(open_log(log(tmp_path / "a", *records)), STREAM_MAIN)
    assert np.array_equal(read_back, words)
    assert decoded(read_back) == decoded(words)
    assert [type(r) for r in decoded(words)] == [RECORDS[kind] for kind in kinds]


@pytest.mark.parametrize("content", [None, b"", b"nothing of the kind" * 100])
def test_no_log_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None) -> None:
    path = tmp_path / "log"
    if content is not None:
        path.write_bytes(content)
    assert eventlog.main(["show", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_log_of_other_fields_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = log(tmp_path / "a", RESET)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 2")
    assert eventlog.main(["replay", str(path)]) == 2
    assert "run the test again with EVENTS=1" in capsys.readouterr().err


def score(path: Path, r: int, later_step: int) -> Path:
    """A log with a score in cycle 15 and a step in cycle 20."""
    out = EventLog(path, SIZES)
    words = np.zeros(1, DTYPES[ScoreRecord])
    words["cycle"], words["index"], words["r"], words["decision"] = 15, 7, r, 1
    out.add(STREAM_SCAN, words.view(np.uint64).reshape(1, -1))
    out.add(STREAM_MAIN, record(Kind.Step, 20, step=later_step).reshape(1, -1))
    out.close()
    return path


def test_the_earliest_difference_of_all_streams_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = score(tmp_path / "a", 250, 1), score(tmp_path / "b", 251, 2)
    assert eventlog.main(["compare", str(one), str(other)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "record 0 of stream Scan: the runs differ from here"
    assert out[1] == "  Score, R: 250 and 251"
    assert eventlog.main(["show", str(one), "--kind", "Score"]) == 0
    assert "cycle 15 Score index=7 PRIORITY=0 R=250 F=0 decision=EVICT " in capsys.readouterr().out


def test_logs_of_different_devices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    EventLog(tmp_path / "a", SIZES).close()
    EventLog(tmp_path / "b", {**SIZES, "LANES": 8}).close()
    assert eventlog.main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 1
    assert "the devices differ" in capsys.readouterr().out


def test_a_value_that_no_field_can_have_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = log(tmp_path / "a", RESET, INSERT)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE op_raw SET entry_r = 256")
    assert eventlog.main(["replay", str(path)]) == 2
    assert "table op_raw holds a value that no field can have" in capsys.readouterr().err
