"""The trace reader: what it accepts, and that everything else is one typed error with file, line and problem."""

import gzip
import json
import os
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sw.replay.config import TooLarge, configured
from sw.replay.trace import MAX_LINE_BYTES, TraceError, TraceRequest, load_trace, read_trace

GOOD = {"timestamp": 12, "input_length": 700, "output_length": 5, "hash_ids": [0, 1]}


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join(line + "\n" if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def test_reads_requests_in_order(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl", GOOD, "", {**GOOD, "timestamp": 15.75, "input_length": 0, "hash_ids": [], "more": 1}
    )
    assert list(read_trace(path)) == [TraceRequest(12, 700, 5, (0, 1)), TraceRequest(15, 0, 5, ())]


def test_limit_does_not_look_further(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", GOOD, GOOD, "broken")
    assert len(list(read_trace(path, 2))) == 2
    with pytest.raises(TraceError):
        list(read_trace(path, 3))


def test_streams(tmp_path: Path) -> None:
    """The first requests come although the file never ends well."""
    path = tmp_path / "t.jsonl"
    path.write_text((json.dumps(GOOD) + "\n") * 1000 + "x" * 100)
    assert len(list(islice(read_trace(path), 1000))) == 1000


def without(key: str) -> dict[str, object]:
    return {name: value for name, value in GOOD.items() if name != key}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nonsense", "not JSON (Expecting value, column 1)"),
        ("[1, 2]", "a request is a JSON object, this is a list"),
        ("7", "a request is a JSON object, this is a number"),
        ("null", "a request is a JSON object, this is null"),
        *[(without(key), f"no `{key}`") for key in GOOD],
        ({**GOOD, "timestamp": -1}, "`timestamp` is negative"),
        ({**GOOD, "timestamp": -0.5}, "`timestamp` is negative"),
        ('{"timestamp": NaN}', "`timestamp` is nan: a whole number is needed"),
        ('{"timestamp": 1e999}', "`timestamp` is inf: a whole number is needed"),
        ({**GOOD, "timestamp": 10**30}, "`timestamp` is more than 9,007,199,254,740,992"),
        ({**GOOD, "input_length": "700"}, "`input_length` is a string: a whole number is needed"),
        ({**GOOD, "input_length": -700}, "`input_length` is negative"),
        ({**GOOD, "output_length": 1.5}, "`output_length` is 1.5: a whole number is needed"),
        ({**GOOD, "output_length": True}, "`output_length` is true or false: a whole number is needed"),
        ({**GOOD, "output_length": None}, "`output_length` is null: a whole number is needed"),
        ({**GOOD, "output_length": 2**33}, "`output_length` is more than 4,294,967,296"),
        ({**GOOD, "hash_ids": "0"}, "`hash_ids` is a string: a list is needed"),
        ({**GOOD, "hash_ids": {"0": 1}}, "`hash_ids` is an object: a list is needed"),
        ({**GOOD, "hash_ids": [0, -1]}, "`hash_ids`[1]: a whole number from 0 to 2^64 - 1 is needed"),
        ({**GOOD, "hash_ids": [0, 1, 2.0]}, "`hash_ids`[2]: a whole number from 0 to 2^64 - 1 is needed"),
        ({**GOOD, "hash_ids": [[0]]}, "`hash_ids`[0]: a whole number from 0 to 2^64 - 1 is needed"),
        ({**GOOD, "hash_ids": [2**64]}, "`hash_ids`[0]: a whole number from 0 to 2^64 - 1 is needed"),
        ("[" * 100_000, "not a request: numbers too long or lists too deep"),
        ('{"timestamp": ' + "9" * 5000 + "}", "not a request: numbers too long or lists too deep"),
    ],
)  # fmt: skip
def test_names_line_and_problem(tmp_path: Path, text: object, problem: str) -> None:
    path = write(tmp_path / "t.jsonl", GOOD, text, GOOD)
    with pytest.raises(TraceError) as caught:
        list(read_trace(path))
    assert str(caught.value) == f"{path}:2: {problem}"
    assert (caught.value.line, caught.value.problem) == (2, problem)


def test_truncated(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + json.dumps(GOOD)[:40])
    with pytest.raises(TraceError, match=r"t\.jsonl:2: cut off in the middle of a request"):
        list(read_trace(path))


