"""The RTL's own count from STEP_ADVANCE to its interrupt, out of the monitors' records: no clock of Linux in it."""

from sw.regs import registers as regs
from tb.events.decode import of_kind
from tb.events.records import STREAM_MAIN, Kind
from tb.harness.link import OKAY, Array


class StepToIrq:
    """A tap of a scoreboard.

    Attributes:
        cycles: from the handshake of the last STEP_ADVANCE to the rise of the interrupt output; 0: none since.
    """

    def __init__(self) -> None:
        self.cycles = 0
        self._stepped: int | None = None

    def __call__(self, stream: int, words: Array) -> None:
        """More records, in order."""
        if stream != STREAM_MAIN or not len(words):
            return
        accesses = of_kind(words, Kind.Mmio)
        steps = accesses[
            (accesses["bar"] == 0)
            & (accesses["write"] == 1)
            & (accesses["response"] == OKAY)
            & (accesses["address"] == regs.STEP_ADVANCE.offset)
        ]
        levels = of_kind(words, Kind.IrqLevel)
        rises = levels["cycle"][levels["level"] == 1].tolist()
        marks = [(int(end) - int(took), False) for end, took in zip(steps["cycle"], steps["took"], strict=True)]
        marks += [(cycle, True) for cycle in rises]
        for cycle, is_rise in sorted(marks):
            if not is_rise:
                self._stepped, self.cycles = cycle, 0
            elif self._stepped is not None:
                self.cycles, self._stepped = cycle - self._stepped, None
