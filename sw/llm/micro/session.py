"""The device as the micro-LLM's sequences share it: one step counter, one fence, one pool of prefixes.

One chunk runs at a time. It begins with `advance`; every address that a lookup of that step gives is used
before the next `advance`: that is the fence (software.md 1), and an address of another step is refused here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sw.driver import Driver, DriverError
from sw.driver.types import TIERS, InsertRequest
from sw.llm.backend import DeviceFault
from sw.llm.micro.prefixes import PrefixBlock, PrefixPool, Run, Shape
from sw.metrics.usage import Usage
from sw.regs.kv_address import KvAddress
from sw.regs.registers import Completion, Status
from sw.transport.base import Lookup, TransportError

_STEPS = 1 << 32
_TRIES = 8  # steps that an INSERT waits for slots which moves hold


@dataclass(frozen=True, slots=True)
class Wanted:
    """A lookup to make: a token's place, for reading or for writing."""

    kv_addr: KvAddress
    write: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lookup found a block, good until the step changes."""

    kv_addr: KvAddress
    step: int
    tier: int
    phys_addr: int


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block to insert: its first token's address, and how many tokens it has at once."""

    kv_addr: KvAddress
    tokens: int


RangeCommand = Callable[[KvAddress, int], Awaitable[None]]


@contextmanager
def faults(what: str) -> Iterator[None]:
    """What the driver and the transport raise inside is a DeviceFault."""
    try:
        yield
    except (DriverError, TransportError) as error:
        raise DeviceFault(f"{what}: {error}") from error


