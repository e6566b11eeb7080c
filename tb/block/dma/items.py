"""Blocks, items and what may become of them, as the stand-in for the directory sees them."""

from dataclasses import dataclass, field
from enum import IntEnum


class Result(IntEnum):
    """move_e of rtl/kvcpu_pkg.sv; the first five are the completion statuses of device.md 6."""

    OK = 0
    CANCELLED = 1
    NO_SLOT = 2
    VOID = 3
    ERROR = 4
    RETRY = 5


@dataclass
class Block:
    """A block of the directory."""

    request_id: int
    layer_head: int
    number: int
    tier: int
    slot: int
    in_flight: bool = False

    def kv_addr(self, block_tokens: int) -> int:
        """KV address of its first token."""
        return self.request_id << 48 | self.layer_head << 32 | (self.number * block_tokens & 0xFFFF_FFFF)


@dataclass
class Item:
    """An item of a queue and what has become of it."""

    block: Block
    channel: int
    source: int
    fixed: bool
    target: int
    generation: int
    by_migrate: bool
    tries: int = 0
    move: int | None = None
    chosen: int | None = None  # tier of the last reserved slot
    slot: int | None = None
    src_slot: int = 0
    copying: bool = False
    voided: bool = False
    gone: bool = False


@dataclass
class Chances:
    """What may happen to a move, each a probability."""

    gone_at_start: float = 0.0
    gone_at_retry: float = 0.0
    no_slot: float = 0.0
    put_off: float = 0.0  # the directory asks for the start check again, which is no try
    void: float = 0.0
    removed: float = 0.0
    referenced_at_commit: float = 0.0
    abort_within: int = 600  # cycles after the start check


@dataclass
class Totals:
    """What the counters must say."""

    bytes_moved: list[int] = field(default_factory=lambda: [0, 0])
    errors: list[int] = field(default_factory=lambda: [0, 0])
    voids: list[int] = field(default_factory=lambda: [0, 0])
