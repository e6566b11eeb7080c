"""Bytes of vLLM's KV cache tensors; torch is imported only where there are its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Page:
    """One layer's part of a block: a row of a tensor (blocks, bytes), without its padding."""

    tensor: Any
    size: int


class Pages:
    """The blocks of one KV cache group as byte strings: the layers' pages one behind the other."""

    def __init__(self, pages: Sequence[Page]) -> None:
        """The pages of the group's layers, in order."""
        self._pages = tuple(pages)
        self.size = sum(page.size for page in pages)

    def read(self, block: int) -> bytes:
        """All bytes of a block."""
        return b"".join(_bytes(page.tensor[block])[: page.size] for page in self._pages)

    def write(self, block: int, data: bytes) -> None:
        """Put all bytes of a block."""
        offset = 0
        for page in self._pages:
            _put(page.tensor[block], data[offset : offset + page.size])
            offset += page.size


def _bytes(row: Any) -> bytes:
    if isinstance(row, np.ndarray):
        return row.tobytes()
    import torch  # type: ignore[import-not-found]  # the tensor is one of its

    return bytes(row.contiguous().view(torch.uint8).cpu().numpy().tobytes())


def _put(row: Any, data: bytes) -> None:
    if isinstance(row, np.ndarray):
        row.reshape(-1).view(np.uint8)[: len(data)] = np.frombuffer(data, np.uint8)
        return
    import torch

    row.reshape(-1).view(torch.uint8)[: len(data)].copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
