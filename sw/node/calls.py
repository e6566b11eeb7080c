"""What a call beside the published ioctls is: JSON in, JSON out, every argument checked before anything is done."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sw.node.node import File, Node
from sw.regs.kv_address import TOKENS, KvAddress

Json = dict[str, Any]
WORD: Json = {"type": "integer", "minimum": 0, "maximum": (1 << 64) - 1}
STEP: Json = {**WORD, "maximum": TOKENS - 1}
KV: Json = {"type": "string", "maxLength": 64}
FLAG: Json = {"type": "boolean"}


class CallError(Exception):
    """A call that is refused; one line and an errno."""

    def __init__(self, number: int, message: str) -> None:
        """Refuse with errno `number`."""
        super().__init__(message)
        self.errno = number


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the node, the open file, and whether the answer is still waited for."""

    node: Node
    file: File
    abandoned: Callable[[], bool]


Handler = Callable[[Asker, Json], Awaitable[Json]]


@dataclass(frozen=True, slots=True)
class Call:
    """A call: the JSON Schema of its arguments, and what it does."""

    schema: Json
    handler: Handler


def call(handler: Handler, *needed: str, **properties: Json) -> Call:
    """A call with the schemas of its arguments, of which those `needed` must be given."""
    schema = {
        "type": "object",
        "properties": {"call": {}, **properties},
        "required": list(needed),
        "additionalProperties": False,
    }
    return Call(schema, handler)


def parsed_kv(text: str) -> KvAddress:
    """The block address that an argument names.

    Raises:
        CallError: it names none.
    """
    try:
        return KvAddress.parse(text)
    except ValueError as error:
        raise CallError(errno.EINVAL, str(error)) from None
