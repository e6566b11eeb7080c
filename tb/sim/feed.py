"""Progress on its way from where a run goes on to where it is shown: a file of JSON lines that grows."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from tb.run.paths import shown

T = TypeVar("T")


class Line(Protocol):
    """What can be written."""

    def line(self) -> str:
        """One line of JSON."""
        ...


class Writer:
    """Appends updates to a file; what is written is readable at once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", buffering=1)

    def write(self, update: Line) -> None:
        """Append one update."""
        self._file.write(update.line() + "\n")


class Reader(Generic[T]):
    """Takes the updates that have come since the last look; the file need not exist yet.

    Attributes:
        damaged: the first line that was no update, "" while there is none.
    """

    def __init__(self, path: Path, parse: Callable[[str], T]) -> None:
        self._path = path
        self._parse = parse
        self._offset = 0
        self._lines = 0
        self.damaged = ""

    def new(self) -> Iterator[T]:
        """Whole lines only; the rest waits for the next look."""
        try:
            with self._path.open("rb") as lines:
                lines.seek(self._offset)
                text = lines.read()
        except FileNotFoundError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            self._lines += 1
            try:
                update = self._parse(line.decode())
            except (ValueError, KeyError, TypeError, AttributeError):
                self.damaged = self.damaged or f"{shown(self._path)}:{self._lines} is damaged"
                continue
            yield update
