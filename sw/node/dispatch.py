"""Every call by its name, and the one way in: parse, check, do, and turn what is refused into an errno and a line."""

from __future__ import annotations

import errno
import json

import jsonschema

from sw.codes import Code, Refusal
from sw.driver.errors import BadArgument, DirectoryError
from sw.node.calls import Asker, Call, CallError, Json
from sw.node.device_calls import DEVICE_CALLS
from sw.node.directory_calls import DIRECTORY_CALLS
from sw.node.node import File, Node
from sw.node.service_calls import SERVICE_CALLS
from sw.regs.registers import Status
from sw.uapi.wire import Request

CALLS: dict[str, Call] = {**DEVICE_CALLS, **DIRECTORY_CALLS, **SERVICE_CALLS}

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
