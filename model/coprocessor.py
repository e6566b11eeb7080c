"""A coprocessor behind a queue of descriptors: the device side of backend (c) (software.md 4).

It works in order, in its own time, and always comes to an end: what a descriptor asks wrongly is that
descriptor's status. Registers, layout and statuses are `sw.regs.queue`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.clock import Clock
from sw.regs.queue import (
    DESCRIPTOR_BYTES,
    DONE_IRQ,
    MAX_ENTRIES,
    QUEUE_ID,
    TOKEN_BYTES,
    Descriptor,
    Engine,
    QueueStatus,
    Reg,
    Work,
)

U32 = (1 << 32) - 1
U48 = (1 << 48) - 1


class QueueRefused(Exception):
    """The queue device refuses an access to the register at `offset`; nothing has changed."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"access to the queue's register {offset:#04x} refused")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class QueueTiming:
    """Cycles of the coprocessor's clock."""

    clock_mhz: int = 250
    fetch: int = 40
    """From a doorbell, or the descriptor before, to the first compute cycle; a bad descriptor's whole time."""


class Coprocessor:
    """The queue device at its pins: registers, memory, interrupt."""

    def __init__(self, engine: Engine, *, memory_bytes: int = 1 << 20, timing: QueueTiming | None = None) -> None:
        """Compute with `engine`; memory is zero."""
        self.engine = engine
        self.timing = timing or QueueTiming()
        self.memory = bytearray(memory_bytes)
        self.clock = Clock()
        self.reset()

    def reset(self) -> None:
        """Reset pin: everything but the bytes in memory."""
        self.clock.clear()
        self._ring_base = 0
        self._entries = 0
        self._tail = 0
        self._head = 0
        self._sampling = 0
        self._enable = 0
        self._status = 0
        self._announced: deque[int] = deque()  # the sampling that each takes

    # ------------------------------------------------------------------ time and interrupt

    @property
    def irq(self) -> bool:
        """The interrupt line."""
        return bool(self._status & self._enable)

    @property
    def due_ns(self) -> int | None:
        """When it will next do something; None: never by itself."""
        cycle = self.clock.next_event
        return None if cycle is None else -(-cycle * 1000 // self.timing.clock_mhz)

    def advance_to(self, now_ns: int) -> None:
        """Let time go on to an absolute time; it never goes back."""
        self.clock.advance(max(0, now_ns * self.timing.clock_mhz // 1000 - self.clock.cycle))

    # ------------------------------------------------------------------ registers

    def read(self, offset: int) -> int:
        """Read a register.

        Raises:
            QueueRefused: there is none.
        """
        values = {
            Reg.ID: QUEUE_ID,
            Reg.MEMORY_BYTES: len(self.memory),
            Reg.RING_BASE: self._ring_base,
            Reg.RING_ENTRIES: self._entries,
            Reg.DOORBELL: self._tail,
            Reg.HEAD: self._head,
            Reg.SAMPLING: self._sampling,
            Reg.IRQ_ENABLE: self._enable,
            Reg.IRQ_STATUS: self._status,
        }
        if offset not in values:
            raise QueueRefused(offset)
        return values[Reg(offset)]

    def write(self, offset: int, value: int) -> None:
        """Write a register.

        Raises:
            QueueRefused: refused; nothing has changed.
        """
        busy = bool(self._announced)
        match offset:
            case Reg.RING_BASE if not busy and value % DESCRIPTOR_BYTES == 0:
                self._ring_base = value
            case Reg.RING_ENTRIES if not busy and 1 <= value <= MAX_ENTRIES and value.bit_count() == 1:
                self._entries = value
            case Reg.DOORBELL if self._may_announce(value):
                self._announce(value)
            case Reg.SAMPLING:
                self._sampling = value & U48
            case Reg.IRQ_ENABLE:
                self._enable = value & DONE_IRQ
            case Reg.IRQ_STATUS:
                self._status &= ~value
            case _:
                raise QueueRefused(offset)

    # ------------------------------------------------------------------ memory

    def mem_read(self, address: int, count: int) -> bytes:
        """Bytes of the device's memory.

        Raises:
            IndexError: outside it.
        """
        self._check(address, count)
        return bytes(self.memory[address : address + count])

    def mem_write(self, address: int, data: bytes) -> None:
        """Write bytes of the device's memory.

        Raises:
            IndexError: outside it.
        """
        self._check(address, len(data))
        self.memory[address : address + len(data)] = data

    def _check(self, address: int, count: int) -> None:
        if not self._inside(address, count):
            raise IndexError(f"{count} bytes at {address:#x}: the memory has {len(self.memory)}")

    def _inside(self, address: int, count: int) -> bool:
        return 0 <= address <= address + count <= len(self.memory)

    # ------------------------------------------------------------------ work

    def _may_announce(self, tail: int) -> bool:
        ring = self._entries * DESCRIPTOR_BYTES
        more = (tail - self._tail) & U32
        return (
            0 <= tail <= U32
            and len(self._announced) + more <= self._entries
            and self._entries > 0
            and self._inside(self._ring_base, ring)
        )

    def _announce(self, tail: int) -> None:
        idle = not self._announced
        self._announced.extend([self._sampling] * ((tail - self._tail) & U32))
        self._tail = tail
        if idle and self._announced:
            self._begin()

    def _begin(self) -> None:
        """The oldest descriptor that is not done."""
        place = self._ring_base + self._head % self._entries * DESCRIPTOR_BYTES
        descriptor = Descriptor.unpack(self.mem_read(place, DESCRIPTOR_BYTES))
        status, tokens, cycles = self._compute(descriptor, self._announced[0])
        result = b"".join(token.to_bytes(TOKEN_BYTES, "little") for token in tokens)
        ended = replace(descriptor, result_bytes=len(result), status=status, cycles=cycles)
        self.clock.after(self.timing.fetch + cycles, lambda: self._end(place, ended, result))

    def _compute(self, descriptor: Descriptor, sampling: int) -> tuple[QueueStatus, Sequence[int], int]:
        wrong = self._judge(descriptor)
        if wrong is not None:
            return wrong, [], 0
        prompt = self.mem_read(descriptor.prompt, descriptor.prompt_bytes)
        temperature, top_k, top_p = (sampling >> shift & 0xFFFF for shift in (0, 16, 32))
        work = Work(prompt, descriptor.max_tokens, descriptor.seed, temperature, top_k, top_p)
        try:
            tokens, cycles = self.engine(work)
        except ValueError:
            return QueueStatus.REFUSED, [], 0
        except RuntimeError:
            return QueueStatus.FAILED, [], 0
        if len(tokens) > work.max_tokens:
            return QueueStatus.FAILED, [], cycles
        return QueueStatus.OK, tokens, cycles

    def _judge(self, descriptor: Descriptor) -> QueueStatus | None:
        """What is wrong with a descriptor; None: nothing."""
        if descriptor.reserved:
            return QueueStatus.BAD_DESCRIPTOR
        if not 1 <= descriptor.max_tokens <= descriptor.result_bytes // TOKEN_BYTES:
            return QueueStatus.BAD_SIZE
        if (
            not self._inside(descriptor.prompt, descriptor.prompt_bytes)
            or not self._inside(descriptor.result, descriptor.result_bytes)
            or descriptor.result % TOKEN_BYTES
            or self._meets_ring(descriptor.result, descriptor.result_bytes)
        ):
            return QueueStatus.BAD_ADDRESS
        return None

    def _meets_ring(self, address: int, count: int) -> bool:
        end = self._ring_base + self._entries * DESCRIPTOR_BYTES
        return address < end and self._ring_base < address + count

    def _end(self, place: int, ended: Descriptor, result: bytes) -> None:
        if result:
            self.mem_write(ended.result, result)
        self.mem_write(place, ended.pack())
        self._announced.popleft()
        self._head = (self._head + 1) & U32
        self._status |= DONE_IRQ
        if self._announced:
            self._begin()
