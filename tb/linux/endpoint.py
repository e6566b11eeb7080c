"""The device behind the PCI function: a transport (device model, simulated RTL), the interrupt line, faults."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from sw.regs import registers as regs
from sw.transport.base import AccessRefused, LookupAnswer, Transport, TransportError, WaitTimeout
from tb.linux.pci import Fault

WORD = 8
REGISTERS_BAR, WINDOW_BAR = 0, 2
POSTED_NS = 1000
"""How long a write may stay on its way: PCI promises its arrival only to who reads after it."""
_UNKNOWN: dict[Fault, tuple[int, Callable[[int], int]]] = {
    Fault.ID: (regs.ID.offset, lambda value: value ^ 1),
    Fault.VERSION: (regs.VERSION.offset, lambda value: value + (1 << 16)),
    Fault.SIZE: (regs.CAPS.offset, lambda value: value + regs.CAPS.unpack(value)["ENTRIES"]),
    Fault.READY: (regs.STATUS.offset, lambda value: value & ~regs.STATUS.pack(INITIALISED=1)),
}
"""A register that reads wrong: its offset, and that value made from its own."""
_CAPS: tuple[Callable[[int], int], ...] = (
    lambda value: value ^ 1,
    lambda value: value >> 1,  # half the entries
    lambda value: value ^ regs.CAPS.pack(BLOCK_TOKENS=1),
)
"""CAPS that no driver knows, by the number that is given for the tier."""


class Surroundings(Protocol):
    """What the testbench reaches of the device besides its registers."""

    def irq(self) -> bool:
        """The interrupt line."""

    async def reset(self) -> None:
        """Use the reset pin."""

    def axi_errors(self, tier: int, *, write: bool, bursts: int) -> None:
        """The next bursts (0: all) from the memory of a tier, or (`write`) to it, are answered with SLVERR."""

    def clear_axi_errors(self) -> None:
        """No burst fails any more."""

    def bad_parity(self, index: int) -> None:
        """An entry of the directory has bad parity from now on."""

    def step_to_irq_ns(self) -> int:
        """What the device has counted from the last STEP_ADVANCE to its interrupt; 0: there was none since."""


class Endpoint:
    """Accesses in bytes, device time from 0 on, and the moment at which the interrupt line rose.

    The clock starts with the first access: what the guest waits for before it, its own start, is not simulated.

    A refused access (SLVERR) is what a PCI bridge makes of it: a read gives ones, a write has no effect. Writes are
    posted: one reaches the device before the next read or configuration access, or after POSTED_NS.

    Attributes:
        rise_at: ns at which the line rose since the last `taken`; None: it did not.
        lost: the device does not answer.
        irq: the level of its interrupt line.
        paused: the guest's shell waits for the user.
        check_failed_at: ns of `Transport.now` at which a test of the guest first found a fault; None: none has.
        accesses, refused: counted.
    """

    def __init__(self, transport: Transport, surroundings: Surroundings) -> None:
        self._transport = transport
        self._surroundings = surroundings
        self.irq = surroundings.irq
        self.step_to_irq_ns = surroundings.step_to_irq_ns
        self._origin: int | None = None  # `Transport.now` at ns 0; None: the clock has not started
        self._before = 0  # ns until it has
        self._was_high = False
        self._posted: deque[tuple[int, int, int]] = deque()  # due at, offset, value
        self._fault: tuple[int, Fault] | None = None
        self._which = 0
        self._unknown: tuple[int, Callable[[int], int]] | None = None
        self.paused = False
        self.check_failed_at: int | None = None
        self.rise_at: int | None = None
        self.lost = False
        self.accesses = 0
        self.refused = 0

    @property
    def now(self) -> int:
        """Device time, ns."""
        return self._before if self._origin is None else self._transport.now() - self._origin

    def _start(self) -> None:
        if self._origin is None:
            self._origin = self._transport.now() - self._before

    def taken(self) -> None:
        """The interrupt was delivered."""
        self.rise_at = None

    def _look(self) -> None:
        """Note an edge of the interrupt line."""
        high = self.irq() and not self.lost
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
        self._start()
        self.accesses += 1
        await self.push()
        await self.strike()
        if self.lost:
            return b"\xff" * WORD
        try:
            if bar == WINDOW_BAR:
                value = await self._transport.read_window(offset)
            elif bar == REGISTERS_BAR:
                value = await self._transport.read(offset)
                if self._unknown is not None and self._unknown[0] == offset:
                    value = self._unknown[1](value)
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
        self._start()
        self.accesses += 1
        await self.strike()
        if self.lost:
            return
        if bar != REGISTERS_BAR or len(data) != WORD or offset % WORD:
            self.refused += 1
            return
        self._posted.append((self.now + POSTED_NS, offset, int.from_bytes(data, "little")))

    async def push(self, until: int | None = None) -> None:
        """Posted writes reach the device: those due by `until`, or all."""
        while self._posted and (until is None or self._posted[0][0] <= until):
            _, offset, value = self._posted.popleft()
            await self.strike()
            if self.lost:
                continue
            try:
                await self._transport.write(offset, value)
            except AccessRefused:
                self.refused += 1
            self._look()

    async def _reached(self) -> None:
        """The accelerator comes after writes that are on their way. Raises TransportError: the device is lost."""
        self._start()
        await self.push()
        if self.lost:
            raise TransportError("the device does not answer")

    async def lookup(self, port: int, kv_addr: int, *, write: bool) -> LookupAnswer:
        """One lookup of the accelerator, through a port. Raises TransportError: the device does not take it."""
        await self._reached()
        try:
            return await self._transport.lookup(port, kv_addr, write)
        finally:
            self._look()

    async def mem_read(self, tier: int, phys_addr: int, count: int) -> bytes:
        """Bytes of a tier's memory, as the accelerator reads them. Raises TransportError: there is no memory."""
        await self._reached()
        return await self._transport.mem_read(tier, phys_addr, count)

    async def mem_write(self, tier: int, phys_addr: int, data: bytes) -> None:
        """Bytes into a tier's memory. Raises TransportError: there is no memory."""
        await self._reached()
        await self._transport.mem_write(tier, phys_addr, data)

    def plan(self, fault: Fault, after: int, tier: int = 0) -> None:
        """Do something to the device `after` ns from now; what does not wait for a time is done at once."""
        match fault:
            case Fault.AXI_READ | Fault.AXI_WRITE:
                self._surroundings.axi_errors(tier, write=fault is Fault.AXI_WRITE, bursts=after)
            case Fault.CHECK_FAILED:
                if self.check_failed_at is None:
                    self.check_failed_at = self._transport.now()
            case Fault.PROMPT:
                self.paused = True
            case Fault.PARITY:
                self._surroundings.bad_parity(after)
            case _:
                self._fault = (self.now + after, fault)
                self._which = tier

    async def advance(self, until: int, *, to_rise: bool) -> None:
        """Let device time pass up to `until`; with `to_rise` not past a rise of the interrupt line."""
        if self._origin is None:
            self._before = max(self._before, until)
        while self.now < until and not (to_rise and self.rise_at is not None):
            stop = min(until, self._fault[0] if self._fault else until, self._posted[0][0] if self._posted else until)
            if self.now < stop:
                await self._pass(stop)
            await self.push(self.now)
            await self.strike()
        await self.strike()

    async def _pass(self, until: int) -> None:
        if self.irq() or self.lost:
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
        if fault is Fault.RETURN:
            self._surroundings.clear_axi_errors()
        if fault is Fault.CAPS:
            self._unknown = (regs.CAPS.offset, _CAPS[self._which])
        elif fault is Fault.RETURN or fault in _UNKNOWN:
            self._unknown = _UNKNOWN.get(fault)
        if fault in (Fault.RESET, Fault.RETURN):
            await self._surroundings.reset()
        self.lost = fault is Fault.LOSE or (self.lost and fault is not Fault.RETURN)
        self._look()
