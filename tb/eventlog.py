"""The event log: every record of the monitors in an SQLite file, to query, to compare and to replay without the RTL.

    python -m tb.eventlog show FILE [--kind KIND] [--from CYCLE] [--to CYCLE] [--limit N]
    python -m tb.eventlog compare FILE FILE         first record and field in which two runs differ
    python -m tb.eventlog replay FILE               the scoreboard's checks over the log

A test writes one, beside its sim.log, when it runs with EVENTS=1. docs/events.md lists kinds and fields.
Exit status: 0 done and nothing differs, 1 a difference, 2 wrong use or no event log.
"""

import sys
from itertools import islice, zip_longest
from pathlib import Path

from tb.events.log import EventLogError, open_log, read
from tb.events.records import Kind
from tb.events.text import first_difference, text
from tb.harness.context import Mismatch
from tb.run.command import Parser, run_command
from tb.run.errors import CheckError, UsageError
from tb.scoreboard.offline import replay_log


def show(path: Path, kind: str | None, first: int, last: int, limit: int) -> int:
    """Print records of a window of cycles."""
    for record, values in islice(read(open_log(path), Kind[kind] if kind else None, first, last), limit):
        print(text(record, values))
    return 0


def compare(one: Path, other: Path) -> int:
    """Print the first record in which two logs differ, and its first field that does; 0 when they are equal."""
    count = 0
    for left, right in zip_longest(read(open_log(one)), read(open_log(other))):
        if left == right:
            count += 1
            continue
        print(f"record {count}: the runs differ from here")
        if left and right and left[0] == right[0]:
            print(f"  {left[0].name}, {first_difference(left[0], left[1], right[1])}")
        for path, found in ((one, left), (other, right)):
            print(f"  {path}: {text(*found) if found else 'ends'}")
        return 1
    print(f"{count} records, all equal")
    return 0


def replay(path: Path) -> int:
    """The scoreboard's checks over a log; 0 when nothing differs."""
    print(replay_log(open_log(path)))
    return 0


def _parser() -> Parser:
    parser = Parser("python -m tb.eventlog", "Look into an event log.")
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("show", help="print records")
    shown.add_argument("file", type=Path)
    shown.add_argument("--kind", choices=[kind.name for kind in Kind])
    shown.add_argument("--from", dest="first", type=int, default=0, metavar="CYCLE")
    shown.add_argument("--to", dest="last", type=int, default=2**62, metavar="CYCLE")
    shown.add_argument("--limit", type=int, default=100, help="records at most (default 100)")
    compared = commands.add_parser("compare", help="first divergence of two runs")
    compared.add_argument("file", type=Path)
    compared.add_argument("other", type=Path)
    replayed = commands.add_parser("replay", help="run the scoreboard over a log")
    replayed.add_argument("file", type=Path)
    return parser


def _command(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.command == "show":
            return show(options.file, options.kind, options.first, options.last, options.limit)
        if options.command == "compare":
            return compare(options.file, options.other)
        return replay(options.file)
    except EventLogError as error:
        raise UsageError(str(error)) from None
    except Mismatch as error:
        raise CheckError(str(error)) from None


def main(arguments: list[str]) -> int:
    """Command line; errors end in one line."""
    return run_command(lambda: _command(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
