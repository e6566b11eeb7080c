"""What the driver reads from the device: queues, counters, errors, entries."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from sw.driver.errors import BadArgument, DriverError
from sw.driver.registers import Event, Registers
from sw.driver.types import COUNTERS, TIERS, Caps, CompletionItem, DmaError, Entry
from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.regs.registers import Channel, Completion
from sw.transport.base import ENTRY_BYTES, Operation, Read

Observer = Callable[[Sequence[CompletionItem], Sequence[KvAddress]], None]
_KEPT = 1024  # items of each queue that `collect` keeps for whoever takes them; the oldest go first


class Monitoring:
    """Reads that change nothing but the heads of the two queues.

    Attributes:
        observer: called with every completion and miss when it is read from the device, whoever takes it.
    """

    def __init__(self, registers: Registers, caps: Caps) -> None:
        """Monitoring of the device behind `registers`."""
        self.registers = registers
        self.caps = caps
        self.observer: Observer = lambda completions, misses: None
        self._completions: deque[CompletionItem] = deque(maxlen=_KEPT)
        self._misses: deque[KvAddress] = deque(maxlen=_KEPT)

    async def status(self) -> dict[str, int]:
        """STATUS by field."""
        return await self.registers.get(regs.STATUS)

    async def collect(self) -> None:
        """Empty both queues of the device for `observer`; `completions` and `misses` give the items later."""
        self._completions.extend(await self._pop_completions())
        self._misses.extend(await self._pop_misses())

    async def completions(self) -> list[CompletionItem]:
        """Take every item of the completion queue, oldest first."""
        self._completions.extend(await self._pop_completions())
        taken = list(self._completions)
        self._completions.clear()
        return taken

    async def misses(self) -> list[KvAddress]:
        """Take every item of the miss queue, oldest first."""
        self._misses.extend(await self._pop_misses())
        taken = list(self._misses)
        self._misses.clear()
        return taken

    async def _pop_completions(self) -> list[CompletionItem]:
        status = await self.registers.read(regs.STATUS)
        level = regs.STATUS["COMPLETION_LEVEL"].get(status)
        # Only software pops, so that many heads are there whatever comes meanwhile.
        pair: list[Operation] = [
            Read(regs.COMPLETION_INFO.offset),
            Read(regs.COMPLETION_ADDR.offset),
        ]
        values = await self.registers.batch(pair * level) if level else []
        items = []
        for info, kv_addr in zip(values[::2], values[1::2], strict=True):
            fields = regs.COMPLETION_INFO.unpack(info)
            items.append(
                CompletionItem(
                    kv_addr=KvAddress.unpack(kv_addr),
                    from_tier=fields["FROM"],
                    to_tier=fields["TO"],
                    status=Completion(fields["STATUS"]),
                )
            )
        if items:
            self.observer(items, ())
        return items

    async def wait_completions(self, timeout_ns: int | None = None) -> list[CompletionItem]:
        """As `completions`, but wait for one if the queue is empty.

        Raises:
            Timeout: none came.
        """
        while True:
            await self.registers.clear(Event.COMPLETION)
            items = await self.completions()
            if items:
                return items
            await self.registers.wait(Event.COMPLETION, "completion", timeout_ns)

    async def _pop_misses(self) -> list[KvAddress]:
        status = await self.registers.read(regs.STATUS)
        level = regs.STATUS["MISS_LEVEL"].get(status)
        pops: list[Operation] = [Read(regs.MISS_ADDR.offset)]
        values = await self.registers.batch(pops * level) if level else []
        items = [KvAddress.unpack(value) for value in values]
        if items:
            self.observer((), items)
        return items

    async def statistics(self) -> dict[str, int]:
        """Every counter by name, and the cycles of the last scan and first decision."""
        registers = (*COUNTERS, regs.SCAN_CYCLES, regs.FIRST_DECISION_CYCLES)
        values = await self.registers.read_all(registers)
        return {register.name: value for register, value in zip(registers, values, strict=True)}

    async def free_slots(self) -> list[int]:
        """Free slots of every tier."""
        return await self.registers.read_all(regs.TIER_FREE)

    async def auto_thresholds(self) -> list[int]:
        """Automatic eviction thresholds of every tier."""
        return await self.registers.read_all(regs.TIER_AUTO_THRESH)

    async def dma_error(self) -> DmaError | None:
        """The first AXI error, if one is latched; the latch is released."""
        info, kv_addr = await self.registers.read_all((regs.DMA_ERROR_INFO, regs.DMA_ERROR_ADDR))
        fields = regs.DMA_ERROR_INFO.unpack(info)
        if not fields["VALID"]:
            return None
        await self.registers.set(regs.DMA_ERROR_INFO, VALID=1)
        channel = Channel(fields["CHANNEL"])
        return DmaError(KvAddress.unpack(kv_addr), channel, bool(fields["WRITE"]))

    async def parity_error(self) -> int | None:
        """Index of the first entry read with bad parity, if latched; the latch is released."""
        fields = await self.registers.get(regs.PARITY_INFO)
        if not fields["VALID"]:
            return None
        await self.registers.set(regs.PARITY_INFO, VALID=1)
        return fields["INDEX"]

    async def window(self, first: int = 0, count: int | None = None) -> bytes:
        """Raw entries through the directory window, 32 bytes each (`count` None: to the last).

        Raises:
            BadArgument: not within the directory.
            DriverError: the transport offers no window.
        """
        if count is None:
            count = self.caps.entries - first
        if first < 0 or count < 0 or first + count > self.caps.entries:
            raise BadArgument(f"entries {first} to {first + count}: the device has {self.caps.entries}")
        if not self.registers.transport.has_window:
            raise DriverError("this transport does not offer the directory window")
        return await self.registers.transport.window(first, count)

    async def directory(self, first: int = 0, count: int | None = None) -> dict[int, Entry]:
        """Every valid entry by index, of `count` places from `first` on (None: to the last).

        Raises:
            BadArgument: not within the directory.
            DriverError: the transport offers no window.
        """
        return dict(_valid(await self.window(first, count), first))

    async def occupancy(self) -> list[int]:
        """Valid entries per tier, read through the directory window."""
        counts = [0] * TIERS
        for entry in (await self.directory()).values():
            counts[entry.tier] += 1
        return counts


def _valid(data: bytes, first: int) -> Iterator[tuple[int, Entry]]:
    for place in range(len(data) // ENTRY_BYTES):
        slot = data[place * ENTRY_BYTES : (place + 1) * ENTRY_BYTES]
        if any(slot):
            entry = Entry.unpack(slot)
            if entry.valid:
                yield first + place, entry
