"""Traces of every known form, found by what is in the file; what is refused, and in which words."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from sw.replay.readers import assumption, load
from sw.replay.trace import TraceError

AZURE = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,1200,5\n2023-11-16 18:15:50.9951690,700,8\n"
)
BURST = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
SESSION = {
    "timestamp": 1000,
    "session_id": "a",
    "turns": [
        {"input_length": 1000, "output_length": 64},
        {"input_length": 500, "output_length": 32, "delay": 5000},
    ],
}
REQUEST = {"timestamp": 0, "input_length": 700, "output_length": 5, "hash_ids": [0, 1]}


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def test_a_table_with_dates_is_read_whatever_its_name(tmp_path: Path) -> None:
    trace = load(write(tmp_path / "requests.jsonl", AZURE))
    assert [(r.timestamp_ms, r.input_length, r.output_length, len(r.hash_ids)) for r in trace.requests] == [
        (0, 1200, 5, 3),
        (4315, 700, 8, 2),
    ]
    assert not trace.has_content
    assert len({i for r in trace.requests for i in r.hash_ids}) == 5


def test_a_table_with_seconds_says_so_and_is_read_with_time_unit(tmp_path: Path) -> None:
    path = write(tmp_path / "burst.csv", BURST, *[f"{n},ChatGPT,472,18,490,Log\n" for n in range(50)])
    with pytest.raises(TraceError, match="the timestamps look like seconds; say TIME_UNIT=s"):
        load(path)
    assert load(path, unit="s").requests[-1].timestamp_ms == 49_000


def test_a_compressed_table_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf\n" + AZURE.encode()))
    assert len(load(path, 1).requests) == 1


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2023-11-16 18:15:46,many,5\n", ":4: 'many' is no number of tokens"),
        ("2023-11-16 18:15:51,-1,5\n", ":4: '-1' is no number of tokens"),
        ("yesterday,1,5\n", ":4: 'yesterday' is no time: a number or a date with a time of day is needed"),
        ("nan,1,5\n", ":4: 'nan' is no time"),
        ("2023-11-16 18:15:46,1,5\n", ":4: the time goes back by 4,995 ms: sort the table by its times"),
        ("2023-11-16 18:15:51\n", ":4: 1 cells, and the header has more: the row is cut off"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, problem: str) -> None:
    path = write(tmp_path / "t.csv", AZURE, row)
    with pytest.raises(TraceError) as raised:
        load(path)
    assert str(raised.value) == f"{path}{problem}"


def test_a_table_without_the_columns_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"a CSV table \(when, who\b.*\) without the columns that are read"):
        load(write(tmp_path / "t.csv", "when,who,what\n1,2,3\n"))


def test_a_table_of_a_header_only_is_empty(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="empty: a table has at least one request"):
        load(write(tmp_path / "t.csv", AZURE.splitlines(keepends=True)[0]))


def test_a_session_becomes_requests_with_growing_prompts(tmp_path: Path) -> None:
    trace = load(write(tmp_path / "s.jsonl", SESSION, {**SESSION, "timestamp": 2000}))
    first, other, second, _ = trace.requests
    assert (first.timestamp_ms, second.timestamp_ms) == (1000, 1000 + 64 * 1000 // 32 + 5000)
    assert (first.input_length, second.input_length) == (1000, 1564)
    assert second.hash_ids[0] == first.hash_ids[0], "the whole blocks of the turn before"
    assert second.hash_ids[1] != first.hash_ids[1], "the last, partial block has changed"
    assert not set(first.hash_ids) & set(other.hash_ids)


def test_sessions_of_one_prefix_share_its_blocks(tmp_path: Path) -> None:
    shared = {**SESSION, "shared_prefix": "tools", "prefix_length": 2048}
    first, other, *_ = load(write(tmp_path / "s.jsonl", shared, {**shared, "timestamp": 1500})).requests
    assert first.hash_ids[:4] == other.hash_ids[:4]
    assert first.hash_ids[4:] != other.hash_ids[4:]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"turns": []}, "`turns`: a list of 1 to 100,000 turns is needed"),
        ({"turns": [7]}, "`turns`[0]: an object is needed"),
        ({"turns": [{"output_length": 3}]}, "no `input_length`"),
        ({"turns": [{"input_length": 1 << 30, "output_length": 3}]}, "a session of more than"),
        ({"timestamp": -1}, "`timestamp` is negative"),
        ({"block_size": 0}, "`block_size` is 0"),
    ],
)
def test_a_wrong_session_is_named(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    path = write(tmp_path / "s.jsonl", {"turns": SESSION["turns"], "timestamp": 5} | change)
    with pytest.raises(TraceError) as raised:
        load(path)
    assert problem in str(raised.value)
    assert f"{path}:1: " in str(raised.value)


def test_block_hashes_are_read_as_before(tmp_path: Path) -> None:
    trace = load(write(tmp_path / "t.csv", REQUEST, {**REQUEST, "timestamp": 900}))
    assert trace.has_content
    assert [r.hash_ids for r in trace.requests] == [(0, 1), (0, 1)]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([REQUEST, {**REQUEST, "timestamp": 2}, {**REQUEST, "timestamp": 4}], "look like seconds"),
        ([{**REQUEST, "input_length": 9000}], "is 18 blocks of 512 tokens, `hash_ids` has 2"),
        ([{**REQUEST, "timestamp": 9000}, REQUEST], "sort the trace by its times"),
        (["PAR1...."], "a Parquet file: write it as JSON lines first"),
        ([""], "empty: a trace has at least one request"),
    ],
)
def test_what_would_be_silently_wrong_is_refused(tmp_path: Path, lines: list[object], problem: str) -> None:
    with pytest.raises(TraceError) as raised:
        load(write(tmp_path / "t.jsonl", *lines))
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (REQUEST, True),
        ({**REQUEST, "block_size": 512}, False),
        (SESSION, True),
        ({**SESSION, "block_size": 16}, False),
        (AZURE, True),
    ],
    ids=["block hashes", "with block_size", "sessions", "sessions with block_size", "table"],
)
def test_a_block_size_that_is_assumed_is_said(tmp_path: Path, line: object, said: bool) -> None:
    path = write(tmp_path / "t", line)
    word = assumption(path, load(path))
    assert (word is not None) == said
    if word is not None:
        assert word == (
            f"trace {path}: no block size in it, so one block is taken for 512 tokens (BLOCK_SIZE=<n> if it is another)"
        )
    asked = 512 if line is REQUEST or not isinstance(line, dict) else line.get("block_size", 128)
    assert assumption(path, load(path, block_tokens=asked)) is None


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TraceError, match="a pipe or a device, and a trace is read twice"):
        load(tmp_path / "pipe")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no such file or directory"):
        load(tmp_path / "none")
