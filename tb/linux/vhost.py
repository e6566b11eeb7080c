"""Messages of the vhost-user protocol, as User Mode Linux speaks it: header, payload, file descriptors.

A header is three little-endian 32-bit words: request, flags (version 1, bit 2 reply, bit 3 a reply is needed), bytes of
the payload. Layouts are checked here; what a message does is in `tb.linux.backend`.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from tb.linux.errors import ProtocolError

HEADER = struct.Struct("<III")
U64 = struct.Struct("<Q")
STATE = struct.Struct("<II")
ADDRESSES = struct.Struct("<IIQQQQ")
REGION = struct.Struct("<QQQQ")
REGIONS = struct.Struct("<II")

VERSION = 1
VERSION_MASK = 3
REPLY = 4
NEED_REPLY = 8
MAX_PAYLOAD = 4096
MAX_FDS = 8
MAX_REGIONS = 8

F_VERSION_1 = 1 << 32
F_PROTOCOL_FEATURES = 1 << 30
P_REPLY_ACK = 1 << 3
P_SLAVE_REQ = 1 << 5
P_INBAND_NOTIFICATIONS = 1 << 14
FEATURES = F_VERSION_1 | F_PROTOCOL_FEATURES
PROTOCOL_FEATURES = P_REPLY_ACK | P_SLAVE_REQ | P_INBAND_NOTIFICATIONS


class Request(IntEnum):
    """What the guest asks for."""

    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    SET_MEM_TABLE = 5
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    SET_VRING_ENABLE = 18
    SET_SLAVE_REQ_FD = 21
    VRING_KICK = 35


VRING_CALL = 4  # the only request of ours: a used buffer waits in a queue

_SIZES = {
    Request.GET_FEATURES: 0,
    Request.SET_FEATURES: U64.size,
    Request.SET_OWNER: 0,
    Request.SET_VRING_NUM: STATE.size,
    Request.SET_VRING_ADDR: ADDRESSES.size,
    Request.SET_VRING_BASE: STATE.size,
    Request.GET_VRING_BASE: STATE.size,
    Request.SET_VRING_KICK: U64.size,
    Request.SET_VRING_CALL: U64.size,
    Request.GET_PROTOCOL_FEATURES: 0,
    Request.SET_PROTOCOL_FEATURES: U64.size,
    Request.SET_VRING_ENABLE: STATE.size,
    Request.SET_SLAVE_REQ_FD: 0,
    Request.VRING_KICK: STATE.size,
}


@dataclass(frozen=True, slots=True)
class Message:
    """One request of the guest; its payload has the size that the request demands."""

    request: Request
    needs_reply: bool
    payload: bytes

    @property
    def number(self) -> int:
        """A payload that is one 64-bit number."""
        return int(U64.unpack(self.payload)[0])

    @property
    def state(self) -> tuple[int, int]:
        """A payload that is a queue's index and a number."""
        index, number = STATE.unpack(self.payload)
        return index, number


@dataclass(frozen=True, slots=True)
class Region:
    """Guest memory: `size` bytes at guest address `guest`, at `offset` of the file that comes with it."""

    guest: int
    size: int
    user: int
    offset: int


@dataclass(frozen=True, slots=True)
class RingAddresses:
    """Where the three parts of a queue are, as addresses of the guest's own process."""

    index: int
    descriptors: int
    used: int
    available: int


def parse_header(data: bytes) -> tuple[Request, bool, int]:
    """A header: request, whether a reply is needed, bytes of payload that follow. Raises ProtocolError."""
    if len(data) != HEADER.size:
        raise ProtocolError(f"vhost-user: a header of {len(data)} bytes")
    number, flags, size = HEADER.unpack(data)
    if flags & VERSION_MASK != VERSION or flags & ~(VERSION_MASK | NEED_REPLY):
        raise ProtocolError(f"vhost-user: flags {flags:#x} in a request")
    try:
        request = Request(number)
    except ValueError:
        raise ProtocolError(f"vhost-user: unknown request {number}") from None
    wanted = _SIZES.get(request)
    if size > MAX_PAYLOAD or (wanted is not None and size != wanted):
        raise ProtocolError(f"vhost-user: {request.name} with {size} bytes")
    return request, bool(flags & NEED_REPLY), size


def parse_regions(payload: bytes, fds: int) -> list[Region]:
    """The memory table. Raises ProtocolError: the counts of regions, bytes and file descriptors do not agree."""
    if len(payload) < REGIONS.size:
        raise ProtocolError(f"vhost-user: a memory table of {len(payload)} bytes")
    count, _ = REGIONS.unpack_from(payload)
    whole = REGIONS.size + count * REGION.size
    if not 1 <= count <= MAX_REGIONS or whole > len(payload) or count != fds:
        raise ProtocolError(f"vhost-user: {count} regions in {len(payload)} bytes with {fds} file descriptors")
    return [Region(*REGION.unpack_from(payload, REGIONS.size + n * REGION.size)) for n in range(count)]


def parse_addresses(payload: bytes) -> RingAddresses:
    """Addresses of a queue. Raises ProtocolError: not aligned as a split ring is."""
    index, _, descriptors, used, available, _ = ADDRESSES.unpack(payload)
    if descriptors % 16 or available % 2 or used % 4:
        raise ProtocolError(f"vhost-user: queue {index} is not aligned")
    return RingAddresses(index, descriptors, used, available)


def reply(request: int, payload: bytes) -> bytes:
    """Our answer to a request."""
    return HEADER.pack(request, VERSION | REPLY, len(payload)) + payload


def call(index: int) -> bytes:
    """Our request to look into queue `index`; the guest replies."""
    return HEADER.pack(VRING_CALL, VERSION | NEED_REPLY, STATE.size) + STATE.pack(index, 0)


REPLY_BYTES = HEADER.size + U64.size


def parse_call_reply(data: bytes) -> None:
    """The guest's reply to `call`. Raises ProtocolError: another message, or a refusal."""
    request, flags, size = HEADER.unpack_from(data)
    if (request, flags, size) != (VRING_CALL, VERSION | REPLY, U64.size):
        raise ProtocolError(f"vhost-user: {data.hex()} in reply to a vring call")
    if refused := U64.unpack_from(data, HEADER.size)[0]:
        raise ProtocolError(f"vhost-user: the guest refused a vring call ({refused})")
