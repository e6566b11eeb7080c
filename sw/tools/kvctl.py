"""kvctl: steps, hints, weights and the directory of a served device, as on a device node (software.md 5)."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from sw.driver.ioctl import Hint
from sw.driver.types import TIERS
from sw.regs.kv_address import TOKENS
from sw.tools import kvviews
from sw.tools.common import U64, Parser, Session, Tool, counted, kv_address, main, number
from sw.tools.control import Control

U32 = (1 << 32) - 1
HINTS = {
    Hint.HOT: "keep the blocks of a range",
    Hint.COOL: "undo hot and evict",
    Hint.EVICT: "evict the blocks of a range at once",
    Hint.PREFETCH: "the blocks of a range are needed at a step",
    Hint.SHARE: "one more reference to the blocks of a range",
    Hint.RELEASE: "one reference less",
}
WEIGHTS = {"w_r": 255, "w_f": 255, "w_s": 255, "w_d": 255, "evict_thresh": 65535, "prefetch_thresh": 65535}
ON_BLOCKS = {"insert", "lookup", "remove", "migrate", "free", "default_unbind"}
"""Calls that act on blocks: they carry the token of the administrator whose files are next to the socket."""
Command = Callable[[argparse.Namespace, Session], None]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="kvctl", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(parser=command)
        return command

    add("step", "STEP_ADVANCE, and wait for its scan").add_argument("step", type=number(U32))
    for hint, text in HINTS.items():
        command = add(hint.value, text)
        step = " STEP" if hint is Hint.PREFETCH else ""
        command.usage = f"kvctl {hint.value} [-h] [--json] (VA LEN | --kv REQ:LAYER:HEAD:TOKEN [TOKENS]){step}"
        command.add_argument("--kv", type=kv_address, help="a token of the first block, instead of VA")
        command.add_argument("numbers", nargs="*", type=number(), help="VA and LEN in bytes, or with --kv tokens (1)")
    bind = add("bind", "the default binding, of files that bind nothing themselves: list it, or add a range")
    bind.usage = "kvctl bind [-h] [--json] [VA LEN REQ:LAYER:HEAD:TOKEN]"
    bind.add_argument("va", nargs="?", type=number(), help="first byte of the range, in the program's addresses")
    bind.add_argument("len", nargs="?", type=number(U64, 1), help="bytes; every BLOCK_BYTES of them is one block")
    bind.add_argument("kv", nargs="?", type=kv_address, metavar="KV", help="of the first block: its first token")
    add("unbind", "remove a range from the default binding").add_argument("va", type=number(), help="its first byte")
    weights = add("weights", "show the weights and thresholds of the score, or set all six")
    weights.usage = f"kvctl weights [-h] [--json] [{' '.join(name.upper() for name in WEIGHTS)}]"
    weights.add_argument("numbers", nargs="*", type=number(), help="weights (8 bits) and thresholds (16 bits)")
    add("telemetry", "what GET_TELEMETRY tells, of all open files together")
    dump = add("dump", "the entries of the directory")
    dump.add_argument("--request", type=number(65535), help="of this request only")
    dump.add_argument("--tier", type=number(TIERS - 1), help="in this tier only")
    dump.add_argument("--first", type=number(U32), help="from this index on")
    dump.add_argument("--count", type=number(U32, 1), help="end after so many entries")
    add("stats", "counters, queues, slots")
    watch = add("watch", "what changes, again and again until Ctrl-C")
    watch.add_argument("--interval", type=float, default=1.0, help="seconds between two looks (default 1)")
    watch.add_argument("--count", type=number(10**9, 1), help="end after so many looks")
    for name, text in (
        ("explain", "the terms of a block's score, and what a scan would decide"),
        ("lookup", "where a token's block is"),
        ("remove", "REMOVE a block"),
        ("insert", "INSERT a block"),
        ("migrate", "MIGRATE a block to a tier"),
    ):
        command = add(name, text)
        command.add_argument("--kv", type=kv_address, required=True, help="REQ:LAYER:HEAD:TOKEN")
        if name == "lookup":
            command.add_argument("--touch", action="store_true", help="as a port's lookup; else nothing changes")
        if name in ("insert", "migrate"):
            command.add_argument("--tier", type=number(TIERS - 1), required=name == "migrate", default=0)
        if name == "insert":
            command.add_argument("--tokens", type=number(256, 1), help="valid tokens (default: a whole block)")
            command.add_argument("--prefix", action="store_true")
            command.add_argument("--hot", action="store_true")
    add("free", "FREE_REQUEST: remove the blocks of a request").add_argument("request", type=number(65535, 1))
    add("run", "let device time pass").add_argument("cycles", type=number())
    add("info", "the device and who serves it")
    return parser


def _without_none(**arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _hint_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Arguments of the call; wrong ones end in usage and exit status 2."""
    numbers, hint = list(options.numbers), options.command
    stepped = hint == Hint.PREFETCH.value
    needed = {1, 2} if options.kv and stepped else {0, 1} if options.kv else {3} if stepped else {2}
    if len(numbers) not in needed:
        what = ("[TOKENS]" if options.kv else "VA LEN") + (" STEP" if stepped else "")
        options.parser.error(f"{what} is needed, {len(numbers)} numbers given")
    step = {"step": numbers.pop()} if stepped else {}
    if step.get("step", 0) > U32:
        options.parser.error(f"step {step['step']}: at most {U32:,}")
    if options.kv:
        tokens = numbers.pop() if numbers else 1
        if not 1 <= tokens <= U32:
            options.parser.error(f"{tokens} tokens: 1 to {U32:,}")
        if options.kv.token + tokens > TOKENS:
            options.parser.error(f"{tokens} tokens from {options.kv} run past token {TOKENS - 1:,}")
        return {"hint": hint, "kv": str(options.kv), "tokens": tokens, **step}
    va, length = numbers
    if length < 1:
        options.parser.error("a range of 0 bytes: LEN is at least 1")
    if va + length - 1 > U64:
        options.parser.error(f"{va:#x} + {length:,} bytes run past 2^64")
    return {"hint": hint, "va": numbers[0], "len": numbers[1], **step}


