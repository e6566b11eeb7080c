"""graphctl: build and run the graph of the control plane by frames (software.md 5)."""

from __future__ import annotations

import argparse
import sys

from sw.control.frames import Command
from sw.kernel.graph import NO_CHANNEL
from sw.kernel.ring import SLOTS
from sw.tools.common import Parser, Session, Tool, main, number
from sw.tools.control import Control, add_token_option

U32 = (1 << 32) - 1


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="graphctl", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        add_token_option(command)
        return command

    add("create", "make the graph")
    channel = add("channel", "add a channel")
    channel.add_argument(
        "capacity", nargs="?", type=number(SLOTS), choices=(0, SLOTS), default=0, help="slots: 64, or 0 (default)"
    )
    operator = add("operator", "add an operator")
    operator.set_defaults(parser=operator)
    operator.add_argument("kind", type=number(U32), help="1 passes on, 2 is a source, 3 a sink")
    for name in ("in", "out"):
        operator.add_argument(f"--{name}", type=number(0xFFFF), default=NO_CHANNEL, metavar="CHANNEL")
    operator.add_argument("--priority", type=number(255), default=0)
    operator.add_argument("--stage", type=number(255), default=0)
    for name in ("in", "out"):
        operator.add_argument(f"--{name}-schema", type=number(U32), metavar="ID", help="of its messages")
    add("start", "run steps").add_argument("steps", type=number(U32))
    add("show", "operators and channels")
    return parser


def _frame(options: argparse.Namespace) -> tuple[Command, tuple[int, ...]]:
    match options.command:
        case "create":
            return Command.CREATE_GRAPH, ()
        case "channel":
            return Command.ADD_CHANNEL, (options.capacity,)
        case "start":
            return Command.START_GRAPH, (options.steps,)
    ends = {name: vars(options)[name] for name in ("in", "out")}
    if ends["in"] == ends["out"] != NO_CHANNEL:
        options.parser.error(f"channel {ends['in']} as input and output of one operator")
    for name, channel in ends.items():
        if vars(options)[f"{name}_schema"] and channel == NO_CHANNEL:
            options.parser.error(f"--{name}-schema needs --{name}: a schema is of a channel's messages")
    plain = (options.kind, vars(options)["in"], options.out, options.priority, options.stage)
    schemas = (options.in_schema, options.out_schema)
    if schemas == (None, None):
        return Command.ADD_OPERATOR, plain
    return Command.ADD_TYPED_OPERATOR, (*plain, *(schema or 0 for schema in schemas))


def _show(session: Session, control: Control) -> None:
    graph = control.client.call("graph", token=control.admin())

    def render() -> None:
        if not graph["exists"]:
            session.line("there is no graph")
            return
        for what in ("operators", "channels"):
            rows = graph[what]
            columns = list(rows[0]) if rows else []
            session.table(columns, [[_cell(row[name]) for name in columns] for row in rows], title=what)
        session.line("deterministic mode" if graph["deterministic"] else "not in deterministic mode")

    session.show(graph, render)


def _cell(value: int | str | None) -> int | str:
    return "" if value is None or value == NO_CHANNEL else value


def _execute(options: argparse.Namespace, session: Session) -> int:
    control = Control(session, options.token_file)
    if options.command == "show":
        _show(session, control)
        return 0
    command, arguments = _frame(options)
    fields = control.ask(command, control.admin(), *arguments).fields
    name = {"channel": "channel", "start": "steps"}.get(options.command)
    if name is None:
        session.show({}, lambda: session.line("done"))
    else:
        text = f"channel {fields[0]}" if name == "channel" else f"{fields[0]:,} steps run"
        session.show({name: fields[0]}, lambda: session.line(text))
    return 0


TOOL = Tool("graphctl", _parser, _execute)

if __name__ == "__main__":
    sys.exit(main(TOOL))
