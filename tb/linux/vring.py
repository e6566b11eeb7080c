"""A split virtqueue from the device's side: take what the guest has made available, give back what is used."""

import struct
from dataclasses import dataclass

from tb.linux.errors import ProtocolError
from tb.linux.guest_memory import GuestMemory
from tb.linux.vhost import RingAddresses

MAX_SIZE = 256
DESCRIPTOR = struct.Struct("<QIHH")
INDEX = struct.Struct("<H")
ELEMENT = struct.Struct("<II")
IN_AVAILABLE = 4  # bytes before the ring: flags, index
IN_USED = 4
NEXT, WRITE, INDIRECT = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Buffer:
    """One descriptor's memory; the device writes it, or reads it."""

    address: int
    size: int
    writable: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """What the guest has made available in one go."""

    head: int
    buffers: tuple[Buffer, ...]


class Vring:
    """One queue. It is usable once its size and addresses are known."""

    def __init__(self, memory: GuestMemory) -> None:
        self._memory = memory
        self._addresses: RingAddresses | None = None
        self.size = 0
        self.next = 0
        self._used = 0

    def resize(self, size: int) -> None:
        """The number of descriptors. Raises ProtocolError."""
        if not 1 <= size <= MAX_SIZE or size & (size - 1):
            raise ProtocolError(f"virtqueue: {size} descriptors")
        self.size = size

    def place(self, addresses: RingAddresses) -> None:
        """Where the queue is. Raises ProtocolError."""
        if not self.size:
            raise ProtocolError("virtqueue: addresses before its size")
        self._addresses = addresses
        for address, size in (
            (addresses.descriptors, self.size * DESCRIPTOR.size),
            (addresses.available, IN_AVAILABLE + self.size * INDEX.size),
            (addresses.used, IN_USED + self.size * ELEMENT.size),
        ):
            self._memory.user(address, size)
        data, at = self._memory.user(addresses.used, IN_USED)
        (self._used,) = INDEX.unpack_from(data, at + 2)

    def _where(self) -> RingAddresses:
        if self._addresses is None:
            raise ProtocolError("virtqueue: used before its addresses are known")
        return self._addresses

    def take(self) -> Chain | None:
        """The next available chain, None when there is none. Raises ProtocolError."""
        where = self._where()
        data, at = self._memory.user(where.available, IN_AVAILABLE + self.size * INDEX.size)
        (available,) = INDEX.unpack_from(data, at + 2)
        if available == self.next:
            return None
        if (available - self.next) & 0xFFFF > self.size:
            raise ProtocolError(f"virtqueue: index {available} after {self.next} in a queue of {self.size}")
        (head,) = INDEX.unpack_from(data, at + IN_AVAILABLE + self.next % self.size * INDEX.size)
        self.next = (self.next + 1) & 0xFFFF
        return Chain(head, self._buffers(where, head))

    def _buffers(self, where: RingAddresses, head: int) -> tuple[Buffer, ...]:
        data, at = self._memory.user(where.descriptors, self.size * DESCRIPTOR.size)
        buffers: list[Buffer] = []
        index = head
        while len(buffers) < self.size:
            if index >= self.size:
                raise ProtocolError(f"virtqueue: descriptor {index} of {self.size}")
            address, size, flags, following = DESCRIPTOR.unpack_from(data, at + index * DESCRIPTOR.size)
            if flags & INDIRECT:
                raise ProtocolError("virtqueue: an indirect descriptor, which was not offered")
            buffers.append(Buffer(address, size, bool(flags & WRITE)))
            if not flags & NEXT:
                return tuple(buffers)
            index = following
        raise ProtocolError("virtqueue: a chain that runs in a circle")

    def give(self, chain: Chain, written: int) -> None:
        """Give a chain back: `written` bytes of its writable buffers have been filled."""
        data, at = self._memory.user(self._where().used, IN_USED + self.size * ELEMENT.size)
        ELEMENT.pack_into(data, at + IN_USED + self._used % self.size * ELEMENT.size, chain.head, written)
        self._used = (self._used + 1) & 0xFFFF
        INDEX.pack_into(data, at + 2, self._used)

    def read(self, chain: Chain, limit: int) -> bytes:
        """The bytes of a chain's readable buffers. Raises ProtocolError: more than `limit`."""
        parts = []
        for buffer in chain.buffers:
            if not buffer.writable:
                limit -= buffer.size
                if limit < 0:
                    raise ProtocolError("virtqueue: a longer message than any that there is")
                data, at = self._memory.guest(buffer.address, buffer.size)
                parts.append(data[at : at + buffer.size])
        return b"".join(parts)

    def write(self, chain: Chain, content: bytes) -> int:
        """Fill a chain's writable buffers; returns how many bytes found room."""
        done = 0
        for buffer in chain.buffers:
            if buffer.writable and done < len(content):
                part = content[done : done + buffer.size]
                data, at = self._memory.guest(buffer.address, buffer.size)
                data[at : at + len(part)] = part
                done += len(part)
        return done
