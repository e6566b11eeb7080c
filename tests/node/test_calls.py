"""Calls outside the published ioctls: arguments, refusals with their errno, results; and anything that is no call."""

from __future__ import annotations

import errno
import json
import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from model.scoring import ScanConfig, score_one
from model.types import Decision as ModelDecision
from sw.driver.device import Weights
from sw.driver.score import Policy, score
from sw.driver.types import Entry
from sw.node.client import CallRefused, Client
from sw.node.dispatch import CALLS
from sw.node.server import Server
from sw.run import run
from sw.uapi import description
from sw.uapi.wire import Kind

KV = "3:1:2:160"


def refused(client: Client, call: str, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(CallRefused) as caught:
        client.call(call, **arguments)
    return caught.value.errno, str(caught.value)


# ---------------------------------------------------------------- each call


def test_info(client: Client) -> None:
    info = client.call("info")
    assert (info["backend"], info["entries"], info["lanes"], info["ports"]) == ("model", 1024, 4, 3)
    assert (info["slots"], info["step"], info["open_files"]) == ([128, 256, 256, 384], 0, 1)


def test_run(client: Client) -> None:
    first = client.call("info")["now_ns"]
    done = client.call("run", cycles=250_001)
    assert done["cycles"] == 250_001
    assert done["now_ns"] - first >= 1_000_004
    assert client.call("run", cycles=0)["cycles"] == 0


def test_step_waits_for_its_scan(client: Client, server: Server) -> None:
    done = client.call("step", step=9)
    assert (done["step"], done["scanned"]) == (9, True)
    assert done["scan_cycles"] > 256
    assert client.call("stats")["counters"]["SCAN_COUNT"] == 1
    run(server.node.driver.disable())
    assert client.call("step", step=10) == {"step": 10, "scanned": False}
    assert client.call("telemetry")["step_count"] == 2


def test_hints_by_kv_address(client: Client) -> None:
    client.call("insert", kv=KV, tier=2, tokens=4)
    entry = lambda: client.call("explain", kv=KV)["entry"]  # noqa: E731
    assert client.call("hint", hint="hot", kv=KV, tokens=1) == {"hint": "hot", "not_in_directory": 0}
    assert entry()["hot"]
    client.call("hint", hint="cool", kv=KV, tokens=1)
    assert not entry()["hot"]
    client.call("hint", hint="share", kv=KV, tokens=1)
    assert (entry()["ref_count"], entry()["prefix"]) == (1, True)
    client.call("hint", hint="release", kv=KV, tokens=1)
    assert entry()["ref_count"] == 0
    client.call("hint", hint="prefetch", kv=KV, tokens=1, step=50)
    assert (entry()["hint"], entry()["access_step"]) == (True, 50)
    client.call("hint", hint="evict", kv=KV, tokens=1)
    assert entry()["evictable"]
    assert client.call("hint", hint="hot", kv="3:1:2:160", tokens=48)["not_in_directory"] == 2
    assert client.call("telemetry")["hot_count"] == 0, "published range calls alone are counted"


def test_hints_by_address(client: Client) -> None:
    client.call("insert", kv=KV)
    client.call("bind", va=0x10000, len=8192, kv=KV)
    assert client.call("hint", hint="hot", va=0x10000, len=8193) == {"hint": "hot", "not_bound": 1}
    assert client.call("explain", kv=KV)["entry"]["hot"]
    client.call("hint", hint="cool", va=0x10000, len=1)
    assert not client.call("explain", kv=KV)["entry"]["hot"]
    telemetry = client.call("telemetry")
    assert (telemetry["hot_count"], telemetry["last_va"], telemetry["last_len"]) == (1, 0x10000, 8193)
    assert telemetry["hint_misses"] == 1
    client.call("unbind", va=0x10000)
    assert client.call("hint", hint="hot", va=0x10000, len=8192)["not_bound"] == 1


def test_weights(client: Client) -> None:
    assert client.call("weights")["w_r"] == 96
    want = {"w_r": 1, "w_f": 2, "w_s": 3, "w_d": 4, "evict_thresh": 500, "prefetch_thresh": 600}
    assert client.call("weights", **want) == want
    assert client.call("weights", w_f=9) == {**want, "w_f": 9}
    assert refused(client, "weights", evict_thresh=601)[0] == errno.EINVAL
    assert client.call("weights")["evict_thresh"] == 500
    telemetry = struct.unpack("<9Q6I", client.ioctl(description.CALLS[6].request))
    assert telemetry[9:] == (1, 9, 3, 4, 500, 600)


def test_directory(client: Client) -> None:
    places = [client.call("insert", kv=f"{request}:0:0:0", tier=request) for request in (1, 2, 3)]
    dump = client.call("dump")["entries"]
    assert sorted(entry["kv"] for entry in dump) == ["1:0:0:0", "2:0:0:0", "3:0:0:0"]
    assert [e["kv"] for e in client.call("dump", request=2)["entries"]] == ["2:0:0:0"]
    assert [e["kv"] for e in client.call("dump", tier=3)["entries"]] == ["3:0:0:0"]
    only = client.call("dump", first=places[0]["index"], count=1)["entries"]
    assert [(e["index"], e["kv"], e["phys_addr"]) for e in only] == [
        (places[0]["index"], "1:0:0:0", places[0]["phys_addr"])
    ]
    assert client.call("lookup", kv="2:0:0:15") == {**places[1], "tier": 2}
    assert client.call("explain", kv="2:0:0:15")["entry"]["f"] == 1
    client.call("lookup", kv="2:0:0:15", touch=True)
    assert client.call("explain", kv="2:0:0:15")["entry"]["f"] == 2
    client.call("migrate", kv="3:0:0:0", tier=1)
    client.call("run", cycles=100_000)
    assert client.call("lookup", kv="3:0:0:0")["tier"] == 1
    client.call("remove", kv="3:0:0:0")
    assert client.call("free", request=1) == {"removed": 1, "stayed": 0}
    assert [entry["kv"] for entry in client.call("dump")["entries"]] == ["2:0:0:0"]


def test_stats(client: Client) -> None:
    client.call("insert", kv=KV, tier=3)
    stats = client.call("stats")
    assert stats["free"] == [128, 256, 256, 383]
    assert stats["status"]["IDLE"] == 1
    assert set(stats["counters"]) >= {"RTBD_HIT_COUNT", "SCAN_COUNT", "EVICT_BYTES_MOVED", "SCAN_CYCLES"}


def test_refusals(client: Client) -> None:
    client.call("insert", kv=KV)
    assert refused(client, "insert", kv=KV) == (errno.EEXIST, f"INSERT of {KV}: EXISTS")
    assert refused(client, "insert", kv="3:1:2:161") == (errno.EINVAL, "INSERT of 3:1:2:161: BAD_ARG")
    assert refused(client, "remove", kv="9:0:0:0")[0] == errno.ENOENT
    assert refused(client, "lookup", kv="9:0:0:0")[0] == errno.ENOENT
    assert refused(client, "migrate", kv=KV, tier=0)[0] == errno.EINVAL
    client.call("hint", hint="share", kv=KV, tokens=1)
    assert refused(client, "remove", kv=KV)[0] == errno.EBUSY
    assert refused(client, "migrate", kv=KV, tier=3)[0] == errno.EBUSY
    assert refused(client, "free", request=0)[0] == errno.EACCES
    assert refused(client, "dump", first=1024, count=1)[0] == errno.EINVAL
    assert refused(client, "hint", hint="hot", kv=KV, tokens=(1 << 32) - 1)[0] == errno.EINVAL
    assert refused(client, "hint", hint="hot", va=(1 << 64) - 1, len=2)[0] == errno.EINVAL
    assert refused(client, "hint", hint="hot")[0] == errno.EINVAL
    assert refused(client, "hint", hint="hot", kv=KV, tokens=1, va=1)[0] == errno.EINVAL
    assert refused(client, "bind", va=1, len=1, kv="1:0:0:1")[0] == errno.EINVAL
    assert refused(client, "unbind", va=1)[0] == errno.EINVAL
    for token in range(16, 128 * 16, 16):
        client.call("insert", kv=f"7:0:0:{token}")
    assert refused(client, "insert", kv="8:0:0:0") == (errno.ENOSPC, "INSERT of 8:0:0:0: NO_SLOT")


@pytest.mark.parametrize(
    "kv", ["", "1", "1:2:3", "1:2:3:4:5", "a:b:c:d", "65536:0:0:0", "0:256:0:0", "0:0:0:4294967296", "-1:0:0:0"]
)
def test_bad_kv_addresses(client: Client, kv: str) -> None:
    assert refused(client, "lookup", kv=kv)[0] == errno.EINVAL


# ---------------------------------------------------------------- what is no call


def raw(client: Client, payload: bytes) -> tuple[int, Any]:
    answer = client.exchange(Kind.CALL, 0, payload)
    return answer.value, json.loads(answer.payload)


@pytest.mark.parametrize(
    ("payload", "number", "message"),
    [
        (b"", errno.EINVAL, "not a call"),
        (b"{", errno.EINVAL, "not a call"),
        (b"[]", errno.EINVAL, "not a call"),
        (b"7", errno.EINVAL, "not a call"),
        (b'"run"', errno.EINVAL, "not a call"),
        (b'{"call":[]}', errno.EINVAL, "not a call"),
        (b"\xff\xfe", errno.EINVAL, "not a call"),
        (b"[" * 30_000, errno.EINVAL, "not a call"),
        (b"{}", errno.ENOSYS, "no such call"),
        (b'{"call":"reboot"}', errno.ENOSYS, "no such call"),
        (b'{"call":"run"}', errno.EINVAL, "'cycles' is a required property"),
        (b'{"call":"run","cycles":-1}', errno.EINVAL, "cycles: -1 is less than the minimum of 0"),
        (b'{"call":"run","cycles":1.5}', errno.EINVAL, "cycles: 1.5 is not of type 'integer'"),
        (b'{"call":"run","cycles":1e400}', errno.EINVAL, "cycles: inf"),
        (b'{"call":"run","cycles":NaN}', errno.EINVAL, "not a call: NaN is no number of JSON"),
        (b'{"call":"run","cycles":-Infinity}', errno.EINVAL, "not a call: -Infinity is no number of JSON"),
        (b'{"call":"run","cycles":1,"cycles":2}', errno.EINVAL, "not a call: a key comes twice"),
        (b'{"call":"run","cycles":10.0}', errno.EINVAL, "cycles: 10.0 is not of type 'integer'"),
        (b'{"call":"run","cycles":' + b"9" * 5000 + b"}", errno.EINVAL, "not a call"),
        (b'{"call":"run","cycles":true}', errno.EINVAL, "cycles: True is not of type 'integer'"),
        (b'{"call":"run","cycles":18446744073709551616}', errno.EINVAL, "maximum"),
        (b'{"call":"info","more":1}', errno.EINVAL, "Additional properties are not allowed"),
        (b'{"call":"step","step":4294967296}', errno.EINVAL, "maximum"),
        (b'{"call":"hint","hint":"melt"}', errno.EINVAL, "'melt' is not one of"),
    ],
)
def test_no_calls(client: Client, payload: bytes, number: int, message: str) -> None:
    seen, said = raw(client, payload)
    assert seen == number
    assert message in said["error"]
    assert len(said["error"].splitlines()) == 1


NAMES = st.sampled_from([*CALLS, "call", "", "x"])
ARGUMENTS = sorted({name for call in CALLS.values() for name in call.schema["properties"]} - {"cycles"})
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70_000),
    st.integers(0, 1 << 65),
    st.floats(),
    st.sampled_from([KV, "3:1:2:0", "0:0:0:0", "hot", "evict", "prefetch", "é"]),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
)


@settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=NAMES, arguments=st.dictionaries(st.sampled_from(ARGUMENTS), VALUES, max_size=5), cycles=st.integers(-5, 5000)
)
def test_any_call_is_answered(client: Client, name: str, arguments: dict[str, Any], cycles: int) -> None:
    """Known names with any arguments: a result, or an errno with one line; the node goes on."""
    asked = {**arguments, "call": name, **({"cycles": cycles} if name == "run" else {})}
    number, said = raw(client, json.dumps(asked).encode())
    assert isinstance(said, dict)
    assert not number or len(said["error"].splitlines()) == 1
    assert client.call("info")["entries"] == 1024


@settings(
    max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    request=st.sampled_from([c.request for c in description.CALLS]) | st.integers(0, (1 << 32) - 1),
    data=st.binary(max_size=120),
)
def test_any_ioctl_is_answered(client: Client, request: int, data: bytes) -> None:
    answer = client.exchange(Kind.IOCTL, request, data)
    assert answer.value in (0, errno.EINVAL, errno.EFAULT, errno.ENOTTY)
    assert client.call("info")["entries"] == 1024


# ---------------------------------------------------------------- explain


BYTE = st.integers(0, 255)
U16 = st.integers(0, 65535)
STEPS = st.integers(0, (1 << 32) - 1) | st.integers(0, 300)


