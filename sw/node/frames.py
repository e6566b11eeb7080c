"""Control frames and shared buffers over the node's socket (software.md 3)."""

from __future__ import annotations

import errno

from sw.codes import Code, Refusal
from sw.control.frames import TOKEN_BYTES, Command, Reply, decode_replies
from sw.control.llm_commands import InferState
from sw.control.plane import Patience
from sw.kernel.capability import ANY_OBJECT, ANY_RIGHT, Capability
from sw.llm.system import System
from sw.node.file import File
from sw.node.node import Node
from sw.node.served import Stopping
from sw.slices import Between
from sw.uapi.wire import BUFFER_ANSWER


async def feed(node: Node, file: File, data: bytes, between: Between) -> bytes:
    """The replies to bytes of a client's stream.

    A poll that finds nothing yet lets the service run until that inference has something: that is the command that
    needs device time to pass.

    Raises:
        AuditUnavailable: a decision could not be recorded; the node must end.
    """
    patience = Patience(lambda infer_id: progress(node.system, infer_id, between), between)
    replies = await file.stream.feed(data, patience)
    for reply in decode_replies(replies):
        _note(node, file, reply)
    return replies


def _note(node: Node, file: File, reply: Reply) -> None:
    """Keep who reads an inference, as long as it lives or has something to read."""
    if reply.code is not Code.OK:
        return
    if reply.command == Command.LLM_INFER_START:
        node.reads(file, reply.fields[0])
    elif reply.command == Command.LLM_INFER_POLL:
        infer_id, state, *_ = reply.fields
        if state < InferState.DONE:
            node.reads(file, infer_id)
        else:
            file.inferences.discard(infer_id)


async def progress(system: System, infer_id: int, between: Between) -> bool:
    """Run chunks until an inference has tokens to read or has ended; False when it cannot go on by itself, or the
    node is ending."""
    assert system.service is not None
    live = system.service.book.live
    try:
        while infer_id in live and live[infer_id].produced == live[infer_id].read:
            if not await between() or not await system.run_one():
                return False
    except Stopping:
        return False
    return True


def buffer(system: System, file: File, handle: int, payload: bytes) -> bytes:
    """Keep bytes in a shared buffer (handle 0), or give one back: the payload begins with the token.

    Returns:
        BUFFER_ANSWER: code, and the handle if the code is OK.

    Raises:
        OSError: EINVAL: no token.
        AuditUnavailable: the decision could not be recorded; the node must end.
    """
    if len(payload) < TOKEN_BYTES:
        raise OSError(errno.EINVAL, "no token")
    try:
        cap = anybody(system, int.from_bytes(payload[:TOKEN_BYTES], "little"))
        if handle:
            system.buffers.release(cap, handle)
            file.buffers.pop(handle, None)
        else:
            handle = system.buffers.make(cap, payload[TOKEN_BYTES:])
            file.buffers[handle] = cap
    except Refusal as refusal:
        file.failures += refusal.code is Code.AUTH_FAILED
        return BUFFER_ANSWER.pack(refusal.code, 0)
    return BUFFER_ANSWER.pack(Code.OK, handle)


def anybody(system: System, token: int) -> Capability:
    """Any living capability; what it allows is checked by what it is used for.

    Raises:
        AuthFailed: there is none of this token.
    """
    return system.capabilities.check(token, ANY_OBJECT, ANY_RIGHT, system.clock.now())
