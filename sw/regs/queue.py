"""The coprocessor's queue as software sees it: registers, descriptors, statuses (software.md 4, backend c).

The queue device has a memory of its own. Software writes 64-byte descriptors into a ring there and tells
by DOORBELL how many it has written in all; the device does them in order, writes the result and the end
of the descriptor back, counts it in HEAD and raises its one interrupt.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

QUEUE_ID = int.from_bytes(b"KVQUEUE\0", "little")
DESCRIPTOR_BYTES = 64
TOKEN_BYTES = 4
MAX_ENTRIES = 4096
DONE_IRQ = 1


class Reg(IntEnum):
    """Offsets of the 64-bit registers; others, and writes to read-only ones, are refused."""

    ID = 0x00
    """Read only: QUEUE_ID."""
    MEMORY_BYTES = 0x08
    """Read only: size of the device's memory; addresses are from 0."""
    RING_BASE = 0x10
    """Address of the ring, a multiple of 64. Refused while descriptors are not done."""
    RING_ENTRIES = 0x18
    """Descriptors of the ring, a power of two up to 4,096; 0 after reset. Refused while descriptors are not done.

    Descriptor number n, from 0 on, is at place n modulo RING_ENTRIES.
    """
    DOORBELL = 0x20
    """Descriptors announced in all, modulo 2^32. Refused: over what the ring holds, or a ring outside the memory."""
    HEAD = 0x28
    """Read only: descriptors done in all, modulo 2^32."""
    SAMPLING = 0x30
    """Temperature, top_k << 16, top_p << 32, as in LLM_INFER_START; taken at the doorbell for what it announces."""
    IRQ_ENABLE = 0x38
    """Bit 0: HEAD has moved."""
    IRQ_STATUS = 0x40
    """Bit 0: HEAD has moved; cleared by writing 1."""


class QueueStatus(IntEnum):
    """How a descriptor ended."""

    PENDING = 0
    OK = 1
    BAD_DESCRIPTOR = 2  # a field that must be 0 is not
    BAD_SIZE = 3  # no tokens asked for, or a result too small for them
    BAD_ADDRESS = 4  # outside the memory, unaligned, or over the ring
    REFUSED = 5  # nothing that the model can compute
    FAILED = 6  # the model failed


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One piece of work. The device writes result bytes, status and cycles.

    Attributes:
        ident: of the submitter; not looked at.
        prompt, prompt_bytes: address and length of the prompt.
        max_tokens: most tokens of output, 1 or more.
        result, result_bytes: address, a multiple of 4, and length of the result; when done, the bytes
            written: token ids of 4 bytes each.
        status: a QueueStatus when done; PENDING tells software that it is not.
        cycles: of the device for this work, when done.
        seed: of the request's random numbers.
        reserved: 0.
    """

    ident: int
    prompt: int
    prompt_bytes: int
    max_tokens: int
    result: int
    result_bytes: int
    status: int = QueueStatus.PENDING
    cycles: int = 0
    seed: int = 0
    reserved: int = 0

    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<QQIIQIIQQQ")

    def pack(self) -> bytes:
        """The 64 bytes.

        Raises:
            struct.error: a field does not fit.
        """
        return self.LAYOUT.pack(
            self.ident,
            self.prompt,
            self.prompt_bytes,
            self.max_tokens,
            self.result,
            self.result_bytes,
            self.status,
            self.cycles,
            self.seed,
            self.reserved,
        )

    @classmethod
    def unpack(cls, data: bytes) -> Descriptor:
        """The fields of 64 bytes; all values are legal here."""
        return cls(*cls.LAYOUT.unpack(data))


@dataclass(frozen=True, slots=True)
class Work:
    """What a descriptor asks the device's engine to compute; temperature, top_k and top_p are of SAMPLING."""

    prompt: bytes
    max_tokens: int
    seed: int
    temperature: int
    top_k: int
    top_p: int


Engine = Callable[[Work], tuple[Sequence[int], int]]
"""The model inside the device: token ids, at most max_tokens, and the cycles that they take.

Raises ValueError for work that it cannot do, RuntimeError when it fails.
"""
