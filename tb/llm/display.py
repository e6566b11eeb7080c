"""Progress in the terminal while prompts are served, and the tables at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sw.llm.micro import tokenizer
from tb.llm.outcome import Outcome, Served
from tb.llm.outcome import Progress as State
from tb.llm.workload import Prompt
from tb.replay.display import LINE_S
from tb.replay.outcome import TIER_NAMES


def printable(data: bytes) -> str:
    """Bytes as one line that changes nothing in a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in data.decode("utf-8", "replace"))


class Display:
    """Shows prompts done, tokens, simulated time, migrations, comparisons; plain lines where there is no terminal."""

    def __init__(self, console: Console, prompts: int) -> None:
        self._console = console
        self._prompts = prompts
        self._next_line = time.monotonic() + LINE_S
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} prompts"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            console=console,
            refresh_per_second=8,
            transient=True,
        )
        self._task = self._bar.add_task("llm", total=prompts, text="starting")

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._console.is_terminal:
            self._bar.start()
        else:
            self._console.print(f"0/{self._prompts} prompts  starting", markup=False)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Take the progress away; the tables follow."""
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, state: State) -> None:
        """Show the newest state."""
        text = (
            f"{state.tokens} tokens  {state.now_ns / 1e6:,.2f} ms simulated  "
            f"{state.migrations:,} migrations  {state.comparisons:,} comparisons"
        )
        if self._console.is_terminal:
            self._bar.update(self._task, completed=state.ended, text=text)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_S
            self._console.print(f"{state.ended}/{self._prompts} prompts  {text}", markup=False)


def show_served(console: Console, prompts: Sequence[Prompt], served: Sequence[Served]) -> None:
    """Every prompt with its output, then a table of their latencies in us of simulated time."""
    table = Table(title="prompts served by the micro-LLM, latencies in simulated time", title_justify="left")
    for title in ("prompt", "class", "tokens", "first us", "p50 us", "max us", "deadline", "identical"):
        table.add_column(title, justify="right")
    for one in served:
        prompt, number = prompts[one.number], str(one.number + 1)
        console.print(Text(f"{number} prompt  {printable(prompt.text)}", style="dim"))
        console.print(Text(f"  output  {printable(tokenizer.decode(one.tokens))}"))
        table.add_row(
            number,
            str(prompt.cls),
            str(len(one.tokens)),
            f"{one.first_us:,.0f}",
            f"{one.gap_us(50):,.1f}",
            f"{one.gap_us(100):,.0f}",
            "missed" if one.missed else "met",
            "yes" if one.identical else "NO",
        )
    console.print(table)


def rows(outcome: Outcome, state: State, device: str, seed: int) -> list[tuple[str, str]]:
    """The totals, as (what, figure)."""
    figures = outcome.figures()
    slots = ", ".join(f"{count} {name}" for count, name in zip(outcome.slots, TIER_NAMES, strict=True))
    latency = ", ".join(f"p{p} {us(figures[f'llm_infer_p{p}_us'])}" for p in (50, 95, 99))
    twice = f"{outcome.moved_twice} of {outcome.blocks} blocks moved twice or more"
    return [
        ("device", device),
        ("seed", str(seed)),
        ("slots", slots),
        ("prompts", f"{figures['prompts']}, {figures['tokens']} tokens"),
        ("token-identical", "yes" if figures["token_identical"] else "NO"),
        ("deadline misses", str(figures["deadline_misses"])),
        ("latency of an inference", latency),
        ("throughput", f"{figures['llm_tokens_per_sec'] or 0:,.0f} tokens/s of simulated time"),
        ("migrations", f"{figures['migrations']:,}; {twice}"),
        ("comparisons", f"{state.comparisons:,}"),
        ("mismatches", f"{state.mismatches:,}"),
        ("simulated time", f"{state.now_ns / 1e6:,.2f} ms"),
    ]


def us(value: float | None) -> str:
    """A latency in us."""
    return "-" if value is None else f"{value:,.0f} us"


def show_totals(console: Console, title: str, figures: Sequence[tuple[str, str]]) -> None:
    """The table at the end."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for row in figures:
        table.add_row(*row)
    console.print(table)
