"""Frames of the board's serial bridge: bytes of requests and answers (docs/fpga.md).

A request is an opcode, an address (4 bytes), the data of a write (8 bytes) and a CRC; an answer is a
status, the data of a read (8 bytes) and a CRC. Between answers one byte may come unasked: the
interrupt output has gone to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

BAR0 = 0x0000_0000
BAR2 = 0x1000_0000
TIERS = 0x2000_0000
BOARD = 0x3000_0000
TIER_STRIDE = 1 << 26

BOARD_ID = BOARD + 0x00
BOARD_STATUS = BOARD + 0x08  # bit 0: interrupt level
BOARD_TIER_BYTES = BOARD + 0x10
BOARD_LOOKUP_ADDR = BOARD + 0x18
BOARD_LOOKUP = BOARD + 0x20  # write: port 2:0, write lookup 8; read: 63 busy and the answer
BOARD_LOOKUP_PHYS = BOARD + 0x28

ID = int.from_bytes(b"KCPUBRD1", "little")
IRQ_BYTE = 0x49
REQUEST_BYTES = 64  # of requests that the bridge keeps while it is busy
GAP_NS = 4_000_000  # a silence after which the bridge has forgotten an unfinished request

_READ = 0x52
_WRITE = 0x57
_CHAINED = 0x20
_CRC_INIT = 0xFF
_WORD = 8


class Status(IntEnum):
    """First byte of an answer."""

    OKAY = 0x80
    SLVERR = 0x82
    DECERR = 0x83
    SKIPPED = 0x84
    FRAME = 0x8F


class FrameError(Exception):
    """Bytes that are no answer: the line loses or changes bytes, or something else is connected."""


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc << 1) ^ 0x107 if crc & 0x80 else crc << 1
        table.append(crc)
    return tuple(table)


_TABLE = _crc_table()


def crc8(data: bytes) -> int:
    """CRC-8 of a frame without its CRC: polynomial 0x07, from 0xFF, most significant bit first."""
    crc = _CRC_INIT
    for byte in data:
        crc = _TABLE[crc ^ byte]
    return crc


@dataclass(frozen=True, slots=True)
class Request:
    """One 64-bit access.

    Attributes:
        address: byte address in the bridge's map, 32 bits.
        value: data of a write; None reads.
        chained: it is done only if the request before it was OKAY.
    """

    address: int
    value: int | None = None
    chained: bool = False

    def encode(self) -> bytes:
        """The request's bytes."""
        opcode = (_READ if self.value is None else _WRITE) | (_CHAINED if self.chained else 0)
        body = bytes([opcode]) + self.address.to_bytes(4, "little")
        if self.value is not None:
            body += self.value.to_bytes(_WORD, "little")
        return body + bytes([crc8(body)])


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request ended; `data` is 0 of a write."""

    status: Status
    data: int


class AnswerParser:
    """Finds the answers to a run of requests in the bytes that come."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what the line gave."""
        self._bytes += data

    def forget(self) -> None:
        """Drop what has not been understood yet."""
        self._bytes.clear()

    def take_irq(self) -> bool:
        """Drop interrupt bytes at the front; whether there was one."""
        count = len(self._bytes) - len(self._bytes.lstrip(bytes([IRQ_BYTE])))
        del self._bytes[:count]
        return count > 0

    @property
    def pending(self) -> int:
        """Bytes that belong to no answer taken so far."""
        return len(self._bytes)

    def take(self, request: Request) -> Answer | None:
        """The answer to `request`, the oldest one unanswered; None while bytes are missing.

        Raises:
            FrameError: what has come is no answer, or the bridge found no frame in the request.
        """
        self.take_irq()
        if not self._bytes:
            return None
        try:
            status = Status(self._bytes[0])
        except ValueError:
            raise FrameError(f"an answer cannot begin with byte {self._bytes[0]:#04x}") from None
        has_data = request.value is None and status is not Status.FRAME
        length = 1 + (_WORD if has_data else 0) + 1
        if len(self._bytes) < length:
            return None
        frame = bytes(self._bytes[:length])
        if crc8(frame[:-1]) != frame[-1]:
            raise FrameError(f"the CRC of the answer {frame.hex()} is wrong")
        if status is Status.FRAME:
            raise FrameError("the bridge could not read the request: bytes were lost or changed on the way")
        del self._bytes[:length]
        return Answer(status, int.from_bytes(frame[1:-1], "little") if has_data else 0)
