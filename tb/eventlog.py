"""The event log: every record of the monitors in an SQLite file, to query, to compare and to replay without the RTL.

    python -m tb.eventlog show FILE [--kind KIND] [--from CYCLE] [--to CYCLE] [--limit N]
    python -m tb.eventlog compare FILE FILE         first record in which two runs differ
    python -m tb.eventlog replay FILE               the scoreboard's checks over the log

A test writes one when it runs with KVCPU_EVENTLOG=1 (or the setting `eventlog`), beside its sim.log.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from tb.events.log import EventLogError, open_log, rows
from tb.events.records import Kind
from tb.scoreboard.offline import replay_log


def _text(row: tuple[Any, ...]) -> str:
    cycle, kind, op, head, *words = row
    while words and words[-1] == 0:
        words.pop()
    fields = " ".join(f"{word & 0xFFFF_FFFF_FFFF_FFFF:#x}" for word in words)
    return f"cycle {cycle} {kind}{' ' + op if op else ''} head {head & 0xFFFF_FFFF_FFFF_FFFF:#x} {fields}"


def show(path: Path, kind: str | None, first: int, last: int, limit: int) -> int:
    """Print records of a window of cycles."""
    where = f"cycle BETWEEN {first} AND {last}" + (f" AND kind = '{Kind[kind].name}'" if kind else "")
    for _, row in zip(range(limit), rows(open_log(path), "main", where), strict=False):
        print(_text(row))
    return 0


def compare(one: Path, other: Path) -> int:
    """Print the first record in which two logs differ; 0 when they are equal."""
    left, right = rows(open_log(one), "main"), rows(open_log(other), "main")
    count = 0
    while True:
        a, b = next(left, None), next(right, None)
        if a is None and b is None:
            print(f"{count} records, all equal")
            return 0
        if a != b:
            print(f"record {count}: the runs differ from here\n  {one}: {_text(a) if a else 'ends'}")
            print(f"  {other}: {_text(b) if b else 'ends'}")
            return 1
        count += 1


def replay(path: Path) -> int:
    """The scoreboard's checks over a log; 0 when nothing differs."""
    print(replay_log(open_log(path)))
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Command line; errors end in one line."""
    parser = argparse.ArgumentParser(prog="python -m tb.eventlog", description="Look into an event log.")
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("show", help="print records")
    shown.add_argument("file", type=Path)
    shown.add_argument("--kind", choices=[kind.name for kind in Kind])
    shown.add_argument("--from", dest="first", type=int, default=0)
    shown.add_argument("--to", dest="last", type=int, default=2**62)
    shown.add_argument("--limit", type=int, default=100)
    compared = commands.add_parser("compare", help="first divergence of two runs")
    compared.add_argument("file", type=Path)
    compared.add_argument("other", type=Path)
    replayed = commands.add_parser("replay", help="run the scoreboard over a log")
    replayed.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    try:
        if options.command == "show":
            return show(options.file, options.kind, options.first, options.last, options.limit)
        if options.command == "compare":
            return compare(options.file, options.other)
        return replay(options.file)
    except (EventLogError, AssertionError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
