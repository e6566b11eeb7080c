"""`make bench`: measure, show, report. Exit status: 0 every row met, 1 one missed or a run failed, 2 wrong use, 130
interrupted.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from tb.figures import report
from tb.figures.measure import Figure, Found, Settings, Workshop
from tb.figures.rows import BY_NAME, PARTS, ROWS
from tb.run.artefacts import published
from tb.run.command import Parser, run_command, tell
from tb.run.errors import CheckError, UsageError
from tb.run.paths import REPORT, shown
from tb.run.provenance import provenance
from tb.run.store.keep import keep_run, verdict

FIGURES, PAGE = "bench.json", "bench.html"


def _parse(argv: list[str]) -> tuple[Settings, Path]:
    parser = Parser("python -m tb.figures", __doc__)
    parser.add_argument("--rows", help="measure these rows only (names with commas between)")
    parser.add_argument("--debug", action="store_true", help="every signal of the hierarchy visible to Python")
    parser.add_argument("--report", default=str(REPORT), help="folder of the reports (default sim_build/report)")
    parser.add_argument("--verilator", help="a Verilator to use instead of the environment's own")
    parser.add_argument("--cxx", help="a C++ compiler to use instead of c++, g++ or clang++")
    given = parser.parse_args(argv)
    names = BY_NAME if given.rows is None else [name.strip() for name in given.rows.split(",")]
    for name in names:
        if name not in BY_NAME:
            raise UsageError(f"ROWS={given.rows}: no figure is called `{name}`; there are {', '.join(BY_NAME)}")
    # points of plots cost as much as the rows: whoever asks for some rows wants those
    settings = Settings(frozenset(names), given.rows is None, given.debug, given.verilator, given.cxx)
    return settings, Path(given.report)


def _parts() -> dict[str, Callable[[Workshop], Found]]:
    """Measurement of each part; what measures wall time comes when no other run is under way."""
    from tb.figures import cosim, fpga, growth, hardware, linux, software

    return {
        "steps": hardware.steps,
        "directory": hardware.directory,
        "dma": hardware.dma,
        "fill": hardware.fill,
        "model": software.model,
        "mmio": software.mmio,
        "cosim": cosim.cosim,
        "startup": software.startup,
        "scaling": software.scaling,
        "linux": linux.linux,
        "growth": growth.growth,
        "fpga": fpga.fpga,
    }


def _measure(shop: Workshop) -> tuple[dict[str, Figure], dict[str, Any]]:
    """Every part that a wanted row needs; rows in the order of the list."""
    parts = _parts()
    assert parts.keys() == set(PARTS)
    found = Found()
    for name, part in parts.items():
        rows = [row.name for row in ROWS if row.part == name]
        if shop.settings.rows.isdisjoint(rows):
            continue
        shop.say(f"{name}: ...")
        begun = time.monotonic()
        try:
            mine = part(shop)
        except CheckError as error:  # the other parts still have something to tell
            shop.say(f"FAILED {name}: {error}")
            how = f"failed: {str(error).splitlines()[0]}"
            mine = Found({row: Figure(None, how, failed=True) for row in rows})
        shop.say(f"{name}: {time.monotonic() - begun:.0f} s; {_said(mine)}")
        found.figures.update(mine.figures)
        found.curves.update(mine.curves)
    wanted = {row.name: found.figures[row.name] for row in ROWS if row.name in shop.settings.rows}
    return wanted, found.curves


def _said(found: Found) -> str:
    return ", ".join(f"{name} {report.shown_value(figure)}" for name, figure in found.figures.items())


def _report(settings: Settings, figures: dict[str, Figure], curves: dict[str, Any], folder: Path) -> str:
    """Write the reports of this run, together; returns where they are."""
    about = provenance(None, settings.shown)
    names = [FIGURES, PAGE] if settings.curves else [FIGURES]
    with published(folder, "bench") as staged:
        record = report.write(staged / FIGURES, figures, about)
        if settings.curves:
            from tb.figures.page import write_page  # plots are slow to import

            write_page(figures, curves, about, staged / PAGE)
    keep_run("bench", record, verdict(not report.missed(figures)), folder)
    return ", ".join(shown(folder / name) for name in names)


def _bench(argv: list[str], console: Console) -> int:
    settings, folder = _parse(argv)
    shop = Workshop(settings, lambda text: console.print(text, markup=False))
    figures, curves = _measure(shop)
    report.show(console, figures)
    report.show_growth(console, curves)
    where = _report(settings, figures, curves, folder)
    console.print(f"report: {where}", markup=False)
    wrong = report.missed(figures)
    if wrong:
        tell(f"error: missed: {', '.join(wrong)}")
    if not wrong and all(figure.value is None for figure in figures.values()):
        raise UsageError(f"nothing was measured: {next(iter(figures.values())).how.removeprefix('not measured: ')}")
    return 1 if wrong else 0


def main(argv: list[str]) -> int:
    """Measure; every foreseeable error is one line and a status."""
    wide = None if sys.stdout.isatty() else 140  # a log has room for the whole table
    console = Console(highlight=False, soft_wrap=True, width=wide)
    return run_command(lambda: _bench(argv, console))
