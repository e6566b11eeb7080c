"""The progress of a regression."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tb.run.commands import console


class Screen:
    """Live progress on a terminal, one line per failure elsewhere."""

    def __init__(self, total: int) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, None] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[now]}", style="dim"),
            console=console,
        )
        self._task = self._progress.add_task("tests", total=total, now="")
        self._failed = 0

    def started(self, title: str) -> None:
        """A test has begun."""
        with self._lock:
            self._running[title] = None
            self._show()

    def ended(self, title: str, passed: bool) -> None:
        """A test has ended, or its build broke."""
        with self._lock:
            self._running.pop(title, None)
            self._failed += not passed
            self._progress.advance(self._task)
            self._show()

    def _show(self) -> None:
        failed = f"[red]{self._failed} failed  " if self._failed else ""
        self._progress.update(self._task, now=failed + ", ".join(self._running))

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show it until the end of the block."""
        if console.is_terminal:
            with Live(self._progress, console=console, refresh_per_second=8):
                yield
        else:
            yield
