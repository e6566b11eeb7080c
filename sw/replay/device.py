"""The replay's dealings with one device: lookups, bytes, inserts and room, each checked as it is made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sw.driver import Driver
from sw.driver.device import Weights
from sw.driver.registers import Event
from sw.driver.types import TIERS, InsertRequest, TierConfig
from sw.regs import registers as regs
from sw.regs.registers import Completion, Status
from sw.replay.blocks import Block, PrefixBlocks
from sw.replay.config import ReplayConfig
from sw.replay.content import kv_bytes
from sw.replay.records import Checks, Tally
from sw.transport.base import Lookup, LookupAnswer, Transport, WaitTimeout

TIER_WINDOW = 1 << 36  # address bytes between the tiers' bases
POLL_CYCLES = 2_500  # between two looks at the completion queue
IDLE_CYCLES = 5_000_000  # the device comes to rest within, else something hangs
MISS_QUEUE = 64
ROOM = 32  # blocks removed beyond what is needed
WEIGHTS = Weights(w_r=96, w_f=64, w_s=48, w_d=16, evict_thresh=0, prefetch_thresh=48_000)

_COUNTS = (
    regs.SCAN_COUNT,
    regs.SCAN_CYCLES,
    regs.EVICT_BYTES_MOVED,
    regs.PREFETCH_BYTES_MOVED,
    regs.COMPLETION_DROPPED_COUNT,
    *regs.TIER_FREE,
)
_NEVER = (
    regs.DENIED_COUNT,
    regs.HINT_MISS_COUNT,
    regs.REF_SATURATED_COUNT,
    regs.REF_UNDERFLOW_COUNT,
    regs.CMD_REFUSED_COUNT,
    regs.PARITY_COUNT,
    regs.EVICT_ERROR_COUNT,
    regs.PREFETCH_ERROR_COUNT,
)
"""Counters of what a replay never does or meets."""


class DeviceFault(Exception):
    """The device reports an error, or does not come to rest; one line."""


class Device:
    """A driver with what the replay keeps next to it.

    The runtime's knowledge of what is in the directory is exact, so every answer is checked: hit or
    miss, the place, the bytes, the miss queue, and at the end the counters and free slots.
    """

    def __init__(self, driver: Driver, config: ReplayConfig, checks: Checks, tally: Tally) -> None:
        self.driver = driver
        self.config = config
        self.checks = checks
        self.tally = tally
        self.block_tokens = driver.caps.block_tokens
        self.token_bytes = config.block_bytes // self.block_tokens
        self.stride = 1 << (config.block_bytes - 1).bit_length()
        self._misses = 0

    @property
    def _transport(self) -> Transport:
        return self.driver.registers.transport

    @property
    def cycle(self) -> int:
        """Device time in cycles."""
        return self._transport.now() * self.driver.caps.clock_mhz // 1000

    async def configure(self) -> None:
        """Tiers, weights and policy; afterwards the device runs."""
        driver, slots = self.driver, self.config.slots
        await driver.configure_block_bytes(self.config.block_bytes)
        await driver.configure_tiers(
            {
                tier: TierConfig(
                    base=(tier + 1) * TIER_WINDOW,
                    slots=count,
                    reserve=count // 32,
                    low=count // 8 if tier < TIERS - 1 else 0,
                    high=count // 4 if tier < TIERS - 1 else 0,
                )
                for tier, count in enumerate(slots)
            }
        )
        await driver.set_weights(WEIGHTS)
        await driver.configure(regs.F_AGE, AGE=4)
        await driver.configure(regs.LOOKAHEAD, STEPS=2)
        await driver.configure(regs.PROMOTE_TIER, TIER=0)
        await driver.configure(regs.EVICT_TIERS, MASK=0b0111)
        await driver.enable(demand=True)

    # ------------------------------------------------------------------ lookups and bytes

    async def look(self, wanted: Sequence[tuple[Lookup, Block]]) -> list[LookupAnswer]:
        """Lookups with the block that each names; hit and place are checked."""
        answers = await self._transport.lookups([lookup for lookup, _ in wanted])
        self.tally.lookups += len(answers)
        self._misses += sum(not answer.hit for answer in answers)
        for (lookup, block), answer in zip(wanted, answers, strict=True):
            kv_addr = lookup.kv_addr
            self.checks.compare("lookup hit", block.present, answer.hit, kv_addr=kv_addr)
            if answer.hit:
                slot, rest = divmod(answer.phys_addr - (answer.tier + 1) * TIER_WINDOW, self.stride)
                good = rest == 0 and 0 <= slot < self.config.slots[answer.tier]
                self.checks.compare("lookup place is a slot of its tier", True, good, kv_addr=kv_addr)
        return answers

    async def expect_misses(self, kv_addrs: Sequence[int]) -> None:
        """The miss queue holds these lookups, as far as it is deep, and nothing else."""
        seen = [kv_addr.pack() for kv_addr in await self.driver.misses()]
        self.checks.compare("miss queue", list(kv_addrs[:MISS_QUEUE]), seen)

    def _expected(self, block: Block) -> bytes:
        return kv_bytes(block.first, block.version, block.tokens, self.token_bytes)

    async def write_tokens(self, block: Block, place: LookupAnswer, first: int, tokens: int) -> None:
        """Write the bytes of tokens `first` on of a block at the place that a write lookup gave."""
        data = kv_bytes(block.first + first, block.version, tokens, self.token_bytes)
        await self._transport.mem_write(place.tier, place.phys_addr + first * self.token_bytes, data)
        self.tally.bytes_written += len(data)

    async def check_bytes(self, block: Block, place: LookupAnswer) -> None:
        """Every byte of the block's tokens, read at the place that a lookup of this step gave."""
        seen = await self._transport.mem_read(place.tier, place.phys_addr, block.tokens * self.token_bytes)
        expected = self._expected(block)
        self.tally.blocks_checked += 1
        if seen == expected:
            self.checks.compare("KV bytes", True, True)
            return
        at = int(np.flatnonzero(np.frombuffer(seen, "u1") != np.frombuffer(expected, "u1"))[0])
        self.checks.compare(
            "KV bytes", expected[at], seen[at], block=str(block.kv_addr), byte=at, tier=place.tier,
            phys_addr=place.phys_addr + at,
        )  # fmt: skip

    # ------------------------------------------------------------------ inserts and room

    async def insert(self, blocks: Sequence[Block], prefixes: PrefixBlocks, *, written: bool = False) -> None:
        """INSERT blocks as high up as there is room; what finds none is dropped (`present` stays False).

        `written`: they are written in every step, so that the device could not move them up later.
        """
        left = await self._insert(blocks, written)
        if left:
            await self._make_room(prefixes, len(left) + ROOM)
            left = await self._insert(left, written)
        self.tally.drops += len(left)

    async def _insert(self, blocks: Sequence[Block], written: bool) -> list[Block]:
        left = list(blocks)
        free = await self.driver.free_slots() if left else []
        for tier, count in enumerate(free):
            room = count if written else max(0, count - self._kept(tier))
            tried, left = left[:room], left[room:]
            left = await self._insert_in(tier, tried) + left
        return left

    async def _insert_in(self, tier: int, blocks: Sequence[Block]) -> list[Block]:
        """INSERT in one tier; those that were refused."""
        refused = []
        answers = await self.driver.insert_many(
            [
                InsertRequest(
                    block.kv_addr, block.kv_addr.token + block.tokens - 1, tier,
                    prefix=block.kv_addr.request_id == 0,
                )
                for block in blocks
            ]
        )  # fmt: skip
        for block, answer in zip(blocks, answers, strict=True):
            full = answer.status in {Status.NO_SLOT, Status.FULL}
            if full:
                self.tally.refusals += 1
                refused.append(block)
                continue
            self.checks.compare("INSERT status", Status.OK.name, answer.status.name, block=str(block.kv_addr))
            block.present = True
            block.version += 1
            self.tally.inserts += 1
            self.tally.inserts_by_tier[tier] += 1
        return refused

    def _kept(self, tier: int) -> int:
        """Slots that new blocks leave to the device's own moves: above RESERVE."""
        return self.config.slots[tier] // 16 if tier < TIERS - 1 else 0

    async def keep_room(self, prefixes: PrefixBlocks) -> None:
        """Remove the least valuable blocks while the slowest tier has too few slots for what comes down."""
        free = await self.driver.free_slots()
        await self._make_room(prefixes, self.config.slots[-1] // 8 - free[-1])

    async def _make_room(self, prefixes: PrefixBlocks, count: int) -> None:
        for block in prefixes.least_valuable(count):
            await self.driver.remove(block.kv_addr)
            block.present = False
            self.tally.removals += 1

    # ------------------------------------------------------------------ time and the device's own doings

    async def pass_until(self, cycle: int) -> None:
        """Let device time pass; the completion queue is emptied on the way."""
        while True:
            await self.take_completions()
            left = cycle - self.cycle
            if left <= 0:
                return
            await self._sleep(min(left, POLL_CYCLES))

    async def _sleep(self, cycles: int) -> None:
        await self.driver.registers.enable(Event.DMA_ERR | Event.PARITY)
        try:
            await self._transport.wait_irq(cycles * 1000 // self.driver.caps.clock_mhz)
        except WaitTimeout:
            return
        raise DeviceFault(
            f"the device reports an error: DMA {await self.driver.dma_error()}, "
            f"parity at entry {await self.driver.parity_error()}"
        )

    async def take_completions(self) -> None:
        """Empty the completion queue and count how the moves ended."""
        for item in await self.driver.completions():
            name = item.status.name
            self.tally.completions[name] = self.tally.completions.get(name, 0) + 1
            self.tally.refusals += item.status is Completion.NO_SLOT

    async def observe(self) -> tuple[int, list[int]]:
        """Bring the tally up to date; cycles of the last scan, and slots that are not free per tier."""
        values = await self.driver.registers.read_all(_COUNTS)
        scans, scan_cycles, evicted, promoted, lost, *free = values
        self.tally.scans = scans
        self.tally.evictions = evicted // self.config.block_bytes
        self.tally.promotions = promoted // self.config.block_bytes
        self.tally.completions_lost = lost
        return scan_cycles, [count - left for count, left in zip(self.config.slots, free, strict=True)]

    async def scores(self, first: int) -> list[int]:
        """PRIORITY of the valid ones among `score_entries` directory entries from `first` on."""
        data = await self.driver.window(first, self.config.score_entries)
        words = np.frombuffer(data, "<u8").reshape(-1, 4)
        priority, valid = regs.ENTRY_WORD2["PRIORITY"], regs.ENTRY_WORD3["VALID"]
        scores = words[:, 2] >> np.uint64(priority.lsb) & np.uint64((1 << priority.width) - 1)
        there = words[:, 3] >> np.uint64(valid.lsb) & np.uint64(1)
        return [int(score) for score in scores[there == 1]]

    async def settle(self) -> None:
        """Stop asking for moves, and wait until none is left."""
        await self.driver.enable(demand=False)
        await self.driver.drain()
        end = self.cycle + IDLE_CYCLES
        while not (await self.driver.status())["IDLE"]:
            if self.cycle > end:
                raise DeviceFault(f"the device is not idle {IDLE_CYCLES:,} cycles after the last request")
            await self._sleep(POLL_CYCLES // 2)
            await self.take_completions()
        await self.take_completions()

    async def check_end(self, blocks: Sequence[Block], step: int) -> None:
        """Every block at one place, with every byte; then counters, slots and queues.

        Raises:
            whatever `checks` raises at a difference.
        """
        places: set[tuple[int, int]] = set()
        by_tier = [0] * TIERS
        ports = self.driver.caps.ports
        wanted = [(Lookup(n % ports, block.first), block) for n, block in enumerate(blocks)]
        for start in range(0, len(wanted), 4096):
            part = wanted[start : start + 4096]
            for (_, block), answer in zip(part, await self.look(part), strict=True):
                by_tier[answer.tier] += 1
                places.add((answer.tier, answer.phys_addr))
                await self.check_bytes(block, answer)
        self.checks.compare("distinct places of all blocks", len(blocks), len(places))
        await self.driver.disable()
        await self.driver.step(step)  # the fence: slots that moves have left are free again
        await self.take_completions()
        _, occupied = await self.observe()
        self.checks.compare("slots not free, by tier", by_tier, occupied)
        counts = await self.driver.statistics()
        self.checks.compare("RTBD_HIT_COUNT", self.tally.lookups - self._misses, counts["RTBD_HIT_COUNT"])
        self.checks.compare("RTBD_MISS_COUNT", self._misses, counts["RTBD_MISS_COUNT"])
        for register in _NEVER:
            self.checks.compare(register.name, 0, counts[register.name])
