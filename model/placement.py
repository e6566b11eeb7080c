"""Where a key may be in the directory: one row in each bank, by simple tabulation.

A key is the 64-bit integer {REQUEST_ID, LAYER_HEAD, TOKEN_START / BLOCK_TOKENS}; an entry's index
is row * LANES + bank (docs/microarchitecture.md 1). Each of its 16 digits of four bits picks a word
of a fixed random table, and the words are XORed. A hash that is linear in the key's bits would be
as good for random keys, but reaches its first FULL early with the consecutive ones of texts.
"""

from __future__ import annotations

import struct

from model.types import U64

_ROW_BITS = 14  # rows of the largest device: 65,536 entries over 4 banks
_DIGITS = 16


def random_row(digit: int, value: int, bank: int) -> int:
    """The 16-bit random number that `value` of a key's digit (0: the lowest) contributes to the row in `bank`."""
    index = (digit * 16 + value) * 4 + bank // 4
    z = (0x6B76_6370_7500_0000 + index + 0x9E37_79B9_7F4A_7C15) & U64
    z = ((z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9) & U64
    z = ((z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB) & U64
    return (z ^ (z >> 31)) >> 16 * (bank % 4) & 0xFFFF


class Placement:
    """The LANES places of any key, from eight table lookups: two digits at a time."""

    def __init__(self, entries: int, lanes: int) -> None:
        self._lanes = lanes
        row_bits = (entries // lanes).bit_length() - 1
        if row_bits > _ROW_BITS:
            raise ValueError(f"{entries} entries in {lanes} lanes need more than 2^14 rows")
        kept = (1 << row_bits) - 1
        words = [  # rows of all banks, 16 bits each
            [sum((random_row(digit, value, bank) & kept) << 16 * bank for bank in range(lanes)) for value in range(16)]
            for digit in range(_DIGITS)
        ]
        self._tables = [
            [words[2 * byte][value & 15] ^ words[2 * byte + 1][value >> 4] for value in range(256)] for byte in range(8)
        ]
        self._unpack = struct.Struct(f"<{lanes}H").unpack

    def places(self, key: int) -> list[int]:
        """Index of the key's place in each bank, ascending by bank."""
        rows = 0
        for table, byte in zip(self._tables, key.to_bytes(8, "little"), strict=True):
            rows ^= table[byte]
        lanes = self._lanes
        unpacked = self._unpack(rows.to_bytes(2 * lanes, "little"))
        return [row * lanes + bank for bank, row in enumerate(unpacked)]
