"""The state that all transactions share, and what they do to it alike."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator

from model.entries import Entries, EntryView
from model.placement import Placement
from model.scoring import ScanConfig
from model.slots import SlotPool
from model.types import (
    QUEUE_DEPTH,
    TIER_COUNT,
    U32,
    U64,
    BadParity,
    Channel,
    Completion,
    Config,
    Counters,
    DmaError,
    Insertion,
    InsertPlan,
    Irq,
    Item,
    Mismatch,
)


def stride_of(block_bytes: int) -> int:
    """Distance between slots: the next power of two at or above BLOCK_BYTES."""
    return 1 << (block_bytes - 1).bit_length()


class StateBase:
    """Architectural state of the device at the boundary between two atomic operations.

    `entries`: the directory (fields by index); `index_of`: key to index of every entry that can
    be found; `items`: key to the live item of a block in flight; `queues`, `waiting`: per
    channel, in order; `pools`: per tier; `bad`: index to `BadParity` of entries with bad parity.
    """

    def __init__(self, *, entries: int = 65536, lanes: int = 16, ports: int = 3, block_tokens: int = 16) -> None:
        def power(n: int) -> bool:
            return n > 0 and n & (n - 1) == 0

        if not (power(entries) and 1024 <= entries <= 65536):
            raise ValueError(f"ENTRIES must be a power of two from 1024 to 65536, not {entries}")
        if lanes not in (4, 8, 16):
            raise ValueError(f"LANES must be 4, 8 or 16, not {lanes}")
        if not 1 <= ports <= 8:
            raise ValueError(f"PORTS must be 1 to 8, not {ports}")
        if not (power(block_tokens) and block_tokens <= 256):
            raise ValueError(f"BLOCK_TOKENS must be a power of two from 1 to 256, not {block_tokens}")
        self.entry_count = entries
        self.lanes = lanes
        self.rows = entries // lanes
        self.ports = ports
        self.block_tokens = block_tokens
        self._token_bits = block_tokens.bit_length() - 1
        self._token_mask = block_tokens - 1
        self._placement = Placement(entries, lanes)
        self.entries = Entries(entries)
        self.pools = [SlotPool(tier) for tier in range(TIER_COUNT)]
        self.reset()

    # ------------------------------------------------------------------ reset

    def reset(self) -> None:
        """Reset: everything empty, configuration at its reset values."""
        self.config = Config()
        for pool in self.pools:
            pool.resize(0)
        self.soft_reset()

    def soft_reset(self) -> None:
        """Soft reset: everything empty; configuration registers (SLOTS among them) stay."""
        self.stride = stride_of(self.config.block_bytes)
        self.entries.clear()
        for pool in self.pools:
            pool.resize(pool.slots)
        self.index_of: dict[int, int] = {}
        self.items: dict[int, Item] = {}
        self.waiting: tuple[deque[Item], deque[Item]] = (deque(), deque())
        self.lane_waiting = ([0] * self.lanes, [0] * self.lanes)
        self.queues: tuple[deque[Item], deque[Item]] = (deque(), deque())
        self.departures = [0] * TIER_COUNT
        self.miss_queue: deque[int] = deque()
        self.completion_queue: deque[Completion] = deque()
        self.counters = Counters()
        self.inserting: Insertion | None = None
        self.step = 0
        self.irq_status = Irq(0)
        self.dma_error: DmaError | None = None
        self.bad: dict[int, BadParity] = {}
        self.parity_index: int | None = None
        self.scan: ScanConfig | None = None
        self.scan_pending = False
        self.scan_number = 0
        self.pressure = [False, False, False]
        self.auto_thresh = [0, 0, 0]
        self._reset_histograms()

    def _reset_histograms(self) -> None:
        raise NotImplementedError

    def _before_relocation(self, index: int) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------------ names and places

    def key_of(self, kv_addr: int) -> int:
        """Key of the block that holds a KV address (any token of it)."""
        token = kv_addr & U32
        return kv_addr ^ token | token >> self._token_bits

    def kv_addr_of(self, key: int) -> int:
        """KV address of a block's first token."""
        block = key & U32
        return key ^ block | block << self._token_bits

    def find(self, kv_addr: int) -> int | None:
        """Index of the block's entry, None when it is not in the directory or not readable."""
        index = self.index_of.get(self.key_of(kv_addr))
        return None if index is None or index in self.bad else index

    def places(self, kv_addr: int) -> list[int]:
        """Indices where the block's entry may stand, one in each bank."""
        return self._placement.places(self.key_of(kv_addr))

    def phys_addr(self, tier: int, slot: int) -> int:
        """Byte address of a slot inside its tier, modulo 2^64 (device.md 5)."""
        return self.config.base[tier] + slot * self.stride & U64

    def set_slots(self, tier: int, slots: int) -> None:
        """SLOTS of an unused tier; Mismatch when the register would have refused."""
        if self.pools[tier].in_use:
            raise Mismatch(f"write of tier {tier} SLOTS in use", "SLVERR", "accepted")
        if not 0 <= slots <= self.entry_count:
            raise Mismatch(f"tier {tier} SLOTS", f"at most {self.entry_count}", slots)
        self.pools[tier].resize(slots)

    def set_block_bytes(self, block_bytes: int) -> None:
        """BLOCK_BYTES, while no slot is in use; Mismatch when the register would have refused."""
        if any(pool.in_use for pool in self.pools):
            raise Mismatch("write of BLOCK_BYTES in use", "SLVERR", "accepted")
        self.config.block_bytes = block_bytes
        self.stride = stride_of(block_bytes)

    # ------------------------------------------------------------------ looking at entries

    def entry(self, index: int) -> EntryView:
        """The entry at an index, as it is even if it has bad parity; zero when invalid."""
        e = self.entries
        if not e.valid[index]:
            return EntryView(*[0] * 18)
        key = e.key[index]
        start = (key & U32) << self._token_bits
        tier = e.tier[index]
        return EntryView(
            request_id=key >> 48,
            layer=key >> 40 & 0xFF,
            head=key >> 32 & 0xFF,
            token_start=start,
            token_end=start + e.token_end[index],
            tier=tier,
            phys_addr=self.phys_addr(tier, e.slot[index]),
            priority=e.prio[index],
            access_step=e.access_step[index],
            ref_count=e.ref_count[index],
            r=e.r[index],
            f=e.f[index],
            prefix=e.prefix[index],
            dirty=e.dirty[index],
            hot=e.hot[index],
            evictable=e.evictable[index],
            hint=e.hint[index],
            valid=1,
        )

    def entry_bytes(self, index: int) -> bytes:
        """The 32-byte image of BAR2 at an index."""
        return self.entry(index).pack()

    def read_entry(self, index: int) -> bytes:
        """BAR2's read of word 0: the image, and the count of bad parity that a read brings."""
        if index in self.bad:
            self._parity_read(index)
        return self.entry_bytes(index)

    def dump(self) -> Iterator[tuple[int, EntryView]]:
        """(index, entry) of every valid entry with good parity, by index."""
        for index in sorted(self.index_of.values()):
            if index not in self.bad:
                yield index, self.entry(index)

    def image(self) -> bytes:
        """ENTRIES * 32 bytes, as BAR2 shows them."""
        out = bytearray(self.entry_count * 32)
        for index in self.entries.arrays["valid"].nonzero()[0].tolist():
            out[index * 32 : index * 32 + 32] = self.entry_bytes(index)
        return bytes(out)

    def digest(self) -> str:
        """SHA-256 of the image, for comparing two final states in one line."""
        return hashlib.sha256(self.image()).hexdigest()

    # ------------------------------------------------------------------ parity

    def inject_parity(self, index: int, which: BadParity) -> None:
        """Bad parity from now on in the tag or meta word of an entry, until reset."""
        self.bad[index] = self.bad.get(index, BadParity(0)) | which
        key = self.entries.key[index]
        if which & BadParity.TAG and self.index_of.get(key) == index:
            del self.index_of[key]  # its name cannot be compared any more
            item = self.items.pop(key, None)
            if item is not None:
                item.alive = False

    def _parity_read(self, index: int) -> None:
        self.counters.parity += 1
        if self.parity_index is None:
            self.parity_index = index
        self.irq_status |= Irq.PARITY

    def parity_of_tags(self, key: int) -> None:
        """Count the bad tags that looking for a key reads, or a probe of INSERT's search."""
        for place in self._placement.places(key):
            if self._tag_is_bad(place):
                self._parity_read(place)

    def _readable(self, key: int) -> int | None:
        """Index of the key's entry as an operation finds it: it counts the bad parity it meets."""
        index = self.index_of.get(key)
        if self.bad:
            self.parity_of_tags(key)
            if index in self.bad:
                self._parity_read(index)
                return None
        return index

    def clear_parity_latch(self) -> None:
        """PARITY_INFO.VALID cleared: the next bad entry read is latched."""
        self.parity_index = None

    # ------------------------------------------------------------------ items and entries

    def _new_item(self, index: int, channel: Channel, target: int | None, by_migrate: bool = False) -> Item:
        """An item for an entry that has none: the block is in flight from here."""
        e = self.entries
        key = e.key[index]
        tier = e.tier[index]
        to_tier = tier if target is None else target
        item = Item(self.kv_addr_of(key), key, channel, tier, target, by_migrate, to_tier=to_tier)
        e.in_flight[index] = 1
        self.items[key] = item
        return item

    def _push(
        self,
        index: int,
        channel: Channel,
        target: int | None,
        pushed: bool | None,
        by_migrate: bool = False,
    ) -> Item | None:
        """An operation's item enters a queue, or is dropped and counted when that is full.

        `pushed`, where given, is what was seen.
        """
        room = len(self.queues[channel]) < QUEUE_DEPTH
        if pushed is not None and pushed != room:
            kv_addr = self.kv_addr_of(self.entries.key[index])
            level = len(self.queues[channel])
            raise Mismatch(
                f"{channel.name.lower()} queue at level {level} takes the item of {kv_addr:#018x}",
                room,
                pushed,
            )
        if not room:
            self.counters.dropped[channel] += 1
            return None
        item = self._new_item(index, channel, target, by_migrate)
        self.queues[channel].append(item)
        self.departures[item.from_tier] += 1
        return item

    def _remove_entry(self, index: int) -> None:
        """The entry goes, its slot is free at once, its item (if any) will end CANCELLED."""
        e = self.entries
        key = e.key[index]
        self.pools[e.tier[index]].give_back(e.slot[index])
        item = self.items.pop(key, None)
        if item is not None:
            item.alive = False
        del self.index_of[key]
        e.erase(index)

    # ------------------------------------------------------------------ placement

    def plan_insert(self, kv_addr: int) -> InsertPlan:
        """Where INSERT would put a key that is not in the directory, and what it moves first.

        The search of docs/microarchitecture.md: a free place; one relocation; two relocations.
        """
        places = self.places(kv_addr)
        free = self._free_place(places)
        if free is not None:
            return InsertPlan(free)
        occupants = [p for p in places if self._movable(p)]
        for number, place in enumerate(occupants):
            target = self._free_place(self._places_of(place))
            if target is not None:
                probed, beyond = tuple(occupants[: number + 1]), tuple(occupants[number + 1 :])
                return InsertPlan(place, ((place, target),), probed, beyond)
        before = list(occupants)
        for place in occupants[:3]:
            before.append(place)
            seconds = [p for p in self._places_of(place) if p != place and self._movable(p)]
            for number, second in enumerate(seconds):
                target = self._free_place(self._places_of(second))
                if target is not None:
                    probed, beyond = (*before, *seconds[: number + 1]), tuple(seconds[number + 1 :])
                    return InsertPlan(place, ((second, target), (place, second)), probed, beyond)
            before += seconds
        return InsertPlan(None, (), tuple(before))

    def _tag_is_bad(self, index: int) -> bool:
        return bool(self.bad.get(index, BadParity(0)) & BadParity.TAG)

    def _movable(self, index: int) -> bool:
        """The search reads tags only: a bad meta word does not keep an entry from moving."""
        return bool(self.entries.valid[index]) and not self._tag_is_bad(index)

    def _places_of(self, index: int) -> list[int]:
        return self._placement.places(self.entries.key[index])

    def _free_place(self, places: list[int]) -> int | None:
        valid = self.entries.valid
        for place in places:
            if not valid[place] and not self._tag_is_bad(place):
                return place
        return None

    # ------------------------------------------------------------------ interrupts

    def clear_irq(self, mask: int) -> None:
        """IRQ_STATUS, write 1 to clear."""
        self.irq_status &= ~Irq(mask & 0xFF)
