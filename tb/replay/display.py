"""Progress in the terminal while a replay runs; plain lines where there is no terminal."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tb.replay.feed import Update

LINE_S = 10.0  # between two lines without a terminal


class Display:
    """Shows requests done, step, cycles, cycles per second, migrations, comparisons."""

    def __init__(self, console: Console, requests: int) -> None:
        self._console = console
        self._requests = requests
        self._first: tuple[float, int] | None = None
        self._next_line = time.monotonic() + LINE_S
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} requests"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            console=console,
            refresh_per_second=8,
            transient=True,
        )
        self._task = self._bar.add_task("replay", total=requests, text="starting")

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Take the progress away; the report follows."""
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, update: Update) -> None:
        """Show the newest state."""
        if update.sample is None:
            if not self._console.is_terminal and not update.tally.steps:
                self._console.print(f"{update.tally.requests}/{self._requests} requests  starting", markup=False)
            return
        now, cycle = time.monotonic(), update.sample.cycle
        self._first = self._first or (now, cycle)
        seconds = now - self._first[0]
        rate = f"{(cycle - self._first[1]) / seconds / 1000:,.0f} k/s" if seconds > 0.5 else "..."
        text = (
            f"step {update.sample.step:,}  {cycle / 1e6:,.2f} M cycles  {rate}  "
            f"{update.tally.migrations:,} migrations  {update.comparisons:,} comparisons"
        )
        if self._console.is_terminal:
            self._bar.update(self._task, completed=update.tally.requests, text=text)
        elif now >= self._next_line:
            self._next_line = now + LINE_S
            self._console.print(f"{update.tally.requests}/{self._requests} requests  {text}", markup=False)
