"""Where a key may stand in the directory: one row in each bank, by XOR-linear hashes.

A key is the 64-bit integer {REQUEST_ID, LAYER_HEAD, TOKEN_START / BLOCK_TOKENS}; an entry's index
is row * LANES + bank (docs/microarchitecture.md 1).
"""

from __future__ import annotations

import struct

from model.types import U64

_ROW_BITS = 14  # rows of the largest device: 65,536 entries over 4 banks


def mask(bank: int, bit: int) -> int:
    """The 64-bit mask whose parity with the key is row bit `bit` of `bank` (splitmix64)."""
    z = (0x6B76_6370_7500_0000 + bank * 16 + bit + 0x9E37_79B9_7F4A_7C15) & U64
    z = ((z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9) & U64
    z = ((z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB) & U64
    return z ^ (z >> 31)


class Placement:
    """The LANES places of any key, from eight table lookups."""

    def __init__(self, entries: int, lanes: int) -> None:
        self._lanes = lanes
        row_bits = (entries // lanes).bit_length() - 1
        if row_bits > _ROW_BITS:
            raise ValueError(f"{entries} entries in {lanes} lanes need more than 2^14 rows")
        of_bit = [0] * 64  # rows of all banks, 16 bits each, that one key bit contributes
        for bank in range(lanes):
            for bit in range(row_bits):
                m = mask(bank, bit)
                for k in range(64):
                    of_bit[k] |= (m >> k & 1) << (16 * bank + bit)
        self._tables: list[list[int]] = []
        for byte in range(8):
            table = [0] * 256
            for value in range(1, 256):
                low = value & -value
                table[value] = table[value ^ low] ^ of_bit[byte * 8 + low.bit_length() - 1]
            self._tables.append(table)
        self._unpack = struct.Struct(f"<{lanes}H").unpack

    def places(self, key: int) -> list[int]:
        """Index of the key's place in each bank, ascending by bank."""
        rows = 0
        for table, byte in zip(self._tables, key.to_bytes(8, "little"), strict=True):
            rows ^= table[byte]
        lanes = self._lanes
        unpacked = self._unpack(rows.to_bytes(2 * lanes, "little"))
        return [row * lanes + bank for bank, row in enumerate(unpacked)]
