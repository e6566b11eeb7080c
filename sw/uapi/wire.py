"""Packets between a client and the node, on a local socket of whole packets (SOCK_SEQPACKET).

A connection is one open file of the node, and carries requests only: each attaches a socket of its own for its answer,
so that threads and forked processes that share a connection never get each other's. A packet is a header and its
payload; a payload over INLINE bytes is in an attached file instead. The C library is generated from the same header.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from sw.uapi.description import Member, Struct

HEADER = Struct(
    "header",
    "Begin of every packet.",
    (
        Member("magic", 32, "KVCPU_WIRE_MAGIC"),
        Member("kind", 16, "KVCPU_WIRE_IOCTL, ...; an answer has its request's"),
        Member("flags", 16, "1: the payload is in an attached file"),
        Member("value", 32, "request: of an ioctl; answer: an errno, 0 for success"),
        Member("size", 32, "bytes of the payload"),
    ),
)
MAGIC = int.from_bytes(b"KVN1", "little")
INLINE = 32 * 1024
LIMIT = 64 * 1024 * 1024  # bytes of an attached payload, of an answer
BUFFER_ANSWER = struct.Struct("<HI")  # of Kind.BUFFER: code, handle
_LAYOUT = HEADER.layout
_ATTACHED = 2  # at most: the answer's socket, the payload's file


class Kind(IntEnum):
    """What a request asks for; `value` is an ioctl's number, 0 for the others."""

    IOCTL = 1
    CALL = 2
    FRAME = 3
    BUFFER = 4


MOST: dict[int, int] = {
    Kind.IOCTL: 1 << 14,
    Kind.CALL: 64 * 1024,
    Kind.FRAME: 4 * 1024,
    Kind.BUFFER: 16 * 1024 * 1024 + 8,
}
"""Bytes of a request's payload, by kind: 16 KiB is all that an ioctl's number can say, a frame has at most 72 bytes, a
shared buffer is a package at most, with the token before it. Of a kind that is none: INLINE."""


class Flag(IntFlag):
    """What a packet says of itself."""

    FILE = 1  # the payload is in an attached file


class Malformed(Exception):
    """A packet that is none; the message is one line."""


class TooLong(Exception):
    """A request whose payload is longer than its kind's may be; the message is one line.

    Attributes:
        request: the request without its payload.
    """

    def __init__(self, request: Request, size: int) -> None:
        """Of `size` bytes."""
        most = MOST.get(request.kind, INLINE)
        super().__init__(f"a request of {size:,} bytes, of this kind at most {most:,}; send it in parts")
        self.request = request


class Closed(Exception):
    """The other side has closed the connection."""


@dataclass(frozen=True, slots=True)
class Request:
    """A packet to the node; `reply_to` is the socket of whoever waits for the answer."""

    kind: int
    value: int
    payload: bytes
    reply_to: socket.socket = field(compare=False)

    def send(self, connection: socket.socket) -> None:
        """Send the request.

        Raises:
            OSError: it cannot be sent.
        """
        _send(connection, self.kind, self.value, self.payload, [self.reply_to.fileno()])

    @classmethod
    def receive(cls, connection: socket.socket) -> Request:
        """Take the next request; its `reply_to` does not block.

        Raises:
            Closed: there is none any more.
            Malformed: not a request; whatever was attached is closed.
            TooLong: its payload is, and was not read.
            OSError: the socket fails (BlockingIOError: one that does not block has none).
        """
        with ExitStack() as stack:
            kind, value, payload, files, size = _receive(connection, stack, MOST)
            if len(files) != 1 or not stat.S_ISSOCK(os.fstat(files[0]).st_mode):
                raise Malformed("no socket for the answer")
            number = os.dup(files[0])
            try:
                reply_to = socket.socket(fileno=number)
            except OSError:
                os.close(number)  # no socket owns it
                raise Malformed("no socket for the answer") from None
            reply_to.setblocking(False)
            request = cls(kind, value, payload or b"", reply_to)
            if payload is None:
                raise TooLong(request, size)
            return request

    def abandoned(self) -> bool:
        """Whether the caller no longer waits for the answer."""
        try:
            return not self.reply_to.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True


@dataclass(frozen=True, slots=True)
class Answer:
    """A packet back; `value` is an errno, 0 for success."""

    kind: int
    value: int
    payload: bytes = b""

    def send(self, to: socket.socket) -> None:
        """Send the answer.

        Raises:
            OSError: it cannot be sent (BlockingIOError: it is not received).
        """
        _send(to, self.kind, self.value, self.payload, [])

    @classmethod
    def receive(cls, at: socket.socket) -> Answer:
        """Wait for the answer.

        Raises:
            Closed: the node has gone without one.
            Malformed: not an answer.
            OSError: the socket fails.
        """
        with ExitStack() as stack:
            kind, value, payload, files, _ = _receive(at, stack)
            if files or payload is None:
                raise Malformed("an answer with files attached")
            return cls(kind, value, payload)


def _send(to: socket.socket, kind: int, value: int, payload: bytes, files: list[int]) -> None:
    if len(payload) <= INLINE:
        header = _LAYOUT.pack(MAGIC, kind, 0, value, len(payload))
        socket.send_fds(to, [header, payload], files) if files else to.sendmsg([header, payload])
        return
    file = os.memfd_create("kvcpu-payload", os.MFD_CLOEXEC)
    try:
        view = memoryview(payload)
        while view:
            view = view[os.write(file, view) :]
        socket.send_fds(to, [_LAYOUT.pack(MAGIC, kind, Flag.FILE, value, len(payload))], [*files, file])
    finally:
        os.close(file)


def _receive(
    connection: socket.socket, stack: ExitStack, most: Mapping[int, int] | None = None
) -> tuple[int, int, bytes | None, list[int], int]:
    """Kind, value, payload (None: over `most`), the other attached files, which `stack` closes, and the size."""
    data, files, flags, _ = socket.recv_fds(connection, _LAYOUT.size + INLINE, _ATTACHED, socket.MSG_CMSG_CLOEXEC)
    for file in files:
        stack.callback(os.close, file)
    if not data and not files:
        raise Closed
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        raise Malformed("the packet is too long")
    if len(data) < _LAYOUT.size:
        raise Malformed(f"{len(data)} bytes are no header")
    magic, kind, said, value, size = _LAYOUT.unpack_from(data)
    payload = data[_LAYOUT.size :]
    if magic != MAGIC or said not in (0, Flag.FILE):
        raise Malformed(f"magic {magic:#x}, flags {said:#x}")
    if said == Flag.FILE:
        if payload or not files:
            raise Malformed("an attached payload, and none attached, or another inside")
    elif len(payload) != size:
        raise Malformed(f"{len(payload)} bytes of payload, {size} announced")
    attached = files.pop() if said == Flag.FILE else None
    if most is not None and size > most.get(kind, INLINE) and size <= LIMIT:
        return kind, value, None, files, size
    return kind, value, payload if attached is None else _content(attached, size), files, size


def _content(file: int, size: int) -> bytes:
    """The attached payload; a file that is not whole in memory or on disk could block, so it is refused."""
    if size > LIMIT:
        raise Malformed(f"a payload of {size:,} bytes, at most {LIMIT:,}")
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_size < size:
        raise Malformed("the attached payload is not a file of its size")
    try:
        parts, offset = [], 0
        while offset < size:
            part = os.pread(file, size - offset, offset)
            if not part:
                raise Malformed("the attached payload is not whole")
            parts.append(part)
            offset += len(part)
    except OSError as error:
        raise Malformed(f"the attached payload cannot be read: {error.strerror}") from None
    return b"".join(parts)
