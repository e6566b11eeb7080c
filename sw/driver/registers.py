"""Register access by name, the interrupt, and waiting. Everything above goes through here."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag

from sw.driver.errors import BadArgument, Refused, Timeout
from sw.regs import registers as regs
from sw.regs.register import Register
from sw.transport.base import AccessRefused, Operation, Read, Transport, WaitTimeout, Write


class Event(IntFlag):
    """Bits of IRQ_STATUS."""

    SCAN_DONE = regs.IRQ_STATUS["SCAN_DONE"].mask
    COMMAND_DONE = regs.IRQ_STATUS["COMMAND_DONE"].mask
    COMPLETION = regs.IRQ_STATUS["COMPLETION"].mask
    MISS = regs.IRQ_STATUS["MISS"].mask
    DMA_ERR = regs.IRQ_STATUS["DMA_ERR"].mask
    OVERFLOW = regs.IRQ_STATUS["OVERFLOW"].mask
    PRESSURE = regs.IRQ_STATUS["PRESSURE"].mask
    PARITY = regs.IRQ_STATUS["PARITY"].mask


def name_of(offset: int) -> str:
    """The register's name, or its offset where there is none."""
    register = regs.BY_OFFSET.get(offset)
    return register.name if register else f"offset {offset:#06x}"


class Registers:
    """Named registers of one device over a transport.

    Attributes:
        transport: who answers.
        timeout_ns: limit of every wait that names none, in device time.
    """

    def __init__(self, transport: Transport, timeout_ns: int) -> None:
        """Nothing is read or written yet."""
        self.transport = transport
        self.timeout_ns = timeout_ns
        self._enabled: Event | None = None
        self._seen = Event(0)

    async def read(self, register: Register) -> int:
        """Read a register.

        Raises:
            Refused: SLVERR.
        """
        try:
            return await self.transport.read(register.offset)
        except AccessRefused as refused:
            raise self._refused(refused) from None

    async def write(self, register: Register, value: int) -> None:
        """Write a register.

        Raises:
            BadArgument: the value does not fit 64 bits.
            Refused: SLVERR.
        """
        await self.batch([self.put(register, value)])

    async def set(self, register: Register, **fields: int) -> None:
        """Write a register from its fields; fields not named become 0.

        Raises:
            BadArgument: no such field, or a value does not fit.
            Refused: SLVERR.
        """
        await self.write(register, pack(register, **fields))

    async def get(self, register: Register) -> dict[str, int]:
        """Read a register as its fields."""
        return register.unpack(await self.read(register))

    @staticmethod
    def put(register: Register, value: int) -> Write:
        """A write for a batch.

        Raises:
            BadArgument: the value does not fit 64 bits.
        """
        if not 0 <= value < 1 << 64:
            raise BadArgument(f"{register.name}: {value} does not fit 64 bits")
        return Write(register.offset, value)

    async def batch(self, operations: Sequence[Operation]) -> list[int]:
        """Operations in order; one number each (see `Transport.batch`).

        Raises:
            Refused: SLVERR; the operations after it were not done.
            Timeout: a wait in the batch.
        """
        try:
            return await self.transport.batch(operations)
        except AccessRefused as refused:
            raise self._refused(refused) from None
        except WaitTimeout as timeout:
            raise await self.timed_out("interrupt", timeout.timeout_ns) from None

    async def read_all(self, registers: Sequence[Register]) -> list[int]:
        """Read registers in one batch."""
        return await self.batch([Read(register.offset) for register in registers])

    async def enable(self, events: Event) -> None:
        """Let exactly these events raise the interrupt."""
        if self._enabled != events:
            await self.write(regs.IRQ_ENABLE, int(events))
            self._enabled = events

    async def clear(self, events: Event) -> None:
        """Forget these events, here and in the device."""
        self._seen &= ~events
        await self.write(regs.IRQ_STATUS, int(events))

    async def wait(self, events: Event, what: str, timeout_ns: int | None = None) -> Event:
        """Wait until one of the events has happened; take, and clear, those that have.

        Args:
            events: what to wait for.
            what: name of it, for the error.
            timeout_ns: limit in device time; None: the driver's.

        Raises:
            Timeout: none happened within the limit.
        """
        limit = self.timeout_ns if timeout_ns is None else timeout_ns
        end = self.transport.now() + limit
        await self.enable(events)
        while True:
            happened = self._seen & events
            if happened:
                self._seen &= ~happened
                return happened
            try:
                await self.transport.wait_irq(max(0, end - self.transport.now()))
            except WaitTimeout:
                raise await self.timed_out(what, limit) from None
            status = Event(await self.read(regs.IRQ_STATUS)) & events
            await self.write(regs.IRQ_STATUS, int(status))
            self._seen |= status
            if not status and self.transport.now() >= end:
                raise await self.timed_out(what, limit)

    async def timed_out(self, what: str, limit_ns: int) -> Timeout:
        """The error to raise, with the device's state as it is now."""
        shown = (regs.STATUS, regs.IRQ_STATUS, regs.STEP_ADVANCE, regs.DIR_STATUS)
        values = await self.read_all(shown)
        state = {register.name: value for register, value in zip(shown, values, strict=True)}
        return Timeout(what, limit_ns, state)

    def forget(self) -> None:
        """After a reset: the device's interrupt registers are as after reset."""
        self._enabled = None
        self._seen = Event(0)

    @staticmethod
    def _refused(error: AccessRefused) -> Refused:
        action = "write" if isinstance(error.operation, Write) else "read"
        return Refused(action, name_of(error.operation.offset), error.index)


def pack(register: Register, **fields: int) -> int:
    """A register value from its fields.

    Raises:
        BadArgument: no such field, or a value does not fit.
    """
    try:
        return register.pack(**fields)
    except KeyError as error:
        raise BadArgument(error.args[0]) from None
    except ValueError as error:
        raise BadArgument(f"{register.name}.{error}") from None
