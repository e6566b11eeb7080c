"""The accelerator's side of a device behind PCI: lookups and tier memory through configuration space.

A driver has no part in what an accelerator does, so this is no request of the node. A device that has the side offers
it as a vendor-specific capability of its PCI function, as a board's bridge does with its window (docs/linux.md).
Only the superuser reaches configuration space past its standard header.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from sw.transport.base import LookupAnswer, TransportError

CAPABILITY = 0x80
"""Place of the capability, the last one; its header is as PCI has it: id, next, length, then CAPABILITY_KIND."""
CAPABILITY_ID, CAPABILITY_BYTES, CAPABILITY_KIND = 0x09, 0x80, 0xA5
HEADER = CAPABILITY_ID | CAPABILITY_BYTES << 16 | CAPABILITY_KIND << 24
LOOKUP = 0x84  # write: port, WRITE_LOOKUP: a lookup of ADDRESS, whose answer is in ANSWER and PHYS
ADDRESS = 0x88  # 64 bits: KV address of a lookup; byte address in the tier's memory
ANSWER = 0x90  # flags of the last access, tier from bit 4 on, index from bit 16 on
TIER = 0x94  # whose memory WINDOW is
PHYS = 0x98  # 64 bits
WINDOW, WINDOW_BYTES = 0xC0, 0x40
"""Memory of TIER at ADDRESS: each word of 4 bytes that is read or written, anywhere in it, moves ADDRESS on by 4."""
WORD = 4
WRITE_LOOKUP = 1 << 8
HIT, DENIED, FAILED = 1, 2, 4
_TIER_SHIFT, _INDEX_SHIFT = 4, 16
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_QUERY = struct.Struct("<IIQ")  # ANSWER, TIER, PHYS


def answer_word(*, flags: int, tier: int = 0, index: int = 0) -> int:
    """ANSWER from its parts."""
    return flags | tier << _TIER_SHIFT | index << _INDEX_SHIFT


class ConfigAccelerator:
    """The side of one PCI function, through its `config` file."""

    def __init__(self, config: Path) -> None:
        """Open the file.

        Raises:
            TransportError: there is none, it is not permitted, or the function has no such capability.
        """
        try:
            self._file = os.open(config, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise TransportError(f"{config}: {error.strerror}") from None
        if os.pread(self._file, WORD, CAPABILITY) != _U32.pack(HEADER):
            self.close()
            raise TransportError(f"{config}: the device does not offer the accelerator's side")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def lookup(self, port: int, kv_addr: int, *, write: bool) -> LookupAnswer:
        """One lookup through a port.

        Raises:
            TransportError: there is no such port, or it takes no lookups.
        """
        os.pwrite(self._file, _U64.pack(kv_addr), ADDRESS)
        os.pwrite(self._file, _U32.pack(port | (WRITE_LOOKUP if write else 0)), LOOKUP)
        answer, _, phys_addr = _QUERY.unpack(os.pread(self._file, _QUERY.size, ANSWER))
        if answer & FAILED:
            raise TransportError(f"port {port} does not take the lookup (CTRL.ENABLE = 0, or no such port)")
        tier = answer >> _TIER_SHIFT & 3
        return LookupAnswer(bool(answer & HIT), bool(answer & DENIED), tier, phys_addr, answer >> _INDEX_SHIFT)

    def read(self, tier: int, phys_addr: int, count: int) -> bytes:
        """Read bytes of a tier's memory.

        Raises:
            TransportError: the tier has no memory there.
        """
        if count <= 0:
            return b""
        first = phys_addr % WORD
        self._place(tier, phys_addr - first)
        left = -(-(first + count) // WORD) * WORD
        data = bytearray()
        while left:
            part = min(left, WINDOW_BYTES)
            data += os.pread(self._file, part, WINDOW)
            left -= part
        self._check(tier, phys_addr, count)
        return bytes(data[first : first + count])

    def write(self, tier: int, phys_addr: int, data: bytes) -> None:
        """Write bytes of a tier's memory; whole words around them are read and written back.

        Raises:
            TransportError: the tier has no memory there.
        """
        if not data:
            return
        before = self.read(tier, phys_addr - phys_addr % WORD, phys_addr % WORD)
        end = phys_addr + len(data)
        whole = before + data + self.read(tier, end, -end % WORD)
        self._place(tier, phys_addr - len(before))
        for at in range(0, len(whole), WINDOW_BYTES):
            os.pwrite(self._file, whole[at : at + WINDOW_BYTES], WINDOW)
        self._check(tier, phys_addr, len(data))

    def _place(self, tier: int, phys_addr: int) -> None:
        os.pwrite(self._file, _U32.pack(tier), TIER)
        os.pwrite(self._file, _U64.pack(phys_addr), ADDRESS)

    def _check(self, tier: int, phys_addr: int, count: int) -> None:
        (answer,) = _U32.unpack(os.pread(self._file, _U32.size, ANSWER))
        if answer & FAILED:
            raise TransportError(f"tier {tier} has no memory at {phys_addr:#x} to {phys_addr + count:#x}")
