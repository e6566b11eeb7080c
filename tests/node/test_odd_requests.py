"""B1: whatever one request holds, that request alone gets a typed error, and the node goes on."""

from __future__ import annotations

import errno
import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sw.node import answer, boundary
from sw.node.client import Client
from sw.node.dispatch import CALLS
from sw.node.server import Server
from sw.uapi.wire import Kind

GOOD = {"integer": 1, "string": "1:0:0:0", "boolean": False, "array": []}
INTEGERS = [
    (name, argument)
    for name, call in CALLS.items()
    for argument, schema in call.schema["properties"].items()
    if schema.get("type") == "integer"
]
ODD_INTEGERS = ["1.0", "1e0", "10.0", "1e400", "-1e400", "NaN", "true", '"1"', "null", "[1]", "{}", "9" * 4000]


def raw(client: Client, payload: bytes) -> tuple[int, dict[str, Any]]:
    reply = client.exchange(Kind.CALL, 0, payload)
    told = json.loads(reply.payload)
    assert isinstance(told, dict)
    return reply.value, told


def good(name: str) -> dict[str, Any]:
    """Arguments that the schema of a call takes."""
    schema = CALLS[name].schema
    asked: dict[str, Any] = {"call": name}
    for argument in schema["required"]:
        wanted = schema["properties"][argument]
        asked[argument] = wanted["enum"][0] if "enum" in wanted else GOOD[wanted["type"]]
    return asked


@pytest.mark.parametrize(("name", "argument"), INTEGERS, ids=lambda value: value)
def test_b1_an_integer_is_an_integer(client: Client, name: str, argument: str) -> None:
    for odd in ODD_INTEGERS:
        text = json.dumps({**good(name), argument: "@"}).replace('"@"', odd)
        number, told = raw(client, text.encode())
        assert number == errno.EINVAL, f"{name} with {argument} {odd[:20]} is answered {number}: {told}"
        assert "error" in told
    assert client.call("info")["entries"] == 1024


def test_b1_a_refused_run_leaves_time_an_integer(client: Client) -> None:
    assert raw(client, b'{"call":"run","cycles":10.0}')[0] == errno.EINVAL
    assert type(client.call("run", cycles=10)["now_ns"]) is int
    assert type(client.call("info")["now_ns"]) is int


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([255, 256, 65535, 65536, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 2**64, -(2**63), 10**300]),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["hot", "json", "admin", "llm", "0:0:0:0", "1:0:0:0", "65535:255:255:4294967295", "\ud800"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2)
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A known call with arguments that are mostly its own, of any kind; `run` and hints with small numbers."""
    name = draw(st.sampled_from(sorted(CALLS)))
    own = sorted(CALLS[name].schema["properties"])
    asked = good(name)
    for argument in draw(st.lists(st.sampled_from(own), max_size=4)):
        asked[argument] = draw(VALUES)
    if draw(st.booleans()):
        asked[draw(st.text(max_size=4))] = draw(VALUES)
    return json.dumps(asked).encode()


@settings(
    max_examples=400, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(payload=requests() | st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_b1_any_json_is_answered(client: Client, payload: bytes) -> None:
    number, told = raw(client, payload)
    if number:
        assert len(told["error"].splitlines()) == 1
        assert len(told["error"]) < 400
        assert "a defect of the node" not in told["error"], told["error"]
    assert client.call("info")["entries"] == 1024


@pytest.mark.parametrize("kind", [Kind.CALL, Kind.FRAME, Kind.BUFFER, Kind.IOCTL])
def test_b1_a_defect_fails_its_request_alone(
    client: Client, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: Kind
) -> None:
    """One typed error, one audit entry, one line with the traceback; the next request is answered."""

    async def defect(*_: object) -> bytes:
        raise ZeroDivisionError("planted")

    audit = server.node.system.audit
    before = len(audit.entries())
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(answer, "_do", defect)
        reply = client.exchange(kind, 0, b"anything")
    assert reply.value == errno.EIO
    told = json.loads(reply.payload)["error"]
    assert told.startswith("DeviceFault (31): a defect of the node in this request alone (ZeroDivisionError); see ")
    (entry,) = audit.entries()[before:]
    assert (entry["operation"], entry["object"], entry["code"]) == ("node.request", kind.name.lower(), 31)
    (line,) = [record for record in caplog.records if record.name == boundary.__name__]
    assert line.exc_info
    assert client.call("info")["entries"] == 1024
