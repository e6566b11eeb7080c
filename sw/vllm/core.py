"""The chunks of one engine in the device's directory: what both adapters are made of (software.md 6)."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from sw.driver import DirectoryError, Driver
from sw.driver.types import TIERS, InsertRequest
from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.regs.registers import Status
from sw.vllm.fence import Fence
from sw.vllm.geometry import Geometry
from sw.vllm.hints import Hints
from sw.vllm.ranges import Ranges

GROUP_BYTES = 4  # a key is a block hash, and behind it the group in big-endian
PATIENCE = 8  # steps after which a move whose end was not seen is waited for no longer
MOST_SHARES = 255  # REF_COUNT saturates there
_STEPS = 1 << 32


class Presence(Enum):
    """What a lookup finds."""

    MISS = "miss"
    READY = "ready"
    PENDING = "pending"  # it is being stored, or moves


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk is: its group, and the first token of its range in request 0."""

    group: int
    first: int


@dataclass(frozen=True, slots=True)
class StorePlan:
    """What `prepare_store` gives.

    Attributes:
        keys: to be stored; the others are there.
        places: where, in the order of the keys.
        evicted: keys that had to go.
    """

    keys: list[bytes]
    places: list[Place]
    evicted: list[bytes]


@dataclass(slots=True, eq=False)
class _Chunk:
    key: bytes
    place: Place
    storing: bool = True
    loads: int = 0
    users: set[str] = field(default_factory=set)  # requests that have not finished
    moving: dict[KvAddress, int] = field(default_factory=dict)  # block -> tier that it leaves
    patience: int = 0  # steps for which `moving` is still believed
    written: int | None = None  # step in which it was stored
    announced: bool = False  # `events` has said that it is loadable
    cold: bool = False  # its last request has finished: EVICT when nothing is copied any more
    dropped: bool = False  # out of the map: REMOVE when nothing is copied any more

    @property
    def ready(self) -> bool:
        return not self.storing

    @property
    def copied(self) -> bool:
        return self.storing or self.loads > 0


