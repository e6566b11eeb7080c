"""llmctl: models, budgets, capabilities and the audit log of the LLM service (software.md 5)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from sw.control.frames import Command
from sw.kernel.capability import HOLDER, Object, Rights
from sw.llm.config import CLASSES
from sw.llm.loaded import OLDER, BackendKind
from sw.tools.common import U64, Parser, Session, Tool, ToolError, main, number
from sw.tools.control import Control, add_token_option, write_token
from sw.tools.models import choose

U32 = (1 << 32) - 1
_STATUS = ("models", "queued", "running", "", "used_ppm", "accepted", "rejected", "misses")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="llmctl", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        add_token_option(command)
        return command

    load = add("load", "load a model package")
    load.add_argument("package", nargs="?", type=Path, help="its file (default: a model that ships)")
    load.add_argument("--model", type=number(U32, 1), help="id of the model")
    load.add_argument("--wcet-cycles", type=number(), default=0, help="bound on one chunk (default: the package's)")
    load.add_argument("--ctx", type=number(U32, 1), help="context that is needed; a shorter one is refused")
    load.add_argument(
        "--backend", choices=[kind.name.lower() for kind in BackendKind], default="micro", help="who computes"
    )
    load.add_argument("--older", action="store_true", help="also a revision older than the newest that was loaded")
    unload = add("unload", "unload a model")
    unload.add_argument("model", nargs="?", type=number(U32), default=0, help="its id (default: the only one)")
    budget = add("budget", "admit or change the server of a class")
    budget.add_argument("cls", metavar="CLASS", type=number(CLASSES - 1))
    budget.add_argument("budget_ns", type=number(U64, 1), help="Q in ns of device time")
    budget.add_argument("period_ns", type=number(U64, 1), help="T in ns of device time")
    budget.add_argument("tokens", nargs="?", type=number(U32), default=0, help="most tokens in a period (0: no limit)")
    add("status", "counts of the service")
    add("list", "inferences that have not ended, or were not read to their end")
    add("cancel", "end an inference").add_argument("infer_id", type=number(U32, 1), help="its number (`llmctl list`)")
    audit = add("audit", "the last decisions, and whether the log is whole")
    audit.add_argument("--last", type=number(10_000, 1), default=20, help="so many entries (default 20)")
    add("keys", "keys that packages may be signed with, and capabilities")
    grant = add("grant", "issue a capability")
    grant.add_argument("holder", type=_holder, help="the tenant: 1 to 64 letters, digits and . _ : / -")
    grant.add_argument("--rights", nargs="+", choices=_names(Rights), default=["submit", "stream"])
    grant.add_argument("--objects", nargs="+", choices=_names(Object), default=["model", "llm"])
    grant.add_argument("--lasts-ns", type=number(), help="of device time (default: for ever)")
    grant.add_argument("--write", type=Path, required=True, help="file for its token, mode 0600")
    add("revoke", "end a capability").add_argument("id", type=number(U32, 1), help="its number (`llmctl keys`)")
    return parser


def _holder(text: str) -> str:
    if not HOLDER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to 64 letters, digits and . _ : / -")
    return text


def _names(kind: type[Rights] | type[Object]) -> list[str]:
    return [str(member.name).lower() for member in kind]


def _load(options: argparse.Namespace, session: Session, control: Control) -> int:
    model = choose(options.package, options.model, options.ctx)
    handle = control.buffer(model.data)
    try:
        flags = BackendKind[options.backend.upper()] | (OLDER if options.older else 0)
        reply = control.ask(Command.LLM_LOAD, control.admin(), handle, options.wcet_cycles, flags)
    finally:
        control.release(handle)
    header = model.header
    assert header is not None  # the service has read it
    result = {"model": reply.fields[0], "name": header.name, "context": header.context, "backend": options.backend}
    text = f"{header.name}, context {header.context:,} tokens, {options.backend} backend"
    session.show(result, lambda: session.line(f"model {reply.fields[0]} loaded: {text}"))
    return 0


def _unload(options: argparse.Namespace, session: Session, control: Control) -> int:
    control.ask(Command.LLM_UNLOAD, control.admin(), options.model)
    session.show({"model": options.model}, lambda: session.line("unloaded"))
    return 0


def _budget(options: argparse.Namespace, session: Session, control: Control) -> int:
    arguments = (options.cls, 0, 0, options.budget_ns, options.period_ns, options.tokens)
    used = control.ask(Command.LLM_BUDGET, control.admin(), *arguments).fields[0]
    session.show({"used_ppm": used}, lambda: session.line(f"class {options.cls}: admitted, {used:,} ppm used in all"))
    return 0


def status(control: Control) -> dict[str, int]:
    """LLM_STATUS by field."""
    fields = control.ask(Command.LLM_STATUS, control.admin()).fields
    return {name: value for name, value in zip(_STATUS, fields, strict=True) if name}


def _status(_: argparse.Namespace, session: Session, control: Control) -> int:
    result = status(control) | {"frame_bytes_dropped": control.client.call("info")["frame_bytes_dropped"]}
    session.show(result, lambda: session.pairs(result.items()))
    return 0


def _list(_: argparse.Namespace, session: Session, control: Control) -> int:
    result = control.client.call("inferences", token=control.admin())
    columns = ("infer_id", "holder", "class", "model", "state", "tokens", "max_tokens", "unread")
    rows = [[one[name] for name in columns] for one in result["inferences"]]
    session.show(result, lambda: session.table(columns, rows) if rows else session.line("no inferences"))
    return 0


def _cancel(options: argparse.Namespace, session: Session, control: Control) -> int:
    result = control.client.call("cancel", token=control.admin(), infer_id=options.infer_id)
    session.show(result, lambda: session.line(f"inference {options.infer_id}: {result['state']}"))
    return 0


def _entry_row(entry: dict[str, Any]) -> tuple[Any, ...]:
    known = ("seq", "time", "holder", "capability", "operation", "object", "code")
    rest = {name: value for name, value in entry.items() if name not in (*known, "prev", "hash")}
    counts = " ".join(f"{name}={value}" for name, value in sorted(rest.items()))
    return (*("" if entry[name] is None else entry[name] for name in known), counts)


def _audit(options: argparse.Namespace, session: Session, control: Control) -> int:
    result = control.client.call("audit", token=control.admin(), last=options.last)

    def render() -> None:
        columns = ("seq", "ns", "holder", "cap", "operation", "object", "code", "counts")
        session.table(columns, map(_entry_row, result["entries"]))
        session.line(f"{result['path']}: {result['verdict']}")

    session.show(result, render)
    return 0 if result["whole"] else 1


def _keys(_: argparse.Namespace, session: Session, control: Control) -> int:
    result = control.client.call("keys", token=control.admin())

    def render() -> None:
        rows = [
            (key["key_id"], key["name"], key["expires"] or "never", "expired" if key["expired"] else "good")
            for key in result["trusted"]
        ]
        session.table(("key id", "name", "expires", ""), rows, title=f"trusted ({result['store']})")
        session.line(f"service key (audit log): {result['service_key_id']}")
        caps = [
            (cap["id"], cap["holder"], " ".join(cap["rights"]), " ".join(cap["objects"]), cap["expires_ns"] or "never")
            for cap in result["capabilities"]
        ]
        session.table(("id", "holder", "rights", "objects", "expires, ns"), caps, title="capabilities")

    session.show(result, render)
    return 0


def _grant(options: argparse.Namespace, session: Session, control: Control) -> int:
    if options.write.exists():
        raise ToolError(f"{options.write}: file exists")
    more = {} if options.lasts_ns is None else {"lasts_ns": options.lasts_ns}
    sets = {"rights": options.rights, "objects": options.objects}
    granted = control.client.call("grant", token=control.admin(), holder=options.holder, **sets, **more)
    write_token(options.write, granted.pop("token"))
    text = f"capability {granted['id']} of {options.holder}: token in {options.write}"
    session.show(granted, lambda: session.line(text))
    return 0


def _revoke(options: argparse.Namespace, session: Session, control: Control) -> int:
    control.client.call("revoke", token=control.admin(), id=options.id)
    session.show({"id": options.id}, lambda: session.line(f"capability {options.id} has ended"))
    return 0


COMMANDS = {
    "load": _load,
    "unload": _unload,
    "budget": _budget,
    "status": _status,
    "list": _list,
    "cancel": _cancel,
    "audit": _audit,
    "keys": _keys,
    "grant": _grant,
    "revoke": _revoke,
}


def _execute(options: argparse.Namespace, session: Session) -> int:
    return COMMANDS[options.command](options, session, Control(session, options.token_file))


TOOL = Tool("llmctl", _parser, _execute)

if __name__ == "__main__":
    sys.exit(main(TOOL))
