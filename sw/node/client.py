"""The node's client for tools and tests; C programs have sw/uapi/client.c."""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from sw.codes import Code
from sw.control.frames import TOKEN_BYTES
from sw.uapi.place import PlaceError, check_length, default_path, peer
from sw.uapi.wire import BUFFER_ANSWER, Answer, Closed, Kind, Malformed, Request


class NodeError(Exception):
    """The node cannot be reached, or does not answer; one line."""


class CallRefused(NodeError):
    """The node refuses a call.

    Attributes:
        errno: why, as C programs see it.
    """

    def __init__(self, number: int, message: str) -> None:
        """Refused with errno `number`."""
        super().__init__(message)
        self.errno = number


class Client:
    """One open file of the node. Any number of threads may use it."""

    def __init__(self, path: Path | None = None) -> None:
        """Connect to the node at `path` (None: where the environment says).

        Raises:
            NodeError: no server is there, or it is another user's.
        """
        self.path = path or default_path()
        try:
            check_length(self.path)
        except PlaceError as error:
            raise NodeError(str(error)) from None
        self._lock = threading.Lock()
        self._farewell: Answer | None = None
        self._socket, self.pid = self._connected()

    def _connected(self) -> tuple[socket.socket, int]:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.connect(str(self.path))
            pid, uid = peer(connection)
        except OSError as error:
            connection.close()
            if error.errno in (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR):
                raise NodeError(f"{self.path}: no device is served here (`make serve` starts a server)") from None
            raise NodeError(f"{self.path}: {(error.strerror or str(error)).lower()}") from None
        if uid != os.geteuid():
            connection.close()
            raise NodeError(f"{self.path}: served by another user")
        return connection, pid

    def close(self) -> None:
        """Close the file."""
        self._socket.close()

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def exchange(self, kind: Kind, value: int, payload: bytes) -> Answer:
        """Send a request and wait for its answer.

        Raises:
            NodeError: the node has gone, or what it says is no answer.
        """
        mine, reply_to = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with reply_to:
                self._send(Request(kind, value, payload, reply_to))
            answer = Answer.receive(mine)
        except (Closed, OSError):
            raise NodeError(self._why_closed()) from None
        except Malformed as error:
            raise NodeError(f"the node's answer is none: {error}") from None
        finally:
            with suppress(OSError):
                mine.close()
        if answer.kind != kind:
            raise NodeError(f"the node's answer is to another request ({answer.kind})")
        return answer

    def _send(self, request: Request) -> None:
        """Send a request; over a new connection if the node has closed this one, which was idle, for another's."""
        try:
            request.send(self._socket)
        except (BrokenPipeError, ConnectionResetError):
            with self._lock:
                if self._said():
                    raise
                try:
                    fresh, self.pid = self._connected()
                except NodeError:
                    raise Closed from None
                self._socket.close()
                self._socket = fresh
            request.send(self._socket)

    def _why_closed(self) -> str:
        said = self._said()
        return f"the node refuses: {_reason(said)}" if said else "the node has ended without an answer"

    def _said(self) -> Answer | None:
        """What a node says that refuses a connection; None: nothing."""
        for _ in range(2):  # what was not read at the other end is reported first, as ECONNRESET
            with suppress(OSError, Closed, Malformed):
                self._socket.setblocking(False)
                self._farewell = self._farewell or Answer.receive(self._socket)
        return self._farewell

    def ioctl(self, request: int, argument: bytes = b"") -> bytes:
        """One ioctl, as the device node answers.

        Raises:
            OSError: the errno of the published interface.
            NodeError: the node has gone.
        """
        answer = self.exchange(Kind.IOCTL, request, argument)
        if answer.value:
            raise OSError(answer.value, os.strerror(answer.value))
        return answer.payload

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """One call in addition to the published ones (sw/node/dispatch.py).

        Raises:
            CallRefused: the node or its device refuses it.
            NodeError: the node has gone.
        """
        payload = json.dumps({"call": name, **arguments}, separators=(",", ":")).encode()
        answer = self.exchange(Kind.CALL, 0, payload)
        try:
            result: dict[str, Any] = json.loads(answer.payload)
        except ValueError:
            raise NodeError("the node's answer is none") from None
        if answer.value:
            raise CallRefused(answer.value, _reason(answer))
        return result

    def frames(self, data: bytes) -> bytes:
        """Bytes of control frames; the replies that they cause (sw/control/frames.py).

        Raises:
            NodeError: the node or its device fails, or has gone.
        """
        return self._need(self.exchange(Kind.FRAME, 0, data))

    def buffer(self, token: int, data: bytes = b"", release: int = 0) -> tuple[Code, int]:
        """Keep bytes in a shared buffer, or give `release` back.

        Returns:
            The status, and the handle if it is OK.

        Raises:
            NodeError: the node has gone.
        """
        answer = self._need(self.exchange(Kind.BUFFER, release, token.to_bytes(TOKEN_BYTES, "little") + data))
        code, handle = BUFFER_ANSWER.unpack(answer)
        return Code(code), handle

    @staticmethod
    def _need(answer: Answer) -> bytes:
        if answer.value:
            raise NodeError(f"the node fails: {_reason(answer)}")
        return answer.payload


def _reason(answer: Answer) -> str:
    """Why a request failed: the node's line, or the name of its errno."""
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(answer.payload)["error"])
    return os.strerror(answer.value).lower()
