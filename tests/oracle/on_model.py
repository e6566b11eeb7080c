"""Streams on the device model: run one, shrink one that differs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

from model.device import DeviceModel
from model.types import BadParity, Mismatch
from sw.transport.model import ModelTransport
from tests.oracle.compare import Comparison, Difference
from tests.oracle.state import Sizes
from tests.oracle.stream import Op

SIZES = (Sizes(1024, 4, 3, 16), Sizes(1024, 4, 8, 1), Sizes(1024, 8, 1, 256), Sizes(1024, 16, 3, 16))
"""The smallest legal directory, with every number of lanes and both ends of BLOCK_TOKENS."""


class ModelComparison(Comparison):
    """The device model can be reached from inside: parity can be made bad."""

    def __init__(self, sizes: Sizes) -> None:
        self.device = DeviceModel(
            entries=sizes.entries, lanes=sizes.lanes, ports=sizes.ports, block_tokens=sizes.block_tokens
        )
        super().__init__(ModelTransport(self.device), sizes)

    async def corrupt(self, address: int) -> None:
        """A bad meta word of a full block (in a partial one it is the device's choice which words a miss reads)."""
        entry = self.state.directory.get(self.state.block_of(address))
        if entry is None or entry.bad or entry.token_end % self.sizes.block_tokens != self.sizes.block_tokens - 1:
            return
        await self.locate()
        assert entry.index is not None
        self.device.inject_parity(entry.index, BadParity.META)
        entry.bad = True


def sizes_of(seed: int) -> Sizes:
    """Each seed belongs to one set of sizes."""
    return SIZES[seed % len(SIZES)]


def difference(ops: list[Op], sizes: Sizes) -> str | None:
    """Run a stream on a new device model; what differs, or None."""
    comparison = ModelComparison(sizes)

    async def run() -> None:
        await comparison.run(ops)
        await comparison.check_window()

    try:
        asyncio.run(run())
    except (Difference, Mismatch) as error:
        return str(error)
    return None


def pieces(ops: list[Op]) -> Iterator[list[Op]]:
    """The stream without one part of it: halves first, single operations last."""
    size = len(ops) // 2
    while size >= 1:
        for start in range(0, len(ops), size):
            yield ops[:start] + ops[start + size :]
        size //= 2


def shrink(ops: list[Op], sizes: Sizes) -> list[Op]:
    """A shorter stream that differs too, in which no single operation can be left out."""
    found = True
    while found:
        found = False
        for shorter in pieces(ops):
            if difference(shorter, sizes) is not None:
                ops, found = shorter, True
                break
    return ops


def report(seed: int, length: int, ops: list[Op], sizes: Sizes) -> str:
    """A failure for a reader: the smallest stream, what differs, and the command that repeats it."""
    small = shrink(ops, sizes)
    lines = [f"{number}: {op}" for number, op in enumerate(small)]
    head = f"device model and oracle differ, seed {seed}, {sizes}; the smallest stream:"
    again = f"repeat: .venv/bin/python -m tests.oracle --seed {seed} --streams 1 --length {length}"
    return "\n".join([head, *lines, difference(small, sizes) or "", again])


def fresh_seed() -> int:
    return random.SystemRandom().randrange(1, 2**31)
