"""Keys and values in plain arrays: what the device's copy must be equal to, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sw.llm.micro.model import ModelConfig
from sw.llm.package import Quantisation
from sw.llm.quantisation import Floats, decode, encode
from sw.metrics.usage import Usage


class ReferenceKv:
    """The KvStore of one sequence in arrays; numbers are rounded when they are written."""

    def __init__(self, config: ModelConfig, form: Quantisation) -> None:
        """Be empty."""
        shape = (config.layers, config.kv_heads, config.context, config.head_dim)
        self._form = form
        self._keys = np.zeros(shape, np.float32)
        self._values = np.zeros(shape, np.float32)
        self._first = 0
        self._length = 0
        self._usage = Usage()

    @property
    def length(self) -> int:
        """Tokens that are stored."""
        return self._length

    @property
    def usage(self) -> Usage:
        """What the sequence has cost: nothing of a device."""
        return self._usage

    async def adopt(self) -> int:
        """Nothing is ever shared."""
        return 0

    async def begin(self, count: int) -> None:
        """A step of `count` tokens."""
        if self._length + count > self._keys.shape[2]:
            raise ValueError(f"{self._length} + {count} tokens: the context is {self._keys.shape[2]}")
        self._first, self._length = self._length, self._length + count

    async def write(self, layer: int, k: Floats, v: Floats) -> None:
        """Keys and values of the step, rounded."""
        for store, numbers in ((self._keys, k), (self._values, v)):
            rounded = decode(self._form, encode(self._form, numbers))
            store[layer, :, self._first : self._length] = rounded.transpose(1, 0, 2)

    async def read(self, layer: int) -> tuple[Floats, Floats]:
        """Keys and values of a layer."""
        return self._keys[layer], self._values[layer]

    async def close(self) -> None:
        """Nothing to give back."""


class ReferenceStores:
    """Makes reference stores for a model."""

    def __init__(self, config: ModelConfig, form: Quantisation) -> None:
        """Stores of that model's sizes, rounding to `form`."""
        self._config = config
        self._form = form

    def blocks(self, tokens: int) -> int:
        """None: no device is asked."""
        return 0

    def open(self, request_id: int, prompt: Sequence[int]) -> ReferenceKv:
        """The empty store of a new sequence."""
        return ReferenceKv(self._config, self._form)

    async def announce(self, prompt: Sequence[int]) -> None:
        """Nothing to prepare."""

    async def unload(self) -> None:
        """Nothing is kept."""
