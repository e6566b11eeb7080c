"""One request and its answer, whoever carries them (software.md 5)."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Callable
from typing import Any

from sw.audit import AuditUnavailable
from sw.codes import Code, described
from sw.driver import DriverError
from sw.node import frames
from sw.node.calls import CallError
from sw.node.dispatch import dispatch
from sw.node.node import File, Node
from sw.transport.base import TransportError
from sw.uapi.description import DIRECTION_SHIFT, SIZE_MASK, SIZE_SHIFT, Direction
from sw.uapi.wire import Answer, Kind, Request

log = logging.getLogger(__name__)


async def answer(node: Node, file: File, request: Request) -> Answer:
    """Do what a request asks for, to its end.

    Raises:
        AuditUnavailable: a decision could not be recorded; the node must end.
    """
    try:
        return Answer(request.kind, 0, await _do(node, file, request))
    except OSError as error:
        return Answer(request.kind, error.errno or errno.EIO)
    except CallError as error:
        return Answer(request.kind, error.errno, _json({"error": str(error)}))
    except (DriverError, TransportError) as error:
        return Answer(request.kind, errno.EIO, _json({"error": str(error)}))
    except AuditUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary: one request's fault stays that request's
        return Answer(request.kind, errno.EIO, _json({"error": _failed(node, request, error)}))


def _failed(node: Node, request: Request, error: Exception) -> str:
    """A defect met in one request: logged for developers, one audit entry, one line for whoever asked."""
    what = Kind(request.kind).name.lower()
    log.error("request of kind %s failed by a defect", what, exc_info=error)
    node.system.audit.record(holder="", cap_id=None, op="node.request", obj=what, code=Code.DEVICE_FAULT)
    return described(Code.DEVICE_FAULT, f"a defect of the node in this request alone ({type(error).__name__})")


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
