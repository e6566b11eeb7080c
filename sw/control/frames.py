"""Frames of the control plane: layouts, and the codec for both sides (software.md 3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from sw.control.codes import Code

MAGIC = 0x43
VERSION = 0
HEADER_BYTES = 8
MAX_PAYLOAD = 64
TOKEN_BYTES = 8
REPLY = 0x80
POLL_TOKENS = 12


class Command(IntEnum):
    """The commands of a request."""

    CREATE_GRAPH = 0x01
    ADD_CHANNEL = 0x02
    ADD_OPERATOR = 0x03
    START_GRAPH = 0x04
    ADD_TYPED_OPERATOR = 0x05
    ENABLE_DETERMINISTIC = 0x06
    LLM_LOAD = 0x10
    LLM_INFER_START = 0x11
    LLM_INFER_POLL = 0x12
    LLM_CANCEL = 0x13
    LLM_UNLOAD = 0x14
    LLM_BUDGET = 0x15
    LLM_STATUS = 0x16


@dataclass(frozen=True, slots=True)
class Layout:
    """Arguments after the token, in one or two forms, and the reply's fields after the status."""

    requests: tuple[struct.Struct, ...]
    reply: struct.Struct

    @property
    def sizes(self) -> tuple[int, ...]:
        """Legal payload sizes, token included."""
        return tuple(TOKEN_BYTES + form.size for form in self.requests)


def _layout(reply: str, *requests: str) -> Layout:
    return Layout(tuple(struct.Struct("<" + form) for form in requests), struct.Struct("<" + reply))


LAYOUTS: dict[int, Layout] = {
    Command.CREATE_GRAPH: _layout("", ""),
    Command.ADD_CHANNEL: _layout("H", "H"),
    Command.ADD_OPERATOR: _layout("", "IHHBB"),
    Command.START_GRAPH: _layout("I", "I"),
    Command.ADD_TYPED_OPERATOR: _layout("", "IHHBBII"),
    Command.ENABLE_DETERMINISTIC: _layout("I", "QQQ"),
    Command.LLM_LOAD: _layout("I", "IQI"),
    Command.LLM_INFER_START: _layout("I", "IHBQ", "IHBQIQHHH"),
    Command.LLM_INFER_POLL: _layout("IBBHI", "IH"),  # the tokens follow
    Command.LLM_CANCEL: _layout("B", "I"),
    Command.LLM_UNLOAD: _layout("", "I"),
    Command.LLM_BUDGET: _layout("I", "BBHQQI"),
    Command.LLM_STATUS: _layout("HHHHIIII", ""),
}


@dataclass(frozen=True, slots=True)
class Header:
    """The first 8 bytes of a frame whose magic is right."""

    version: int
    command: int
    flags: int
    length: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A decoded reply; `fields` is empty unless the code is OK."""

    command: int
    flags: int
    code: Code
    fields: tuple[int, ...]


class FrameError(ValueError):
    """Bytes that are no reply, or arguments that fit no frame; for clients."""


def encode_request(command: int, token: int, *arguments: int, flags: int = 0) -> bytes:
    """A request frame; the form is chosen by the number of arguments.

    Raises:
        FrameError: an unknown command with arguments, another number of arguments than any form of
            the command has, or a value that does not fit its field.
    """
    raise NotImplementedError


def encode_reply(command: int, flags: int, code: Code, fields: bytes = b"") -> bytes:
    """A reply frame; `command` is the request's (0 if there was none), `fields` only with OK."""
    raise NotImplementedError


def decode_reply(data: bytes) -> tuple[Reply, int]:
    """The reply at the start of `data`, and its size in bytes.

    For LLM_INFER_POLL the fields are infer_id, state, 0, n, the index of the first, and n tokens.

    Raises:
        FrameError: no whole reply, or fields that are not the command's.
    """
    raise NotImplementedError


def reply_bytes_missing(data: bytes) -> int:
    """How many bytes a client has still to read until `data` is one whole reply; 0 when it is.

    Raises:
        FrameError: `data` does not begin with a reply.
    """
    raise NotImplementedError
