"""Chapters 1 and 2: sizes, the directory entry, and everything else that the device remembers.

Nothing here decides anything; the chapters' modules do, on one `State`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TIERS = 4  # 1: "0 HBM, 1 T1, 2 host DRAM, 3 NVMe; smaller is faster"
QUEUE_DEPTH = 64  # 3, 6: miss, evict, prefetch and completion queue

Key = tuple[int, int, int, int]
"""(request_id, layer, head, token_start): 2, "no two valid entries ever have the same"."""

EVENTS = ("SCAN_DONE", "COMMAND_DONE", "COMPLETION", "MISS", "DMA_ERR", "OVERFLOW", "PRESSURE", "PARITY")
"""7, IRQ_STATUS, bit 0 first."""


@dataclass(frozen=True)
class Sizes:
    """1: the RTL parameters that software can see."""

    entries: int
    lanes: int
    ports: int
    block_tokens: int


@dataclass
class Entry:
    """2: one entry. `phys_addr` and `index` are None until the device has been seen to choose them."""

    request: int
    layer: int
    head: int
    token_start: int
    token_end: int
    tier: int
    access_step: int
    generation: int
    prefix: bool
    hot: bool
    phys_addr: int | None = None
    index: int | None = None
    priority: int = 0
    ref_count: int = 0
    r: int = 255
    f: int = 1
    dirty: bool = False
    evictable: bool = False
    hint: bool = False
    bad: bool = False

    @property
    def key(self) -> Key:
        return (self.request, self.layer, self.head, self.token_start)

    def bits(self) -> int:
        """2: the 240 bits as a number; PHYS_ADDR must be known."""
        assert self.phys_addr is not None
        value = self.request
        value += self.head << 16
        value += self.layer << 24
        value += self.token_start << 32
        value += self.token_end << 64
        value += self.tier << 96
        value += self.phys_addr << 98
        value += self.priority << 162
        value += self.access_step << 178
        value += self.ref_count << 210
        value += self.r << 218
        value += self.f << 226
        value += int(self.prefix) << 234
        value += int(self.dirty) << 235
        value += int(self.hot) << 236
        value += int(self.evictable) << 237
        value += int(self.hint) << 238
        value += 1 << 239
        return value


@dataclass
class Tier:
    """5: the free-slot pool of a tier, by slot numbers, and its pressure."""

    free: set[int] = field(default_factory=set)
    held: set[int] = field(default_factory=set)
    under_pressure: bool = False
    auto_thresh: int = 0


@dataclass
class Item:
    """6: what waits in an evict or a prefetch queue. `target` is None for an eviction, which chooses at its start."""

    key: Key
    generation: int
    source: int
    target: int | None
    by_software: bool = False


@dataclass
class Result:
    """8: the result registers of a directory command; None is what only the device can know."""

    status: int = 0
    tier: int = 0
    index: int | None = 0
    phys_addr: int | None = 0
    removed: int = 0
    stayed: int = 0


@dataclass
class State:
    """Everything that the device remembers."""

    sizes: Sizes
    registers: dict[str, int]
    step: int = 0
    generations: int = 0
    directory: dict[Key, Entry] = field(default_factory=dict)
    tiers: list[Tier] = field(default_factory=lambda: [Tier() for _ in range(TIERS)])
    evict: list[Item] = field(default_factory=list)
    prefetch: list[Item] = field(default_factory=list)
    misses: list[int] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    irq_status: int = 0
    scan_number: int = 0
    scan_done: bool = False
    histogram: list[list[int]] = field(default_factory=lambda: [[0] * 256 for _ in range(TIERS)])
    decided: bool = False
    result: Result = field(default_factory=Result)
    parity_latched: bool = False
    parity_index: int | None = None

    def count(self, name: str, amount: int = 1) -> None:
        self.counters[name] = self.counters.get(name, 0) + amount

    def event(self, name: str) -> None:
        self.irq_status |= 1 << EVENTS.index(name)

    def in_flight(self, entry: Entry) -> bool:
        """4: "in flight from the cycle in which an item for it enters a queue until that item's completion".

        6: items "belong to the generation of the entry that they were made for".
        """
        return any(item.generation == entry.generation for item in self.evict + self.prefetch)

    def block_of(self, address: int) -> Key:
        """1: the block that a KV address lies in."""
        request, layer, head, token = address >> 48, address >> 40 & 255, address >> 32 & 255, address & 0xFFFFFFFF
        return (request, layer, head, token - token % self.sizes.block_tokens)

    def find(self, key: Key) -> Entry | None:
        """The entry of a block, read once: 2, "an entry read with bad parity gives no hit", and is counted."""
        entry = self.directory.get(key)
        if entry is not None and entry.bad:
            self.bad_read(entry)
            return None
        return entry

    def bad_read(self, entry: Entry) -> None:
        """2: "is counted, its index latched and the parity interrupt raised"; the first index stays."""
        self.count("PARITY_COUNT")
        self.event("PARITY")
        if not self.parity_latched:
            self.parity_latched = True
            self.parity_index = entry.index


def kv_address(key: Key) -> int:
    """1: `{request_id[63:48], layer[47:40], head[39:32], token[31:0]}`."""
    request, layer, head, token = key
    return request * 2**48 + layer * 2**40 + head * 2**32 + token


def signed(difference: int) -> int:
    """4: "the 32-bit difference taken as signed"."""
    difference %= 2**32
    return difference - 2**32 if difference >= 2**31 else difference
