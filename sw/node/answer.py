"""One request and its answer, whoever carries them (software.md 5)."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from typing import Any

from sw.driver import DriverError
from sw.node import frames
from sw.node.calls import CallError
from sw.node.dispatch import dispatch
from sw.node.node import File, Node
from sw.transport.base import TransportError
from sw.uapi.description import DIRECTION_SHIFT, SIZE_MASK, SIZE_SHIFT, Direction
from sw.uapi.wire import Answer, Kind, Request


async def answer(node: Node, file: File, request: Request) -> Answer:
    """Do what a request asks for, to its end.

    Raises:
        AuditError: a decision could not be recorded; the node must end.
    """
    try:
        return Answer(request.kind, 0, await _do(node, file, request))
    except OSError as error:
        return Answer(request.kind, error.errno or errno.EIO)
    except CallError as error:
        return Answer(request.kind, error.errno, _json({"error": str(error)}))
    except (DriverError, TransportError) as error:
        return Answer(request.kind, errno.EIO, _json({"error": str(error)}))


async def _do(node: Node, file: File, request: Request) -> bytes:
    match request.kind:
        case Kind.IOCTL:
            return await _ioctl(file, request)
        case Kind.CALL:
            return _json(await dispatch(node, file, request))
        case Kind.FRAME:
            return await frames.feed(node.system, file.stream, request.payload, _unwanted(node, request))
        case Kind.BUFFER:
            return frames.buffer(node.system, request.value, request.payload)
    raise OSError(errno.EPROTO, "no such kind of request")


async def _ioctl(file: File, request: Request) -> bytes:
    # Where the device writes, the client's memory stays with the client: the kernel checks its pointer.
    reads = request.value >> DIRECTION_SHIFT == Direction.READ
    room = bytes(request.value >> SIZE_SHIFT & SIZE_MASK) if reads else request.payload
    return await file.ioctl.ioctl(request.value, room)


def _unwanted(node: Node, request: Request) -> Callable[[], bool]:
    return lambda: node.ending.now or request.abandoned()


def _json(result: dict[str, Any]) -> bytes:
    return json.dumps(result, separators=(",", ":")).encode()
