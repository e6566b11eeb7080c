"""The trace reader: what it accepts, and that everything else is one typed error with file, line and problem."""

import json
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sw.replay.trace import MAX_LINE_BYTES, TraceError, TraceRequest, read_trace

GOOD = {"timestamp": 12, "input_length": 700, "output_length": 5, "hash_ids": [0, 1]}


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join(line + "\n" if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def test_reads_requests_in_order(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", GOOD, "", {**GOOD, "timestamp": 15.75, "hash_ids": [], "more": "ignored"})
    assert list(read_trace(path)) == [TraceRequest(12, 700, 5, (0, 1)), TraceRequest(15, 700, 5, ())]


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


@pytest.mark.parametrize("data", [b"\x7fELF\x02\x01\x01\0\0\0\n", b"\x1f\x8b\x08\0\xff\xfe", b"\xff\xfe{\0}\0"])
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
            st.integers(0, 2**32),
            st.integers(0, 2**32),
            st.lists(st.integers(0, 2**64 - 1), max_size=6).map(tuple),
        ),
        min_size=1,
        max_size=5,
    )
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
