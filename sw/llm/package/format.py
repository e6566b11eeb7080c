"""The bytes of a model package: header, tensor table, trailer (software.md 4).

    header 128 | tensor entries, 64 each | padding | weights from a multiple of 64 | trailer 128

Integers are little-endian. Tensor offsets count from the first byte of the weights; a tensor's elements are
in row-major order, the last dimension being the one that quantisation blocks run along.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import prod

MAGIC = b"KVCPULLM"
FORMAT = 1
ALIGNMENT = 64
DOMAIN = b"kv-cpu-model-v1"
HEADER = struct.Struct("<8s6I6HI2Q64s")
TENSOR = struct.Struct("<24s2H4II2Q")
TRAILER = struct.Struct("<32s32s64s")
MAX_DIMS = 4
SIGNED_TAIL = 96  # digest and signature: all but these is what the digest covers
LEAST_BYTES = HEADER.size + TRAILER.size
NO_KEY = bytes(32)
NO_SIGNATURE = bytes(64)


class Quantisation(IntEnum):
    """Types of numbers, of weights and of K/V."""

    F32 = 0
    F16 = 1
    Q8_0 = 2
    Q4_0 = 3

    @property
    def block(self) -> tuple[int, int]:
        """Elements of one block, and its bytes (quantised blocks as in ggml: an f16 scale, then the codes)."""
        return {0: (1, 4), 1: (1, 2), 2: (32, 34), 3: (32, 18)}[self]

    def nbytes(self, dims: Sequence[int]) -> int:
        """Bytes of a tensor.

        Raises:
            ValueError: its last dimension is no multiple of the block.
        """
        elements, size = self.block
        if dims[-1] % elements:
            raise ValueError(f"{self.name} needs a last dimension that is a multiple of {elements}, not {dims[-1]}")
        return prod(dims) // elements * size


class Malformed(ValueError):
    """Bytes that do not have the form of a package; one line."""


class UnknownFormat(Malformed):
    """A package of a format that is not 1: nothing of it can be judged."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a package says of its model.

    Attributes:
        model_id: number that LLM_LOAD's caller knows the model by.
        revision: of the model.
        context: most tokens of prompt and output together.
        vocabulary: tokens.
        layers: transformer layers.
        heads: query heads.
        kv_heads: key and value heads.
        head_dim: numbers of one head's key.
        quantisation: a Quantisation, or a number that this version does not know.
        wcet_cycles: bound on the device cycles of one chunk.
        arena_bytes: arena share that the model needs.
        name: up to 64 bytes of UTF-8 without NUL.
    """

    model_id: int
    revision: int
    context: int
    vocabulary: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    quantisation: int
    wcet_cycles: int
    arena_bytes: int
    name: str


@dataclass(frozen=True, slots=True)
class Tensor:
    """One row of the tensor table.

    Attributes:
        name: up to 24 bytes of UTF-8 without NUL, unique in its package.
        type: a Quantisation, or a number that this version does not know.
        dims: 1 to 4 sizes, the outermost first.
        offset: from the first byte of the weights; a multiple of 64.
        nbytes: of its elements.
    """

    name: str
    type: int
    dims: tuple[int, ...]
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Trailer:
    """Who signed which bytes: key id 32, digest 32, signature 64."""

    key_id: bytes
    digest: bytes
    signature: bytes

    @property
    def unsigned(self) -> bool:
        """Key id and signature are zero."""
        return self.key_id == NO_KEY and self.signature == NO_SIGNATURE


@dataclass(frozen=True, slots=True)
class Layout:
    """A package's parts as they stand in its bytes; nothing is verified, no weight is looked at."""

    header: Header
    tensors: tuple[Tensor, ...]
    trailer: Trailer
    weights_offset: int
    weights_bytes: int


def parse(data: bytes) -> Layout:
    """The layout of a whole package.

    Raises:
        UnknownFormat: a format other than 1.
        Malformed: it does not have the form of a package.
    """
    raise NotImplementedError
