"""The runs that the store has: list them, compare two of them, pack the newest of each kind.

Exit status: 0 done, 1 a run is damaged, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sw.terminal import new_console, visible
from tb.results.names import find
from tb.run.command import Parser, run_command, tell
from tb.run.errors import CheckError, UsageError
from tb.run.paths import PACKAGE, REPORT, RESULTS, shown
from tb.run.store.database import DamagedRun, Head, Run, Store
from tb.run.store.kinds import kind_of
from tb.run.store.site import shown_figure, write_site

MAIN_FIGURES = 3


def _list(console: Console, store: Store, heads: Sequence[Head]) -> int:
    """Print every run, the newest last, and renew the site's first page."""
    if not heads:
        console.print("no run is in the store: `make sim` and the other commands leave one each")
        return 0
    table = Table(title=f"runs in {shown(RESULTS)}", title_justify="left")
    for column in ("run", "time (UTC)", "sources", "seed", "verdict", "figures"):
        table.add_column(column, overflow="fold")
    for head in heads:
        figures = store.figures(head.number)
        names = kind_of(head.kind).main_figures(figures, MAIN_FIGURES)
        main = ", ".join(f"{name} {shown_figure(figures[name])}" for name in names)
        seed = "" if head.seed is None else str(head.seed)
        cells = (head.name, head.time.replace("T", " ")[:16], head.sources, seed, head.verdict, main)
        table.add_row(*(Text(visible(cell)) for cell in cells))
    console.print(table)
    console.print(Text(f"site: {shown(write_site(store, REPORT))}"))
    return 0


def _compare(console: Console, store: Store, heads: Sequence[Head], a: str | None, b: str | None) -> int:
    from tb.results.compare import show  # numpy costs time that a list does not need

    if a is None or b is None:
        raise UsageError("A=<run> and B=<run> are needed, such as A=last-1 B=last; `make results` lists the runs")
    one, other = find(a, heads, "A"), find(b, heads, "B")
    if one.kind != other.kind:
        raise UsageError(f"{one.name} and {other.name} are of different kinds and have no figures in common")
    show(console, read(store, one), read(store, other))
    return 0


def _package(console: Console, store: Store, heads: Sequence[Head]) -> int:
    from tb.results import package

    chosen = package.chosen(heads)
    if not chosen:
        raise UsageError("there is nothing to pack: no run that has come to its end is in the store")
    path, replaced = package.write([read(store, head) for head in chosen], PACKAGE, REPORT)
    for name in replaced:
        console.print(Text(visible(f"left out, since a later run has replaced it: {name}")))
    write_site(store, REPORT)
    console.print(Text(f"packed {', '.join(head.name for head in chosen)}"))
    console.print(
        Text(f"package: {shown(path)} ({path.stat().st_size:,} bytes); report: {shown(REPORT / 'report.md')}")
    )
    return 0


def read(store: Store, head: Head) -> Run:
    """A run with all that the store has of it. Raises CheckError when it is damaged."""
    try:
        return store.run(head.number)
    except DamagedRun as damage:
        raise CheckError(f"{damage}: its figures cannot be trusted; run `make {head.command}` again") from None


def _command(argv: list[str]) -> int:
    parser = Parser("python -m tb.results", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every run with its main figures")
    commands.add_parser("package", help="one archive of configurations, seeds, raw data and reports")
    two = commands.add_parser("compare", help="what differs in two runs")
    for name in ("--a", "--b"):
        two.add_argument(name, help="a run: its name (regress-12), last, last-1, sim-last, sim-last-1")
    options = parser.parse_args(argv)
    store, console = Store(RESULTS, tell), new_console()
    heads = store.heads()
    if options.command == "list":
        return _list(console, store, heads)
    if options.command == "package":
        return _package(console, store, heads)
    return _compare(console, store, heads, options.a, options.b)


def main(argv: list[str]) -> int:
    """Run one command; every foreseeable error is one line and a status."""
    return run_command(lambda: _command(argv))
