"""Packets: whatever comes is a packet or Malformed, and no descriptor is left behind."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.uapi.wire import HEADER, INLINE, LIMIT, MAGIC, MOST, Answer, Closed, Flag, Kind, Malformed, Request, TooLong
from tests.node.serving import descriptors

PACK = HEADER.layout.pack


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@pytest.mark.parametrize("size", [0, 1, INLINE, INLINE + 1, 3_000_000])
def test_there_and_back(size: int) -> None:
    before = descriptors()
    there, here = pair()
    mine, reply_to = pair()
    payload = os.urandom(size)
    with there, here, mine, reply_to:
        Request(Kind.BUFFER, 7, payload, reply_to).send(there)
        request = Request.receive(here)
        assert (request.kind, request.value, request.payload) == (Kind.BUFFER, 7, payload)
        with request.reply_to:
            Answer(Kind.CALL, 22, payload).send(request.reply_to)
        assert Answer.receive(mine) == Answer(Kind.CALL, 22, payload)
    assert descriptors() == before


def test_whether_anybody_waits() -> None:
    there, here = pair()
    mine, reply_to = pair()
    with there, here, reply_to:
        Request(Kind.CALL, 0, b"", reply_to).send(there)
        request = Request.receive(here)
        with request.reply_to:
            assert not request.abandoned()
            mine.close()
            assert request.abandoned()


def test_the_end() -> None:
    there, here = pair()
    there.close()
    with here, pytest.raises(Closed):
        Request.receive(here)
    there, here = pair()
    there.close()
    with here, pytest.raises(Closed):
        Answer.receive(here)


def bad(data: bytes, files: list[int], message: str) -> None:
    before = descriptors()
    there, here = pair()
    with there, here:
        socket.send_fds(there, [data], files)
        with pytest.raises(Malformed, match=message):
            Request.receive(here)
    assert descriptors() == before


@pytest.mark.parametrize("kind", MOST)
def test_b3_a_request_too_long_for_its_kind_is_not_read(kind: Kind) -> None:
    before = descriptors()
    most = MOST[kind]
    for size in (most, most + 1):
        there, here = pair()
        mine, reply_to = pair()
        with there, here, mine, reply_to:
            Request(kind, 0, bytes(size), reply_to).send(there)
            if size == most:
                request = Request.receive(here)
                assert len(request.payload) == most
            else:
                with pytest.raises(
                    TooLong, match=f"a request of {size:,} bytes, of this kind at most {most:,}"
                ) as late:
                    Request.receive(here)
                request = late.value.request
                assert request.payload == b""
            request.reply_to.close()
    assert descriptors() == before


def test_malformed(tmp_path: Path) -> None:
    good = PACK(MAGIC, Kind.CALL, 0, 0, 0)
    with socket.socket() as other, tempfile.TemporaryFile() as file:
        file.write(b"x" * 100)
        file.flush()
        a_socket, a_file = other.fileno(), file.fileno()
        pipe = os.pipe()
        bad(good, [], "no socket for the answer")
        bad(good, [a_file], "no socket for the answer")
        bad(good, [a_socket, a_socket], "no socket for the answer")
        bad(good, [a_socket] * 4, "too long")
        bad(good[:-1], [a_socket], "15 bytes are no header")
        bad(good + b"x", [a_socket], "1 bytes of payload, 0 announced")
        bad(good + bytes(INLINE + 1), [a_socket], "too long")
        bad(PACK(MAGIC + 1, Kind.CALL, 0, 0, 0), [a_socket], "magic")
        bad(PACK(MAGIC, Kind.CALL, 4, 0, 0), [a_socket], "flags 0x4")
        bad(PACK(MAGIC, Kind.CALL, Flag.FILE, 0, 50), [], "attached payload")
        bad(PACK(MAGIC, Kind.CALL, Flag.FILE, 0, 50) + b"x", [a_socket, a_file], "attached payload")
        bad(PACK(MAGIC, Kind.CALL, Flag.FILE, 0, 50), [a_socket], "not a file of its size")
        bad(PACK(MAGIC, Kind.CALL, Flag.FILE, 0, 50), [a_file], "no socket for the answer")
        bad(PACK(MAGIC, Kind.CALL, Flag.FILE, 0, 101), [a_socket, a_file], "not a file of its size")
        bad(PACK(MAGIC, Kind.CALL, Flag.FILE, 0, LIMIT + 1), [a_socket, a_file], "at most")
        bad(PACK(MAGIC, Kind.CALL, Flag.FILE, 0, 50), [a_socket, pipe[0]], "not a file of its size")
        folder = os.open(tmp_path, os.O_RDONLY)
        bad(PACK(MAGIC, Kind.CALL, Flag.FILE, 0, 0), [a_socket, folder], "not a file of its size")
        write_only = os.open(tmp_path / "w", os.O_WRONLY | os.O_CREAT)
        os.write(write_only, bytes(50))
        bad(PACK(MAGIC, Kind.CALL, Flag.FILE, 0, 50), [a_socket, write_only], "cannot be read")
        for left in (*pipe, folder, write_only):
            os.close(left)


WORD = st.one_of(st.sampled_from([0, 1, 2, 16, MAGIC, INLINE, LIMIT, LIMIT + 1]), st.integers(0, (1 << 32) - 1))
HALF = st.integers(0, (1 << 16) - 1) | st.integers(0, 5)
TAILS = st.binary(max_size=64)
HEADERS = st.builds(PACK, st.just(MAGIC) | WORD, HALF, HALF, WORD, WORD)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    data=st.binary(max_size=64) | st.builds(bytes.__add__, HEADERS, st.binary(max_size=64)),
    kinds=st.text("sfp", max_size=4),
)
def test_any_packet(data: bytes, kinds: str) -> None:
    """Bytes and attached files of any kind."""
    before = descriptors()
    there, here = pair()
    with there, here, socket.socket() as other, tempfile.TemporaryFile() as file:
        read, write = os.pipe()
        files = [{"s": other.fileno(), "f": file.fileno(), "p": read}[kind] for kind in kinds]
        if data or files:
            socket.send_fds(there, [data or b"\0"], files)
        else:
            there.close()
        try:
            Request.receive(here).reply_to.close()
        except TooLong as error:
            error.request.reply_to.close()
        except (Malformed, Closed):
            pass
        os.close(read)
        os.close(write)
    assert descriptors() == before
