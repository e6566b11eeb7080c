"""What a step of an inference engine costs: a roofline over the model's geometry, and moves of KV blocks.

Roofline: Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009. Work of a transformer for a token: 2 operations
for each weight, and for its attention 4 * layers * heads * head_dim for each token that it looks at (Q K^T and P V,
2 each); Kaplan et al., "Scaling Laws for Neural Language Models", 2020, table 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Chunk = tuple[int, int]
"""Part of a prompt: its tokens, and the tokens before them."""


@dataclass(frozen=True, slots=True)
class Model:
    """Geometry of a model.

    Attributes:
        parameters: weights in all.
        layers, heads, kv_heads, head_dim: of its attention; `kv_heads` of the K and V that are kept.
        weight_bytes, kv_bytes: bytes of one weight, of one K or V value.
    """

    parameters: float
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    weight_bytes: float
    kv_bytes: float

    @property
    def kv_bytes_token(self) -> float:
        """K and V bytes that one token leaves."""
        return 2 * self.layers * self.kv_heads * self.head_dim * self.kv_bytes

    @property
    def flops_token(self) -> float:
        """Operations of one token in all layers but for attention scores."""
        return 2 * self.parameters

    @property
    def flops_pair(self) -> float:
        """Operations of one token's attention to one token."""
        return 4 * self.layers * self.heads * self.head_dim


@dataclass(frozen=True, slots=True)
class Hardware:
    """Accelerators that run one model together.

    Attributes:
        accelerators: how many.
        peak_flops, memory_bytes_s: stated peaks of one.
        compute_efficiency, memory_efficiency: share of them that is reached.
        step_overhead_s: time of a step that is neither: scheduling, launches.
    """

    accelerators: int
    peak_flops: float
    memory_bytes_s: float
    compute_efficiency: float
    memory_efficiency: float
    step_overhead_s: float


@dataclass(frozen=True, slots=True)
class Link:
    """Between two neighbouring tiers, shared by all moves: latency of a move, bytes a second."""

    latency_s: float
    bytes_s: float


class CostModel:
    """Times of steps and moves.

    Attributes:
        link: between the fast tier and the slower one.
        far: between the slower tier and a second one behind it, where there is one.
        block_bytes: real bytes of a block.
    """

    def __init__(
        self, model: Model, hardware: Hardware, link: Link, block_tokens: int, far: Link | None = None
    ) -> None:
        """`block_tokens` of a KV block."""
        self._model, self._hardware, self.link, self.far = model, hardware, link, far
        self._flops_s = hardware.accelerators * hardware.peak_flops * hardware.compute_efficiency
        self._bytes_s = hardware.accelerators * hardware.memory_bytes_s * hardware.memory_efficiency
        self._weights = model.parameters * model.weight_bytes
        self.block_bytes = model.kv_bytes_token * block_tokens

    def step_s(self, decoding: int, context: int, chunks: Iterable[Chunk]) -> float:
        """Seconds of a step: `decoding` sequences with `context` tokens in all get one token each; parts of prompts."""
        tokens, pairs, read = decoding, float(context), float(context)
        for count, before in chunks:
            tokens += count
            pairs += count * (before + count / 2)
            read += before + count
        m = self._model
        compute = (m.flops_token * tokens + m.flops_pair * pairs) / self._flops_s
        memory = (self._weights + m.kv_bytes_token * read) / self._bytes_s
        return max(compute, memory) + self._hardware.step_overhead_s

    def recompute_s(self, chunk: Chunk) -> float:
        """Seconds of processor time that part of a prompt adds to the steps it is in."""
        count, before = chunk
        m = self._model
        return (m.flops_token * count + m.flops_pair * count * (before + count / 2)) / self._flops_s

    def move_s(self, blocks: int) -> float:
        """Seconds that the link needs for so many blocks."""
        return blocks * self.block_bytes / self.link.bytes_s

    def far_s(self, blocks: int) -> float:
        """The same of the link to the second slower tier; no block is there where there is none."""
        return blocks * self.block_bytes / self.far.bytes_s if self.far else 0.0
