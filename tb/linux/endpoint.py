"""The device behind the PCI function: a transport (device model, simulated RTL), the interrupt line, faults."""

from collections.abc import Awaitable, Callable

from sw.regs import registers as regs
from sw.transport.base import AccessRefused, Transport, WaitTimeout
from tb.linux.pci import Fault

WORD = 8
REGISTERS_BAR, WINDOW_BAR = 0, 2
_UNKNOWN: dict[Fault, tuple[int, Callable[[int], int]]] = {
    Fault.ID: (regs.ID.offset, lambda value: value ^ 1),
    Fault.VERSION: (regs.VERSION.offset, lambda value: value + (1 << 16)),
    Fault.CAPS: (regs.CAPS.offset, lambda value: value ^ 1),
    Fault.READY: (regs.STATUS.offset, lambda value: value & ~regs.STATUS.pack(INITIALISED=1)),
}
"""What a register reads with a fault: its offset, and that value made from its own."""


class Endpoint:
    """Accesses in bytes, device time from 0 on, and the moment at which the interrupt line rose.

    A refused access (SLVERR) is what a PCI bridge makes of it: a read gives ones, a write has no effect.

    Attributes:
        rise_at: ns at which the line rose since the last `taken`; None: it did not.
        lost: the device does not answer.
        accesses, refused: counted.
    """

    def __init__(
        self,
        transport: Transport,
        line: Callable[[], bool],
        reset: Callable[[], Awaitable[None]],
        break_memory: Callable[[bool], None] = lambda broken: None,
    ) -> None:
        """`break_memory` makes writes to the memory of the slowest tier end in AXI errors, or in none any more."""
        self._transport = transport
        self._line = line
        self._reset = reset
        self._origin = transport.now()
        self._was_high = False
        self._break_memory = break_memory
        self._fault: tuple[int, Fault] | None = None
        self._unknown: Fault | None = None
        self.rise_at: int | None = None
        self.lost = False
        self.accesses = 0
        self.refused = 0

    @property
    def now(self) -> int:
        """Device time, ns."""
        return self._transport.now() - self._origin

    def taken(self) -> None:
        """The interrupt was delivered."""
        self.rise_at = None

    def _look(self) -> None:
        """Note an edge of the interrupt line."""
        high = self._line() and not self.lost
        if high and not self._was_high:
            self.rise_at = self.now
        self._was_high = high

    async def read(self, bar: int, offset: int, size: int) -> bytes:
        """Bytes of a BAR: ones where the device does not answer, or not to such an access."""
        if size % WORD or offset % WORD:
            self.refused += 1
            return b"\xff" * size
        words = [await self._read_word(bar, at) for at in range(offset, offset + size, WORD)]
        return b"".join(words)

    async def _read_word(self, bar: int, offset: int) -> bytes:
        self.accesses += 1
        await self.strike()
        if self.lost:
            return b"\xff" * WORD
        try:
            if bar == WINDOW_BAR:
                value = await self._transport.read_window(offset)
            elif bar == REGISTERS_BAR:
                value = await self._transport.read(offset)
                if self._unknown is not None and _UNKNOWN[self._unknown][0] == offset:
                    value = _UNKNOWN[self._unknown][1](value)
            else:
                return b"\xff" * WORD
        except AccessRefused:
            self.refused += 1
            return b"\xff" * WORD
        finally:
            self._look()
        return value.to_bytes(WORD, "little")

    async def write(self, bar: int, offset: int, data: bytes) -> None:
        """Bytes into a BAR; without effect where the device refuses them."""
        self.accesses += 1
        await self.strike()
        if self.lost:
            return
        if bar != REGISTERS_BAR or len(data) != WORD or offset % WORD:
            self.refused += 1
            return
        try:
            await self._transport.write(offset, int.from_bytes(data, "little"))
        except AccessRefused:
            self.refused += 1
        self._look()

    def plan(self, fault: Fault, after: int) -> None:
        """Do something to the device `after` ns from now."""
        self._fault = (self.now + after, fault)

    async def advance(self, until: int, *, to_rise: bool) -> None:
        """Let device time pass up to `until`; with `to_rise` not past a rise of the interrupt line."""
        while self.now < until and not (to_rise and self.rise_at is not None):
            stop = min(until, self._fault[0]) if self._fault else until
            if self.now < stop:
                await self._pass(stop)
            await self.strike()
        await self.strike()

    async def _pass(self, until: int) -> None:
        if self._line() or self.lost:
            await self._transport.sleep(until - self.now)  # no rise without a fall, and that takes a write
        else:
            try:
                await self._transport.wait_irq(until - self.now)
            except WaitTimeout:
                await self._transport.sleep(until - self.now)  # the rest of a cycle
        self._look()

    async def strike(self) -> None:
        """A planned fault happens, if its time has come."""
        if self._fault is None or self.now < self._fault[0]:
            return
        _, fault = self._fault
        self._fault = None
        if fault in (Fault.RESET, Fault.RETURN):
            await self._reset()
        if fault in (Fault.BUS, Fault.RETURN):
            self._break_memory(fault is Fault.BUS)
        if fault in _UNKNOWN or fault is Fault.RETURN:
            self._unknown = fault if fault in _UNKNOWN else None
        self.lost = fault is Fault.LOSE or (self.lost and fault is not Fault.RETURN)
        self._look()
