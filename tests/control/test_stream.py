"""The stream parser: time-out, resynchronisation, every dropped byte counted (software.md 3)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.codes import Code
from sw.control.frames import encode_request
from sw.control.stream import TIMEOUT_NS, Fault, Request, StreamParser, parse
from sw.run import run
from tests.control.system import System, split

GOOD = encode_request(0x01, 0x1122334455667788, flags=5)
GOT = Request(0x01, 5, GOOD[8:])
BAD = Fault(Code.BAD_FRAME)


def header(length: int, *, version: int = 0, command: int = 0x04, flags: int = 9) -> bytes:
    return bytes([0x43, version, command, flags]) + length.to_bytes(4, "little")


def fed(*pieces: bytes) -> tuple[list[Request | Fault], StreamParser]:
    parser = StreamParser()
    found: list[Request | Fault] = []
    for piece in pieces:
        found += parser.feed(piece, 0)
    return found, parser


# ---------------------------------------------------------------------- one frame as a whole


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (GOOD, GOT),
        (b"", BAD),
        (b"\x42" + GOOD[1:], BAD),
        (b"\x42\x01", BAD),  # magic comes before the version
        (b"\x43", BAD),
        (b"\x43\x01", Fault(Code.UNSUPPORTED)),
        (b"\x43\x01\x04\x09", Fault(Code.UNSUPPORTED, 4, 9)),
        (header(65, version=1), Fault(Code.UNSUPPORTED, 4, 9)),  # the version comes before the length
        (header(65), Fault(Code.OVERSIZE, 4, 9)),
        (header(0xFFFFFFFF), Fault(Code.OVERSIZE, 4, 9)),
        (header(64)[:7], Fault(Code.BAD_FRAME, 4, 9)),
        (header(64)[:3], Fault(Code.BAD_FRAME, 4, 0)),
        (header(64) + bytes(63), Fault(Code.BAD_FRAME, 4, 9)),
        (header(64) + bytes(65), Fault(Code.BAD_FRAME, 4, 9)),
        (header(64) + bytes(64), Request(4, 9, bytes(64))),
        (header(0), Request(4, 9, b"")),
        (GOOD + GOOD, Fault(Code.BAD_FRAME, 1, 5)),
    ],
)
def test_whole_frames(frame: bytes, expected: Request | Fault) -> None:
    assert parse(frame) == expected


# ---------------------------------------------------------------------- streams


def test_frames_in_a_row() -> None:
    found, parser = fed(GOOD * 3)
    assert found == [GOT] * 3
    assert (parser.dropped, parser.deadline_ns) == (0, None)


def test_noise_is_one_reply_and_every_byte_counts() -> None:
    found, parser = fed(b"noise" + GOOD + b"\x00" * 7 + GOOD)
    assert found == [BAD, GOT, BAD, GOT]
    assert parser.dropped == 12


def test_noise_in_pieces_is_still_one_run() -> None:
    found, parser = fed(b"no", b"i", b"se", GOOD)
    assert found == [BAD, GOT]
    assert parser.dropped == 5


def test_oversize_does_not_wait_for_the_payload() -> None:
    found, parser = fed(header(65))
    assert found == [Fault(Code.OVERSIZE, 4, 9)]
    assert (parser.dropped, parser.deadline_ns) == (8, None)


@pytest.mark.parametrize(
    ("bad", "code"), [(header(65), Code.OVERSIZE), (header(8, version=2), Code.UNSUPPORTED)], ids=["size", "version"]
)
def test_one_reply_however_much_follows(bad: bytes, code: Code) -> None:
    found, parser = fed(bad + bytes(65) + GOOD)
    assert found == [Fault(code, 4, 9), GOT]
    assert parser.dropped == 73


def test_faults_in_a_row_are_answered_each() -> None:
    found, parser = fed(header(65) + header(66) + b"x" + header(8, version=3) + GOOD + b"y")
    assert [item.code if isinstance(item, Fault) else None for item in found] == [
        Code.OVERSIZE,
        Code.OVERSIZE,
        Code.UNSUPPORTED,
        None,
        Code.BAD_FRAME,
    ]
    assert parser.dropped == 26


def test_a_magic_in_the_noise_takes_a_header_with_it() -> None:
    found, parser = fed(b"x\x43" + GOOD[:7] + GOOD[7:] + GOOD)
    assert found == [BAD, Fault(Code.UNSUPPORTED, 0, 1), GOT]
    assert parser.dropped == 2 + 16


def test_the_wait_ends_after_100_ms() -> None:
    parser = StreamParser()
    assert parser.feed(GOOD[:10], 1000) == []
    assert parser.deadline_ns == 1000 + TIMEOUT_NS == 100_001_000
    assert parser.feed(GOOD[10:12], 50_000_000) == []
    assert parser.deadline_ns == 100_001_000, "bytes of the same frame do not begin the wait anew"
    assert parser.expire(100_000_999) == []
    assert parser.expire(100_001_000) == [Fault(Code.BAD_FRAME, 1, 5)]
    assert (parser.dropped, parser.deadline_ns) == (12, None)
    assert parser.feed(GOOD, 100_001_000) == [GOT]


def test_the_last_byte_one_ns_before_the_end_is_in_time() -> None:
    parser = StreamParser()
    parser.feed(GOOD[:-1], 0)
    assert parser.feed(GOOD[-1:], TIMEOUT_NS - 1) == [GOT]
    parser.feed(GOOD[:-1], 0)
    found = parser.feed(GOOD[-1:], TIMEOUT_NS)
    assert found == [Fault(Code.BAD_FRAME, 1, 5)]
    assert parser.dropped == len(GOOD)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (1, Fault(Code.BAD_FRAME)),
        (2, Fault(Code.BAD_FRAME)),
        (3, Fault(Code.BAD_FRAME, 1)),
        (4, Fault(Code.BAD_FRAME, 1, 5)),
        (9, Fault(Code.BAD_FRAME, 1, 5)),
    ],
)
def test_a_time_out_answers_with_what_came(length: int, expected: Fault) -> None:
    parser = StreamParser()
    parser.feed(GOOD[:length], 0)
    assert parser.expire(TIMEOUT_NS) == [expected]
    assert parser.dropped == length


def test_a_wrong_version_cut_short_is_unsupported() -> None:
    parser = StreamParser()
    parser.feed(b"\x43\x01\x04", 0)
    assert parser.expire(TIMEOUT_NS) == [Fault(Code.UNSUPPORTED, 4)]
    assert (parser.dropped, parser.deadline_ns) == (3, None)
    parser.feed(b"\x43\x01\x43", TIMEOUT_NS)
    assert parser.expire(2 * TIMEOUT_NS) == [Fault(Code.UNSUPPORTED, 0x43)]
    assert (parser.dropped, parser.deadline_ns) == (6, None), "all of the header is dropped"


def test_a_frame_behind_one_cut_short_is_found() -> None:
    parser = StreamParser()
    assert parser.feed(header(64) + b"abc" + GOOD, 0) == []
    assert parser.expire(TIMEOUT_NS) == [Fault(Code.BAD_FRAME, 4, 9), GOT]
    assert parser.dropped == 11


def test_each_candidate_has_its_own_wait_whenever_one_looks() -> None:
    stream = header(64) + header(32) + b"x"
    often, late = StreamParser(), StreamParser()
    often.feed(stream, 0)
    late.feed(stream, 0)
    found = often.expire(TIMEOUT_NS)
    assert found == [Fault(Code.BAD_FRAME, 4, 9)]
    assert often.deadline_ns == 2 * TIMEOUT_NS
    found += often.expire(2 * TIMEOUT_NS)
    assert late.expire(5 * TIMEOUT_NS) == found == [Fault(Code.BAD_FRAME, 4, 9)] * 2
    assert often.dropped == late.dropped == 17


# ---------------------------------------------------------------------- any stream


def reference(data: bytes) -> tuple[list[Request | Fault], int, bytes]:
    """The rules again, on a stream that is all there: what it holds, bytes dropped, what is left over."""
    found: list[Request | Fault] = []
    dropped = place = 0
    answered = False
    while place < len(data):
        rest = data[place:]
        if rest[0] != 0x43:
            if not answered:
                found.append(Fault(Code.BAD_FRAME))
            answered = True
            place, dropped = place + 1, dropped + 1
            continue
        if len(rest) < 8:
            break
        length = int.from_bytes(rest[4:8], "little")
        code = Code.UNSUPPORTED if rest[1] else Code.OVERSIZE if length > 64 else None
        if code is not None:
            found.append(Fault(code, rest[2], rest[3]))
            answered = True
            place, dropped = place + 8, dropped + 8
            continue
        if len(rest) < 8 + length:
            break
        found.append(Request(rest[2], rest[3], rest[8 : 8 + length]))
        answered = False
        place += 8 + length
    return found, dropped, data[place:]


pieces = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"\x43", b"\x43\x00", GOOD, GOOD[:9], GOOD[3:], header(65), header(0), header(8, version=1)]),
    st.builds(lambda body: header(len(body)) + body, st.binary(max_size=64)),
    st.binary(min_size=7, max_size=7).map(lambda rest: b"\x43" + rest),
)
streams = st.lists(pieces, max_size=12).map(b"".join)


@st.composite
def cut_streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    data = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    ends = [0, *cuts, len(data)]
    return data, [data[a:b] for a, b in pairwise(ends)]


@settings(derandomize=True, deadline=None, max_examples=600)
@given(cut_streams())
def test_any_cut_gives_what_the_whole_gives(stream: tuple[bytes, list[bytes]]) -> None:
    data, cut = stream
    expected, dropped, left = reference(data)
    for parts in ([data], cut, [data[n : n + 1] for n in range(len(data))]):
        found, parser = fed(*parts)
        assert found == expected
        assert parser.dropped == dropped
        assert (parser.deadline_ns is not None) == bool(left)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(cut_streams(), st.lists(st.integers(0, 3 * TIMEOUT_NS), min_size=12, max_size=12))
def test_looking_at_the_clock_changes_nothing(stream: tuple[bytes, list[bytes]], gaps: list[int]) -> None:
    """With pieces at any times, expiring at every deadline and never expiring give the same."""
    _, cut = stream
    patient, eager = StreamParser(), StreamParser()
    slow: list[Request | Fault] = []
    quick: list[Request | Fault] = []
    now = 0
    for piece, gap in zip(cut, gaps, strict=False):
        now += gap
        while eager.deadline_ns is not None and eager.deadline_ns <= now:
            quick += eager.expire(eager.deadline_ns)
        slow += patient.feed(piece, now)
        quick += eager.feed(piece, now)
        assert quick == slow
        assert (eager.dropped, eager.deadline_ns) == (patient.dropped, patient.deadline_ns)
    now += 100 * TIMEOUT_NS
    slow += patient.expire(now)
    assert patient.deadline_ns is None, "after long enough nothing is waited for"
    taken = sum(8 + len(item.payload) for item in slow if isinstance(item, Request))
    assert taken + patient.dropped == sum(map(len, cut[: len(gaps)])), "every byte is a frame's or dropped"


@settings(derandomize=True, deadline=None, max_examples=200)
@given(streams, st.integers(1, 20))
def test_any_stream_gets_one_reply_for_each_item(data: bytes, size: int) -> None:
    system = System()
    stream = system.plane.open_stream()
    replies = b"".join(run(stream.feed(data[n : n + size])) for n in range(0, len(data), size))
    expected, dropped, left = reference(data)
    answers = split(replies)
    assert [(reply.command, reply.flags) for reply in answers] == [(e.command & 0x7F, e.flags) for e in expected]
    assert all(reply.code is not Code.OK for reply in answers)
    assert system.plane.dropped == stream.dropped == dropped
    assert system.plane.replies.total() == len(answers) <= len(system.audit.entries)
    if left:
        assert stream.deadline_ns is not None
        run(system.clock.wait_until(stream.deadline_ns))
        assert split(run(stream.expire()))
    else:
        assert stream.deadline_ns is None
        assert run(stream.expire()) == b""
