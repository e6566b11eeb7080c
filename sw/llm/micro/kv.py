"""What the transformer asks of the place where keys and values live (software.md 4, exactness).

Two places ship: `ReferenceKv` (plain arrays, `reference.py`) and `DeviceKv` (tier memory of the device,
`device.py`). Both round with the same codec and give arrays of the same shape, type and layout, so that
the same NumPy calls give the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sw.llm.quantisation import Floats
from sw.metrics.usage import Usage


class KvStore(Protocol):
    """Keys and values of one sequence, appended in steps: `begin`, then for each layer `write` and `read`.

    Shapes: n tokens of the step, H kv heads, D head dimension, C context.
    """

    @property
    def length(self) -> int:
        """Tokens that are stored, those of the step begun included."""

    @property
    def usage(self) -> Usage:
        """What the sequence has cost; the store counts lookups, bytes, inserts and shared tokens."""

    async def adopt(self) -> int:
        """Take over K/V of the prompt's next tokens that are there already (a shared prefix).

        Returns:
            How many tokens `length` has grown by; 0 when nothing is there. One token of the prompt
            at least is always left to compute.

        Raises:
            DeviceFault: the device does not do its part.
        """

    async def begin(self, count: int) -> None:
        """Begin a step that appends `count` tokens; `length` grows by it.

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
            Two (H, C, D) arrays, C-contiguous; valid until the next `read`, up to token `length` - 1.

        Raises:
            DeviceFault: a block that must be there is not, or the device does not do its part.
        """

    async def close(self) -> None:
        """Give everything back; a second call does nothing.

        Raises:
            DeviceFault: the device does not do its part.
        """


class KvStores(Protocol):
    """Makes the stores of one model's sequences."""

    def blocks(self, tokens: int) -> int:
        """Directory entries, and as many slots, that a sequence of so many tokens takes at most."""

    def open(self, request_id: int, prompt: Sequence[int]) -> KvStore:
        """The empty store of a new sequence that begins with the tokens of `prompt`."""

    async def announce(self, prompt: Sequence[int]) -> None:
        """A sequence that begins so will start soon.

        Raises:
            DeviceFault: the device does not do its part.
        """

    async def unload(self) -> None:
        """Give back what is kept between sequences; none is open.

        Raises:
            DeviceFault: the device does not do its part.
        """
