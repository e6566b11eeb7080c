"""What the transformer asks of the place where keys and values live (software.md 4, exactness).

Two places ship: `ReferenceKv` (plain arrays, `reference.py`) and `DeviceKv` (tier memory of the device,
`device.py`). Both round with the same codec and give arrays of the same shape, type and layout, so that
the same NumPy calls give the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class KvStore(Protocol):
    """Keys and values of one sequence, appended in steps: `begin`, then for each layer `write` and `read`.

    Shapes: n tokens of the step, H kv heads, D head dimension, C context.
    """

    @property
    def length(self) -> int:
        """Tokens that are stored, those of the step begun included."""

    async def adopt(self, tokens: Sequence[int]) -> int:
        """Take over K/V of the sequence's next tokens that are there already (a shared prefix).

        Args:
            tokens: the whole prompt.

        Returns:
            How many tokens `length` has grown by; 0 when nothing is there.

        Raises:
            DeviceFault: the device does not do its part.
        """

    async def begin(self, tokens: Sequence[int]) -> None:
        """Begin a step that appends these n tokens; `length` grows by n.

        Raises:
            DeviceFault: no room, or the device does not do its part.
            ValueError: past the context.
        """

    async def write(self, layer: int, k: Floats, v: Floats) -> None:
        """Store the step's keys and values of a layer, rounded to the store's format; (n, H, D) each.

        Raises:
            DeviceFault: the device does not do its part.
        """

    async def read(self, layer: int) -> tuple[Floats, Floats]:
        """Keys and values of all `length` tokens of a layer as they are stored.

        Returns:
            Two C-contiguous (H, C, D) arrays, 0 from token `length` on; valid until the next `read`.

        Raises:
            DeviceFault: a block that must be there is not, or the device does not do its part.
        """

    async def close(self) -> None:
        """Give everything back; a second call does nothing.

        Raises:
            DeviceFault: the device does not do its part.
        """
