"""Every call by its name, and the one way in: parse, check, do, and turn what is refused into an errno and a line."""

from __future__ import annotations

import errno
import json
from typing import Any

from sw.codes import Code, Refusal, described
from sw.driver.errors import BadArgument, DirectoryError
from sw.node.binding_calls import BINDING_CALLS
from sw.node.calls import Asker, Call, CallError, Json
from sw.node.device_calls import DEVICE_CALLS
from sw.node.directory_calls import DIRECTORY_CALLS
from sw.node.inference_calls import INFERENCE_CALLS
from sw.node.service_calls import SERVICE_CALLS
from sw.regs.registers import Status

CALLS: dict[str, Call] = {
    **DEVICE_CALLS,
    **BINDING_CALLS,
    **DIRECTORY_CALLS,
    **SERVICE_CALLS,
    **INFERENCE_CALLS,
}

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


async def dispatch(asker: Asker) -> Json:
    """Do the call that the payload of a request describes.

    Raises:
        CallError: it is none, an argument is wrong, or the device refuses it.
        DriverError, TransportError: the device does not do its part.
        AuditUnavailable: a decision could not be recorded; the node must end.
    """
    asked = parse(asker.request.payload)
    known = CALLS.get(asked["call"])
    if known is None:
        raise CallError(errno.ENOSYS, "no such call")
    known.check(asked)
    try:
        return await known.handler(asker, asked)
    except BadArgument as error:
        raise CallError(errno.EINVAL, str(error)) from None
    except DirectoryError as error:
        raise CallError(_DEVICE_ERRNO.get(error.status, errno.EIO), str(error)) from None
    except Refusal as refusal:
        asker.file.failures += refusal.code is Code.AUTH_FAILED
        raise CallError(_CODE_ERRNO.get(refusal.code, errno.EINVAL), described(refusal.code, str(refusal))) from None


def parse(payload: bytes) -> Json:
    """The object that a payload holds, with the name of a call; no key twice, no number that JSON does not have.

    Raises:
        CallError: it holds something else.
    """
    try:
        asked = json.loads(payload, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = f": {error}" if isinstance(error, _Odd) else ""
        raise CallError(errno.EINVAL, f"not a call{why}") from None
    if not isinstance(asked, dict) or not isinstance(asked.get("call", ""), str):
        raise CallError(errno.EINVAL, "not a call")
    return {"call": "", **asked}


class _Odd(ValueError):
    """JSON that Python reads and no call may hold."""


def _once(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Odd("a key comes twice")
    return found


def _no_constant(name: str) -> Any:
    raise _Odd(f"{name} is no number of JSON")
