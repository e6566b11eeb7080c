"""Backend (a): a summarizer stub. It keeps the words of a prompt that are worth most, in their order.

Bytes only, no weights and no device: the same prompt always gives the same tokens, whatever the sampling.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from sw.llm.backend import Compute, ModelInfo, Need, Sampling, check_request
from sw.metrics.usage import Usage

CONTEXT = 65_536
VOCABULARY = 256
CHUNK_BYTES = 256
SHARE = 3  # of so many words one is kept

_WORD = re.compile(rb"\S+")
_BARE = re.compile(rb"[^0-9a-z\x80-\xff]+")


def summarize(prompt: bytes) -> bytes:
    """One third of the words, at least one: the longest and rarest, the earlier of equals, in the prompt's order."""
    words = _WORD.findall(prompt)
    bare = [_BARE.sub(b"", word.lower()) for word in words]
    counts = Counter(bare)
    order = sorted(range(len(words)), key=lambda n: (counts[bare[n]] - len(bare[n]), n))
    kept = sorted(order[: -(-len(words) // SHARE)])
    return b" ".join(words[n] for n in kept)


class StubGeneration:
    """One summary that is being given out: the prompt passes by in chunks, then one byte a chunk."""

    def __init__(self, prompt: bytes, max_tokens: int, compute: Compute) -> None:
        """Use `StubBackend.start`."""
        self._prompt = prompt
        self._max_tokens = max_tokens
        self._compute = compute
        self._passed = 0
        self._output: bytes | None = None
        self._given = 0
        self._open = True
        self._usage = Usage()

    @property
    def finished(self) -> bool:
        """Whether its last token is out."""
        return self._output is not None and self._given == len(self._output)

    @property
    def usage(self) -> Usage:
        """What it has cost so far."""
        return self._usage

    async def chunk(self) -> list[int]:
        """A part of the prompt, or one byte of the summary."""
        if self.finished or not self._open:
            raise RuntimeError("a chunk of a generation that has ended")
        if self._output is None:
            part = min(CHUNK_BYTES, len(self._prompt) - self._passed)
            self._passed += part
            await self._compute.charge(part, self._usage)
            if self._passed == len(self._prompt):
                self._output = summarize(self._prompt)[: self._max_tokens]
            return []
        await self._compute.charge(1, self._usage)
        self._given += 1
        return [self._output[self._given - 1]]

    async def close(self) -> None:
        """There is nothing to give back."""
        self._open = False


class StubBackend:
    """The stub as a backend. Its vocabulary is the 256 bytes."""

    def __init__(self, compute: Compute, name: str = "summarizer-stub") -> None:
        """Charge `compute` for every byte of prompt and output."""
        self._compute = compute
        self._info = ModelInfo(name, CONTEXT, VOCABULARY, compute.cycles_per_token, CHUNK_BYTES)

    @property
    def info(self) -> ModelInfo:
        """Figures of the model."""
        return self._info

    def need(self, prompt: bytes, max_tokens: int) -> Need:
        """Tokens are bytes; no block of the device is needed."""
        return Need(len(prompt), len(prompt) + max_tokens, 0)

    def text(self, tokens: Sequence[int]) -> bytes:
        """The bytes themselves.

        Raises:
            ValueError: an id over 255.
        """
        return bytes(tokens)

    async def start(self, prompt: bytes, max_tokens: int, sampling: Sampling, request_id: int) -> StubGeneration:
        """A new summary; the sampling changes nothing."""
        check_request(self.need(prompt, max_tokens), max_tokens, request_id, self._info)
        return StubGeneration(prompt, max_tokens, self._compute)

    async def announce(self, prompt: bytes) -> None:
        """Nothing to prepare."""

    async def unload(self) -> None:
        """Nothing is kept."""
