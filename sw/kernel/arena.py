"""The bump arena behind handles (software.md 2, "Graph")."""

from __future__ import annotations

from dataclasses import dataclass

from sw.codes import Code, Refusal
from sw.kernel.growth import Growth, Resource

ALIGNMENT = 64
_INDEX_BITS = 32


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a handle points: bytes `[offset, offset + size)` of the arena; offset % 64 = 0."""

    offset: int
    size: int


class Arena:
    """Memory that is given out upwards and taken back all at once.

    A handle is `generation << 32 | index`; a reset begins a new generation, so a handle from
    before is refused and never points at another's bytes. Memory is zero when it is given out.

    Attributes:
        size: bytes, fixed.
        used: bytes given out in this generation, gaps of the alignment included.
        deepest: most bytes ever given out at once; what deterministic mode does not let grow.
    """

    def __init__(self, size: int, growth: Growth) -> None:
        """An empty arena of `size` bytes.

        Raises:
            ValueError: size is not a positive multiple of 64.
        """
        if size < ALIGNMENT or size % ALIGNMENT:
            raise ValueError(f"an arena of {size} bytes: a positive multiple of {ALIGNMENT}")
        self.size = size
        self.used = 0
        self.deepest = 0
        self._memory = bytearray(size)
        self._growth = growth
        self._generation = 1
        self._extents: list[Extent] = []
        self._most_handles = 0

    def alloc(self, size: int) -> int:
        """Give out `size` bytes, zeroed, at the next multiple of 64.

        Returns:
            Their handle, never 0.

        Raises:
            Refusal: BadArgument for a size below 1; NoRoom when the arena is exhausted; nothing
                was given out.
            GrowthRefused: deterministic mode, and the arena or its handles would be fuller than
                they ever were.
        """
        if size < 1:
            raise Refusal(Code.BAD_ARGUMENT, f"{size} bytes of the arena")
        offset = self.used
        end = offset + -(-size // ALIGNMENT) * ALIGNMENT
        self.reserve(end, len(self._extents) + 1)
        self._memory[offset:end] = bytes(end - offset)
        self._extents.append(Extent(offset, size))
        self.used = end
        return self._generation << _INDEX_BITS | len(self._extents) - 1

    def reserve(self, size: int, handles: int) -> None:
        """Raise the marks to `size` bytes and `handles` handles, ahead of deterministic mode.

        Raises:
            Refusal: NoRoom when the arena is smaller than that.
            GrowthRefused: deterministic mode is on already and a mark would rise.
        """
        if size > self.size:
            raise Refusal(Code.NO_ROOM, f"the arena is exhausted: it has {self.size} bytes, not {size}")
        if size > self.deepest:
            self._growth.note(Resource.ARENA, size - self.deepest)
        if handles > self._most_handles:
            self._growth.note(Resource.HANDLE, handles - self._most_handles)
        self.deepest = max(self.deepest, size)
        self._most_handles = max(self._most_handles, handles)

    def extent(self, handle: int) -> Extent:
        """Where a handle points.

        Raises:
            Refusal: NotFound: no handle of this generation.
        """
        generation, index = handle >> _INDEX_BITS, handle & (1 << _INDEX_BITS) - 1
        if generation != self._generation or index >= len(self._extents):
            raise Refusal(Code.NOT_FOUND, f"{handle:#x} is no handle of this arena since its last reset")
        return self._extents[index]

    def view(self, handle: int) -> memoryview:
        """The bytes of a handle, to read and to write until the next reset.

        Raises:
            Refusal: NotFound: no handle of this generation.
        """
        extent = self.extent(handle)
        return memoryview(self._memory)[extent.offset : extent.offset + extent.size]

    def reset(self) -> None:
        """Take everything back; every handle given out so far ends."""
        self._generation += 1
        self._extents.clear()
        self.used = 0
