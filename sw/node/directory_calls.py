"""Calls on the directory: its entries, its counters, the score of a block, the directory commands."""

from __future__ import annotations

import errno
from dataclasses import asdict

from sw.driver import Driver
from sw.driver.score import Policy, score
from sw.driver.types import TIERS, Entry, InsertRequest
from sw.node.calls import FLAG, KV, STEP, WORD, Asker, Call, CallError, Json, call, parsed_kv
from sw.regs import registers as regs

_WINDOW = 1024  # entries read at once
_TIER = {"type": "integer", "minimum": 0, "maximum": TIERS - 1}


def _shown(index: int, entry: Entry) -> Json:
    return {"index": index, "kv": str(entry.kv_addr), **asdict(entry)}


async def _dump(asker: Asker, asked: Json) -> Json:
    """Valid entries through the directory window, from index `first` on, filtered, at most `count` of them.

    `slots` tells what the slots of every tier are used for, where the whole directory was read.
    """
    driver = asker.node.driver
    first, count = asked.get("first", 0), asked.get("count")
    if first >= driver.caps.entries:
        raise CallError(errno.EINVAL, f"first {first:,}: the device has entries 0 to {driver.caps.entries - 1:,}")
    wanted = {"request_id": asked.get("request"), "tier": asked.get("tier")}
    rows: list[Json] = []
    blocks = [0] * TIERS
    while first < driver.caps.entries and (count is None or len(rows) < count) and await asker.between():
        some = min(_WINDOW, driver.caps.entries - first)
        for index, entry in (await driver.directory(first, some)).items():
            blocks[entry.tier] += 1
            if all(value is None or getattr(entry, name) == value for name, value in wanted.items()):
                rows.append(_shown(index, entry))
        first += some
    whole = asked.get("first", 0) == 0 and first >= driver.caps.entries
    return {"entries": rows[:count], "now_ns": asker.node.transport.now(), "slots": await _use(driver, blocks, whole)}


async def _use(driver: Driver, blocks: list[int], whole: bool) -> list[Json] | None:
    """Of every tier: its slots, the free ones, those with a block, and the rest: held ones, or a move's target."""
    if not whole:
        return None
    slots, free = await driver.registers.read_all(regs.TIER_SLOTS), await driver.free_slots()
    idle = bool((await driver.status())["IDLE"])
    return [
        {"slots": of, "free": unused, "blocks": used, "quarantined": of - unused - used, "moving": not idle}
        for of, unused, used in zip(slots, free, blocks, strict=True)
    ]


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
    asker.node.owners.check_insert(kv_addr.request_id)
    asker.may_act(asked, kv_addr.request_id, claims=True)
    place = await driver.insert(InsertRequest(kv_addr, end, asked.get("tier", 0), **flags))
    return asdict(place)


async def _lookup(asker: Asker, asked: Json) -> Json:
    """Where a token's block is; with `touch` as a port's lookup."""
    kv_addr = parsed_kv(asked["kv"])
    touch = asked.get("touch", False)
    if touch:
        asker.may_act(asked, kv_addr.request_id)
    place = await asker.node.driver.lookup(kv_addr, touch=touch)
    if place is None:
        raise CallError(errno.ENOENT, f"{kv_addr} is not in the directory")
    return asdict(place)


async def _remove(asker: Asker, asked: Json) -> Json:
    """REMOVE a block."""
    kv_addr = parsed_kv(asked["kv"])
    asker.may_act(asked, kv_addr.request_id)
    await asker.node.driver.remove(kv_addr)
    return {}


async def _migrate(asker: Asker, asked: Json) -> Json:
    """MIGRATE: queue a move."""
    kv_addr = parsed_kv(asked["kv"])
    asker.may_act(asked, kv_addr.request_id)
    await asker.node.driver.migrate(kv_addr, asked["tier"])
    return {}


async def _free(asker: Asker, asked: Json) -> Json:
    """FREE_REQUEST."""
    request = asked["request"]
    asker.may_act(asked, request)
    freed = await asker.node.driver.free_request(request)
    if not freed.stayed:
        asker.node.owners.freed(request)
    return asdict(freed)


DIRECTORY_CALLS: dict[str, Call] = {
    "dump": call(_dump, first=STEP, count={**STEP, "minimum": 1}, request={**WORD, "maximum": 65535}, tier=_TIER),
    "stats": call(_stats),
    "explain": call(_explain, "kv", kv=KV),
    "insert": call(
        _insert,
        "kv",
        kv=KV,
        tokens={**WORD, "minimum": 1, "maximum": 256},
        tier=_TIER,
        prefix=FLAG,
        hot=FLAG,
        token=WORD,
    ),
    "lookup": call(_lookup, "kv", kv=KV, touch=FLAG, token=WORD),
    "remove": call(_remove, "kv", kv=KV, token=WORD),
    "migrate": call(_migrate, "kv", "tier", kv=KV, tier=_TIER, token=WORD),
    "free": call(_free, "request", request={**WORD, "maximum": 65535}, token=WORD),
}