@pytest.mark.parametrize("data", [b"", b"\n\n  \n"])
def test_empty(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(data)
    with pytest.raises(TraceError, match="empty: a trace has at least one request"):
        list(read_trace(path))


@pytest.mark.parametrize("data", [b"\x7fELF\x02\x01\x01\0\0\0\n", b"\xff\xfe{\0}\0"])
def test_binary(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(data)
    with pytest.raises(TraceError, match=r"t\.jsonl:1: not text"):
        list(read_trace(path))


def test_endless_line(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with path.open("wb") as out:
        out.truncate(MAX_LINE_BYTES + 100)
    with pytest.raises(TraceError, match=f"t.jsonl:1: a line of more than {MAX_LINE_BYTES:,} bytes"):
        list(read_trace(path))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"none\.jsonl: no such file or directory"):
        list(read_trace(tmp_path / "none.jsonl"))
    with pytest.raises(TraceError, match="is a directory"):
        list(read_trace(tmp_path))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*GOOD, "x"]), inner, max_size=5),
    max_leaves=12,
)
lines = st.one_of(
    st.binary(max_size=60),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(dict.fromkeys(GOOD, json_values)).map(lambda value: json.dumps(value).encode()),
    st.just(json.dumps(GOOD).encode()),
    st.integers(0, 80).map(lambda cut: json.dumps(GOOD).encode()[:cut]),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(lines, max_size=6).map(b"\n".join))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    """Arbitrary bytes are a list of valid requests or a TraceError of one line, nothing else."""
    path = tmp_path / "t.jsonl"
    path.write_bytes(data)
    try:
        requests = list(read_trace(path))
    except TraceError as error:
        text = str(error)
    else:
        text = f"{path}: good"
        assert requests
        check_valid(requests)
    assert "\n" not in text
    assert text.startswith(str(path))


def check_valid(requests: list[TraceRequest]) -> None:
    for request in requests:
        assert request.timestamp_ms >= 0
        assert request.input_length >= 0
        assert request.output_length >= 0
        assert all(isinstance(hash_id, int) and 0 <= hash_id < 1 << 64 for hash_id in request.hash_ids)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            TraceRequest,
            st.integers(0, 2**50),
            st.just(0),
            st.integers(0, 2**32),
            st.lists(st.integers(0, 2**64 - 1), max_size=6).map(tuple),
        ).map(lambda request: replace(request, input_length=512 * len(request.hash_ids))),
        min_size=1,
        max_size=5,
    ).map(lambda requests: sorted(requests, key=lambda request: request.timestamp_ms))
)
def test_what_is_written_is_read(tmp_path: Path, requests: list[TraceRequest]) -> None:
    path = write(
        tmp_path / "t.jsonl",
        *[
            {
                "timestamp": request.timestamp_ms,
                "input_length": request.input_length,
                "output_length": request.output_length,
                "hash_ids": list(request.hash_ids),
            }
            for request in requests
        ],
    )
    assert list(read_trace(path)) == requests


# ---------------------------------------------------------------- F2: read as something that it is not


