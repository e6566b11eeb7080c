"""The guest's memory as the device sees it: files that are mapped, found by two kinds of addresses."""

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass

from tb.linux.errors import ProtocolError
from tb.linux.vhost import Region


@dataclass(frozen=True, slots=True)
class _Mapped:
    region: Region
    data: mmap.mmap
    start: int


class GuestMemory:
    """Regions of guest memory; an address outside of them, or a range across their end, is a ProtocolError."""

    def __init__(self) -> None:
        self._mapped: list[_Mapped] = []

    def replace(self, regions: Sequence[Region], fds: Sequence[int]) -> None:
        """Map other regions in place of those before; closes `fds`. Raises ProtocolError."""
        self.close()
        try:
            for region, fd in zip(regions, fds, strict=True):
                end = region.offset + region.size
                if not region.size or end > os.fstat(fd).st_size:
                    raise ProtocolError(f"guest memory: {region.size:#x} bytes at {region.offset:#x} of a shorter file")
                base = region.offset - region.offset % mmap.ALLOCATIONGRANULARITY
                data = mmap.mmap(fd, end - base, mmap.MAP_SHARED, offset=base)
                self._mapped.append(_Mapped(region, data, region.offset - base))
        finally:
            for fd in fds:
                os.close(fd)

    def close(self) -> None:
        """Unmap everything."""
        for mapped in self._mapped:
            mapped.data.close()
        self._mapped.clear()

    def guest(self, address: int, size: int) -> tuple[mmap.mmap, int]:
        """Where `size` bytes at a guest address are: mapping and offset in it. Raises ProtocolError."""
        for mapped in self._mapped:
            inside = address - mapped.region.guest
            if inside >= 0 and inside + size <= mapped.region.size:
                return mapped.data, mapped.start + inside
        raise ProtocolError(f"guest memory: no {size} bytes at guest address {address:#x}")

    def user(self, address: int, size: int) -> tuple[mmap.mmap, int]:
        """The same for an address of the guest's own process, in which the queues are given."""
        for mapped in self._mapped:
            inside = address - mapped.region.user
            if inside >= 0 and inside + size <= mapped.region.size:
                return mapped.data, mapped.start + inside
        raise ProtocolError(f"guest memory: no {size} bytes at user address {address:#x}")
