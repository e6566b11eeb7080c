"""How keys, values and weights are rounded to bytes: f32, f16, and q8_0 and q4_0 as in ggml.

q8_0 and q4_0 take 32 numbers at a time and keep a scale in f16 and 8 or 4 bits of each. This is the only
place where rounding happens: the reference cache, the device cache and model packages call it (software.md 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from math import prod

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

GROUP = 32  # numbers that share a scale


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
