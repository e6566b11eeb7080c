"""vhost-user messages and queues: what the guest may send, and that anything else is one typed error."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tb.linux import vhost
from tb.linux.errors import ProtocolError
from tb.linux.guest_memory import GuestMemory
from tb.linux.vhost import Region, Request
from tb.linux.vring import DESCRIPTOR, NEXT, WRITE, Chain, Vring

SIZE = 8
GUEST, USER, BYTES = 0x10000, 0x7F0000, 0x4000
DESCRIPTORS, AVAILABLE, USED, DATA = 0x0, 0x400, 0x800, 0x1000


def header(request: int, flags: int = 1, size: int = 0) -> bytes:
    return vhost.HEADER.pack(request, flags, size)


def test_a_header_is_taken_apart() -> None:
    assert vhost.parse_header(header(35, 9, 8)) == (Request.VRING_KICK, True, 8)
    assert vhost.parse_header(header(1)) == (Request.GET_FEATURES, False, 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header(1)[:11], "a header of 11 bytes"),
        (header(1, 2), "flags 0x2"),
        (header(1, 5), "flags 0x5"),
        (header(99), "unknown request 99"),
        (header(35, 9, 4), "VRING_KICK with 4 bytes"),
        (header(5, 1, 5000), "SET_MEM_TABLE with 5000 bytes"),
    ],
)
def test_a_bad_header_is_one_error(data: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        vhost.parse_header(data)


@given(st.binary(min_size=0, max_size=64))
def test_any_header_is_taken_or_refused(data: bytes) -> None:
    try:
        request, _, size = vhost.parse_header(data)
    except ProtocolError:
        return
    assert isinstance(request, Request)
    assert size <= vhost.MAX_PAYLOAD


@given(st.binary(max_size=200), st.integers(0, 9))
def test_any_memory_table_is_taken_or_refused(payload: bytes, fds: int) -> None:
    try:
        regions = vhost.parse_regions(payload, fds)
    except ProtocolError:
        return
    assert len(regions) == fds


def test_replies_and_calls() -> None:
    assert vhost.reply(1, vhost.U64.pack(7)) == struct.pack("<IIIQ", 1, 5, 8, 7)
    assert vhost.call(1) == struct.pack("<IIIII", 4, 9, 8, 1, 0)
    vhost.parse_call_reply(struct.pack("<IIIQ", 4, 5, 8, 0))
    with pytest.raises(ProtocolError, match="refused"):
        vhost.parse_call_reply(struct.pack("<IIIQ", 4, 5, 8, 1))
    with pytest.raises(ProtocolError, match="in reply to a vring call"):
        vhost.parse_call_reply(struct.pack("<IIIQ", 5, 5, 8, 0))


# ---------------------------------------------------------------- queues


@dataclass
class Guest:
    """A guest's memory with a queue in it, as the guest writes it."""

    fd: int
    memory: GuestMemory
    queue: Vring
    available: int = 0

    def poke(self, offset: int, data: bytes) -> None:
        os.pwrite(self.fd, data, offset)

    def peek(self, offset: int, size: int) -> bytes:
        return os.pread(self.fd, size, offset)

    def descriptor(self, index: int, address: int, size: int, flags: int = 0, following: int = 0) -> None:
        self.poke(DESCRIPTORS + index * DESCRIPTOR.size, DESCRIPTOR.pack(GUEST + address, size, flags, following))

    def offer(self, head: int) -> None:
        self.poke(AVAILABLE + 4 + self.available % SIZE * 2, struct.pack("<H", head))
        self.available = (self.available + 1) & 0xFFFF
        self.poke(AVAILABLE + 2, struct.pack("<H", self.available))

    def taken(self) -> Chain:
        chain = self.queue.take()
        assert chain is not None
        return chain


@pytest.fixture
def guest() -> Iterator[Guest]:
    fd = os.memfd_create("guest")
    os.ftruncate(fd, BYTES)
    memory = GuestMemory()
    memory.replace([Region(GUEST, BYTES, USER, 0)], [os.dup(fd)])
    queue = Vring(memory)
    queue.resize(SIZE)
    queue.place(vhost.RingAddresses(0, USER + DESCRIPTORS, USER + USED, USER + AVAILABLE))
    yield Guest(fd, memory, queue)
    memory.close()
    os.close(fd)


