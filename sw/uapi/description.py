"""The published kernel interface, once: the driver's layouts and the C header come from here (software.md 1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from sw.regs.registers import Completion

DEVICE = "/dev/kvcpu0"
MAGIC = ord("K")
DIRECTION_SHIFT = 30  # of a request, as the kernel's _IOC lays it out
SIZE_SHIFT = 16
SIZE_MASK = (1 << 14) - 1

_FORMATS = {8: "B", 16: "H", 32: "I", 64: "Q"}


@dataclass(frozen=True, slots=True)
class Member:
    """An unsigned integer of a struct: name, bits (8, 16, 32 or 64), what it holds."""

    name: str
    bits: Literal[8, 16, 32, 64]
    meaning: str


@dataclass(frozen=True, slots=True)
class Struct:
    """Little-endian unsigned integers one after the other, each at a multiple of its size."""

    name: str
    meaning: str
    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        """Refuse what a C compiler would pad."""
        offset = 0
        for member in self.members:
            if offset % (member.bits // 8):
                raise ValueError(f"{self.name}.{member.name}: padding before offset {offset}")
            offset += member.bits // 8
        if offset % max(member.bits // 8 for member in self.members):
            raise ValueError(f"{self.name}: padding at its end")

    @property
    def layout(self) -> struct.Struct:
        """The same for Python."""
        return struct.Struct("<" + "".join(_FORMATS[member.bits] for member in self.members))


class Direction(IntEnum):
    """Who fills the argument, as the caller sees it."""

    WRITE = 1
    READ = 2
    BOTH = 3


@dataclass(frozen=True, slots=True)
class Constant:
    """A value of a member: KVCPU_<name>."""

    name: str
    value: int
    meaning: str


class EventKind(IntEnum):
    """What a record tells."""

    COMPLETION = 1
    MISS = 2


@dataclass(frozen=True, slots=True)
class Call:
    """One ioctl: direction, number, argument."""

    name: str
    number: int
    direction: Direction
    argument: Struct
    meaning: str

    @property
    def request(self) -> int:
        """The request value: direction, size of the argument, magic, number."""
        return self.direction << DIRECTION_SHIFT | self.argument.layout.size << SIZE_SHIFT | MAGIC << 8 | self.number


STEP = Struct("step", "Argument of STEP_ADVANCE.", (Member("step", 64, "decode step, at most 2^32 - 1"),))
RANGE = Struct(
    "range",
    "Argument of the four range calls.",
    (
        Member("va", 64, "first byte of the range"),
        Member("len", 64, "bytes, at least 1"),
        Member("target_step", 64, "PREFETCH: the step at which it is needed; at most 2^32 - 1"),
    ),
)
WEIGHTS = Struct(
    "weights",
    "Argument of SET_WEIGHTS.",
    (
        Member("w_r", 32, "weight of recency, at most 255"),
        Member("w_f", 32, "weight of frequency, at most 255"),
        Member("w_s", 32, "weight of the distance in steps, at most 255"),
        Member("w_d", 32, "weight of a shared prefix, at most 255"),
        Member("evict_thresh", 32, "evict below this score; at most prefetch_thresh"),
        Member("prefetch_thresh", 32, "prefetch above this score; at most 65,535"),
    ),
)
TELEMETRY = Struct(
    "telemetry",
    "Result of GET_TELEMETRY. Counts are of accepted calls on this open file.",
    (
        Member("current_step", 64, "the device's step"),
        Member("step_count", 64, "STEP_ADVANCE"),
        Member("hot_count", 64, "MARK_HOT"),
        Member("evict_count", 64, "EVICT"),
        Member("prefetch_count", 64, "PREFETCH"),
        Member("share_count", 64, "SHARE_PREFIX"),
        Member("last_va", 64, "of the last accepted range call"),
        Member("last_len", 64, "of the same"),
        Member("last_target_step", 64, "of the same"),
        *WEIGHTS.members,
    ),
)
EVENT = Struct(
    "event",
    "One record of read(2): a move that has ended, or a miss. poll(2) says whether there is one.",
    (
        Member("time_ns", 64, "device time at which the node has seen it"),
        Member("step", 32, "decode step at that time"),
        Member("lost", 32, "records lost right before this one: the file's queue was full"),
        Member("token", 32, "of the block: its first token; of a miss: the token"),
        Member("request", 16, "of the block"),
        Member("layer", 8, "of the block"),
        Member("head", 8, "of the block"),
        Member("kind", 16, "KVCPU_EVENT_..."),
        Member("status", 16, "of a completion: KVCPU_COMPLETION_..., else 0"),
        Member("from_tier", 8, "of a completion: where the block was, else 0"),
        Member("to_tier", 8, "of a completion: where it was to go, else 0"),
        Member("reserved", 16, "0"),
    ),
)
_BLOCK = (
    Member("token", 32, "of the block: its first token, or any token of it"),
    Member("request", 16, "of the block; 0: a shared prefix"),
    Member("layer", 8, "of the block"),
    Member("head", 8, "of the block"),
)
BIND = Struct(
    "bind",
    "Argument of BIND: each BLOCK_BYTES of the range become one block, the first and those after it.",
    (Member("va", 64, "first byte of the range"), Member("len", 64, "bytes, at least 1"), *_BLOCK),
)
UNBIND = Struct("unbind", "Argument of UNBIND.", (Member("va", 64, "first byte of a bound range"),))
BLOCK = Struct("block", "Argument of REMOVE.", _BLOCK)
INSERT = Struct(
    "insert",
    "Argument and result of INSERT.",
    (
        *_BLOCK,
        Member("token_end", 32, "last valid token of the block, inclusive"),
        Member("tier", 8, "0 to 3"),
        Member("flags", 8, "KVCPU_INSERT_..."),
        Member("reserved", 16, "0"),
        Member("phys_addr", 64, "result: byte address inside the tier"),
        Member("index", 32, "result: where the entry is now"),
        Member("reserved2", 32, "0"),
    ),
)
LOOKUP = Struct(
    "lookup",
    "Argument and result of LOOKUP: of this very token.",
    (
        *_BLOCK,
        Member("flags", 32, "KVCPU_LOOKUP_..."),
        Member("tier", 32, "result"),
        Member("phys_addr", 64, "result: byte address inside the tier"),
        Member("index", 32, "result: where the entry is now"),
        Member("reserved", 32, "0"),
    ),
)
FREE = Struct(
    "free",
    "Argument and result of FREE_REQUEST.",
    (
        Member("request", 32, "1 to 65,535"),
        Member("removed", 32, "result: blocks that are gone"),
        Member("stayed", 32, "result: blocks that are referenced, and stay"),
        Member("reserved", 32, "0"),
    ),
)
MIGRATE = Struct(
    "migrate",
    "Argument of MIGRATE; how the move ends is a record of read(2).",
    (*_BLOCK, Member("tier", 32, "0 to 3"), Member("reserved", 32, "0")),
)
MOVE = Struct(
    "move",
    "Command of IORING_OP_URING_CMD, in its entry's 16 bytes; its result: KVCPU_COMPLETION_... or -errno.",
    (*_BLOCK, Member("argument", 32, "URING_MIGRATE: tier; URING_PREFETCH: step; else 0"), Member("reserved", 32, "0")),
)
_OUTCOMES = {
    Completion.OK: "the block is in to_tier",
    Completion.CANCELLED: "a check at its start or end failed: it was removed, referenced or changed meanwhile",
    Completion.NO_SLOT: "no free slot in to_tier",
    Completion.VOID: "the block was written while it moved",
    Completion.ERROR: "every try met errors on AXI",
}
CONSTANTS = (
    Constant("EVENT_COMPLETION", EventKind.COMPLETION, "a move has ended"),
    Constant("EVENT_MISS", EventKind.MISS, "a lookup found no block"),
    *(Constant(f"COMPLETION_{status.name}", status, meaning) for status, meaning in _OUTCOMES.items()),
)
STRUCTS = (STEP, RANGE, WEIGHTS, TELEMETRY)
LINUX_CONSTANTS = (
    Constant("INSERT_PREFIX", 1, "the block belongs to a shared prefix"),
    Constant("INSERT_HOT", 2, "the block is HOT from the start"),
    Constant("LOOKUP_TOUCH", 1, "as an access; without it nothing changes"),
    Constant("URING_MIGRATE", 1, "cmd_op: move the block to a tier"),
    Constant("URING_EVICT", 2, "cmd_op: evict the block at once"),
    Constant("URING_PREFETCH", 3, "cmd_op: the block is needed at a step"),
    Constant("URING_CANCEL", 4, "cmd_op: end this file's commands for the block with ECANCELED; ENOENT: there is none"),
    Constant("MAP_HINTS", 1 << 40, "offset of mmap: addresses without memory (PROT_NONE), to bind and for madvise"),
)
LINUX_STRUCTS = (BIND, UNBIND, BLOCK, INSERT, LOOKUP, FREE, MIGRATE, MOVE)

CALLS = (
    Call("STEP_ADVANCE", 1, Direction.WRITE, STEP, "set the decode step and start a scan"),
    Call("MARK_HOT", 2, Direction.WRITE, RANGE, "keep the range's blocks"),
    Call("EVICT", 3, Direction.WRITE, RANGE, "evict the range's blocks at once"),
    Call("PREFETCH", 4, Direction.WRITE, RANGE, "the range's blocks are needed at target_step"),
    Call("SHARE_PREFIX", 5, Direction.WRITE, RANGE, "one more reference to the range's blocks, a shared prefix"),
    Call("SET_WEIGHTS", 6, Direction.WRITE, WEIGHTS, "weights and thresholds of the score"),
    Call("GET_TELEMETRY", 7, Direction.READ, TELEMETRY, "counts, current step, weights and thresholds"),
)

LINUX_CALLS = (
    Call("BIND", 0x10, Direction.WRITE, BIND, "map a user range to blocks"),
    Call("UNBIND", 0x11, Direction.WRITE, UNBIND, "forget the range that begins at va"),
    Call("COOL", 0x12, Direction.WRITE, RANGE, "take HOT and EVICTABLE from the range's blocks"),
    Call("RELEASE", 0x13, Direction.WRITE, RANGE, "give back one reference that this file has on the range's blocks"),
    Call("INSERT", 0x14, Direction.BOTH, INSERT, "a new block: EEXIST, ENOMEM (no slot in the tier), ENOSPC"),
    Call("LOOKUP", 0x15, Direction.BOTH, LOOKUP, "where a token is: ENOENT"),
    Call("REMOVE", 0x16, Direction.WRITE, BLOCK, "remove a block: ENOENT, EBUSY (referenced)"),
    Call("FREE_REQUEST", 0x17, Direction.BOTH, FREE, "remove all blocks of a request that are not referenced"),
    Call("MIGRATE", 0x18, Direction.WRITE, MIGRATE, "queue a move: ENOENT, EBUSY (referenced), EAGAIN"),
)
"""What the Linux driver has beyond the published calls (docs/linux.md)."""
