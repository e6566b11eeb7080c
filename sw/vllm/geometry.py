"""How the KV cache of vLLM lies in device blocks (software.md 6).

vLLM offloads chunks: `blocks_per_chunk` blocks of one KV cache group, named by a block hash and the
group. A chunk is a token range of request 0, a layer of the group a layer, and the bytes of one
layer, worker by worker, are spread over heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from sw.regs.kv_address import TOKENS, KvAddress

LIMIT = 256  # layers, and heads


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes of one KV cache.

    Attributes:
        layers: of each group.
        spans: device blocks along the tokens of one vLLM block, of each group.
        blocks_per_chunk: vLLM blocks in one chunk.
        workers: whose bytes lie side by side.
        heads: heads that one worker's bytes of a layer need.
        block_tokens: tokens of a device block.
        block_bytes: bytes of a device block.
        worker_bytes: most bytes that one worker has of one vLLM block, all layers.
    """

    layers: tuple[int, ...]
    spans: tuple[int, ...]
    blocks_per_chunk: int
    workers: int
    heads: int
    block_tokens: int
    block_bytes: int
    worker_bytes: int

    @classmethod
    def fit(
        cls,
        *,
        layers: Sequence[int],
        tokens_per_block: Sequence[int],
        blocks_per_chunk: int,
        workers: int,
        worker_bytes: int,
        block_tokens: int,
        block_bytes: int,
    ) -> Geometry:
        """The smallest number of heads that holds the bytes.

        Args:
            layers: of each KV cache group.
            tokens_per_block: tokens of one vLLM block, of each group.
            blocks_per_chunk: vLLM blocks in one chunk.
            workers: processes that hold a part of every block.
            worker_bytes: bytes that one worker has of one vLLM block, all layers.
            block_tokens, block_bytes: of the device.

        Raises:
            ValueError: no group, an empty one, or more layers or heads than a device has.
        """
        if not layers or min(*layers, *tokens_per_block, blocks_per_chunk, workers, worker_bytes) < 1:
            raise ValueError("a KV cache without groups, layers, tokens, workers or bytes")
        spans = tuple(-(-tokens // block_tokens) for tokens in tokens_per_block)
        heads = max(-(-worker_bytes // (count * span * block_bytes)) for count, span in zip(layers, spans, strict=True))
        if max(layers) > LIMIT or heads * workers > LIMIT:
            raise ValueError(
                f"{max(layers)} layers, {heads} heads on each of {workers} workers: the device has {LIMIT} of each; "
                "larger device blocks (BLOCK_BYTES) need fewer heads"
            )
        return cls(tuple(layers), spans, blocks_per_chunk, workers, heads, block_tokens, block_bytes, worker_bytes)

    @property
    def stride(self) -> int:
        """Tokens between the ranges of two chunks; the same for all groups."""
        return self.blocks_per_chunk * max(self.spans) * self.block_tokens

    @property
    def ranges(self) -> int:
        """How many chunks have a place in request 0."""
        return TOKENS // self.stride

    def tokens(self, group: int) -> int:
        """Tokens of a chunk of `group`."""
        return self.blocks_per_chunk * self.spans[group] * self.block_tokens

    def span(self, group: int) -> tuple[int, int]:
        """Layers and heads of a chunk of `group`, as range commands repeat over them."""
        return self.layers[group], self.heads * self.workers

    def blocks(self, group: int, first: int) -> list[KvAddress]:
        """Every device block of the chunk whose range begins at token `first`."""
        layers, heads = self.span(group)
        tokens = range(first, first + self.tokens(group), self.block_tokens)
        return [
            KvAddress(0, layer, head, token) for layer in range(layers) for head in range(heads) for token in tokens
        ]

    def part(self, group: int, first: int, block: int, worker: int) -> list[KvAddress]:
        """Device blocks of one worker's bytes of vLLM block `block` of a chunk, in the order of the bytes."""
        span = self.spans[group]
        begin = first + block * span * self.block_tokens
        tokens = range(begin, begin + span * self.block_tokens, self.block_tokens)
        heads = range(worker * self.heads, (worker + 1) * self.heads)
        return [KvAddress(0, *place) for place in product(range(self.layers[group]), heads, tokens)]
