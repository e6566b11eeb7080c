"""How keys, values and weights are rounded to bytes: f32, f16, and q8_0 and q4_0 as in ggml.

q8_0 and q4_0 take 32 numbers at a time and keep a scale in f16 and 8 or 4 bits of each. This is the only
place where rounding happens: the reference cache and the device cache both call it (software.md 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sw.llm.package import Quantisation

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

GROUP = 32  # numbers that share a scale


def encode(form: Quantisation, values: Floats) -> Bytes:
    """Round numbers to bytes, along the last axis.

    Args:
        form: the format.
        values: (..., W).

    Returns:
        (..., bytes of W numbers); numbers are little-endian.

    Raises:
        ValueError: W is not a multiple of 32 where 32 are rounded together, or a number is not finite.
    """
    values = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(values).all():
        raise ValueError("a number that is not finite cannot be rounded")
    if form is Quantisation.F32:
        return values.astype("<f4", copy=False).view(np.uint8)
    if form is Quantisation.F16:
        return _half(values).view(np.uint8)
    form.nbytes(values.shape)  # refuses another width than whole groups
    groups = values.reshape(-1, GROUP)
    packed = _encode_q8(groups) if form is Quantisation.Q8_0 else _encode_q4(groups)
    return packed.reshape(*values.shape[:-1], -1)


def decode(form: Quantisation, data: Bytes) -> Floats:
    """The numbers that bytes stand for, along the last axis; the inverse of `encode` but for the rounding.

    A scale that is infinite or no number (too large for f16) makes numbers that are not finite.
    """
    data = np.ascontiguousarray(data)
    if form is Quantisation.F32:
        return data.view("<f4").astype(np.float32, copy=False)
    if form is Quantisation.F16:
        return data.view("<f2").astype(np.float32)
    groups = data.reshape(-1, form.block[1])
    scale = np.ascontiguousarray(groups[:, :2]).view("<f2").astype(np.float32)
    codes = groups[:, 2:]
    if form is Quantisation.Q8_0:
        numbers = codes.view(np.int8).astype(np.float32)
    else:
        numbers = np.concatenate([codes & 0xF, codes >> 4], axis=1).astype(np.float32) - np.float32(8)
    with np.errstate(invalid="ignore", over="ignore"):
        return (numbers * scale).reshape(*data.shape[:-1], -1)


def _half(values: Floats) -> NDArray[np.float16]:
    """To f16, ties to even; what is too large becomes infinite, as in ggml."""
    with np.errstate(over="ignore"):
        return values.astype("<f2")


def _encode_q8(groups: Floats) -> Bytes:
    scale = np.abs(groups).max(axis=1, keepdims=True) / np.float32(127)
    codes = _round(groups * _inverse(scale)).astype(np.int8)
    return np.concatenate([_half(scale).view(np.uint8), codes.view(np.uint8)], axis=1)


def _encode_q4(groups: Floats) -> Bytes:
    at = np.abs(groups).argmax(axis=1)[:, None]  # the first of equals
    largest = np.take_along_axis(groups, at, axis=1) + np.float32(0)  # with its sign, but for that of a zero
    scale = largest / np.float32(-8)
    codes = np.minimum(15, (groups * _inverse(scale) + np.float32(8.5)).astype(np.int8)).astype(np.uint8)
    low, high = codes[:, : GROUP // 2], codes[:, GROUP // 2 :]
    return np.concatenate([_half(scale).view(np.uint8), low | high << 4], axis=1)


def _round(values: Floats) -> Floats:
    """C's roundf: halves away from 0."""
    whole = np.trunc(values)
    return whole + np.where(np.abs(values - whole) >= 0.5, np.sign(values), np.float32(0))


def _inverse(scale: Floats) -> Floats:
    """1 / scale; 0 where that is no number (then the scale is 0 in f16, whatever the codes)."""
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.float32(1) / scale
    return np.where(np.isfinite(inverse), inverse, np.float32(0))


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
