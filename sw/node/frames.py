"""Control frames and shared buffers over the node's socket (software.md 3)."""

from __future__ import annotations

import errno
from collections.abc import Callable

from sw.codes import Code, Refusal
from sw.control.frames import TOKEN_BYTES
from sw.control.plane import ControlStream, Patience
from sw.kernel.capability import ANY_OBJECT, ANY_RIGHT, Capability
from sw.llm.system import System
from sw.uapi.wire import BUFFER_ANSWER


async def feed(system: System, stream: ControlStream, data: bytes, unwanted: Callable[[], bool]) -> bytes:
    """The replies to bytes of a client's stream.

    A poll that finds nothing yet lets the service run until that inference has something: that is the command that
    needs device time to pass.

    Raises:
        AuditError: a decision could not be recorded.
    """

    async def between() -> bool:
        return not unwanted()

    return await stream.feed(data, Patience(lambda infer_id: _progress(system, infer_id, unwanted), between))


async def _progress(system: System, infer_id: int, unwanted: Callable[[], bool]) -> bool:
    """Run chunks until an inference has tokens to read or has ended; False when it cannot go on by itself."""
    assert system.service is not None
    live = system.service.book.live
    while infer_id in live and live[infer_id].produced == live[infer_id].read:
        if unwanted() or not await system.run_one():
            return False
    return True


def buffer(system: System, handle: int, payload: bytes) -> bytes:
    """Keep bytes in a shared buffer (handle 0), or give one back: the payload begins with the token.

    Returns:
        BUFFER_ANSWER: code, and the handle if the code is OK.

    Raises:
        OSError: EINVAL: no token.
        AuditError: the decision could not be recorded.
    """
    if len(payload) < TOKEN_BYTES:
        raise OSError(errno.EINVAL, "no token")
    token, data = int.from_bytes(payload[:TOKEN_BYTES], "little"), payload[TOKEN_BYTES:]
    try:
        cap = anybody(system, token)
        if handle:
            system.buffers.release(cap, handle)
        else:
            handle = system.buffers.make(cap, data)
    except Refusal as refusal:
        return BUFFER_ANSWER.pack(refusal.code, 0)
    return BUFFER_ANSWER.pack(Code.OK, handle)


def anybody(system: System, token: int) -> Capability:
    """Any living capability; what it allows is checked by what it is used for.

    Raises:
        AuthFailed: there is none of this token.
    """
    return system.capabilities.check(token, ANY_OBJECT, ANY_RIGHT, system.clock.now())
