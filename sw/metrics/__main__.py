"""`python -m sw.metrics`: checks a snapshot file, makes the report page or Prometheus text of it.

Exit status: 0 done, 1 the snapshot is not valid, 2 wrong use or a file that cannot be used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from sw.metrics.prometheus import exposition
from sw.metrics.schema import SnapshotError, load
from sw.terminal import command_line, complain, visible


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        command(options)
    except SnapshotError as error:
        return _fail(f"{options.snapshot}: {error}", 1)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}", 2)
    except KeyboardInterrupt:
        return 130
    return 0


def _fail(message: str, status: int) -> int:
    complain(f"metrics: {message}")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sw.metrics", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, what in (
        ("check", _check, "check it against the schema"),
        ("prometheus", _prometheus, "print it as Prometheus text"),
        ("page", _page, "make the report page"),
    ):
        sub = commands.add_parser(name, help=what)
        sub.add_argument("snapshot", type=Path, help="JSON file")
        if command is _page:
            sub.add_argument("page", type=Path, help="HTML file, written")
        sub.set_defaults(command=command)
    return parser


def _check(options: argparse.Namespace) -> None:
    load(options.snapshot)
    print(f"{visible(str(options.snapshot))}: valid")


def _prometheus(options: argparse.Namespace) -> None:
    print(exposition(load(options.snapshot)), end="")


def _page(options: argparse.Namespace) -> None:
    from sw.metrics.page import write_page  # matplotlib takes a second to import

    write_page(load(options.snapshot), options.page)
    print(f"{visible(str(options.page))}: written")


if __name__ == "__main__":
    sys.exit(command_line(main))