@settings(max_examples=500, derandomize=True, deadline=None, phases=(Phase.generate,))  # shrinking takes minutes
@given(data=st.data())
def test_the_score_and_its_terms_are_the_models(data: st.DataObject) -> None:
    """Against the golden model's scoring, for any entry and policy."""
    draw = data.draw
    flags = {name: draw(st.booleans()) for name in ("prefix", "dirty", "hint")}
    mood = draw(st.sampled_from([(False, False), (True, False), (False, True)]))
    tier = draw(st.integers(0, 3))
    entry = Entry(
        request_id=1, layer=0, head=0, token_start=0, token_end=15, tier=tier, phys_addr=0, priority=draw(U16),
        access_step=draw(STEPS), ref_count=draw(st.integers(0, 2)), r=draw(BYTE), f=draw(BYTE), valid=True,
        hot=mood[0], evictable=mood[1], **flags,
    )  # fmt: skip
    evict = draw(U16)
    weights = Weights(draw(BYTE), draw(BYTE), draw(BYTE), draw(BYTE), evict, draw(st.integers(evict, 65535)))
    auto = (draw(U16), draw(U16), draw(U16))
    policy = Policy(
        draw(STEPS),
        weights,
        draw(st.integers(0, 5)),
        draw(st.integers(0, 9)),
        draw(st.integers(0, 3)),
        draw(st.integers(0, 15)),
        auto,
    )
    seen = score(entry, policy)
    config = ScanConfig(
        number=1, start_row=0, step=policy.step, w_r=weights.w_r, w_f=weights.w_f, w_s=weights.w_s, w_d=weights.w_d,
        evict_thresh=weights.evict_thresh, prefetch_thresh=weights.prefetch_thresh, r_shift=3, age=False,
        lookahead=policy.lookahead, hold=policy.hold, promote_tier=policy.promote_tier, evict_tiers=policy.evict_tiers,
        pressure=(True, True, True), auto_thresh=auto,
    )  # fmt: skip
    expected = score_one(
        config, tier=tier, access_step=entry.access_step, ref_count=entry.ref_count, r=entry.r, f=entry.f,
        prefix=int(entry.prefix), hot=int(entry.hot), evictable=int(entry.evictable), hint=int(entry.hint), in_flight=0,
    )  # fmt: skip
    assert seen.priority == expected.prio
    assert ModelDecision[seen.decision.name] == expected.decision
    assert seen.total == seen.recency + seen.frequency + seen.distance + seen.prefix
    assert seen.reason
    if not any(mood):
        assert seen.priority == min(65535, seen.total)


def test_what_explain_says_is_what_the_next_scan_does(client: Client) -> None:
    client.call("weights", w_r=3, w_f=5, w_s=7, w_d=11, prefetch_thresh=60000)
    client.call("insert", kv=KV, tier=1)
    for step in (1, 2, 40):
        client.call("step", step=step)
    client.call("weights", evict_thresh=3000)
    told = client.call("explain", kv=KV)
    assert told["terms"] == {"recency": 3 * told["entry"]["r"], "frequency": 5, "distance": 7 * (255 - 40), "prefix": 0}
    assert (told["decision"], told["steps_away"]) == ("evict", 40)
    client.call("step", step=40)
    client.call("run", cycles=100_000)
    after = client.call("explain", kv=KV)
    assert after["entry"]["priority"] == told["priority"]
    assert after["entry"]["tier"] == 2
