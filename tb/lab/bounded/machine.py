"""The device as a decode step sees it, on the device model: lookups of a whole layer at once, and the shared bus.

`DeviceModel` decides everything (directory, scans, moves, time of registers and commands). A layer's read lookups are
applied to the golden model's arrays in one go instead of one by one: the same effect on each entry, at the cycle in
which the last of them would have been served (tests/lab/test_bounded_machine.py compares the two).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from model.device import DeviceModel
from model.timing import Timing
from model.types import Status
from sw.driver import Driver
from sw.driver.types import InsertRequest, TierConfig
from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.run import run
from sw.transport.model import ModelTransport
from tb.lab.bounded.bound import Controls, Platform, competing
from tb.lab.bounded.bus import Bus, Fetch
from tb.lab.bounded.geometry import BLOCK_TOKENS, Geometry, beats, block_bytes

LANES = 16
_TOKEN = 0xFFFF_FFFF
_HEAD = 32  # bit of a KV address (device.md 1)
Keys = npt.NDArray[np.uint64]
PORT, OTHERS = 0, 2
"""Lookup ports of the streams and of the other tenants."""


def addresses(geometry: Geometry, request: int, layer: int, blocks: range) -> list[int]:
    """KV addresses of blocks of one layer: block by block, in it head by head."""
    return [
        KvAddress(request, layer, head, block * BLOCK_TOKENS).pack()
        for block in blocks
        for head in range(geometry.kv_heads)
    ]


class Machine(Protocol):
    """What a token needs, on the device model or on the RTL."""

    platform: Platform

    @property
    def cycle(self) -> int:
        """Device time."""

    async def step(self) -> None:
        """STEP_ADVANCE to the next step."""

    async def insert(self, request: int, blocks: range) -> None:
        """INSERT these blocks of every layer and head, as high up as there is room."""

    async def look(self, request: int, layer: int, tokens: int) -> list[int]:
        """Write lookups of the tail blocks, read lookups of all blocks of a layer; blocks found by tier."""

    async def fetch(self, found: Sequence[int]) -> tuple[Fetch, int]:
        """The blocks' bytes over the bus: how that went, and cycles more than from tier 0 without contention."""

    async def sleep(self, cycles: int) -> None:
        """Let time pass."""

    async def begin(self, request: int, tokens: int, context: int) -> None:
        """A prompt of `tokens` is in the cache, with room for `context` if it is allocated beforehand."""

    async def end(self, request: int) -> None:
        """Its blocks are freed."""


async def configure(driver: Driver, controls: Controls, slots: Sequence[int], size: int, need: int) -> None:
    """The registers that the controls stand for, the same on every level.

    Args:
        driver: of a device that was just reset.
        controls: what is on.
        slots: of the four tiers.
        size: BLOCK_BYTES.
        need: blocks of all streams with their contexts full.
    """
    await driver.configure_block_bytes(size)
    pressed = 0 if controls.reserved else slots[0] // 16
    tiers = {tier: TierConfig(base=0, slots=count, reserve=0, low=0, high=0) for tier, count in enumerate(slots)}
    reserve = need if controls.reserved else 0
    tiers[0] = TierConfig(base=0, slots=slots[0], reserve=reserve, low=pressed, high=2 * pressed)
    await driver.configure_tiers(tiers)
    await driver.configure(regs.PROMOTE_TIER, TIER=0)
    await driver.configure(regs.EVICT_TIERS, MASK=0 if controls.reserved else 0b0001)
    await driver.configure(regs.CONTEND_POLICY, POLICY=int(controls.priority))
    await driver.enable(demand=not controls.demand_off)


