"""det: deterministic mode of the graph, and the scheduler's figures (software.md 5)."""

from __future__ import annotations

import argparse
import sys

from sw.control.frames import Command
from sw.tools.common import U64, Parser, Session, Tool, main, number
from sw.tools.control import Control, add_token_option
from sw.tools.llmstats import figure

SERVER = (
    "budget_ns", "period_ns", "deadline_ns", "used_ppm", "chunks", "consumed_ns",
    "deadline_miss_count", "exhaustion_count", "throttled_ns", "jitter_p99_ns",
)  # fmt: skip
"""Figures of a server that its table shows; `--json` has all."""


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="det", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    enable = commands.add_parser("enable", help="admit the graph as a hard server and forbid all growth")
    enable.set_defaults(parser=enable)
    enable.add_argument("wcet_ns", type=number(U64, 1), help="of one step")
    enable.add_argument("period_ns", type=number(U64, 1))
    enable.add_argument("deadline_ns", nargs="?", type=number(), default=0, help="default: the period")
    status = commands.add_parser("status", help="utilisation, servers, growth")
    for command in (enable, status):
        add_token_option(command)
    return parser


def _status(session: Session, control: Control) -> None:
    snapshot = control.client.call("metrics", token=control.admin())["snapshot"]
    mine = {name: value for name, value in snapshot.items() if name.startswith("det_")}

    def render() -> None:
        session.pairs((name, figure(value)) for name, value in mine.items() if not isinstance(value, list))
        servers = mine["det_servers"]
        columns = ("server", *(str(server["server"]) for server in servers))
        rows = [(name.replace("_", " "), *(server[f"det_server_{name}"] for server in servers)) for name in SERVER]
        session.table(columns, rows, title="servers")

    session.show(mine, render)


def _execute(options: argparse.Namespace, session: Session) -> int:
    control = Control(session, options.token_file)
    if options.command == "status":
        _status(session, control)
        return 0
    if options.deadline_ns > options.period_ns:
        options.parser.error(f"a deadline of {options.deadline_ns:,} ns is over the period, {options.period_ns:,} ns")
    arguments = (options.wcet_ns, options.period_ns, options.deadline_ns)
    used = control.ask(Command.ENABLE_DETERMINISTIC, control.admin(), *arguments).fields[0]
    session.show({"used_ppm": used}, lambda: session.line(f"deterministic mode: {used:,} ppm used in all"))
    return 0


TOOL = Tool("det", _parser, _execute)

if __name__ == "__main__":
    sys.exit(main(TOOL))
