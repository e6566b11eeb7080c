"""Frames of the control plane: layouts, and the codec for both sides (software.md 3)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from sw.codes import Code

MAGIC = 0x43
VERSION = 0
HEADER_BYTES = 8
MAX_PAYLOAD = 64
TOKEN_BYTES = 8
REPLY = 0x80
POLL_TOKENS = 12
_HEADER = struct.Struct("<BBBBI")
_TOKEN = struct.Struct("<Q")
_STATUS = struct.Struct("<H")


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

    def arguments(self, payload: bytes) -> tuple[int, ...]:
        """The fields after the token of a payload whose size is legal."""
        form = next(form for form in self.requests if TOKEN_BYTES + form.size == len(payload))
        return form.unpack_from(payload, TOKEN_BYTES)


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
        FrameError: another number of arguments than any form of the command has (none, for an
            unknown command), or a value that does not fit its field.
    """
    forms = LAYOUTS[command].requests if command in LAYOUTS else (struct.Struct("<"),)
    form = next((form for form in forms if _values(form) == len(arguments)), None)
    if form is None:
        takes = " or ".join(str(_values(form)) for form in forms)
        raise FrameError(f"command {command:#04x} takes {takes} arguments, not {len(arguments)}")
    try:
        payload = _TOKEN.pack(token) + form.pack(*arguments)
        return _HEADER.pack(MAGIC, VERSION, command, flags, len(payload)) + payload
    except struct.error as error:
        raise FrameError(f"command {command:#04x}: {error}") from None


def encode_reply(command: int, flags: int, code: Code, fields: bytes = b"") -> bytes:
    """A reply frame.

    Args:
        command: the request's; 0 if there was none.
        flags: the request's.
        code: the status.
        fields: what follows an OK; nothing else has any.
    """
    payload = _STATUS.pack(code) + (fields if code is Code.OK else b"")
    return _HEADER.pack(MAGIC, VERSION, command | REPLY, flags, len(payload)) + payload


def reply_bytes_missing(data: bytes) -> int:
    """How many bytes a client has still to read until `data` is one whole reply; 0 when it is.

    Raises:
        FrameError: `data` does not begin with a reply.
    """
    if len(data) < HEADER_BYTES:
        return HEADER_BYTES - len(data)
    magic, version, command, _, length = _HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION or not command & REPLY or not _STATUS.size <= length <= MAX_PAYLOAD:
        raise FrameError(f"no reply: {data[:HEADER_BYTES].hex()}")
    return max(0, HEADER_BYTES + int(length) - len(data))


def decode_reply(data: bytes) -> Reply:
    """Exactly one whole reply.

    For LLM_INFER_POLL the fields are infer_id, state, 0, n, the index of the first, and n tokens.

    Raises:
        FrameError: more or less than a reply, a status that is no code, or fields that are not the
            command's.
    """
    if reply_bytes_missing(data):
        raise FrameError(f"a reply cut short: {data.hex()}")
    _, _, command, flags, length = _HEADER.unpack_from(data)
    if len(data) != HEADER_BYTES + length:
        raise FrameError(f"bytes after a reply: {data.hex()}")
    command &= ~REPLY
    (status,) = _STATUS.unpack_from(data, HEADER_BYTES)
    fields = data[HEADER_BYTES + _STATUS.size :]
    try:
        code = Code(status)
    except ValueError:
        raise FrameError(f"status {status} is no code") from None
    if code is not Code.OK:
        if fields:
            raise FrameError(f"{code.label} with fields: {fields.hex()}")
        return Reply(command, flags, code, ())
    if command not in LAYOUTS:
        raise FrameError(f"OK to the unknown command {command:#04x}")
    return Reply(command, flags, code, _fields(command, fields))


def decode_replies(data: bytes) -> Iterator[Reply]:
    """Whole replies, one behind the other.

    Raises:
        FrameError: as `decode_reply`.
    """
    while data:
        if len(data) < HEADER_BYTES:
            raise FrameError(f"a reply cut short: {data.hex()}")
        end = HEADER_BYTES + int(_HEADER.unpack_from(data)[-1])
        yield decode_reply(data[:end])
        data = data[end:]


def _fields(command: int, data: bytes) -> tuple[int, ...]:
    form = LAYOUTS[command].reply
    try:
        values = form.unpack_from(data)
        tokens = values[3] if command == Command.LLM_INFER_POLL else 0
        more = struct.Struct(f"<{tokens}I").unpack(data[form.size :])
    except struct.error:
        raise FrameError(f"not the fields of a reply to {Command(command).name}: {data.hex()}") from None
    return values + more


def _values(form: struct.Struct) -> int:
    return len(form.unpack(bytes(form.size)))