class Core:
    """Chunks by key.

    Attributes:
        events: (key, whether it was removed) of every chunk that became loadable or went, in order;
            the owner empties it.
    """

    def __init__(self, driver: Driver, geometry: Geometry, tiers: Sequence[int], fence: Fence) -> None:
        """Use `attach`."""
        self.events: list[tuple[bytes, bool]] = []
        self._driver = driver
        self._geometry = geometry
        self._tiers = tuple(tiers)
        self._fence = fence
        self._ranges = Ranges(geometry.stride, geometry.ranges)
        self._chunks: dict[bytes, _Chunk] = {}  # the least recently used first
        self._at: dict[int, _Chunk] = {}  # by the first token; dropped ones that are still copied too
        self._hints: dict[str, Hints] = {}
        self._step = 0
        self._promote_tier = 0
        self._lookahead = 0

    @classmethod
    async def attach(cls, driver: Driver, geometry: Geometry, tiers: Sequence[int], fence: Fence) -> Core:
        """Begin with an empty map on a device that is configured.

        Args:
            driver: of the device; its range commands are this core's alone.
            geometry: of the KV cache.
            tiers: where new blocks are put: the first that has a free slot.
            fence: shared with whoever copies.
        """
        core = cls(driver, geometry, tiers, fence)
        core._step = await driver.current_step()
        core._promote_tier = await driver.registers.read(regs.PROMOTE_TIER)
        core._lookahead = await driver.registers.read(regs.LOOKAHEAD)
        return core

    def __len__(self) -> int:
        """Chunks in the map."""
        return len(self._chunks)

    # ------------------------------------------------------------------ steps and requests

    async def step(self) -> None:
        """STEP_ADVANCE; takes note of the moves that have ended."""
        for item in await self._driver.completions():
            chunk = self._at.get(item.kv_addr.token // self._geometry.stride * self._geometry.stride)
            if chunk is not None and item.kv_addr.request_id == 0:
                chunk.moving.pop(item.kv_addr, None)
        for chunk in self._chunks.values():
            chunk.patience -= 1
            if chunk.patience < 0:
                chunk.moving.clear()
        self._step = (self._step + 1) % _STEPS
        with self._fence.held():
            await self._driver.step(self._step)
        for chunk in [chunk for chunk in self._chunks.values() if chunk.cold]:
            await self._settle(chunk)

    def begin_request(self, request: str, hints: Hints) -> None:
        """A request that has not been seen before, and what is said about its blocks."""
        self._hints[request] = hints

    async def finish_request(self, request: str) -> None:
        """EVICT what no other request uses.

        A chunk that is being copied follows when that has ended, one stored in this step with the next.
        """
        self._hints.pop(request, None)
        for chunk in list(self._chunks.values()):
            if request in chunk.users:
                chunk.users.remove(request)
                chunk.cold = not chunk.users
                await self._settle(chunk)

    # ------------------------------------------------------------------ loads

    async def lookup(self, request: str, key: bytes) -> Presence:
        """LOOKUP peek: whether the chunk is there and at rest.

        The first lookup of a request carries out the request's hints.
        """
        chunk = self._chunks.get(key)
        if chunk is None:
            return Presence.MISS
        if not chunk.ready:
            return Presence.PENDING
        await self._look(chunk)
        if not chunk.dropped and request not in chunk.users:
            self._use(chunk, request)
            await self._apply_hints(chunk, request)
        if chunk.dropped:
            return Presence.MISS
        return Presence.PENDING if chunk.moving else Presence.READY

    async def touch(self, request: str, keys: Iterable[bytes]) -> None:
        """LOOKUP touch of every block; keys that are not there are passed over."""
        for key in keys:
            chunk = self._chunks.get(key)
            if chunk is None or not chunk.ready:
                continue
            self._use(chunk, request)
            for block in self._blocks(chunk):
                if await self._driver.lookup(block, touch=True) is None:
                    await self._drop(chunk)
                    break

    async def prepare_load(self, request: str, keys: Iterable[bytes]) -> list[Place]:
        """SHARE and PREFETCH; protected from removal and from slower tiers until `complete_load`.

        Returns:
            Where the chunks are, in the order of the keys.

        Raises:
            KeyError: a chunk is not there, or is still being stored; nothing has changed.
        """
        chunks = [self._chunks[key] for key in keys]
        for chunk in chunks:
            if not chunk.ready:
                raise KeyError(chunk.key)
        for chunk in chunks:
            self._use(chunk, request)
            if chunk.loads < MOST_SHARES:
                await self._driver.share(*await self._range(chunk))
            chunk.loads += 1
            await self._prefetch(chunk, 1)
        return [chunk.place for chunk in chunks]

    async def complete_load(self, keys: Iterable[bytes]) -> None:
        """RELEASE; keys that are not being loaded are passed over."""
        for chunk in self._under_way(keys, lambda chunk: chunk.loads > 0):
            await self._release(chunk)
            await self._settle(chunk)

    # ------------------------------------------------------------------ stores

    async def prepare_store(self, request: str, keys: Iterable[bytes]) -> StorePlan | None:
        """INSERT every block of the chunks that are not there yet; old chunks go for room.

        Returns:
            None when there is no room for all of them; then none is inserted.
        """
        wanted = list(dict.fromkeys(keys))
        made: list[_Chunk] = []
        evicted: list[bytes] = []
        for key in wanted:
            chunk = self._chunks.get(key)
            if chunk is None:
                chunk = await self._make(key, set(wanted), evicted)
                if chunk is None:
                    for other in made:
                        other.storing = False
                        await self._drop(other)
                    return None
                made.append(chunk)
            self._use(chunk, request)
        return StorePlan([chunk.key for chunk in made], [chunk.place for chunk in made], evicted)

    async def complete_store(self, keys: Iterable[bytes], *, success: bool) -> None:
        """The chunks are loadable, or (REMOVE) gone; keys that are not being stored are passed over."""
        for chunk in self._under_way(keys, lambda chunk: chunk.storing):
            chunk.storing = False
            chunk.written = self._step
            if chunk.dropped:
                await self._settle(chunk)
            elif success:
                self._announce(chunk)
                for request in list(chunk.users):
                    await self._apply_hints(chunk, request)
                await self._settle(chunk)
            else:
                await self._drop(chunk)

    async def reset(self) -> None:
        """Forget every chunk; what is being copied is removed when that has ended, or by `flushed`."""
        for chunk in list(self._chunks.values()):
            await self._drop(chunk)

    async def flushed(self) -> None:
        """Nothing that was under way at the last `reset` is copied any more."""
        for chunk in [chunk for chunk in self._at.values() if chunk.dropped]:
            chunk.storing = False
            while chunk.loads:
                await self._release(chunk)
            await self._settle(chunk)

    def _announce(self, chunk: _Chunk) -> None:
        chunk.announced = True
        self.events.append((chunk.key, False))

    def _under_way(self, keys: Iterable[bytes], copied: Callable[[_Chunk], bool]) -> list[_Chunk]:
        """The chunks of these keys that are copied; one that a reset has dropped comes before its successor."""
        dropped = {chunk.key: chunk for chunk in self._at.values() if chunk.dropped and copied(chunk)}
        found = [dropped.get(key) or self._chunks.get(key) for key in keys]
        return [chunk for chunk in found if chunk is not None and copied(chunk)]

    # ------------------------------------------------------------------ room

    async def _make(self, key: bytes, keep: Container[bytes], evicted: list[bytes]) -> _Chunk | None:
        group = int.from_bytes(key[-GROUP_BYTES:], "big")
        if group >= len(self._geometry.layers):
            return None
        while (first := self._ranges.take()) is not None:
            place = Place(group, first)
            status = await self._insert(place)
            if status is Status.OK:
                chunk = self._chunks[key] = self._at[first] = _Chunk(key, place)
                return chunk
            if status is Status.EXISTS:
                continue  # another client's blocks are there: this range is never used
            self._ranges.give_back(first)
            victim = self._victim(keep)
            if victim is None:
                return None
            evicted.append(victim.key)
            await self._drop(victim)
        return None

    def _victim(self, keep: Container[bytes]) -> _Chunk | None:
        """The least recently used chunk that may go: one without a live request, else any."""
        idle = [chunk for chunk in self._chunks.values() if not chunk.copied and chunk.key not in keep]
        return next((chunk for chunk in idle if not chunk.users), idle[0] if idle else None)

    async def _insert(self, place: Place) -> Status:
        """INSERT all blocks, each into the first tier with room; all or none."""
        left = self._geometry.blocks(place.group, place.first)
        last = self._geometry.block_tokens - 1
        done: list[KvAddress] = []
        status = Status.NO_SLOT
        for tier in self._tiers:
            answers = await self._driver.insert_many(
                [InsertRequest(block, block.token + last, tier, prefix=True) for block in left]
            )
            refused = {block: a.status for block, a in zip(left, answers, strict=True) if a.status is not Status.OK}
            done += [block for block in left if block not in refused]
            left = list(refused)
            if not left:
                return Status.OK
            status = next((s for s in refused.values() if s is not Status.NO_SLOT), Status.NO_SLOT)
            if status is not Status.NO_SLOT:
                break
        await self._remove(done)
        return status

    async def _remove(self, blocks: Iterable[KvAddress]) -> bool:
        """REMOVE; False if one stays, because others have shared it."""
        gone = True
        for block in blocks:
            try:
                await self._driver.remove(block)
            except DirectoryError as error:
                gone = gone and error.status is Status.MISS
        return gone

    async def _drop(self, chunk: _Chunk) -> None:
        """Take a chunk out of the map."""
        chunk.dropped = True
        del self._chunks[chunk.key]
        if chunk.announced:
            self.events.append((chunk.key, True))
        await self._settle(chunk)

    async def _settle(self, chunk: _Chunk) -> None:
        """What had to wait until nothing is copied: REMOVE of a dropped chunk, EVICT of a cold one."""
        if chunk.copied:
            return
        if chunk.dropped:
            if self._at.pop(chunk.place.first, None) and await self._remove(self._blocks(chunk)):
                self._ranges.give_back(chunk.place.first)
        elif chunk.cold and chunk.written != self._step:  # the device moves nothing in the step that wrote it
            chunk.cold = False
            await self._watch(chunk, lambda tier: tier < TIERS - 1)
            if not chunk.dropped:
                await self._driver.evict(*await self._range(chunk))

    # ------------------------------------------------------------------ blocks

    def _blocks(self, chunk: _Chunk) -> list[KvAddress]:
        return self._geometry.blocks(chunk.place.group, chunk.place.first)

    async def _range(self, chunk: _Chunk) -> tuple[KvAddress, int]:
        """First token and length for a range command, with CMD_SPAN set for it."""
        await self._driver.set_span(*self._geometry.span(chunk.place.group))
        return KvAddress(0, 0, 0, chunk.place.first), self._geometry.tokens(chunk.place.group)

    def _use(self, chunk: _Chunk, request: str) -> None:
        """A request uses the chunk; it is the most recently used one now."""
        if request in self._hints:
            chunk.users.add(request)
            chunk.cold = False
        self._chunks[chunk.key] = self._chunks.pop(chunk.key)

    async def _release(self, chunk: _Chunk) -> None:
        chunk.loads -= 1
        if chunk.loads < MOST_SHARES:
            await self._driver.release(*await self._range(chunk))

    async def _apply_hints(self, chunk: _Chunk, request: str) -> None:
        hints = self._hints.get(request, Hints())
        if hints.hot:
            await self._driver.hot(*await self._range(chunk))
        if hints.prefetch is not None:
            await self._prefetch(chunk, hints.prefetch)

    async def _prefetch(self, chunk: _Chunk, steps: int) -> None:
        if steps <= self._lookahead:
            await self._watch(chunk, lambda tier: tier > self._promote_tier)
        if not chunk.dropped:
            await self._driver.prefetch(*await self._range(chunk), (self._step + steps) % _STEPS)

    async def _watch(self, chunk: _Chunk, moves: Callable[[int], bool]) -> None:
        """Take note of the blocks that a command is about to move."""
        for block in self._blocks(chunk):
            place = await self._driver.lookup(block, touch=False)
            if place is None:
                await self._drop(chunk)
                return
            if moves(place.tier):
                chunk.moving[block] = place.tier
        chunk.patience = PATIENCE

    async def _look(self, chunk: _Chunk) -> None:
        """See which moves have ended, and whether the device has lost the chunk (a reset)."""
        for block in list(chunk.moving) or self._blocks(chunk)[:1]:
            place = await self._driver.lookup(block, touch=False)
            if place is None:
                await self._drop(chunk)
                return
            if chunk.moving.get(block) != place.tier:
                chunk.moving.pop(block, None)