def refused(path: Path, **said: object) -> str:
    with pytest.raises(TraceError) as caught:
        load_trace(path, **said)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def request(timestamp: float, tokens: int, block: int = 512, **more: object) -> dict[str, object]:
    ids = list(range(-(-tokens // block)))
    return {"timestamp": timestamp, "input_length": tokens, "output_length": 5, "hash_ids": ids, **more}


def test_f2_byte_order_mark_and_gzip_are_read(tmp_path: Path) -> None:
    lines = (json.dumps(GOOD) + "\n").encode() * 3
    marked = b"\xef\xbb\xbf" + lines
    for name, data in (("bom", marked), ("gz", gzip.compress(lines)), ("both", gzip.compress(marked))):
        (tmp_path / name).write_bytes(data)
        assert list(read_trace(tmp_path / name)) == [TraceRequest(12, 700, 5, (0, 1))] * 3, name


@pytest.mark.parametrize("cut", [2, 9, 30, -1])
def test_f2_damaged_gzip_is_one_line(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress((json.dumps(GOOD) + "\n").encode() * 30)[:cut])
    assert refused(path) == f"{path}: the gzip file is damaged or cut off"
    path.write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"\xff" * 40)
    assert refused(path).startswith(f"{path}: ")


@pytest.mark.parametrize("times", [[0.0, 1.5, 3.25, 4.0], [1_700_000_000, 1_700_000_002, 1_700_000_009], [0, 4]])
def test_f2_seconds_are_not_taken_for_milliseconds(tmp_path: Path, times: list[float]) -> None:
    path = write(tmp_path / "t.jsonl", *(request(time, 600) for time in times))
    assert "the timestamps look like seconds; say TIME_UNIT=s, or TIME_UNIT=ms if they are milliseconds" in refused(
        path
    )
    seconds = load_trace(path, unit="s").requests
    assert [r.timestamp_ms for r in seconds] == [int(time * 1000) for time in times]
    assert [r.timestamp_ms for r in load_trace(path, unit="ms").requests] == [int(time) for time in times]


@pytest.mark.parametrize("times", [[7], [0, 0, 0, 0], [0] * 10 + [3000] * 10, [0, 0, 40, 277, 471]])
def test_f2_bursts_and_batches_are_fine(tmp_path: Path, times: list[int]) -> None:
    path = write(tmp_path / "t.jsonl", *(request(time, 600) for time in times))
    assert [r.timestamp_ms for r in load_trace(path).requests] == times


def test_f2_unsorted_times_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", request(5000, 600), request(5000, 600), request(4000, 600))
    said = "`timestamp` is 4000 ms, and 5000 ms in a line before: sort the trace by its times"
    assert refused(path) == f"{path}:3: {said}"


def test_f2_ids_fit_the_length(tmp_path: Path) -> None:
    full_blocks_only = {**request(0, 1000), "hash_ids": [1]}
    path = write(tmp_path / "t.jsonl", full_blocks_only, request(0, 1024), request(0, 0))
    assert len(load_trace(path).requests) == 3
    path = write(tmp_path / "t.jsonl", request(0, 600), {**request(0, 7000), "hash_ids": [1, 2, 3]})
    assert refused(path) == (
        f"{path}:2: `input_length` 7,000 is 14 blocks of 512 tokens, `hash_ids` has 3; "
        "blocks of 2,048 would fit: say BLOCK_SIZE=2048, if that is what it has"
    )
    path = write(tmp_path / "t.jsonl", {**request(0, 100), "hash_ids": list(range(1000))})
    assert refused(path) == f"{path}:1: `input_length` 100 is 1 blocks of 512 tokens, `hash_ids` has 1,000"


def test_f2_another_block_size(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", request(0, 1000, block=16))
    assert "blocks of 16 would fit: say BLOCK_SIZE=16" in refused(path)
    assert load_trace(path, block_tokens=16).block_tokens == 16
    assert "63 blocks of" not in refused(path, block_tokens=32)
    said = write(tmp_path / "u.jsonl", request(0, 1000, block=16, block_size=16), request(9, 500, block=16))
    assert load_trace(said).block_tokens == 16
    assert "`block_size` is 16, and BLOCK_SIZE says 512" in refused(said, block_tokens=512)
    other = write(tmp_path / "v.jsonl", request(0, 1000, 16, block_size=16), request(9, 500, 32, block_size=32))
    assert refused(other) == f"{other}:2: `block_size` is 32, and the line before says 16"
    config = configured(load_trace(said).requests, 1024, 16)
    assert (config.trace_block, config.step_ms) == (16, 31)


@pytest.mark.parametrize("value", [0, -1, 1.5, "16", None, True, 2**20])
def test_f2_a_block_size_is_a_number(tmp_path: Path, value: object) -> None:
    path = write(tmp_path / "t.jsonl", {**GOOD, "block_size": value})
    assert "`block_size` is " in refused(path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (
            b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,4808,10\n",
            "a CSV table (TIMESTAMP, ContextTok",
        ),
        (b"Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n", "a CSV table (Timestamp, Model, "),
        (b"time;input tokens;output tokens\n", "a CSV table (time, input tokens, output tokens, ...)"),
        (b"\xef\xbb\xbfarrived_at,num_prefill_tokens\n", "a CSV table (arrived_at, num_prefill_tokens, ...)"),
        (b'[{"timestamp": 0}]', "a JSON array of requests: a trace has one request on each line (`jq"),
        (b"[\n  {\n", "a JSON array of requests"),
        (b'{\n  "timestamp": 0,\n', "one request over several lines: a trace has one on each line (`jq"),
        (b"\x28\xb5\x2f\xfdxxxx", "Zstandard-compressed: unpack it first (`zstd -d`)"),
        (b"\xfd7zXZ\0xxxx", "xz-compressed: unpack it first"),
        (b"BZh91AY", "bzip2-compressed: unpack it first"),
        (b"PK\x03\x04xxxx", "a ZIP archive: unpack it first"),
        (b"PAR1xxxx", "a Parquet file: write it as JSON lines first"),
    ],
)
def test_f2_another_format_is_named(tmp_path: Path, text: bytes, name: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text)
    assert name in refused(path)


def test_f2_a_pipe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert refused(path) == f"{path}: a pipe or a device, and a trace is read twice: write it to a file first"


def test_f2_a_prompt_larger_than_the_device(tmp_path: Path) -> None:
    trace = load_trace(write(tmp_path / "t.jsonl", request(0, 600), request(9000, 512 * 900)))
    with pytest.raises(
        TooLarge, match=r"^request 2 has 900 blocks, and a device of 1,024 entries holds prompts of up to "
    ):
        configured(trace.requests, 1024)
    assert sum(configured(trace.requests, 2048).slots) >= 900 + 64
