"""Calls beside the published ioctls, for tools: JSON in, JSON out, every argument checked before anything is done."""

from __future__ import annotations

import errno
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonschema

from sw.codes import Code, Refusal
from sw.driver.errors import BadArgument, DirectoryError
from sw.regs.registers import Status
from sw.uapi.wire import Request

if TYPE_CHECKING:
    from sw.node.node import File, Node

Json = dict[str, Any]
WORD: Json = {"type": "integer", "minimum": 0, "maximum": (1 << 64) - 1}

_DEVICE_ERRNO = {
    Status.MISS: errno.ENOENT,
    Status.EXISTS: errno.EEXIST,
    Status.BAD_ARG: errno.EINVAL,
    Status.NO_SLOT: errno.ENOSPC,
    Status.FULL: errno.ENOSPC,
    Status.REFERENCED: errno.EBUSY,
    Status.BUSY: errno.EBUSY,
}
_CODE_ERRNO = {
    Code.AUTH_FAILED: errno.EACCES,
    Code.NOT_FOUND: errno.ENOENT,
    Code.EXISTS: errno.EEXIST,
    Code.BUSY: errno.EBUSY,
    Code.NO_ROOM: errno.ENOSPC,
    Code.UNSUPPORTED: errno.EOPNOTSUPP,
}


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


CALLS: dict[str, Call] = {}


def call(*needed: str, **properties: Json) -> Callable[[Handler], Handler]:
    """Register a handler under its function's name, with the schemas of its arguments."""
    schema = {
        "type": "object",
        "properties": {"call": {}, **properties},
        "required": list(needed),
        "additionalProperties": False,
    }

    def register(handler: Handler) -> Handler:
        CALLS[handler.__name__.strip("_")] = Call(schema, handler)
        return handler

    return register


async def dispatch(node: Node, file: File, request: Request) -> Json:
    """Do the call that the payload of a request describes.

    Raises:
        CallError: it is none, an argument is wrong, or the device refuses it.
        DriverError, TransportError: the device does not do its part.
        AuditError: a decision could not be recorded.
    """
    try:
        asked = json.loads(request.payload)
        known = CALLS[asked["call"]]
        jsonschema.validate(asked, known.schema)
    except (ValueError, TypeError, RecursionError):
        raise CallError(errno.EINVAL, "not a call") from None
    except KeyError:
        raise CallError(errno.ENOSYS, "no such call") from None
    except jsonschema.ValidationError as error:
        place = ".".join(map(str, error.absolute_path))
        raise CallError(errno.EINVAL, f"{place}: {error.message}" if place else error.message) from None
    try:
        return await known.handler(Asker(node, file, request.abandoned), asked)
    except BadArgument as error:
        raise CallError(errno.EINVAL, str(error)) from None
    except DirectoryError as error:
        raise CallError(_DEVICE_ERRNO.get(error.status, errno.EIO), str(error)) from None
    except Refusal as refusal:
        message = str(refusal)
        label = refusal.code.label if message == refusal.code.label else f"{refusal.code.label}: {message}"
        raise CallError(_CODE_ERRNO.get(refusal.code, errno.EINVAL), label) from None
