"""A replay in the terminal while it runs."""

import time

from rich.console import Console

from tb.replay.feed import Update
from tb.sim.display import Progressing


class Display(Progressing):
    """Shows requests done, step, cycles, cycles per second, migrations, comparisons."""

    def __init__(self, console: Console, requests: int) -> None:
        super().__init__(console, requests, "requests")
        self._first: tuple[float, int] | None = None

    def take(self, update: Update) -> None:
        """Show the newest state."""
        if update.sample is None:
            if not update.tally.steps:
                self.starting()
            return
        now, cycle = time.monotonic(), update.sample.cycle
        self._first = self._first or (now, cycle)
        seconds = now - self._first[0]
        rate = f"{(cycle - self._first[1]) / seconds / 1000:,.0f} k/s" if seconds > 0.5 else "..."
        text = (
            f"step {update.sample.step:,}  {cycle / 1e6:,.2f} M cycles  {rate}  "
            f"{update.tally.migrations:,} migrations  {update.comparisons:,} comparisons"
        )
        self.show(update.tally.requests, text)
