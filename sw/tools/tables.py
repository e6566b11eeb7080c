"""Tables for people: no number and no word is ever broken, however narrow the terminal is.

A table whose words fit next to each other is a table; one that is too wide becomes records, one line a value, as in
psql's expanded display.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from sw.terminal import visible

_FRAME = 3  # columns that a cell's frame and padding take, and one more at the end


def shown(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def print_table(
    console: Console, columns: Sequence[str] | None, rows: Sequence[Sequence[Any]], title: str | None = None
) -> None:
    """Print rows under the names of their columns (None: two columns, name and value); numbers are right-aligned."""
    cells = [[visible(shown(value)) for value in row] for row in rows]
    title = visible(title) if title else None
    heads = list(columns) if columns else ["", ""]
    widths = fit_widths(heads, cells, console.width - _FRAME * len(heads) - 1)
    if widths is None:
        records = [cells] if columns is None else [list(zip(heads, row, strict=True)) for row in cells]
        _print_records(console, records, title)
        return
    table = Table(title=title, title_justify="left", show_header=columns is not None)
    for place, (head, width) in enumerate(zip(heads, widths, strict=True)):
        right = columns is None and place == 1
        right = right or (bool(rows) and all(isinstance(row[place], int | None) for row in rows))
        style = "bold" if columns is None and place == 0 else None
        table.add_column(head, justify="right" if right else "left", width=width, style=style)
    for row in cells:
        table.add_row(*row)
    console.print(table)


def fit_widths(heads: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Widths of columns within `room` such that no word is broken; None where there are none."""
    lines = [list(heads), *map(list, cells)]
    least = [max(_longest_word(line[place]) for line in lines) for place in range(len(heads))]
    widths = [max(cell_len(line[place]) for line in lines) for place in range(len(heads))]
    if sum(least) > room:
        return None
    while sum(widths) > room:
        widest = max((place for place in range(len(heads)) if widths[place] > least[place]), key=widths.__getitem__)
        widths[widest] -= 1
    return widths


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)


def _print_records(console: Console, records: Sequence[Sequence[Sequence[str]]], title: str | None) -> None:
    if title:
        console.print(title)
    for number, record in enumerate(records):
        if number:
            console.print()
        indent = max((cell_len(name) for name, _ in record), default=0) + 2
        for name, value in record:
            head = name + " " * (indent - cell_len(name))
            room = max(console.width, indent + 1)
            text = textwrap.fill(
                value, room, initial_indent=head, subsequent_indent=" " * indent, break_long_words=False,
                break_on_hyphens=False,
            )  # fmt: skip
            console.print(text.rstrip() or head.rstrip())
