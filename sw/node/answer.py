"""One request and its answer, whoever carries them (software.md 5)."""

from __future__ import annotations

import errno
import json
from typing import Any

from sw.audit import AuditUnavailable
from sw.driver import DriverError
from sw.node import frames
from sw.node.boundary import failed
from sw.node.calls import Asker, CallError, Pause, at_once
from sw.node.dispatch import dispatch
from sw.node.file import File
from sw.node.node import Node
from sw.transport.base import TransportError
from sw.uapi.description import DIRECTION_SHIFT, SIZE_MASK, SIZE_SHIFT, Direction
from sw.uapi.wire import Answer, Kind, Request


async def answer(node: Node, file: File, request: Request, pause: Pause = at_once) -> Answer:
    """Do what a request asks for, to its end, or until its caller no longer waits.

    Args:
        node: who does it.
        file: that it came through.
        request: what is asked for.
        pause: awaited between slices of long work: lets others be served.

    Raises:
        AuditUnavailable: a decision could not be recorded; the node must end.
    """
    try:
        return Answer(request.kind, 0, await _do(Asker(node, file, request, pause)))
    except OSError as error:
        return Answer(request.kind, error.errno or errno.EIO)
    except CallError as error:
        return Answer(request.kind, error.errno, _json({"error": str(error)}))
    except (DriverError, TransportError) as error:
        return Answer(request.kind, errno.EIO, _json({"error": str(error)}))
    except AuditUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary: one request's fault stays that request's
        return Answer(request.kind, errno.EIO, _json({"error": failed(node, Kind(request.kind).name.lower(), error)}))


async def _do(asker: Asker) -> bytes:
    request = asker.request
    match request.kind:
        case Kind.IOCTL:
            return await _ioctl(asker)
        case Kind.CALL:
            return _json(await dispatch(asker))
        case Kind.FRAME:
            return await frames.feed(asker.node, asker.file, request.payload, asker.between)
        case Kind.BUFFER:
            return frames.buffer(asker.node.system, asker.file, request.value, request.payload)
    raise OSError(errno.EPROTO, "no such kind of request")


async def _ioctl(asker: Asker) -> bytes:
    request = asker.request
    # Where the device writes, the client's memory stays with the client: the kernel checks its pointer.
    reads = request.value >> DIRECTION_SHIFT == Direction.READ
    room = bytes(request.value >> SIZE_SHIFT & SIZE_MASK) if reads else request.payload
    return await asker.file.ioctl.ioctl(request.value, room, asker.between)


def _json(result: dict[str, Any]) -> bytes:
    return json.dumps(result, separators=(",", ":")).encode()
