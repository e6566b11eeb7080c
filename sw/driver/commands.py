"""Hints and directory commands: everything that goes through the device's command queue."""

from __future__ import annotations

from collections.abc import Sequence

from sw.driver.errors import BadArgument, DirectoryError
from sw.driver.registers import Event, Registers, pack
from sw.driver.types import (
    TIERS,
    Caps,
    Freed,
    InsertAnswer,
    InsertRequest,
    Place,
)
from sw.regs import registers as regs
from sw.regs.kv_address import TOKENS, KvAddress
from sw.regs.register import Register
from sw.regs.registers import Command, Status
from sw.transport.base import Operation, Read, WaitIrq

COMMAND_QUEUE = 16
_RESULTS = (regs.DIR_STATUS, regs.DIR_PHYS_ADDR, regs.DIR_FREED)


class Commands:
    """Range commands are launched and left to run; directory commands are awaited.

    Both share the device's queue, so a directory command runs after the hints given before it.
    """

    def __init__(self, registers: Registers, caps: Caps) -> None:
        """Commands of the device behind `registers`."""
        self.registers = registers
        self.caps = caps
        self._queued = COMMAND_QUEUE  # at most so many wait or run; 0 is known after a drain
        self._span = (1, 1)

    # ------------------------------------------------------------------ ranges

    async def hot(self, first: KvAddress, tokens: int) -> None:
        """BOOST: HOT := 1, EVICTABLE := 0 on every block of the range.

        Raises:
            BadArgument: 0 tokens, or a range that is too long.
        """
        await self._range(regs.BOOST_ADDR, regs.BOOST_LEN, first, tokens)

    async def evict(self, first: KvAddress, tokens: int) -> None:
        """IMEVICT: EVICTABLE := 1, HOT := 0, HINT := 0, and eviction at once.

        Raises:
            BadArgument: 0 tokens, or a range that is too long.
        """
        await self._range(regs.IMEVICT_ADDR, regs.IMEVICT_LEN, first, tokens)

    async def cool(self, first: KvAddress, tokens: int) -> None:
        """COOL: HOT := 0, EVICTABLE := 0.

        Raises:
            BadArgument: 0 tokens, or a range that is too long.
        """
        await self._range(regs.COOL_ADDR, regs.COOL_LEN, first, tokens)

    async def share(self, first: KvAddress, tokens: int) -> None:
        """SHARE: REF_COUNT + 1, PREFIX := 1.

        Raises:
            BadArgument: 0 tokens, or a range that is too long.
        """
        await self._range(regs.SHARE_ADDR, regs.SHARE_LEN, first, tokens)

    async def release(self, first: KvAddress, tokens: int) -> None:
        """RELEASE: REF_COUNT - 1.

        Raises:
            BadArgument: 0 tokens, or a range that is too long.
        """
        await self._range(regs.RELEASE_ADDR, regs.RELEASE_LEN, first, tokens)

    async def prefetch(self, first: KvAddress, tokens: int, step: int) -> None:
        """PREFETCH: the blocks will be needed at `step`.

        Raises:
            BadArgument: 0 tokens, a range that is too long, or a step over 32 bits.
        """
        self.check_range(first, tokens)
        launch = self.registers.put(regs.PREFETCH_STEP, pack(regs.PREFETCH_STEP, STEP=step))
        await self._launch(
            [
                self.registers.put(regs.PREFETCH_ADDR, first.pack()),
                self.registers.put(regs.PREFETCH_LEN, tokens),
                launch,
            ]
        )

    @property
    def span(self) -> tuple[int, int]:
        """Layers and heads over which each range is repeated."""
        return self._span

    async def set_span(self, layers: int, heads: int) -> None:
        """Repeat each range over so many layers and heads, from its address's own on.

        Raises:
            BadArgument: not within 1 to 255.
        """
        if not (1 <= layers <= 255 and 1 <= heads <= 255):
            raise BadArgument(f"CMD_SPAN: {layers} layers, {heads} heads: 1 to 255 of each")
        if self._span != (layers, heads):
            await self.registers.set(regs.CMD_SPAN, LAYERS=layers, HEADS=heads)
            self._span = (layers, heads)

    def check_range(self, first: KvAddress, tokens: int) -> None:
        """Raise what the device would refuse.

        Raises:
            BadArgument: 0 tokens, past token 2^32 - 1, over more than ENTRIES blocks, or a span
                past layer or head 255.
        """
        if tokens < 1:
            raise BadArgument(f"a range of {tokens} tokens")
        if first.token + tokens > TOKENS:
            raise BadArgument(f"{tokens} tokens from {first} run past token 2^32 - 1")
        size = self.caps.block_tokens
        blocks = (first.token + tokens - 1) // size - first.token // size + 1
        if blocks > self.caps.entries:
            raise BadArgument(f"a range over {blocks} blocks: the device has {self.caps.entries}")
        layers, heads = self._span
        if first.layer + layers > 256 or first.head + heads > 256:
            raise BadArgument(f"{layers} layers, {heads} heads from {first} run past 255")

    async def _range(self, addr: Register, length: Register, first: KvAddress, tokens: int) -> None:
        self.check_range(first, tokens)
        put = self.registers.put
        await self._launch([put(addr, first.pack()), put(length, tokens)])

    async def _launch(self, operations: Sequence[Operation]) -> None:
        await self._room()
        await self.registers.batch(operations)
        self._queued += 1

    async def _room(self) -> None:
        """Wait until the command queue has a free place."""
        if self._queued < COMMAND_QUEUE:
            return
        while True:
            await self.registers.clear(Event.COMMAND_DONE)
            self._queued = await self._commands()
            if self._queued < COMMAND_QUEUE:
                return
            await self.registers.wait(Event.COMMAND_DONE, "end of a command (queue full)")

    async def _commands(self) -> int:
        status = await self.registers.read(regs.STATUS)
        return regs.STATUS["COMMANDS"].get(status)

    async def drain(self, timeout_ns: int | None = None) -> None:
        """Wait until no command waits or runs.

        Raises:
            Timeout: a single command took longer than the limit.
        """
        while self._queued:
            await self.registers.clear(Event.COMMAND_DONE)
            self._queued = await self._commands()
            if self._queued:
                await self.registers.wait(Event.COMMAND_DONE, "end of a command", timeout_ns)

    # ------------------------------------------------------------------ directory commands

    async def insert(self, request: InsertRequest) -> Place:
        """INSERT: a new block in a slot of its tier.

        Raises:
            BadArgument: a tier that is none, or a token_end over 32 bits.
            DirectoryError: BAD_ARG, EXISTS, NO_SLOT or FULL.
        """
        argument = _insert_argument(request)
        status, place, _ = await self._command(Command.INSERT, request.kv_addr, argument)
        if status is not Status.OK:
            raise DirectoryError(Command.INSERT, status, request.kv_addr)
        return Place(place.index, request.tier, place.phys_addr)

    async def insert_many(self, requests: Sequence[InsertRequest]) -> list[InsertAnswer]:
        """INSERT one after another in one batch of the transport.

        Returns:
            How each ended, in order; a status other than OK raises nothing and stops nothing.

        Raises:
            BadArgument: an argument of one of them; nothing was launched.
        """
        if not requests:
            return []
        arguments = [_insert_argument(request) for request in requests]
        await self.drain()
        await self.registers.enable(Event.COMMAND_DONE)
        await self.registers.clear(Event.COMMAND_DONE)
        put, operations = self.registers.put, list[Operation]()
        for request, argument in zip(requests, arguments, strict=True):
            operations += [
                put(regs.DIR_ADDR, request.kv_addr.pack()),
                put(regs.DIR_ARG, argument),
                put(regs.DIR_COMMAND, Command.INSERT),
                WaitIrq(self.registers.timeout_ns),
                put(regs.IRQ_STATUS, int(Event.COMMAND_DONE)),
                Read(regs.DIR_STATUS.offset),
                Read(regs.DIR_PHYS_ADDR.offset),
            ]
        stride = len(operations) // len(requests)
        values = await self.registers.batch(operations)
        answers = []
        for number, request in enumerate(requests):
            result, phys_addr = values[number * stride + stride - 2 : (number + 1) * stride]
            status = Status(regs.DIR_STATUS["STATUS"].get(result))
            index = regs.DIR_STATUS["INDEX"].get(result)
            good = status is Status.OK
            answers.append(InsertAnswer(status, Place(index, request.tier, phys_addr) if good else None))
        return answers

    async def lookup(self, kv_addr: KvAddress, *, touch: bool) -> Place | None:
        """LOOKUP as a port's (touch), or without any effect (peek).

        Returns:
            Where the block is, None when it is not in the directory.
        """
        argument = pack(regs.DIR_ARG, TOUCH=int(touch))
        status, place, _ = await self._command(Command.LOOKUP, kv_addr, argument)
        if status is Status.MISS:
            return None
        if status is not Status.OK:
            raise DirectoryError(Command.LOOKUP, status, kv_addr)
        return place

    async def remove(self, kv_addr: KvAddress) -> None:
        """REMOVE a block.

        Raises:
            DirectoryError: MISS, or REFERENCED.
        """
        status, _, _ = await self._command(Command.REMOVE, kv_addr, 0)
        if status is not Status.OK:
            raise DirectoryError(Command.REMOVE, status, kv_addr)

    async def free_request(self, request_id: int) -> Freed:
        """FREE_REQUEST: remove all blocks of a request that are not referenced.

        Raises:
            BadArgument: request 0, or over 16 bits.
        """
        if not 1 <= request_id <= 0xFFFF:
            raise BadArgument(f"FREE_REQUEST of request {request_id}: 1 to 65,535")
        kv_addr = KvAddress(request_id, 0, 0, 0)
        status, _, freed = await self._command(Command.FREE_REQUEST, kv_addr, 0)
        if status is not Status.OK:
            raise DirectoryError(Command.FREE_REQUEST, status, kv_addr)
        return freed

    async def migrate(self, kv_addr: KvAddress, tier: int) -> None:
        """MIGRATE: queue a move to `tier`; its completion tells how it ended.

        Raises:
            BadArgument: a tier that is none.
            DirectoryError: MISS, BAD_ARG (its own tier), REFERENCED or BUSY.
        """
        argument = pack(regs.DIR_ARG, TIER=_tier(tier))
        status, _, _ = await self._command(Command.MIGRATE, kv_addr, argument)
        if status is not Status.OK:
            raise DirectoryError(Command.MIGRATE, status, kv_addr)

    async def _command(self, command: Command, kv_addr: KvAddress, argument: int) -> tuple[Status, Place, Freed]:
        await self._room()
        await self.registers.enable(Event.COMMAND_DONE)
        await self.registers.clear(Event.COMMAND_DONE)
        put = self.registers.put
        await self.registers.batch(
            [
                put(regs.DIR_ADDR, kv_addr.pack()),
                put(regs.DIR_ARG, argument),
                put(regs.DIR_COMMAND, command),
            ]
        )
        self._queued += 1
        while True:
            # A range command queued before may be what has ended; then DIR_STATUS says BUSY.
            await self.registers.wait(Event.COMMAND_DONE, f"end of {command.name} {kv_addr}")
            result, phys_addr, freed = await self.registers.read_all(_RESULTS)
            if not regs.DIR_STATUS["BUSY"].get(result):
                break
        self._queued = 0  # the queue runs in order, and this was the last launch
        fields = regs.DIR_STATUS.unpack(result)
        counts = regs.DIR_FREED.unpack(freed)
        return (
            Status(fields["STATUS"]),
            Place(fields["INDEX"], fields["TIER"], phys_addr),
            Freed(counts["REMOVED"], counts["STAYED"]),
        )


def _tier(tier: int) -> int:
    if not 0 <= tier < TIERS:
        raise BadArgument(f"tier {tier}: 0 to {TIERS - 1}")
    return tier


def _insert_argument(request: InsertRequest) -> int:
    return pack(
        regs.DIR_ARG,
        TOKEN_END=request.token_end,
        TIER=_tier(request.tier),
        PREFIX=int(request.prefix),
        HOT=int(request.hot),
    )
