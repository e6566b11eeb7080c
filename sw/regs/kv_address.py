"""KV addresses: `{request_id[63:48], layer[47:40], head[39:32], token[31:0]}` (device.md 1)."""

from __future__ import annotations

from dataclasses import dataclass

TOKENS = 1 << 32


@dataclass(frozen=True, slots=True, order=True)
class KvAddress:
    """A token's place.

    Raises:
        ValueError: a part does not fit its bits.
    """

    request_id: int
    layer: int
    head: int
    token: int

    def __post_init__(self) -> None:
        """Check every part."""
        for name, value, bits in (
            ("request_id", self.request_id, 16),
            ("layer", self.layer, 8),
            ("head", self.head, 8),
            ("token", self.token, 32),
        ):
            if not 0 <= value < 1 << bits:
                raise ValueError(f"{name} {value} does not fit {bits} bits")

    def pack(self) -> int:
        """The 64-bit value."""
        return self.request_id << 48 | self.layer << 40 | self.head << 32 | self.token

    @classmethod
    def unpack(cls, value: int) -> KvAddress:
        """The parts of a 64-bit value."""
        return cls(value >> 48 & 0xFFFF, value >> 40 & 0xFF, value >> 32 & 0xFF, value & 0xFFFFFFFF)

    @classmethod
    def parse(cls, text: str) -> KvAddress:
        """From `REQ:LAYER:HEAD:TOKEN`, numbers in decimal or 0x.

        Raises:
            ValueError: another form, or a part that does not fit.
        """
        parts = text.split(":")
        if len(parts) != 4:
            raise ValueError(f"{text!r} is not REQ:LAYER:HEAD:TOKEN")
        return cls(*(int(part, 0) for part in parts))

    def __str__(self) -> str:
        """`REQ:LAYER:HEAD:TOKEN` in decimal."""
        return f"{self.request_id}:{self.layer}:{self.head}:{self.token}"
