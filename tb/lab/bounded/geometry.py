"""What a decode step asks of the device: model sizes as cache geometries, block bytes, cycles of compute."""

from __future__ import annotations

from dataclasses import dataclass

BLOCK_TOKENS = 16
BUS_BYTES = 64
"""Bytes of one beat: AXI_DATA_WIDTH 512 (device.md 1)."""
FLOPS_PER_CYCLE = 4096
"""Of the accelerator: about 1 TFLOP/s at 250 MHz, the size of an edge accelerator."""
NUMBERS_PER_GROUP = 32
GROUP_BYTES = {"f16": 64, "q8_0": 34, "q5_0": 22, "q4_0": 18}
"""Bytes of 32 numbers, as in ggml."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """A model as its cache sees it.

    Attributes:
        layers, kv_heads, head_dim: of keys and values.
        query_heads: for the compute of attention.
        parameters: weights; each costs two operations a token.
        vocabulary: logits that sampling chooses from.
    """

    name: str
    layers: int
    kv_heads: int
    head_dim: int
    query_heads: int
    parameters: int
    vocabulary: int

    def column(self, tokens: int) -> int:
        """Blocks of one layer that a context of so many tokens has: the lookups of one layer."""
        return self.kv_heads * -(-tokens // BLOCK_TOKENS)

    def blocks(self, tokens: int) -> int:
        """Blocks of a context of so many tokens."""
        return self.layers * self.column(tokens)

    def layer_cycles(self, tokens: int) -> int:
        """Cycles of compute of one layer: its weights, and attention over the context."""
        weights = 2 * self.parameters // self.layers
        attention = 4 * tokens * self.head_dim * self.query_heads
        return -(-(weights + attention) // FLOPS_PER_CYCLE)


SIZES = {
    "S": Geometry("S", 4, 2, 64, 4, 3_000_000, 4_096),
    "M": Geometry("M", 8, 4, 64, 8, 25_000_000, 4_096),
    "L": Geometry("L", 22, 4, 64, 32, 1_100_000_000, 32_000),
}
"""Cache geometries of experiments.md 4; L is TinyLlama's."""


def block_bytes(quantisation: str, head_dim: int) -> int:
    """BLOCK_BYTES: keys and values of 16 tokens, a multiple of 64 and not below 256 (device.md 1)."""
    numbers = 2 * BLOCK_TOKENS * head_dim
    exact = numbers // NUMBERS_PER_GROUP * GROUP_BYTES[quantisation]
    return max(256, -(-exact // 64) * 64)


def beats(quantisation: str, head_dim: int) -> int:
    """Bus beats of one block."""
    return -(-block_bytes(quantisation, head_dim) // BUS_BYTES)
