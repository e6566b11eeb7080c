"""The event log: every record of the monitors in an SQLite file, to query, to compare and to replay without the RTL.

    python -m tb.eventlog show FILE [--kind KIND] [--from CYCLE] [--to CYCLE] [--limit N]
    python -m tb.eventlog compare FILE FILE         first record and field in which two runs differ
    python -m tb.eventlog replay FILE               the scoreboard's checks over the log
    python -m tb.eventlog timeline FILE [--from CYCLE] [--to CYCLE] [--out FILE]    for Perfetto and chrome://tracing

A test writes one, next to its sim.log, when it runs with EVENTS=1. docs/events.md lists kinds and fields.
Exit status: 0 done and nothing differs, 1 a difference, 2 wrong use or no event log.
"""

import json
import sys
from argparse import ArgumentParser
from itertools import islice
from pathlib import Path

from tb.events.decode import Array
from tb.events.fields import description
from tb.events.log import EventLogError, at, first_divergence, load, open_log, read, sizes
from tb.events.text import first_difference, text
from tb.events.timeline import SPANS, device_spans, read_spans, trace
from tb.harness.context import Mismatch
from tb.run.artefacts import write_whole
from tb.run.command import Parser, run_command
from tb.run.errors import CheckError, UsageError
from tb.scoreboard.offline import replay_log

STREAMS = [stream for stream in description().streams.values() if not stream.bench]


def show(path: Path, kind: str | None, first: int, last: int, limit: int) -> int:
    """Print records of a window of cycles."""
    for record, values in islice(read(open_log(path), kind, first, last), limit):
        print(text(record, values))
    return 0


def compare(one: Path, other: Path) -> int:
    """Print the first record in which two logs differ, and its first field that does; 0 when they are equal."""
    left, right = open_log(one), open_log(other)
    if sizes(left) != sizes(right):
        print(f"the devices differ: {sizes(left)} and {sizes(right)}")
        return 1
    streams = {s.number: (load(left, s.number), load(right, s.number)) for s in STREAMS}
    places = {number: first_divergence(*pair) for number, pair in streams.items()}
    found = [
        (min(int(words[place, 0]) for words in streams[number] if place < len(words)), number, place)
        for number, place in places.items()
        if place is not None
    ]
    if not found:
        print(f"{sum(len(words) for words, _ in streams.values())} records, all equal")
        return 0
    _, number, place = min(found)
    tell_difference((one, other), streams[number], number, place)
    return 1


def tell_difference(paths: tuple[Path, Path], streams: tuple[Array, Array], number: int, place: int) -> None:
    """Print what two logs have at the place where they differ first."""
    print(f"record {place} of stream {STREAMS[number].name}: the runs differ from here")
    records = [at(words, number, place) if place < len(words) else None for words in streams]
    left, right = records
    if left and right and left[0] == right[0]:
        print(f"  {left[0].name}, {first_difference(left[0], left[1], right[1])}")
    for path, found in zip(paths, records, strict=True):
        print(f"  {path}: {text(*found) if found else 'ends'}")


def replay(path: Path) -> int:
    """The scoreboard's checks over a log; 0 when nothing differs."""
    print(replay_log(open_log(path)))
    return 0


def timeline(path: Path, first: int, last: int, out: Path | None) -> int:
    """Write the run as a Chrome trace, next to the log unless `out` says where."""
    spans = [*read_spans(path.with_name(SPANS)), *device_spans(open_log(path), first, last)]
    target = out or path.with_name("timeline.json")
    write_whole(target, json.dumps(trace(spans)) + "\n")
    print(f"{len(spans)} spans and instants: {target} (open it in https://ui.perfetto.dev or chrome://tracing)")
    return 0


def _window(parser: ArgumentParser) -> None:
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="CYCLE")
    parser.add_argument("--to", dest="last", type=int, default=2**62, metavar="CYCLE")


def _parser() -> Parser:
    parser = Parser("python -m tb.eventlog", "Look into an event log.")
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("show", help="print records")
    shown.add_argument("file", type=Path)
    shown.add_argument(
        "--kind", choices=[record.name for record in description().logged], metavar="KIND", help="one kind"
    )
    _window(shown)
    shown.add_argument("--limit", type=int, default=100, help="records at most (default 100)")
    compared = commands.add_parser("compare", help="first divergence of two runs")
    compared.add_argument("file", type=Path)
    compared.add_argument("other", type=Path)
    replayed = commands.add_parser("replay", help="run the scoreboard over a log")
    replayed.add_argument("file", type=Path)
    drawn = commands.add_parser(
        "timeline", help="the run as a Chrome trace, with the software's spans where there are any"
    )
    drawn.add_argument("file", type=Path)
    _window(drawn)
    drawn.add_argument("--out", type=Path, help="the file to write (default: timeline.json next to the log)")
    return parser


def _command(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.command == "show":
            return show(options.file, options.kind, options.first, options.last, options.limit)
        if options.command == "compare":
            return compare(options.file, options.other)
        if options.command == "timeline":
            return timeline(options.file, options.first, options.last, options.out)
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
