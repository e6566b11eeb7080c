"""Progress in the terminal while a run goes on, plain lines where there is no terminal; the table at the end."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sw.terminal import LAYOUT, visible

TIER_NAMES = ("HBM", "T1", "host", "NVMe")
LINE_S = 10.0  # between two lines without a terminal


class Progressing:
    """Shows how many of the `total` units (requests, prompts) are done, with a text of the run's own."""

    def __init__(self, console: Console, total: int, unit: str) -> None:
        self._console = console
        self._total = total
        self._unit = unit
        self._next_line = time.monotonic() + LINE_S
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn(f"{{task.completed:.0f}}/{{task.total:.0f}} {unit}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            refresh_per_second=8,
            transient=True,
        )
        self._task = self._bar.add_task(unit, total=total, text="starting")

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

    def starting(self) -> None:
        """The run is about to begin: a line of its own where there is no terminal."""
        if not self._console.is_terminal:
            self._line(0, "starting")

    def show(self, done: int, text: str) -> None:
        """Show the newest state."""
        now = time.monotonic()
        if self._console.is_terminal:
            self._bar.update(self._task, completed=done, text=text)
        elif now >= self._next_line:
            self._next_line = now + LINE_S
            self._line(done, text)

    def _line(self, done: int, text: str) -> None:
        self._console.print(f"{done}/{self._total} {self._unit}  {text}")


def show_table(console: Console, title: str, rows: Sequence[tuple[str, str]]) -> None:
    """The table at the end: (what, value) rows."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for what, value in rows:
        table.add_row(what, Text(visible(value)))
    console.print(table)


def sayer(console: Console) -> Callable[[str], None]:
    """A function that prints lines as they are: neither markup nor escape codes in a name have an effect."""
    return lambda text: console.print(visible(text, keep=LAYOUT))