def _hint(options: argparse.Namespace, session: Session) -> None:
    result = session.client.call("hint", **_hint_arguments(options), **Control(session).for_blocks())
    missed = result.get("not_bound", result.get("not_in_directory", 0))
    why = "not bound" if "not_bound" in result else "not in the directory"
    session.show(
        result,
        lambda: session.line(f"{options.command}: done" + (f", {counted(missed, 'block')} {why}" if missed else "")),
    )


def _bind(options: argparse.Namespace, session: Session) -> None:
    if options.va is None:
        result = session.client.call("bindings")
        session.show(result, lambda: kvviews.bindings(session, result))
        return
    if options.kv is None:
        options.parser.error("VA LEN REQ:LAYER:HEAD:TOKEN are needed, or none of them")
    if options.va + options.len - 1 > U64:
        options.parser.error(f"{options.va:#x} + {options.len:,} bytes run past 2^64")
    result = session.client.call(
        "default_bind", va=options.va, len=options.len, kv=str(options.kv), **Control(session).for_blocks()
    )
    session.show(result, lambda: session.line(f"bound: {counted(result['blocks'], 'block')} from {options.kv} on"))


def _step(options: argparse.Namespace, session: Session) -> None:
    result = session.client.call("step", step=options.step)
    scanned = f"scan of {result['scan_cycles']:,} cycles" if result["scanned"] else "no scan: the device is disabled"
    session.show(result, lambda: session.line(f"step {options.step}: {scanned}"))


def _weights(options: argparse.Namespace, session: Session) -> None:
    wanted = {}
    if options.numbers:
        if len(options.numbers) != len(WEIGHTS):
            options.parser.error(f"six numbers or none are needed, {len(options.numbers)} given")
        wanted = dict(zip(WEIGHTS, options.numbers, strict=True))
        for name, value in wanted.items():
            if value > WEIGHTS[name]:
                options.parser.error(f"{name} {value}: at most {WEIGHTS[name]:,}")
        if wanted["evict_thresh"] > wanted["prefetch_thresh"]:
            low, high = wanted["evict_thresh"], wanted["prefetch_thresh"]
            options.parser.error(f"evict_thresh {low:,} is over prefetch_thresh {high:,}")
    result = session.client.call("weights", **wanted)
    session.show(result, lambda: session.pairs(result.items()))


def _watch(options: argparse.Namespace, session: Session) -> None:
    if not 0 < options.interval <= 86_400:
        options.parser.error(f"an interval of {options.interval:g} s")
    before = None
    left = options.count
    while left is None or left > 0:
        now = session.client.call("stats")
        session.show(now, lambda now=now, before=before: kvviews.changes(session, before, now))  # type: ignore[misc]
        before = now
        left = None if left is None else left - 1
        if left != 0:
            time.sleep(options.interval)


def _plain(name: str, show: Callable[[Session, dict[str, Any]], None], *arguments: str) -> Command:
    """A command whose options are the call's arguments."""

    def command(options: argparse.Namespace, session: Session) -> None:
        given = {key: getattr(options, key) for key in arguments}
        if "kv" in given:
            given["kv"] = str(given["kv"])
        token = Control(session).for_blocks() if name in ON_BLOCKS else {}
        result = session.client.call(name, **_without_none(**given), **token)
        session.show(result, lambda: show(session, result))

    return command


COMMANDS: dict[str, Command] = {
    "step": _step,
    **{hint.value: _hint for hint in HINTS},
    "bind": _bind,
    "unbind": _plain("default_unbind", kvviews.done, "va"),
    "weights": _weights,
    "telemetry": _plain("telemetry", kvviews.telemetry),
    "dump": _plain("dump", kvviews.dump, "request", "tier", "first", "count"),
    "stats": _plain("stats", kvviews.stats),
    "watch": _watch,
    "explain": _plain("explain", kvviews.explain, "kv"),
    "lookup": _plain("lookup", kvviews.place, "kv", "touch"),
    "remove": _plain("remove", kvviews.done, "kv"),
    "insert": _plain("insert", kvviews.place, "kv", "tokens", "tier", "prefix", "hot"),
    "migrate": _plain("migrate", kvviews.queued, "kv", "tier"),
    "free": _plain("free", kvviews.freed, "request"),
    "run": _plain("run", kvviews.ran, "cycles"),
    "info": _plain("info", kvviews.pairs),
}


def _execute(options: argparse.Namespace, session: Session) -> int:
    COMMANDS[options.command](options, session)
    return 0


TOOL = Tool("kvctl", _parser, _execute)

if __name__ == "__main__":
    sys.exit(main(TOOL))
