"""What the LLM service asks of a backend: the gate's figures, and generations that run in bounded chunks.

Three backends share it (software.md 4): the summarizer stub, the micro-LLM whose K and V bytes live in the
device's memories, and the coprocessor's queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sw.codes import Code, Refusal
from sw.kernel.clock import Clock, cycles_to_ns
from sw.metrics.usage import Usage

U16 = (1 << 16) - 1
U64 = (1 << 64) - 1
THOUSANDTHS = 1000


class InferenceFailed(Refusal):
    """An inference cannot go on, because of its model (ModelUnsupported); one line."""

    def __init__(self, message: str, code: Code = Code.MODEL_UNSUPPORTED) -> None:
        """Say why in one line."""
        super().__init__(code, message)


class DeviceFault(InferenceFailed):
    """The device lost, refused or did not answer what an inference needs: that is never replaced by a guess."""

    def __init__(self, message: str) -> None:
        """Say why in one line."""
        super().__init__(message, Code.DEVICE_FAULT)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen from the logits (software.md 3, LLM_INFER_START).

    Attributes:
        seed: of the request's PCG64, 64 bits.
        temperature: thousandths; 0: the arg-max, whatever the rest says.
        top_k: how many of the likeliest tokens may be chosen; 0: all.
        top_p: thousandths; the smallest set of likeliest tokens that has this probability; 0: all.

    Raises:
        ValueError: a field does not fit the frame's, or top_p is over 1.
    """

    seed: int = 0
    temperature: int = 0
    top_k: int = 0
    top_p: int = 0

    def __post_init__(self) -> None:
        """Check every field."""
        for name, value, limit in (
            ("seed", self.seed, U64),
            ("temperature", self.temperature, U16),
            ("top_k", self.top_k, U16),
            ("top_p", self.top_p, THOUSANDTHS),
        ):
            if not 0 <= value <= limit:
                raise ValueError(f"{name} {value}: 0 to {limit}")


@dataclass(frozen=True, slots=True)
class Compute:
    """What computing costs, on which clock.

    Attributes:
        cycles_per_token: compute cycles of one token that passes through the model.
        clock_hz: of those cycles.
        clock: the kernel's; the time passes there.
    """

    cycles_per_token: int
    clock_hz: int
    clock: Clock

    async def charge(self, tokens: int, usage: Usage) -> None:
        """Let the compute time of so many tokens pass, and count it."""
        cycles = tokens * self.cycles_per_token
        usage.computed += tokens
        usage.cycles += cycles
        await self.clock.spend(cycles_to_ns(cycles, self.clock_hz))


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the gate and the scheduler know of a model.

    Attributes:
        name: for people.
        context: most tokens of a prompt and its output together.
        vocabulary: token ids are 0 to vocabulary - 1.
        cycles_per_token: compute cycles charged for each token that passes through the model.
        chunk_tokens: most tokens of a prompt in one chunk; a chunk that emits computes one.
    """

    name: str
    context: int
    vocabulary: int
    cycles_per_token: int
    chunk_tokens: int


@dataclass(frozen=True, slots=True)
class Need:
    """What an inference takes at most, for limits and reservations at the gate.

    Attributes:
        prompt_tokens: tokens of the prompt, a start marker included.
        context_tokens: prompt_tokens + max_tokens, to compare with the model's context.
        blocks: directory entries, and as many slots, without counting on any shared prefix.
    """

    prompt_tokens: int
    context_tokens: int
    blocks: int


class Generation(Protocol):
    """One running inference. Chunks of several generations interleave; two never overlap."""

    @property
    def finished(self) -> bool:
        """Whether its last token is out: max_tokens of them, or the model's end token came."""

    @property
    def usage(self) -> Usage:
        """What it has cost so far."""

    async def chunk(self) -> list[int]:
        """Bounded work, compute time spent inside.

        Returns:
            The next token ids; [] while the prompt is computed, and when the end token came (it is
            not emitted).

        Raises:
            InferenceFailed: the inference has failed, through the device (DeviceFault) or its model;
                only `close` may follow.
            RuntimeError: it is finished or closed.
        """

    async def close(self) -> None:
        """Give back every block; a second call does nothing.

        After it the request id may be used again.

        Raises:
            DeviceFault: the device still holds blocks of the request, or does not answer; then the
                request id must not be used again before a reset.
        """


class Backend(Protocol):
    """A loaded model that can serve inferences."""

    @property
    def info(self) -> ModelInfo:
        """Figures of the model."""

    def need(self, prompt: bytes, max_tokens: int) -> Need:
        """What an inference of `prompt` with up to `max_tokens` tokens of output takes at most."""

    def text(self, tokens: Sequence[int]) -> bytes:
        """The bytes that token ids stand for.

        Raises:
            ValueError: an id that is not in the vocabulary.
        """

    async def start(self, prompt: bytes, max_tokens: int, sampling: Sampling, request_id: int) -> Generation:
        """A new generation; no work is done before its first chunk.

        Args:
            prompt: bytes of the prompt.
            max_tokens: 1 or more tokens of output at most.
            sampling: how tokens are chosen.
            request_id: 1 to 65,535, of its own until `close` has returned.

        Raises:
            ValueError: an argument out of range, or more tokens than the context (the gate has
                refused such a request before, with its code).
        """

    async def announce(self, prompt: bytes) -> None:
        """A request with this prompt will start soon: PREFETCH of what it will find in the device.

        Raises:
            DeviceFault: the device does not answer.
        """

    async def unload(self) -> None:
        """Give back what the model keeps between inferences; none of its generations is open.

        Raises:
            DeviceFault: the device does not answer.
        """


def check_request(need: Need, max_tokens: int, request_id: int, info: ModelInfo) -> None:
    """What every backend's `start` refuses.

    Raises:
        ValueError: no token asked for, no legal request id, or more tokens than the context.
    """
    if max_tokens < 1:
        raise ValueError(f"max_tokens {max_tokens}: 1 or more")
    if not 1 <= request_id <= U16:
        raise ValueError(f"request id {request_id}: 1 to {U16}")
    if need.context_tokens > info.context:
        raise ValueError(f"{need.context_tokens} tokens: the context of {info.name} is {info.context}")
