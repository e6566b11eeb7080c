"""IRQ_STATUS: events and clears that meet may come in either order."""

from model import DeviceState
from sw.regs import registers as regs
from tb.events.records import IrqRecord
from tb.harness.base_test import Context

_IRQ = [field.name for field in regs.BY_NAME["IRQ_STATUS"].fields]
_BITS = [[bit for bit in range(8) if mask >> bit & 1] for mask in range(256)]  # numbers of the bits that are set


class InterruptCheck:
    """When each bit of IRQ_STATUS was set and cleared last, and so what a read of it must give."""

    def __init__(self, ctx: Context, state: DeviceState) -> None:
        self._ctx = ctx
        self._s = state
        self.reset()

    def reset(self) -> None:
        """No event and no clear yet."""
        self._event = [-1] * 8  # cycle of the last one
        self._clear = [(-1, -1)] * 8  # request and response of the write that cleared it

    def events(self, r: IrqRecord) -> None:
        """Event pulses."""
        for bit in _BITS[r.events]:
            self._event[bit] = r.cycle

    def settled(self) -> int:
        """Bits of IRQ_STATUS whose last event and last clear did not meet."""
        met = [first - 2 <= event <= last + 2 for event, (first, last) in zip(self._event, self._clear, strict=True)]
        return sum(1 << bit for bit in range(8) if not met[bit] or self._event[bit] < 0)

    def cleared(self, data: int, asked: int, cycle: int) -> None:
        """A write of IRQ_STATUS clears the bits of `data`, but for events that came after its request."""
        for bit in _BITS[data & 0xFF]:
            self._clear[bit] = (asked, cycle)
        kept = sum(1 << bit for bit in _BITS[data & 0xFF] if self._event[bit] >= asked)
        self._s.clear_irq(data & 0xFF & ~kept)

    def read(self, data: int, asked: int, cycle: int) -> None:
        """IRQ_STATUS reads `data`; `asked`, `cycle`: of the request and the response."""
        for bit in range(8):
            last, (clear_from, clear_to) = self._event[bit], self._clear[bit]
            if last < 0 or last < clear_from - 2:
                expected: int | None = 0
            elif last > clear_to + 2:
                expected = 1 if last < asked - 2 else None
            else:
                expected = None
            if expected is not None:
                self._ctx.compare(f"read of IRQ_STATUS.{_IRQ[bit]}", expected, data >> bit & 1, at_cycle=cycle)