def test_a_chain_travels_both_ways(guest: Guest) -> None:
    assert guest.queue.take() is None
    guest.poke(DATA, b"question")
    guest.descriptor(2, DATA, 5, NEXT, 3)
    guest.descriptor(3, DATA + 5, 3, NEXT, 4)
    guest.descriptor(4, DATA + 64, 4, WRITE)
    guest.offer(2)
    chain = guest.taken()
    assert guest.queue.read(chain, 100) == b"question"
    assert guest.queue.write(chain, b"answer") == 4
    guest.queue.give(chain, 4)
    assert guest.peek(DATA + 64, 5) == b"answ\0"
    assert struct.unpack("<HHII", guest.peek(USED, 12)) == (0, 1, 2, 4)
    assert guest.queue.take() is None


def test_indices_run_past_the_end(guest: Guest) -> None:
    guest.descriptor(1, DATA, 1)
    for _ in range(3 * SIZE):
        guest.offer(1)
        guest.queue.give(guest.taken(), 0)
    assert struct.unpack("<HH", guest.peek(USED, 4)) == (0, 3 * SIZE)


def test_what_the_guest_may_not_offer(guest: Guest) -> None:
    guest.descriptor(0, DATA, 8, NEXT, 1)
    guest.descriptor(1, DATA, 8, NEXT, 0)
    guest.offer(0)
    with pytest.raises(ProtocolError, match="in a circle"):
        guest.queue.take()
    guest.descriptor(2, DATA, 8, NEXT, 99)
    guest.offer(2)
    with pytest.raises(ProtocolError, match="descriptor 99 of 8"):
        guest.queue.take()
    guest.descriptor(3, DATA, 8, 4)
    guest.offer(3)
    with pytest.raises(ProtocolError, match="indirect"):
        guest.queue.take()
    guest.descriptor(4, BYTES - 4, 8)
    guest.offer(4)
    with pytest.raises(ProtocolError, match="no 8 bytes at guest address"):
        guest.queue.read(guest.taken(), 100)
    guest.descriptor(5, DATA, 200)
    guest.offer(5)
    with pytest.raises(ProtocolError, match="a longer message"):
        guest.queue.read(guest.taken(), 100)
    guest.poke(AVAILABLE + 2, struct.pack("<H", 60))
    with pytest.raises(ProtocolError, match="index 60 after 5 in a queue of 8"):
        guest.queue.take()


@settings(max_examples=200)
@given(st.binary(min_size=16 * SIZE, max_size=16 * SIZE), st.integers(0, 2**16 - 1), st.integers(0, SIZE + 1))
def test_any_queue_is_served_or_refused(descriptors: bytes, head: int, offered: int) -> None:
    fd = os.memfd_create("guest")
    os.ftruncate(fd, BYTES)
    os.pwrite(fd, descriptors, DESCRIPTORS)
    os.pwrite(fd, struct.pack("<HH", 0, offered) + struct.pack("<H", head) * SIZE, AVAILABLE)
    memory = GuestMemory()
    memory.replace([Region(GUEST, BYTES, USER, 0)], [fd])
    queue = Vring(memory)
    queue.resize(SIZE)
    queue.place(vhost.RingAddresses(0, USER + DESCRIPTORS, USER + USED, USER + AVAILABLE))
    try:
        while (chain := queue.take()) is not None:
            queue.read(chain, 4096)
            queue.give(chain, queue.write(chain, b"x" * 64))
    except ProtocolError:
        pass
    finally:
        memory.close()


def test_memory_is_bounded() -> None:
    fd = os.memfd_create("guest")
    os.ftruncate(fd, 100)
    with pytest.raises(ProtocolError, match="of a shorter file"):
        GuestMemory().replace([Region(0, 101, 0, 0)], [fd])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)  # closed all the same


@pytest.mark.parametrize("size", [0, 3, 512])
def test_queue_sizes(size: int) -> None:
    with pytest.raises(ProtocolError, match=f"{size} descriptors"):
        Vring(GuestMemory()).resize(size)


def test_a_queue_without_a_place() -> None:
    queue = Vring(GuestMemory())
    with pytest.raises(ProtocolError, match="before its addresses"):
        queue.take()
    with pytest.raises(ProtocolError, match="before its size"):
        queue.place(vhost.RingAddresses(0, 0, 0, 0))
    with pytest.raises(ProtocolError, match="not aligned"):
        vhost.parse_addresses(vhost.ADDRESSES.pack(0, 0, 8, 0, 0, 0))
