"""Progress in the terminal while prompts are served, and the tables at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sw.llm.micro import tokenizer
from sw.terminal import visible
from tb.llm.outcome import Outcome, Served
from tb.llm.outcome import Progress as State
from tb.llm.workload import Prompt
from tb.sim.display import TIER_NAMES, Progressing


class Display(Progressing):
    """Shows prompts done, tokens, simulated time, migrations, comparisons."""

    def __init__(self, console: Console, prompts: int) -> None:
        super().__init__(console, prompts, "prompts")

    def __enter__(self) -> Self:
        """Begin to show."""
        self.starting()
        return super().__enter__()

    def take(self, state: State) -> None:
        """Show the newest state."""
        text = (
            f"{state.tokens} tokens  {state.now_ns / 1e6:,.2f} ms simulated  "
            f"{state.migrations:,} migrations  {state.comparisons:,} comparisons"
        )
        self.show(state.ended, text)


def printable(data: bytes) -> str:
    """Bytes as one line that changes nothing in a terminal."""
    return visible(data.decode("utf-8", "replace"))


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