class DeviceSession:
    """One device, shared by the sequences of all models that are loaded.

    Attributes:
        driver: of the device; tiers and BLOCK_BYTES are configured before.
        block_bytes: BLOCK_BYTES as configured.
        prefixes: the pool of shared blocks.
        epoch: counts resets of the device; what was opened in an earlier one is lost.
        step: current step.
        migrations: moves seen to end well.
        moved_twice: blocks seen to move twice or more, between their INSERT and their end.
    """

    def __init__(self, driver: Driver, *, block_bytes: int, slots: Sequence[int], step: int = 0) -> None:
        """Use `DevicePlan.apply`.

        Args:
            driver: of the device, configured and enabled.
            block_bytes: BLOCK_BYTES.
            slots: of each tier.
            step: the device's current step.
        """
        self.driver = driver
        self.block_bytes = block_bytes
        self.prefixes = PrefixPool(driver.caps.block_tokens)
        self.epoch = 0
        self.step = step
        self.migrations = 0
        self.moved_twice = 0
        self._kept = [count // 16 for count in slots[: TIERS - 1]] + [0]  # slots left to the device's own moves
        self._moves: dict[KvAddress, int] = {}

    @property
    def block_tokens(self) -> int:
        """Tokens of a block."""
        return self.driver.caps.block_tokens

    @property
    def next_step(self) -> int:
        """The step that the next chunk begins: one after the device's, whoever has set it."""
        return (self.driver.last_step + 1) % _STEPS

    def lost(self) -> None:
        """The device was reset: nothing of what it held is there, every open sequence has failed."""
        self.epoch += 1
        self.step = 0
        self.prefixes = PrefixPool(self.block_tokens)
        self._moves.clear()

    # ------------------------------------------------------------------ steps

    async def advance(self) -> None:
        """STEP_ADVANCE to the next step.

        Raises:
            DeviceFault: the device does not do its part.
        """
        self.step = self.next_step
        with faults(f"STEP_ADVANCE to {self.step}"):
            await self.driver.step(self.step)
            await self.take_completions()

    async def take_completions(self) -> None:
        """Empty the completion queue and count the moves.

        Raises:
            DriverError, TransportError: the device does not do its part.
        """
        for item in await self.driver.completions():
            if item.status is Completion.OK:
                self.migrations += 1
                moves = self._moves[item.kv_addr] = self._moves.get(item.kv_addr, 0) + 1
                self.moved_twice += moves == 2

    # ------------------------------------------------------------------ lookups and bytes

    async def look(self, wanted: Sequence[Wanted], usage: Usage) -> list[Place]:
        """Lookups, spread over the ports; those of one block in their order. Answers in order.

        Raises:
            DeviceFault: one of the blocks is not there, or the device does not answer.
        """
        ports = self.driver.caps.ports
        lookups = [
            Lookup((w.kv_addr.token // self.block_tokens + w.kv_addr.head) % ports, w.kv_addr.pack(), w.write)
            for w in wanted
        ]
        order = sorted(range(len(lookups)), key=lambda n: lookups[n].port)
        with faults(f"lookups in step {self.step}"):
            answers = await self.driver.registers.transport.lookups([lookups[n] for n in order])
        usage.lookups += len(answers)
        usage.misses += sum(not answer.hit for answer in answers)
        found = dict(zip(order, answers, strict=True))
        places = []
        for n, want in enumerate(wanted):
            answer = found[n]
            if not answer.hit:
                kind, why = "write" if want.write else "read", "is denied" if answer.denied else "misses"
                raise DeviceFault(f"{kind} lookup of {want.kv_addr} in step {self.step} {why}: the block must be there")
            places.append(Place(want.kv_addr, self.step, answer.tier, answer.phys_addr))
        return places

    async def read(self, place: Place, count: int, usage: Usage) -> bytes:
        """The first `count` bytes of a block, where a lookup of this step found it.

        Raises:
            DeviceFault: the address is of an earlier step, or the memory does not answer.
        """
        self._check_step(place)
        with faults(f"read of {place.kv_addr} in tier {place.tier}"):
            data = await self.driver.registers.transport.mem_read(place.tier, place.phys_addr, count)
        usage.bytes_read += count
        return data

    async def write(self, place: Place, offset: int, data: bytes, usage: Usage) -> None:
        """Bytes of a block from `offset` on, where a write lookup of this step found it.

        Raises:
            DeviceFault: the address is of an earlier step, or the memory does not answer.
        """
        self._check_step(place)
        with faults(f"write of {place.kv_addr} in tier {place.tier}"):
            await self.driver.registers.transport.mem_write(place.tier, place.phys_addr + offset, data)
        usage.bytes_written += len(data)

    def _check_step(self, place: Place) -> None:
        if place.step != self.step:
            raise DeviceFault(
                f"fence: the address of {place.kv_addr} is of step {place.step}, the device is in step {self.step}"
            )

    # ------------------------------------------------------------------ inserts and removals

    async def insert(self, blocks: Sequence[NewBlock], usage: Usage) -> None:
        """INSERT new blocks, as high up as there is room.

        Room is made of unused prefixes, and slots that moves hold come back with a step: no
        address of a lookup may be in use.

        Raises:
            DeviceFault: there is no room, or the device does not do its part; those blocks that
                found a place stay until they are removed.
        """
        left = list(blocks)
        for attempt in range(_TRIES):
            with faults(f"INSERT in step {self.step}"):
                left = await self._insert(left, spare=attempt == 0)
            if not left:
                usage.inserts += len(blocks)
                return
            if attempt and not await self._make_room(len(left)):
                await self.advance()
        raise DeviceFault(f"INSERT of {left[0].kv_addr}: no room in any tier after {_TRIES} tries")

    async def _insert(self, blocks: Sequence[NewBlock], *, spare: bool) -> list[NewBlock]:
        """INSERT what fits, tier after tier; `spare`: leave slots to moves. What has found no place."""
        left = list(blocks)
        free = await self.driver.free_slots() if left else []
        for tier, count in enumerate(free):
            room = max(0, count - self._kept[tier]) if spare else count
            tried, left = left[:room], left[room:]
            left = await self._insert_in(tier, tried) + left
        return left

    async def _insert_in(self, tier: int, blocks: Sequence[NewBlock]) -> list[NewBlock]:
        """INSERT in one tier; those that found no place."""
        requests = [
            InsertRequest(b.kv_addr, b.kv_addr.token + b.tokens - 1, tier, prefix=b.kv_addr.request_id == 0)
            for b in blocks
        ]
        refused = []
        for block, answer in zip(blocks, await self.driver.insert_many(requests), strict=True):
            if answer.status in {Status.NO_SLOT, Status.FULL}:
                refused.append(block)
            elif answer.status is not Status.OK:
                raise DeviceFault(f"INSERT of {block.kv_addr} in step {self.step}: {answer.status.name}")
            else:
                self._moves.pop(block.kv_addr, None)
        return refused

    async def _make_room(self, count: int) -> int:
        """Remove prefixes without users, least recently used first, until `count` blocks are gone; how many are."""
        removed = 0
        while removed < count and (prefix := self.prefixes.oldest()):
            removed += await self.remove(prefix)
        return removed

    async def remove(self, prefix: PrefixBlock) -> int:
        """REMOVE what the device has of an unused prefix block, and forget it.

        Returns:
            Device blocks removed.

        Raises:
            DeviceFault: the device does not do its part.
        """
        removed = 0
        with faults(f"REMOVE of a prefix in step {self.step}"):
            for address in prefix.addresses:
                if await self.driver.lookup(address, touch=False):
                    await self.driver.remove(address)
                    removed += 1
            await self.take_completions()
        self.prefixes.drop(prefix)
        return removed

    async def free(self, request_id: int) -> None:
        """FREE_REQUEST of a request none of whose blocks is shared.

        Raises:
            DeviceFault: blocks stayed, or the device does not do its part.
        """
        with faults(f"FREE_REQUEST of {request_id} in step {self.step}"):
            freed = await self.driver.free_request(request_id)
            await self.take_completions()
        if freed.stayed:
            raise DeviceFault(f"FREE_REQUEST of {request_id}: {freed.stayed} blocks stayed")

    # ------------------------------------------------------------------ hints

    async def hint(self, command: RangeCommand, shape: Shape, request_id: int, runs: Sequence[Run]) -> None:
        """A range command on ranges of tokens of a request, in every layer and kv head of a model.

        Raises:
            DeviceFault: the device does not do its part.
        """
        if not runs:
            return
        driver = self.driver
        with faults(f"hint in step {self.step}"):
            span = driver.span
            await driver.set_span(shape.layers, shape.kv_heads)
            for first, tokens in runs:
                await command(KvAddress(request_id, 0, 0, first), tokens)
            await driver.set_span(*span)
