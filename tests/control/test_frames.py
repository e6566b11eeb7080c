"""The codec of both sides (software.md 3)."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.codes import Code
from sw.control.frames import (
    LAYOUTS,
    Command,
    FrameError,
    Reply,
    decode_reply,
    encode_reply,
    encode_request,
    reply_bytes_missing,
)

TOKEN = int.from_bytes(b"!LRTC_SS", "little")

VECTORS = {
    "create graph": ("4300010008000000214c5254435f5353", (Command.CREATE_GRAPH,)),
    "start graph, 100 steps": ("430004000c000000214c5254435f535364000000", (Command.START_GRAPH, 100)),
    "deterministic 50/200/200 us": (
        "4300060020000000214c5254435f535350c3000000000000400d030000000000400d030000000000",
        (Command.ENABLE_DETERMINISTIC, 50_000, 200_000, 200_000),
    ),
    "LLM_LOAD handle 1, 25,000 cycles": (
        "4300100018000000214c5254435f535301000000a86100000000000000000000",
        (Command.LLM_LOAD, 1, 25_000, 0),
    ),
}

SIZES = {
    0x01: (8,),
    0x02: (10,),
    0x03: (18,),
    0x04: (12,),
    0x05: (26,),
    0x06: (32,),
    0x10: (24,),
    0x11: (23, 41),
    0x12: (14,),
    0x13: (12,),
    0x14: (12,),
    0x15: (32,),
    0x16: (8,),
}

CODES = {
    "OK": 0, "BadFrame": 1, "Unsupported": 2, "NoGraph": 3, "Oversize": 4, "AuthFailed": 5,
    "BadArgument": 16, "NotFound": 17, "Exists": 18, "Busy": 19, "SchemaMismatch": 20, "NoRoom": 21,
    "AdmissionRefused": 22, "QueueFull": 23, "TooManyInFlight": 24, "RateLimited": 25, "QuotaExceeded": 26,
    "PromptTooLong": 27, "TooManyTokens": 28, "ContextExceeded": 29, "NoModel": 30, "DeviceFault": 31,
    "Unsigned": 32, "Altered": 33, "WrongKey": 34, "ExpiredKey": 35, "BadSignature": 36, "Malformed": 37,
    "ModelTooLarge": 38, "ModelUnsupported": 39,
}  # fmt: skip


def test_codes_are_the_contracts() -> None:
    assert {code.label: int(code) for code in Code} == CODES


def test_sizes_are_the_contracts() -> None:
    assert {int(command): layout.sizes for command, layout in LAYOUTS.items()} == SIZES
    assert set(LAYOUTS) == set(Command)


@pytest.mark.parametrize("name", VECTORS)
def test_published_vectors(name: str) -> None:
    expected, (command, *arguments) = VECTORS[name]
    assert encode_request(command, TOKEN, *arguments).hex() == expected


def test_both_forms_of_infer_start() -> None:
    short = encode_request(Command.LLM_INFER_START, 1, 2, 3, 1, 4)
    assert short.hex() == "43001100" + "17000000" + "0100000000000000" + "02000000" + "0300" + "01" + "0400000000000000"
    long = encode_request(Command.LLM_INFER_START, 1, 2, 3, 1, 4, 5, 6, 700, 8, 900)
    tail = "05000000" + "0600000000000000" + "bc02" + "0800" + "8403"
    assert long.hex() == "43001100" + "29000000" + short[8:].hex() + tail


def test_other_layouts() -> None:
    operator = encode_request(Command.ADD_TYPED_OPERATOR, 1, 2, 3, 4, 5, 6, 1001, 1002)
    assert operator[16:].hex() == "02000000" + "0300" + "0400" + "05" + "06" + "e9030000" + "ea030000"
    budget = encode_request(Command.LLM_BUDGET, 1, 2, 0, 0, 3, 4, 5)
    assert budget[16:].hex() == "02000000" + "0300000000000000" + "0400000000000000" + "05000000"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Command.START_GRAPH, 1), "takes 1 arguments, not 0"),
        ((Command.CREATE_GRAPH, 1, 2), "takes 0 arguments, not 1"),
        ((Command.LLM_INFER_START, 1, 2, 3, 4), "takes 4 or 9 arguments, not 3"),
        ((0x7F, 1, 2), "takes 0 arguments, not 1"),
        ((Command.START_GRAPH, 1, 1 << 32), "0x04: "),
        ((Command.START_GRAPH, 1, -1), "0x04: "),
        ((Command.CREATE_GRAPH, 1 << 64), "0x01: "),
        ((256, 1), "0x100: "),
    ],
)
def test_requests_that_cannot_be(arguments: tuple[int, ...], message: str) -> None:
    with pytest.raises(FrameError, match=message):
        encode_request(*arguments)


# ---------------------------------------------------------------------- replies


def test_replies_byte_for_byte() -> None:
    assert encode_reply(0, 0, Code.BAD_FRAME).hex() == "43008000" + "02000000" + "0100"
    assert encode_reply(0x04, 9, Code.OK, struct.pack("<I", 64)).hex() == "43008409" + "06000000" + "0000" + "40000000"
    assert encode_reply(0x04, 9, Code.NO_GRAPH, b"ignored").hex() == "43008409" + "02000000" + "0300"


def test_a_poll_reply_is_62_bytes_at_most() -> None:
    fields = struct.pack("<IBBHI12I", 7, 1, 0, 12, 40, *range(12))
    frame = encode_reply(Command.LLM_INFER_POLL, 0, Code.OK, fields)
    assert frame[4] == 62
    assert decode_reply(frame).fields == (7, 1, 0, 12, 40, *range(12))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("", "cut short"),
        ("4300810002000000", "cut short"),
        ("43008100020000000000ff", "bytes after"),
        ("4300010002000000" + "0000", "no reply"),  # a request
        ("4400810002000000" + "0000", "no reply"),
        ("4301810002000000" + "0000", "no reply"),
        ("4300810001000000" + "00", "no reply"),
        ("4300810041000000" + "00" * 65, "no reply"),
        ("4300810002000000" + "0600", "status 6 is no code"),
        ("4300810003000000" + "010000", "BadFrame with fields"),
        ("4300810003000000" + "000000", "CREATE_GRAPH"),
        ("4300840003000000" + "000000", "START_GRAPH"),
        ("4300ff0002000000" + "0000", "OK to the unknown command 0x7f"),
        ("430092000e000000" + "0000" + "07000000" + "01" + "00" + "0100" + "28000000", "LLM_INFER_POLL"),
    ],
)
def test_what_is_no_reply(frame: str, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        decode_reply(bytes.fromhex(frame))


def test_clients_know_how_much_to_read() -> None:
    frame = encode_reply(0x04, 0, Code.OK, struct.pack("<I", 5))
    assert [reply_bytes_missing(frame[:n]) for n in (0, 1, 7, 8, 9, 13, 14)] == [8, 7, 1, 6, 5, 1, 0]


@settings(derandomize=True, deadline=None, max_examples=400)
@given(st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda rest: b"\x43\x00" + rest)))
def test_any_bytes_are_a_reply_or_an_error(data: bytes) -> None:
    try:
        reply = decode_reply(data)
    except FrameError:
        return
    assert isinstance(reply, Reply)
    assert data[2] == reply.command | 0x80


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.sampled_from(sorted(LAYOUTS)), st.integers(0, 255), st.sampled_from(Code), st.data())
def test_every_reply_comes_back(command: int, flags: int, code: Code, data: st.DataObject) -> None:
    form = LAYOUTS[command].reply
    fields = data.draw(st.binary(min_size=form.size, max_size=form.size))
    if command == Command.LLM_INFER_POLL:
        count = data.draw(st.integers(0, 12))
        fields = fields[:6] + struct.pack("<H", count) + fields[8:] + bytes(4 * count)
    reply = decode_reply(encode_reply(command, flags, code, fields))
    expected = form.unpack(fields[: form.size]) + (0,) * ((len(fields) - form.size) // 4)
    assert reply == Reply(command, flags, code, expected if code is Code.OK else ())


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.sampled_from(sorted(LAYOUTS)), st.integers(0, 255), st.integers(0, (1 << 64) - 1), st.data())
def test_every_request_comes_back(command: int, flags: int, token: int, data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(LAYOUTS[command].requests))
    arguments = form.unpack(data.draw(st.binary(min_size=form.size, max_size=form.size)))
    frame = encode_request(command, token, *arguments, flags=flags)
    assert frame[:4] == bytes([0x43, 0, command, flags])
    assert len(frame) == 8 + int.from_bytes(frame[4:8], "little")
    assert int.from_bytes(frame[8:16], "little") == token
    assert LAYOUTS[command].arguments(frame[8:]) == arguments
