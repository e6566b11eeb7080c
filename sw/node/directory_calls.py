"""Calls on the directory: its entries, its counters, the score of a block, the directory commands."""

from __future__ import annotations

import errno
from dataclasses import asdict

from sw.driver.score import Policy, score
from sw.driver.types import TIERS, Entry, InsertRequest
from sw.node.calls import FLAG, KV, STEP, WORD, Asker, Call, CallError, Json, call, parsed_kv
from sw.regs import registers as regs

_TIER = {"type": "integer", "minimum": 0, "maximum": TIERS - 1}


def _shown(index: int, entry: Entry) -> Json:
    return {"index": index, "kv": str(entry.kv_addr), **asdict(entry)}


async def _dump(asker: Asker, asked: Json) -> Json:
    """Valid entries through the directory window, of all indices or `count` from `first` on, filtered."""
    driver = asker.node.driver
    first = asked.get("first", 0)
    entries = await driver.directory(first, asked.get("count"))
    wanted = {"request_id": asked.get("request"), "tier": asked.get("tier")}
    rows = [
        _shown(index, entry)
        for index, entry in entries.items()
        if all(value is None or getattr(entry, name) == value for name, value in wanted.items())
    ]
    return {"entries": rows, "now_ns": asker.node.transport.now()}


async def _stats(asker: Asker, _: Json) -> Json:
    """Every counter, the state of queues, slots and free slots of the tiers."""
    driver = asker.node.driver
    slots = await driver.registers.read_all(regs.TIER_SLOTS)
    return {
        "now_ns": asker.node.transport.now(),
        "step": await driver.current_step(),
        "status": await driver.status(),
        "slots": slots,
        "free": await driver.free_slots(),
        "auto_thresholds": await driver.auto_thresholds(),
        "counters": await driver.statistics(),
    }


async def _explain(asker: Asker, asked: Json) -> Json:
    """The terms of a block's score, and what a scan would decide now."""
    driver, kv_addr = asker.node.driver, parsed_kv(asked["kv"])
    while True:
        place = await driver.lookup(kv_addr, touch=False)
        if place is None:
            raise CallError(errno.ENOENT, f"{kv_addr} is not in the directory")
        entry = (await driver.directory(place.index, 1)).get(place.index)
        if entry is not None and entry.holds(kv_addr):  # else it has moved inside the directory meanwhile
            break
    policy = await Policy.read(driver)
    found = score(entry, policy)
    return {
        "entry": _shown(place.index, entry),
        "step": policy.step,
        "weights": asdict(policy.weights),
        "terms": {
            "recency": found.recency,
            "frequency": found.frequency,
            "distance": found.distance,
            "prefix": found.prefix,
        },
        "steps_away": found.steps_away,
        "total": found.total,
        "priority": found.priority,
        "decision": found.decision.value,
        "reason": found.reason,
    }


async def _insert(asker: Asker, asked: Json) -> Json:
    """INSERT a block whose first `tokens` (default: all) are valid, into a tier (default 0)."""
    driver, kv_addr = asker.node.driver, parsed_kv(asked["kv"])
    end = kv_addr.token + asked.get("tokens", driver.caps.block_tokens) - 1
    flags = {name: asked.get(name, False) for name in ("prefix", "hot")}
    place = await driver.insert(InsertRequest(kv_addr, end, asked.get("tier", 0), **flags))
    return asdict(place)


async def _lookup(asker: Asker, asked: Json) -> Json:
    """Where a token's block is; with `touch` as a port's lookup."""
    kv_addr = parsed_kv(asked["kv"])
    place = await asker.node.driver.lookup(kv_addr, touch=asked.get("touch", False))
    if place is None:
        raise CallError(errno.ENOENT, f"{kv_addr} is not in the directory")
    return asdict(place)


async def _remove(asker: Asker, asked: Json) -> Json:
    """REMOVE a block."""
    await asker.node.driver.remove(parsed_kv(asked["kv"]))
    return {}


async def _migrate(asker: Asker, asked: Json) -> Json:
    """MIGRATE: queue a move."""
    await asker.node.driver.migrate(parsed_kv(asked["kv"]), asked["tier"])
    return {}


async def _free(asker: Asker, asked: Json) -> Json:
    """FREE_REQUEST."""
    return asdict(await asker.node.driver.free_request(asked["request"]))


DIRECTORY_CALLS: dict[str, Call] = {
    "dump": call(_dump, first=STEP, count={**STEP, "minimum": 1}, request={**WORD, "maximum": 65535}, tier=_TIER),
    "stats": call(_stats),
    "explain": call(_explain, "kv", kv=KV),
    "insert": call(
        _insert, "kv", kv=KV, tokens={**WORD, "minimum": 1, "maximum": 256}, tier=_TIER, prefix=FLAG, hot=FLAG
    ),
    "lookup": call(_lookup, "kv", kv=KV, touch=FLAG),
    "remove": call(_remove, "kv", kv=KV),
    "migrate": call(_migrate, "kv", "tier", kv=KV, tier=_TIER),
    "free": call(_free, "request", request={**WORD, "maximum": 65535}),
}
