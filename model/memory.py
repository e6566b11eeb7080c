"""Bytes of the four tiers, and faults on the way to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.types import TIER_COUNT

_PAGE = 1 << 16


@dataclass(slots=True)
class MemoryFault:
    """AXI errors (SLVERR or DECERR) on one side of a tier.

    Accesses that touch `first` to `last` (byte addresses, inclusive) fail, `count` times in all
    (None: always).
    """

    tier: int
    write: bool
    first: int = 0
    last: int = (1 << 64) - 1
    count: int | None = 1


class TierMemory:
    """Byte memories addressed by (tier, address); pages exist from their first write on."""

    def __init__(self) -> None:
        self._pages: list[dict[int, npt.NDArray[np.uint8]]] = [{} for _ in range(TIER_COUNT)]
        self.faults: list[MemoryFault] = []

    @staticmethod
    def _pieces(address: int, length: int) -> Iterator[tuple[int, int, int, int]]:
        """(page, offset in it, offset in the transfer, bytes) of each page touched."""
        done = 0
        while done < length:
            page, offset = divmod(address + done, _PAGE)
            part = min(_PAGE - offset, length - done)
            yield page, offset, done, part
            done += part

    def read(self, tier: int, address: int, length: int) -> bytes:
        """`length` bytes; what was never written reads 0."""
        out = np.zeros(length, np.uint8)
        pages = self._pages[tier]
        for page, offset, done, part in self._pieces(address, length):
            if page in pages:
                out[done : done + part] = pages[page][offset : offset + part]
        return out.tobytes()

    def write(self, tier: int, address: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `address`."""
        source = np.frombuffer(data, np.uint8)
        pages = self._pages[tier]
        for page, offset, done, part in self._pieces(address, len(source)):
            target = pages.get(page)
            if target is None:
                target = pages[page] = np.zeros(_PAGE, np.uint8)
            target[offset : offset + part] = source[done : done + part]

    def fails(self, tier: int, address: int, length: int, *, write: bool) -> bool:
        """Whether an access meets a fault; uses up one of the fault's count."""
        for fault in self.faults:
            if (
                fault.tier == tier
                and fault.write == write
                and fault.count != 0
                and fault.first < address + length
                and address <= fault.last
            ):
                if fault.count is not None:
                    fault.count -= 1
                return True
        return False
