"""The LLM operator in the graph executor: a prompt's tensor in, tensors of tokens out (software.md 4)."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable

from sw.codes import Code, Refusal
from sw.kernel.arena import ALIGNMENT, Arena
from sw.kernel.graph import ChannelStats, Graph, Message, OperatorIo, OperatorKind
from sw.kernel.growth import Growth
from sw.kernel.ring import SLOTS
from sw.kernel.tensor import HEADER_BYTES, Schema, load, store, text, tokens
from sw.llm.backend import Generation

LLM_OPERATOR = 16  # its number among the kinds of operators

Begin = Callable[[bytes], Awaitable[Generation]]
"""Starts the generation of a prompt."""


def aligned(size: int) -> int:
    """So many bytes of an arena, rounded up to what it gives out."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def arena_need(prompt_bytes: int, max_tokens: int) -> int:
    """Arena bytes that an inference takes at most: its prompt, and each token in a tensor of its own."""
    return aligned(HEADER_BYTES + prompt_bytes) + max_tokens * aligned(HEADER_BYTES + 4)


class LlmOperator:
    """Takes prompts one after another; each step is one chunk of the generation and sends at most one tensor.

    Attributes:
        generation: of the prompt taken last; None before.
        sent: tokens of that prompt's output so far.
    """

    def __init__(self, arena: Arena, begin: Begin) -> None:
        """Prompts and tokens live in `arena`; `begin` starts generations."""
        self._arena = arena
        self._begin = begin
        self.sent = 0
        self.generation: Generation | None = None

    @property
    def pending(self) -> bool:
        """Whether the prompt taken last has more to give."""
        return self.generation is not None and not self.generation.finished

    async def step(self, io: OperatorIo) -> None:
        """One chunk.

        Raises:
            DeviceFault: as `Generation.chunk`.
            Refusal: the arena is exhausted, or the message is no text.
        """
        if not self.pending:
            message = io.take()
            if message is None:
                return
            _, prompt = load(self._arena, message.handle)
            self.sent = 0
            self.generation = await self._begin(bytes(prompt))
        assert self.generation is not None
        ids = await self.generation.chunk()
        if ids:
            data = struct.pack(f"<{len(ids)}I", *ids)
            io.put(Message(store(self._arena, tokens(len(ids), self.sent), data), Schema.TOKENS))
            self.sent += len(ids)

    def reset(self) -> None:
        """Forget the prompt taken last."""
        self.sent = 0
        self.generation = None


class LlmGraph:
    """A graph for one inference after another: prompt channel, LLM operator, token channel, arena."""

    def __init__(self, arena: Arena, growth: Growth) -> None:
        """Use `build_llm_graph`."""
        self._arena = arena
        self._begin: Begin | None = None
        self._operator = LlmOperator(arena, self._started)
        kind = OperatorKind(lambda: self._operator, Schema.TEXT, Schema.TOKENS)
        self._graph = Graph({LLM_OPERATOR: kind}, growth)
        self._prompts = self._graph.add_channel()
        self._tokens = self._graph.add_channel()
        self._graph.add_operator(LLM_OPERATOR, self._prompts, self._tokens)

    async def _started(self, prompt: bytes) -> Generation:
        assert self._begin is not None
        return await self._begin(prompt)

    @property
    def generation(self) -> Generation | None:
        """Of the prompt that is computed; None before its first step."""
        return self._operator.generation

    @property
    def sent(self) -> int:
        """Tokens so far."""
        return self._operator.sent

    @property
    def full(self) -> bool:
        """Whether the token channel has no room: the operator waits until its reader takes from it."""
        return self._graph.stats()[self._tokens].depth == SLOTS

    def submit(self, prompt: bytes, begin: Begin) -> None:
        """Put a prompt into a clean graph; `begin` starts its generation in the first step.

        Raises:
            Refusal: NoRoom: the arena is too small, or the prompt channel is full; Busy: another prompt is there.
        """
        if not self.clean:
            raise Refusal(Code.BUSY, "the graph has another inference's prompt or output")
        handle = store(self._arena, text(prompt), prompt)
        if not self._graph.push(self._prompts, Message(handle, Schema.TEXT)):
            raise Refusal(Code.NO_ROOM, "the prompt channel is full")
        self._begin = begin

    async def step(self) -> int:
        """Run the operator once; 0 when it could not run.

        Raises:
            DeviceFault, Refusal: as `LlmOperator.step`.
        """
        return await self._graph.run_steps(1)

    def take(self) -> list[int] | None:
        """The ids of the oldest tensor of tokens; None when there is none."""
        message = self._graph.pop(self._tokens)
        if message is None:
            return None
        header, data = load(self._arena, message.handle)
        return list(struct.unpack(f"<{header.count}I", data))

    @property
    def clean(self) -> bool:
        """Whether nothing of an inference is left: no message, no generation, no byte of the arena."""
        waiting = any(channel.depth for channel in self._graph.stats())
        return not waiting and self.generation is None and self._begin is None and not self._arena.used

    def reset(self) -> None:
        """Forget the prompt, whether it was taken or not, and everything in arena and channels; the next may come."""
        self._graph.clear()
        self._operator.reset()
        self._begin = None
        self._arena.reset()

    def stats(self) -> list[ChannelStats]:
        """Both channels."""
        return self._graph.stats()


def build_llm_graph(arena_bytes: int, growth: Growth) -> LlmGraph:
    """A graph that runs inferences, one after another, in an arena of its own.

    Args:
        arena_bytes: see `arena_need`; rounded up to a multiple of 64.
        growth: asked for the arena, its handles and the two channels.

    Raises:
        GrowthRefused: deterministic mode.
    """
    arena = Arena(aligned(arena_bytes), growth)
    arena.reserve(arena.size, arena.size // aligned(HEADER_BYTES))
    return LlmGraph(arena, growth)
