"""How kvctl shows results to people."""

from __future__ import annotations

from typing import Any

from sw.driver.types import TIERS
from sw.tools.common import Session, counted

Json = dict[str, Any]
TIER_NAMES = ("HBM", "T1", "host", "NVMe")
_FLAGS = ("prefix", "dirty", "hot", "evictable", "hint")


def pairs(session: Session, result: Json) -> None:
    """Names and values as they come."""
    session.pairs(
        (name, " ".join(map(str, value)) if isinstance(value, list) else value) for name, value in result.items()
    )


def telemetry(session: Session, result: Json) -> None:
    """GET_TELEMETRY; addresses and lengths as programs write them."""
    session.pairs((name, hex(value) if name in ("last_va", "last_len") else value) for name, value in result.items())


def done(session: Session, _: Json) -> None:
    """Nothing to tell."""
    session.line("done")


def queued(session: Session, _: Json) -> None:
    """A move that has been queued."""
    session.line("queued; `kvctl run` lets time pass, `kvctl lookup` tells where the block is")


def ran(session: Session, result: Json) -> None:
    """How far device time has come."""
    session.line(f"ran {result['cycles']:,} cycles, device time {result['now_ns']:,} ns")


def freed(session: Session, result: Json) -> None:
    """What FREE_REQUEST did."""
    session.line(f"{counted(result['removed'], 'block')} removed, {result['stayed']:,} stayed (referenced)")


def place(session: Session, result: Json) -> None:
    """Where a block is."""
    tier = result["tier"]
    session.line(f"index {result['index']}, tier {tier} ({TIER_NAMES[tier]}), address {result['phys_addr']:#x}")


def _flags(entry: Json) -> str:
    return " ".join(name.upper() for name in _FLAGS if entry[name])


def _entry_row(entry: Json) -> tuple[Any, ...]:
    tokens = entry["token_end"] - entry["token_start"] + 1
    numbers = (entry[name] for name in ("priority", "r", "f", "access_step", "ref_count"))
    return entry["index"], entry["kv"], tokens, entry["tier"], f"{entry['phys_addr']:#x}", *numbers, _flags(entry)


def dump(session: Session, result: Json) -> None:
    """Entries, one a line."""
    columns = ("index", "block", "tokens", "tier", "address", "P", "R", "F", "step", "refs", "flags")
    session.table(columns, map(_entry_row, result["entries"]))
    session.line(counted(len(result["entries"]), "block"))
    for tier, use in enumerate(result["slots"] or ()):
        if use["quarantined"]:
            why = "quarantined until the next STEP_ADVANCE"
            if use["moving"]:
                why = f"reserved for moves in flight, or {why}"
            session.line(
                f"tier {tier} ({TIER_NAMES[tier]}): {use['free']:,} of {use['slots']:,} slots free, "
                f"{use['blocks']:,} with a block, {use['quarantined']:,} {why}"
            )


def bindings(session: Session, result: Json) -> None:
    """The default binding, one range a line."""
    rows = [(f"{one['va']:#x}", one["len"], one["kv"]) for one in result["bindings"]]
    session.table(("va", "bytes", "first block"), rows)
    session.line(counted(len(rows), "range"))


def stats(session: Session, result: Json) -> None:
    """Tiers, queues, counters that are not zero."""
    free, slots = result["free"], result["slots"]
    session.table(
        ("tier", "", "slots", "free", "not free", "automatic threshold"),
        ((t, TIER_NAMES[t], slots[t], free[t], slots[t] - free[t], _auto(result, t)) for t in range(TIERS)),
        title=f"step {result['step']:,}, device time {result['now_ns']:,} ns",
    )
    if free != slots:
        session.line(
            "a slot that is not free has a block, is reserved for a move in flight, or is quarantined until the next "
            "STEP_ADVANCE: `kvctl dump` tells"
        )
    session.pairs(result["status"].items(), title="status")
    counted = [(name, value) for name, value in result["counters"].items() if value]
    session.pairs(counted, title="counters (those that are 0 are left out)")


def _auto(result: Json, tier: int) -> int:
    thresholds: list[int] = result["auto_thresholds"]
    return thresholds[tier]


def changes(session: Session, before: Json | None, now: Json) -> None:
    """What has changed between two looks, in one line; nothing if nothing has. The first look tells all."""
    free = [f"{name} {value:,}" for name, value in zip(TIER_NAMES, now["free"], strict=True)]
    told = [f"step {now['step']:,}", f"free {' '.join(free)}"]
    if before is not None:
        moved = [text for text, old, new in zip(free, before["free"], now["free"], strict=True) if old != new]
        told = told[:1] if now["step"] != before["step"] else []
        told += [f"free {' '.join(moved)}"] if moved else []
        told += [
            f"{name} {value - before['counters'][name]:+,}"
            for name, value in now["counters"].items()
            if value != before["counters"][name]
        ]
    if told:
        session.line("  ".join([f"{now['now_ns']:>14,} ns", *told]))


def explain(session: Session, result: Json) -> None:
    """The score of a block, term by term."""
    entry, weights, terms = result["entry"], result["weights"], result["terms"]
    seen = 255 - min(result["steps_away"], 255)
    rows = [
        ("recency", f"W_R {weights['w_r']} * R {entry['r']}", terms["recency"]),
        ("frequency", f"W_F {weights['w_f']} * F {entry['f']}", terms["frequency"]),
        ("distance", f"W_S {weights['w_s']} * S {seen} ({result['steps_away']:,} steps away)", terms["distance"]),
        ("prefix", f"W_D {weights['w_d']} * D {255 if entry['prefix'] else 0}", terms["prefix"]),
        ("sum", "saturates at 65,535" if result["total"] > 65535 else "", result["total"]),
        ("P now", _override(entry), result["priority"]),
        ("P of the last scan", "", entry["priority"]),
    ]
    where = f"tier {entry['tier']} ({TIER_NAMES[entry['tier']]}), index {entry['index']}"
    flags = f", {_flags(entry)}" if _flags(entry) else ""
    session.table(("term", "", "value"), rows, title=f"block {entry['kv']} at step {result['step']:,}: {where}{flags}")
    session.line(f"a scan now: {result['decision']} ({result['reason']}), unless the block is in flight")


def _override(entry: Json) -> str:
    return "HOT: 65,535" if entry["hot"] else "EVICTABLE: 0" if entry["evictable"] else ""
