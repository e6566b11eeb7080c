"""Names, records and errors of the golden model; the words are the contract's (device.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import NamedTuple

TIER_COUNT = 4
MAX_PORTS = 8
QUEUE_DEPTH = 64  # evict, prefetch, miss and completion queues
COMMAND_QUEUE_DEPTH = 16
LANE_WAIT_DEPTH = 4  # decisions per lane and queue that may wait before the queue

U16 = 0xFFFF
U32 = 0xFFFF_FFFF
U64 = 0xFFFF_FFFF_FFFF_FFFF


class Mismatch(Exception):
    """What was seen breaks the contract.

    `subject` names the contract's term, `expected` and `seen` are shown as they are.
    """

    def __init__(self, subject: str, expected: object, seen: object) -> None:
        super().__init__(f"{subject}: expected {expected}, seen {seen}")
        self.subject = subject
        self.expected = expected
        self.seen = seen


class Status(IntEnum):
    """Result of a directory command (device.md 8)."""

    OK = 0
    MISS = 1
    EXISTS = 2
    FULL = 3
    NO_SLOT = 4
    REFERENCED = 5
    BAD_ARG = 6
    BUSY = 7


class CompletionStatus(IntEnum):
    """How a queue item ended (device.md 6)."""

    OK = 0
    CANCELLED = 1
    NO_SLOT = 2
    VOID = 3
    ERROR = 4


class MoveResult(IntEnum):
    """How a start check or the end of a try came out; RETRY leads to the next start check."""

    OK = 0
    CANCELLED = 1
    NO_SLOT = 2
    VOID = 3
    ERROR = 4
    RETRY = 5


class Channel(IntEnum):
    """The two DMA channels."""

    EVICT = 0
    PREFETCH = 1


class Decision(IntEnum):
    """What a scan decides for one entry."""

    NONE = 0
    EVICT = 1
    PREFETCH = 2


class Irq(IntFlag):
    """Bits of IRQ_STATUS (device.md 7)."""

    SCAN_DONE = 1 << 0
    COMMAND_DONE = 1 << 1
    COMPLETION = 1 << 2
    MISS = 1 << 3
    DMA_ERR = 1 << 4
    OVERFLOW = 1 << 5
    PRESSURE = 1 << 6
    PARITY = 1 << 7


class BadParity(IntFlag):
    """Which word of an entry has bad parity."""

    TAG = 1
    META = 2


class ItemState(IntEnum):
    """The state of an item between its decision and its completion."""

    WAITING = 0  # in a lane's waiting place
    QUEUED = 1
    STARTING = 2  # popped, or between two tries
    MOVING = 3
    ENDED = 4  # completion due
    COMPLETED = 5


class LookupResponse(NamedTuple):
    """A port's answer; tier, phys_addr and index are 0 on a miss or denial."""

    hit: bool
    denied: bool
    tier: int
    phys_addr: int
    index: int  # type: ignore[assignment]  # tuple.index is never called


class CommandResult(NamedTuple):
    """Result of a directory command; fields that a command does not give are 0."""

    status: Status
    tier: int = 0
    index: int = 0  # type: ignore[assignment]
    phys_addr: int = 0
    removed: int = 0
    stayed: int = 0


class StartResult(NamedTuple):
    """Outcome of a move's start checks; places are 0 unless result is OK."""

    result: MoveResult
    tier: int = 0
    phys_addr: int = 0
    to_tier: int = 0
    to_slot: int = 0
    to_phys_addr: int = 0


class Completion(NamedTuple):
    """One record of the completion queue; `kv_addr` is the block's first token."""

    kv_addr: int
    from_tier: int
    to_tier: int
    status: CompletionStatus


class DmaError(NamedTuple):
    """The first AXI error since the latch was cleared."""

    kv_addr: int
    channel: int
    write: bool


class InsertPlan(NamedTuple):
    """Where INSERT puts a key.

    `index` is None for FULL; `relocations` are (from, to) in order; `probed` are the entries whose own places the
    search reads, in order, up to the one that decides; `beyond` are those that follow it in its round, which a search
    that asks before the answer is there may read too.
    """

    index: int | None  # type: ignore[assignment]
    relocations: tuple[tuple[int, int], ...] = ()
    probed: tuple[int, ...] = ()
    beyond: tuple[int, ...] = ()

    @property
    def settled(self) -> bool:
        """A free place is there: nothing is searched."""
        return self.index is not None and not self.relocations


class Insertion(NamedTuple):
    """An INSERT whose search for a place is under way; it holds its slot already."""

    kv_addr: int
    token_end: int
    tier: int
    prefix: bool
    hot: bool
    slot: int
    plan: InsertPlan


@dataclass(slots=True, eq=False)
class Item:
    """A queue item: one move of one block, from decision to completion.

    `target` is None for "the nearest slower tier with a free slot". `alive` goes away with the
    entry that the item was made for; `to_tier` is the target last chosen: before any choice
    `target`, or `from_tier` where that is None.
    """

    kv_addr: int
    key: int
    channel: Channel
    from_tier: int
    target: int | None
    by_migrate: bool
    lane: int = 0
    alive: bool = True
    state: ItemState = ItemState.QUEUED
    tries: int = 0
    to_tier: int = 0
    to_slot: int = 0
    status: CompletionStatus | None = None


def _per_tier() -> list[int]:
    return [0] * TIER_COUNT


@dataclass(slots=True)
class Config:
    """Configuration registers as the device holds them (reset values of device.md 7)."""

    enable: bool = False
    demand: bool = False
    contend_policy: int = 0
    w_r: int = 64
    w_f: int = 64
    w_s: int = 64
    w_d: int = 64
    evict_thresh: int = 0
    prefetch_thresh: int = 65535
    r_shift: int = 3
    f_age: int = 0
    lookahead: int = 1
    hold: int = 0
    promote_tier: int = 1
    evict_tiers: int = 0b0010
    max_retry: int = 3
    block_bytes: int = 8192
    req_lo: list[int] = field(default_factory=lambda: [0] * MAX_PORTS)
    req_hi: list[int] = field(default_factory=lambda: [65535] * MAX_PORTS)
    base: list[int] = field(default_factory=_per_tier)
    reserve: list[int] = field(default_factory=_per_tier)
    low: list[int] = field(default_factory=_per_tier)
    high: list[int] = field(default_factory=_per_tier)


@dataclass(slots=True)
class Counters:
    """64-bit counters, cleared by resets only; per-channel ones are indexed by `Channel`."""

    hit: int = 0
    miss: int = 0
    denied: int = 0
    miss_dropped: int = 0
    completion_dropped: int = 0
    dropped: list[int] = field(default_factory=lambda: [0, 0])
    scan_coalesced: int = 0
    scan_done: int = 0
    hint_miss: int = 0
    ref_saturated: int = 0
    ref_underflow: int = 0
    cmd_refused: int = 0
    parity: int = 0
    bytes_moved: list[int] = field(default_factory=lambda: [0, 0])
    errors: list[int] = field(default_factory=lambda: [0, 0])
    voids: list[int] = field(default_factory=lambda: [0, 0])
