"""Commands 0x10 to 0x16: arguments to calls of the LLM service, answers to reply fields."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from sw.codes import Code, Refusal
from sw.control.frames import LAYOUTS, Command
from sw.control.llm_commands import InferRequest, LlmCommands, PollAnswer
from sw.kernel.capability import Capability


def check_reserved(command: Command, arguments: Sequence[int]) -> None:
    """Fields that must be 0.

    Raises:
        Refusal: BadArgument: one is not.
    """
    if command is Command.LLM_BUDGET and (arguments[1] or arguments[2]):
        raise Refusal(Code.BAD_ARGUMENT, "LLM_BUDGET: bytes 9 to 11 of the payload are not 0")


def poll_fields(answer: PollAnswer) -> bytes:
    """The reply's fields after the status of LLM_INFER_POLL."""
    fields = (answer.infer_id, answer.state, 0, len(answer.tokens), answer.first_index)
    return LAYOUTS[Command.LLM_INFER_POLL].reply.pack(*fields) + struct.pack(f"<{len(answer.tokens)}I", *answer.tokens)


async def call(llm: LlmCommands, cap: Capability, command: Command, arguments: Sequence[int]) -> bytes:
    """Have the service do it.

    Args:
        llm: the service.
        cap: checked for the command.
        command: 0x10 to 0x16 but the poll (`poll_fields`).
        arguments: the payload's fields after the token.

    Returns:
        The reply's fields after the status.

    Raises:
        Refusal: the service's.
    """
    reply = LAYOUTS[command].reply
    match command:
        case Command.LLM_LOAD:
            return reply.pack(await llm.load(cap, *arguments))
        case Command.LLM_INFER_START:
            return reply.pack(await llm.infer_start(cap, InferRequest(*arguments)))
        case Command.LLM_CANCEL:
            return reply.pack(await llm.cancel(cap, *arguments))
        case Command.LLM_UNLOAD:
            await llm.unload(cap, *arguments)
            return b""
        case Command.LLM_BUDGET:
            cls, _, _, budget_ns, period_ns, per_period = arguments
            return reply.pack(await llm.budget(cap, cls, budget_ns, period_ns, per_period))
        case Command.LLM_STATUS:
            status = await llm.status(cap)
            small = (min(value, 0xFFFF) for value in (status.models, status.queued, status.running))
            large = (status.used_ppm, status.accepted, status.rejected, status.misses)
            return reply.pack(*small, 0, *(min(value, 0xFFFF_FFFF) for value in large))
        case _:
            raise ValueError(f"{command.name} is no command of the LLM service")