class DrivenMachine(ABC):
    """What is the same on the device model and on the RTL: the driver's part, and the bus.

    Attributes:
        platform: limits, load and controls.
        geometry: of the model.
        memories: latencies and beats of the tiers, for the accelerator's reads.
        bus: in front of them; it is not part of the device.
    """

    def __init__(self, platform: Platform, geometry: Geometry, quantisation: str, driver: Driver, seed: int) -> None:
        """Use a device that `configure` has configured; `seed`: of the background."""
        self.platform, self.geometry, self.memories = platform, geometry, platform.timing
        self.bus = Bus(platform.load, np.random.default_rng(seed))
        self._driver = driver
        self._quantisation = quantisation
        self._beats = beats(quantisation, geometry.head_dim)
        self._step = 0

    @property
    @abstractmethod
    def cycle(self) -> int:
        """Device time."""

    @abstractmethod
    async def sleep(self, cycles: int) -> None:
        """Let time pass."""

    async def step(self) -> None:
        """STEP_ADVANCE; completions are taken by another thread of the software."""
        self._step += 1
        await self._driver.step(self._step)

    async def insert(self, request: int, blocks: range) -> None:
        """INSERT by the driver, in the first tier that has room for all."""
        await self._insert([(address, address & _TOKEN) for address in self._addresses(request, blocks)])

    def _addresses(self, request: int, blocks: range) -> list[int]:
        layers = range(self.geometry.layers)
        return [address for layer in layers for address in addresses(self.geometry, request, layer, blocks)]

    async def _insert(self, wanted: Sequence[tuple[int, int]]) -> None:
        """INSERT (KV address, last token) each."""
        free = await self._driver.free_slots()
        tier = next(t for t, count in enumerate(free) if count >= len(wanted))
        hot = self.platform.controls.pinned
        requests = [InsertRequest(KvAddress.unpack(a), last, tier, prefix=False, hot=hot) for a, last in wanted]
        for answer in await self._driver.insert_many(requests):
            if answer.status.value != Status.OK.value:
                raise RuntimeError(f"INSERT ended {answer.status.name}: the directory is too small")

    def _prompt(self, request: int, tokens: int, context: int) -> list[tuple[int, int]]:
        """(KV address, last token) of the blocks that a request begins with."""
        count = -(-(context if self.platform.controls.preallocated else tokens) // BLOCK_TOKENS)
        return [
            (address, max(address & _TOKEN, min((address & _TOKEN) + BLOCK_TOKENS, tokens) - 1))
            for address in self._addresses(request, range(count))
        ]

    async def fetch(self, found: Sequence[int]) -> tuple[Fetch, int]:
        """Tier by tier in one stream of bursts: the latency of the slowest, then beats."""
        timing = self.memories
        here = [tier for tier in range(4) if found[tier]]
        latency = max(timing.read_latency[tier] for tier in here)
        slow = sum(found[tier] * self._beats * (timing.beat_cycles[tier] - timing.beat_cycles[0]) for tier in here)
        own = sum(found) * self._beats * timing.beat_cycles[0]
        await self.sleep(latency)
        went = self.bus.fetch(self.cycle, own + slow)
        await self.sleep(went.cycles)
        return Fetch(own, went.background, went.moves), slow + latency - timing.read_latency[0]


class ModelMachine(DrivenMachine):
    """`Machine` on a device model of its own.

    Attributes:
        device: the model.
        peak: most slots of tier 0 that were taken at once.
    """

    def __init__(
        self,
        platform: Platform,
        geometry: Geometry,
        quantisation: str,
        slots: Sequence[int],
        *,
        entries: int,
        need: int,
        seed: int,
        lanes: int = LANES,
        timing: Timing | None = None,
    ) -> None:
        """Make and configure the device.

        Args:
            platform: controls and load; its timing is the device's unless `timing` is given.
            geometry: of the model.
            quantisation: of keys and values.
            slots: of the four tiers.
            entries: of the directory.
            need: blocks of all streams with their contexts full.
            seed: of the background.
            lanes: of the device.
            timing: of the device and its memories, where it differs from what the bound takes.
        """
        self.device = DeviceModel(entries=entries, lanes=lanes, timing=timing or platform.timing)
        driver = run(Driver.probe(ModelTransport(self.device)))
        super().__init__(platform, geometry, quantisation, driver, seed)
        self.memories = self.device.timing
        run(configure(driver, platform.controls, slots, block_bytes(quantisation, geometry.head_dim), need))
        self.peak = 0
        self._need = need
        self._own: dict[int, int] = {}
        self._moved = 0
        self._known: dict[tuple[int, int], tuple[Keys, npt.NDArray[np.intp]]] = {}

    # ------------------------------------------------------------------ time

    @property
    def cycle(self) -> int:
        """Device time."""
        return self.device.clock.cycle

    async def sleep(self, cycles: int) -> None:
        """Let time pass."""
        self.device.advance(cycles)
        self._share()

    def _share(self) -> None:
        """What the device's moves put on the bus meanwhile."""
        new = self.device.dma.beats - self._moved
        if new:
            self._moved += new
            self.bus.pass_to(self.cycle)
            self.bus.add_moves(new)

    async def step(self) -> None:
        """STEP_ADVANCE."""
        await super().step()
        while self.device.state.pop_completion():
            pass
        pool = self.device.state.pools[0]
        self.peak = max(self.peak, pool.slots - pool.free)
        self._share()

    # ------------------------------------------------------------------ blocks

    @property
    def spare(self) -> int:
        """Slots of tier 0 that others leave free: what the streams' contexts may still need, if that is reserved."""
        return max(0, self._need - sum(self._own.values())) if self.platform.controls.reserved else 0

    async def insert(self, request: int, blocks: range) -> None:
        """INSERT by the driver."""
        await super().insert(request, blocks)
        self._own[request] += len(blocks) * self.geometry.layers * self.geometry.kv_heads
        self._share()

    async def begin(self, request: int, tokens: int, context: int) -> None:
        """Blocks of the prompt, or of the whole context, at an instant: it is not part of a token."""
        state, blocks = self.device.state, self._prompt(request, tokens, context)
        self._own[request] = len(blocks)
        for address, last in blocks:
            tier = next(t for t in range(4) if state.pools[t].free)
            status = state.insert(address, last, tier, hot=self.platform.controls.pinned).status
            if status != Status.OK:
                raise RuntimeError(f"INSERT ended {status.name}: the directory is too small")

    async def end(self, request: int) -> None:
        """FREE_REQUEST at an instant."""
        self.device.state.free_request(request)
        self._own.pop(request, None)
        for layer in range(self.geometry.layers):
            self._known.pop((request, layer), None)

    # ------------------------------------------------------------------ lookups

    async def look(self, request: int, layer: int, tokens: int) -> list[int]:
        """One lookup a cycle at the stream's port, then the latency of the last; the background's take turns."""
        device, state = self.device, self.device.state
        heads = self.geometry.kv_heads
        last = KvAddress(request, layer, 0, tokens - 1).pack()
        for head in range(heads):
            device.clock.advance(1)
            if not state.lookup(PORT, last + (head << _HEAD), True).hit:
                raise RuntimeError(f"write lookup of {KvAddress.unpack(last)} misses: the block must be there")
        column = self.geometry.column(tokens)
        others = competing(self.platform, self._quantisation, self.geometry, column + heads)
        device.clock.advance(column + max(0, others - 1))
        found = self._read(request, layer, column)
        await self.sleep(device.timing.lookup_latency - 1)
        device.dma.kick()
        return found

    def _read(self, request: int, layer: int, column: int) -> list[int]:
        state, arrays = self.device.state, self.device.state.entries.arrays
        index = self._indices(request, layer, column)
        tiers = arrays["tier"][index]
        slow = bool(tiers.any())
        near = index[tiers == 0] if slow else index
        arrays["access_step"][near] = state.step
        arrays["r"][near] = 255
        uses = arrays["f"][near]
        arrays["f"][near] = uses + (uses < 255)
        arrays["hint"][near] = 0
        arrays["evictable"][near] = 0
        state.counters.hit += len(near)
        if not slow:
            return [column, 0, 0, 0]
        for far in index[tiers > 0].tolist():  # may queue a promotion
            state.lookup(PORT, state.kv_addr_of(int(arrays["key"][far])), False)
        return [int(count) for count in np.bincount(tiers, minlength=4)]

    def _indices(self, request: int, layer: int, column: int) -> npt.NDArray[np.intp]:
        """Where the blocks' entries are: remembered, and looked for again where a relocation has moved one."""
        state = self.device.state
        keys, index = self._known.get((request, layer), (np.zeros(0, np.uint64), np.zeros(0, np.intp)))
        if len(keys) < column:
            count = -(-column // self.geometry.kv_heads)
            named = [state.key_of(a) for a in addresses(self.geometry, request, layer, range(count))]
            keys = np.array(named, np.uint64)
            index = np.array([state.index_of[key] for key in named], np.intp)
            self._known[request, layer] = keys, index
        now, place = keys[:column], index[:column]
        moved = state.entries.arrays["key"][place] != now
        if moved.any():
            for n in np.flatnonzero(moved).tolist():
                place[n] = state.index_of[int(now[n])]
        return place
