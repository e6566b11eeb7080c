"""A backend that fails where a prompt says so: in its start, a chunk, or its end; by its model or by a defect."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sw.llm.backend import Backend, DeviceFault, Generation, InferenceFailed, ModelInfo, Need, Sampling
from sw.metrics.usage import Usage
from tests.llm.stack import Stack

_FLAW = re.compile(rb"!(start|model|defect|close)(\d*)")


class Defect(RuntimeError):
    """An unexpected error."""


class FlawedGeneration:
    """A generation whose chunk number `at` (from 0 on) fails, or whose end does."""

    def __init__(self, inner: Generation, kind: bytes, at: int) -> None:
        self._inner = inner
        self._kind = kind
        self._left = at

    @property
    def finished(self) -> bool:
        return self._inner.finished

    @property
    def usage(self) -> Usage:
        return self._inner.usage

    async def chunk(self) -> list[int]:
        if not self._left and self._kind == b"model":
            raise InferenceFailed("the model cannot go on")
        if not self._left and self._kind == b"defect":
            raise Defect("an unexpected error in a chunk")
        self._left -= 1
        return await self._inner.chunk()

    async def close(self) -> None:
        await self._inner.close()
        if self._kind == b"close":
            raise DeviceFault("blocks stayed")


class Flawed:
    """Passes everything on to the model's own backend but what a prompt like `!model3` asks for."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner

    @property
    def info(self) -> ModelInfo:
        return self.inner.info

    def need(self, prompt: bytes, max_tokens: int) -> Need:
        return self.inner.need(prompt, max_tokens)

    def text(self, tokens: Sequence[int]) -> bytes:
        return self.inner.text(tokens)

    async def start(self, prompt: bytes, max_tokens: int, sampling: Sampling, request_id: int) -> Generation:
        flaw = _FLAW.match(prompt)
        if flaw and flaw[1] == b"start":
            raise Defect("an unexpected error at the start")
        generation = await self.inner.start(prompt, max_tokens, sampling, request_id)
        return FlawedGeneration(generation, flaw[1], int(flaw[2] or 0)) if flaw else generation

    async def announce(self, prompt: bytes) -> None:
        if _FLAW.match(prompt):
            raise Defect("a prompt that cannot be announced")
        await self.inner.announce(prompt)

    async def unload(self) -> None:
        await self.inner.unload()


def make_flawed(stack: Stack) -> None:
    """Every model that is loaded now fails where a prompt says so."""
    for model in stack.service._models:
        model.backend = Flawed(model.backend)
