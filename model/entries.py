"""The directory's entries: one NumPy array per field, each with a memoryview for quick scalars.

A scan works on the arrays; operations on one entry use the memoryviews, whose items are plain
Python integers (several times quicker than NumPy scalars).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.scoring import Fields
from model.types import U16, U32

_FIELDS: dict[str, type[np.unsignedinteger]] = {
    "valid": np.uint8,
    "key": np.uint64,  # {REQUEST_ID, LAYER_HEAD, TOKEN_START / BLOCK_TOKENS}
    "token_end": np.uint8,  # offset inside the block
    "tier": np.uint8,
    "slot": np.uint16,
    "prio": np.uint16,
    "access_step": np.uint32,
    "ref_count": np.uint8,
    "r": np.uint8,
    "f": np.uint8,
    "prefix": np.uint8,
    "dirty": np.uint8,
    "hot": np.uint8,
    "evictable": np.uint8,
    "hint": np.uint8,
    "in_flight": np.uint8,  # an item of this entry waits, is queued or moves
    "moving": np.uint8,  # its copy runs
    "voided": np.uint8,  # a write lookup hit it while it moved
    "scored": np.uint8,  # by the running scan, or born in it
}


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry in the contract's words (device.md 2); TOKEN_START, TOKEN_END absolute."""

    request_id: int
    layer: int
    head: int
    token_start: int
    token_end: int
    tier: int
    phys_addr: int
    priority: int
    access_step: int
    ref_count: int
    r: int
    f: int
    prefix: int
    dirty: int
    hot: int
    evictable: int
    hint: int
    valid: int

    def pack(self) -> bytes:
        """The 32-byte slot: 240 bits little-endian, bits 255:240 zero."""
        word = self.request_id | self.head << 16 | self.layer << 24
        word |= self.token_start << 32 | self.token_end << 64 | self.tier << 96
        word |= self.phys_addr << 98 | self.priority << 162 | self.access_step << 178
        word |= self.ref_count << 210 | self.r << 218 | self.f << 226 | self.prefix << 234
        word |= self.dirty << 235 | self.hot << 236 | self.evictable << 237
        word |= self.hint << 238 | self.valid << 239
        return word.to_bytes(32, "little")

    @classmethod
    def unpack(cls, data: bytes) -> EntryView:
        """Inverse of `pack`; ValueError unless 32 bytes with the unused bits zero."""
        word = int.from_bytes(data, "little")
        if len(data) != 32 or word >> 240:
            raise ValueError("an entry is 32 bytes with bits 255:240 zero")
        return cls(
            request_id=word & U16,
            head=word >> 16 & 0xFF,
            layer=word >> 24 & 0xFF,
            token_start=word >> 32 & U32,
            token_end=word >> 64 & U32,
            tier=word >> 96 & 3,
            phys_addr=word >> 98 & (1 << 64) - 1,
            priority=word >> 162 & U16,
            access_step=word >> 178 & U32,
            ref_count=word >> 210 & 0xFF,
            r=word >> 218 & 0xFF,
            f=word >> 226 & 0xFF,
            prefix=word >> 234 & 1,
            dirty=word >> 235 & 1,
            hot=word >> 236 & 1,
            evictable=word >> 237 & 1,
            hint=word >> 238 & 1,
            valid=word >> 239 & 1,
        )


class Entries:
    """Field arrays over ENTRIES (`arrays[name]`) and memoryviews of them (attributes)."""

    valid: memoryview
    key: memoryview
    token_end: memoryview
    tier: memoryview
    slot: memoryview
    prio: memoryview
    access_step: memoryview
    ref_count: memoryview
    r: memoryview
    f: memoryview
    prefix: memoryview
    dirty: memoryview
    hot: memoryview
    evictable: memoryview
    hint: memoryview
    in_flight: memoryview
    moving: memoryview
    voided: memoryview
    scored: memoryview

    def __init__(self, entries: int) -> None:
        self.arrays = {name: np.zeros(entries, kind) for name, kind in _FIELDS.items()}
        for name, array in self.arrays.items():
            setattr(self, name, memoryview(array))  # type: ignore[arg-type]
        self._views = [getattr(self, name) for name in _FIELDS]

    def clear(self) -> None:
        """Every entry invalid and zero."""
        for array in self.arrays.values():
            array.fill(0)

    def erase(self, index: int) -> None:
        """One entry invalid and zero."""
        for view in self._views:
            view[index] = 0

    def relocate(self, source: int, target: int) -> None:
        """Move an entry with all its fields; its old place becomes invalid and zero."""
        for view in self._views:
            view[target] = view[source]
            view[source] = 0

    def fields(self, where: slice | np.ndarray) -> Fields:
        """What scoring reads of the entries `where`."""
        return Fields(*(self.arrays[name][where] for name in Fields._fields))
