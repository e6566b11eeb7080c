"""Bytes of one block of keys and values (software.md 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sw.llm.quantisation import Bytes, Floats, Quantisation, decode, encode


@dataclass(frozen=True, slots=True)
class BlockLayout:
    """Bytes of one block: for each of its tokens the key's row, then the value's.

    Attributes:
        form: how rows are rounded.
        head_dim: numbers in a row.
        block_tokens: tokens of a block.
    """

    form: Quantisation
    head_dim: int
    block_tokens: int

    @property
    def token_bytes(self) -> int:
        """Bytes of one token: key and value."""
        return 2 * self.form.nbytes((self.head_dim,))

    @property
    def block_bytes(self) -> int:
        """What BLOCK_BYTES must at least be: a multiple of 64, 256 or more (device.md 1)."""
        return max(256, -(-self.block_tokens * self.token_bytes // 64) * 64)

    def pack(self, k: Floats, v: Floats) -> Bytes:
        """Rounded rows of tokens: (..., D) keys and values to (..., token_bytes)."""
        return np.concatenate([encode(self.form, k), encode(self.form, v)], axis=-1)

    def unpack(self, rows: Bytes) -> tuple[Floats, Floats]:
        """Keys and values of (..., token_bytes) rows."""
        half = self.token_bytes // 2
        return decode(self.form, rows[..., :half]), decode(self.form, rows[..., half:])
