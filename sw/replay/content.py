"""KV bytes of the replay: every byte follows from its token's address and the block's version.

A block that was moved wrongly, lost a write, or shows what a slot held before differs from what is
expected in nearly every byte.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_U64 = np.uint64
_TOKEN = _U64(0x9E3779B97F4A7C15)
_VERSION = _U64(0xC2B2AE3D27D4EB4F)
_WORD = _U64(0xD1B54A32D192ED03)


def kv_bytes(kv_addr: int, version: int, tokens: int, token_bytes: int) -> bytes:
    """Bytes of `tokens` tokens from KV address `kv_addr` on, `token_bytes` (a multiple of 8) each."""
    with np.errstate(over="ignore"):
        seeds = (np.arange(tokens, dtype=_U64) + _U64(kv_addr)) * _TOKEN + _U64(version) * _VERSION
        words: npt.NDArray[np.uint64] = seeds[:, None] + np.arange(token_bytes // 8, dtype=_U64) * _WORD
        words ^= words >> _U64(29)
        words *= _TOKEN
        words ^= words >> _U64(32)
    return words.tobytes()
