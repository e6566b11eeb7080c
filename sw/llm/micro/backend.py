"""Backend (b): the micro-LLM, its keys and values wherever its stores put them (software.md 4)."""

from __future__ import annotations

from collections.abc import Sequence

from sw.llm.backend import Compute, InferenceFailed, ModelInfo, Need, Sampling, check_request
from sw.llm.micro import tokenizer
from sw.llm.micro.kv import KvStore, KvStores
from sw.llm.micro.model import Transformer
from sw.llm.micro.sampling import Sampler
from sw.llm.quantisation import Floats
from sw.metrics.usage import Usage

CHUNK_TOKENS = 16


class MicroGeneration:
    """One sequence that is being generated.

    Attributes:
        logits: (vocabulary,) of the last token that was computed; None before.
    """

    def __init__(
        self, backend: MicroBackend, prompt: list[int], max_tokens: int, sampling: Sampling, kv: KvStore
    ) -> None:
        """Use `MicroBackend.start`."""
        self._backend = backend
        self._prompt = prompt
        self._left = max_tokens
        self._sampler = Sampler(sampling)
        self._kv = kv
        self._token: int | None = None  # emitted, and not computed yet
        self._open = True
        self.logits: Floats | None = None

    @property
    def finished(self) -> bool:
        """Whether its last token is out."""
        return self._left == 0

    @property
    def usage(self) -> Usage:
        """What it has cost so far."""
        return self._kv.usage

    async def chunk(self) -> list[int]:
        """A part of the prompt, or one token; the first token comes with the prompt's last part."""
        if self.finished or not self._open:
            raise RuntimeError("a chunk of a generation that has ended")
        if self._token is None:
            await self._kv.adopt()
            start = self._kv.length
            tokens = self._prompt[start : start + self._backend.info.chunk_tokens]
        else:
            tokens = [self._token]
        logits = await self._backend.model.forward(tokens, self._kv)
        await self._backend.compute.charge(len(tokens), self.usage)
        if self._token is None and self._kv.length < len(self._prompt):
            return []
        self.logits = logits
        try:
            self._token = self._sampler.choose(logits)
        except ValueError as error:
            raise InferenceFailed(str(error)) from error
        self._left -= 1
        if self._token == tokenizer.END:
            self._left = 0
            return []
        return [self._token]

    async def close(self) -> None:
        """Give back every block."""
        self._open = False
        await self._kv.close()


class MicroBackend:
    """A transformer that is loaded.

    Attributes:
        model: the transformer.
        compute: what its tokens cost.
    """

    def __init__(
        self,
        name: str,
        model: Transformer,
        stores: KvStores,
        compute: Compute,
        *,
        chunk_tokens: int = CHUNK_TOKENS,
    ) -> None:
        """Serve a model.

        Args:
            name: of the model.
            model: with the byte vocabulary.
            stores: where its keys and values go.
            compute: what its tokens cost.
            chunk_tokens: most tokens of a prompt in one chunk.

        Raises:
            ValueError: another vocabulary, or no token in a chunk.
        """
        config = model.config
        if config.vocabulary != tokenizer.VOCABULARY:
            raise ValueError(
                f"a vocabulary of {config.vocabulary} tokens: bytes and a marker are {tokenizer.VOCABULARY}"
            )
        if chunk_tokens < 1:
            raise ValueError(f"{chunk_tokens} tokens in a chunk")
        self.model = model
        self.compute = compute
        self._stores = stores
        self._info = ModelInfo(name, config.context, config.vocabulary, compute.cycles_per_token, chunk_tokens)

    @property
    def info(self) -> ModelInfo:
        """Figures of the model."""
        return self._info

    def need(self, prompt: bytes, max_tokens: int) -> Need:
        """What an inference takes at most: its last token is never stored."""
        prompt_tokens = len(prompt) + 1
        tokens = prompt_tokens + max_tokens
        return Need(prompt_tokens, tokens, self._stores.blocks(tokens - 1))

    def text(self, tokens: Sequence[int]) -> bytes:
        """The bytes that token ids stand for."""
        return tokenizer.decode(tokens)

    async def start(self, prompt: bytes, max_tokens: int, sampling: Sampling, request_id: int) -> MicroGeneration:
        """A new generation."""
        check_request(self.need(prompt, max_tokens), max_tokens, request_id, self._info)
        tokens = tokenizer.encode(prompt)
        return MicroGeneration(self, tokens, max_tokens, sampling, self._stores.open(request_id, tokens))

    async def announce(self, prompt: bytes) -> None:
        """PREFETCH of the prefix that a queued request will find."""
        await self._stores.announce(tokenizer.encode(prompt))

    async def unload(self) -> None:
        """Give back the prefixes that are kept between inferences."""
        await self._stores.unload()
