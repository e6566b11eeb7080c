"""What every tool shares: numbers, output as a table or JSON, and one line for every error.

Exit status: 0 done, 1 the node or its device refuses, 2 wrong use, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from sw.node.client import Client, NodeError
from sw.regs.kv_address import KvAddress
from sw.terminal import LAYOUT, command_line, complain, new_console, visible
from sw.tools.tables import print_table

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+", re.ASCII)
U64 = (1 << 64) - 1


class ToolError(Exception):
    """Something is not done; one line for the user, exit status 1."""


def number(limit: int = U64, least: int = 0) -> Callable[[str], int]:
    """A parser of whole numbers in decimal or 0x, from `least` to `limit`."""

    def parse(text: str) -> int:
        if not _NUMBER.fullmatch(text) or len(text) > 40:
            raise argparse.ArgumentTypeError(f"{text!r} is no number in decimal or 0x")
        value = int(text, 16 if text[:2] in ("0x", "0X") else 10)
        if not least <= value <= limit:
            raise argparse.ArgumentTypeError(f"{text}: {least:,} to {limit:,}")
        return value

    return parse


def kv_address(text: str) -> KvAddress:
    """REQ:LAYER:HEAD:TOKEN, each in decimal or 0x."""
    parts = text.split(":")
    if len(parts) != 4:
        raise argparse.ArgumentTypeError(f"{text!r} is not REQ:LAYER:HEAD:TOKEN")
    numbers = [number()(part) for part in parts]
    try:
        return KvAddress(*numbers)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from None


class Parser(argparse.ArgumentParser):
    """Usage and one line for what is wrong, on stderr, exit status 2; `--json` and `--socket` anywhere."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **{"allow_abbrev": False, **named})
        self.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
        where = "of the node (default: $KVCPU_SOCKET, or the user's own)"
        self.add_argument("--socket", type=Path, default=argparse.SUPPRESS, help=where)

    def error(self, message: str) -> NoReturn:
        """Usage and message on stderr."""
        self.print_usage(sys.stderr)
        complain(f"{self.prog}: {message}")
        self.exit(2)


@dataclass
class Session:
    """Where a tool talks to and prints.

    Attributes:
        path: socket of the node; None: where the environment says.
        as_json: results are printed as JSON.
        console: where results go.
    """

    path: Path | None = None
    as_json: bool = False
    console: Console = field(default_factory=new_console)
    _client: Client | None = None

    @property
    def client(self) -> Client:
        """The connection to the node, made when it is first needed.

        Raises:
            NodeError: no server is there.
        """
        if self._client is None:
            self._client = Client(self.path)
        return self._client

    def close(self) -> None:
        """Close the connection; the next command makes a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def line(self, text: str) -> None:
        """Print one line; what is not printable in it is escaped."""
        self.console.print(visible(text))

    def text(self, text: str) -> None:
        """Print a text of several lines; a model must not be able to send control sequences to a terminal."""
        self.console.print(visible(text, keep=LAYOUT))

    def show(self, result: Any, render: Callable[[], None]) -> None:
        """Print a result: as one line of JSON, or as `render` does for people."""
        if self.as_json:
            self.line(json.dumps(result))
        else:
            render()

    def pairs(self, rows: Iterable[tuple[str, Any]], title: str | None = None) -> None:
        """Print names and values as a table."""
        print_table(self.console, None, list(rows), title)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
        """Print rows as a table."""
        print_table(self.console, columns, list(rows), title)


def counted(count: int, what: str) -> str:
    """`1 block`, `2 blocks`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class Tool:
    """A tool: its name, its command line, what it does. `execute` returns the exit status."""

    name: str
    parser: Callable[[], argparse.ArgumentParser]
    execute: Callable[[argparse.Namespace, Session], int]


def invoke(tool: Tool, arguments: Sequence[str], session: Session) -> int:
    """Run a tool in a session that may be used again; returns the exit status."""
    before = session.as_json
    try:
        options = tool.parser().parse_args(arguments)
        session.as_json = getattr(options, "json", before)
        if "socket" in options:
            session.close()
            session.path = options.socket
        return tool.execute(options, session)
    except SystemExit as ended:  # of argparse: help or wrong use
        return ended.code if isinstance(ended.code, int) else 2
    except (NodeError, ToolError) as error:
        complain(f"error: {error}")
        return 1
    finally:
        session.as_json = before


def main(tool: Tool, arguments: Sequence[str] | None = None) -> int:
    """Entry of a tool that runs by itself."""

    def run() -> int:
        session = Session()
        try:
            return invoke(tool, sys.argv[1:] if arguments is None else arguments, session)
        finally:
            session.close()

    return command_line(run)
