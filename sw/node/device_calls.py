"""Calls on the device and its node: time, steps, hints, weights, the directory."""

from __future__ import annotations

import errno
from dataclasses import asdict

from sw.driver.device import Weights
from sw.driver.ioctl import Hint, send
from sw.driver.score import Policy, score
from sw.driver.types import TIERS, Entry, InsertRequest
from sw.node.calls import WORD, Asker, CallError, Json, call
from sw.regs import registers as regs
from sw.regs.kv_address import TOKENS, KvAddress

_LENGTH = {**WORD, "minimum": 1}
_STEP = {"type": "integer", "minimum": 0, "maximum": TOKENS - 1}
_KV = {"type": "string", "maxLength": 64}
_TIER = {"type": "integer", "minimum": 0, "maximum": TIERS - 1}
_WEIGHT = {**WORD, "maximum": 255}
_THRESHOLD = {**WORD, "maximum": 65535}
_FLAG = {"type": "boolean"}


def _kv(text: str) -> KvAddress:
    try:
        return KvAddress.parse(text)
    except ValueError as error:
        raise CallError(errno.EINVAL, str(error)) from None


# ---------------------------------------------------------------- the node


@call()
async def _info(asker: Asker, _: Json) -> Json:
    """Sizes of the device, its time and step, who serves it."""
    driver = asker.node.driver
    return {
        **asker.node.about,
        **asdict(driver.caps),
        "block_bytes": await driver.registers.read(regs.BLOCK_BYTES),
        "slots": await driver.registers.read_all(regs.TIER_SLOTS),
        "step": await driver.current_step(),
        "now_ns": asker.node.transport.now(),
        "open_files": len(asker.node.files),
    }


@call("cycles", cycles=WORD)
async def _run(asker: Asker, asked: Json) -> Json:
    """Let device time pass."""
    done = await asker.node.run(asked["cycles"], asker.abandoned)
    return {"cycles": done, "now_ns": asker.node.transport.now()}


@call("va", "len", "kv", va=WORD, len=_LENGTH, kv=_KV)
async def _bind(asker: Asker, asked: Json) -> Json:
    """Bind a range of the caller's memory to blocks."""
    try:
        await asker.file.ioctl.bind(asked["va"], asked["len"], _kv(asked["kv"]))
    except OSError as error:
        raise CallError(error.errno or errno.EIO, str(error.strerror)) from None
    return {}


@call("va", va=WORD)
async def _unbind(asker: Asker, asked: Json) -> Json:
    """Forget a bound range."""
    asker.file.ioctl.bindings.unbind(asked["va"])
    return {}


# ---------------------------------------------------------------- steps, hints, weights


@call("step", step=_STEP)
async def _step(asker: Asker, asked: Json) -> Json:
    """STEP_ADVANCE, and the end of its scan where one runs."""
    driver = asker.node.driver
    control = await driver.registers.get(regs.CTRL)
    if not control["ENABLE"]:
        await driver.step(asked["step"])
        asker.file.ioctl.tally.stepped()
        return {"step": asked["step"], "scanned": False}
    await driver.step_and_scan(asked["step"])
    asker.file.ioctl.tally.stepped()
    names = (regs.SCAN_CYCLES, regs.FIRST_DECISION_CYCLES)
    scan, first = await driver.registers.read_all(names)
    return {"step": asked["step"], "scanned": True, "scan_cycles": scan, "first_decision_cycles": first}


@call(
    "hint",
    hint={"enum": [hint.value for hint in Hint]},
    va=WORD,
    len=_LENGTH,
    kv=_KV,
    tokens={**_STEP, "minimum": 1},
    step=_STEP,
)
async def _hint(asker: Asker, asked: Json) -> Json:
    """A hint on user bytes (va, len) or on tokens (kv, tokens), to its end."""
    hint, step = Hint(asked["hint"]), asked.get("step", 0)
    if {"kv", "tokens"} <= asked.keys() and not asked.keys() & {"va", "len"}:
        driver, first = asker.node.driver, _kv(asked["kv"])
        before = await driver.registers.read(regs.HINT_MISS_COUNT)
        await send(driver, hint, first, asked["tokens"], step)
        await driver.drain()
        missed = await driver.registers.read(regs.HINT_MISS_COUNT) - before
        return {"hint": hint.value, "not_in_directory": missed}
    if {"va", "len"} <= asked.keys() and not asked.keys() & {"kv", "tokens"}:
        unbound = await asker.file.ioctl.hint(hint, asked["va"], asked["len"], step)
        await asker.node.driver.drain()
        return {"hint": hint.value, "not_bound": unbound}
    raise CallError(errno.EINVAL, "either va and len, or kv and tokens")


@call(w_r=_WEIGHT, w_f=_WEIGHT, w_s=_WEIGHT, w_d=_WEIGHT, evict_thresh=_THRESHOLD, prefetch_thresh=_THRESHOLD)
async def _weights(asker: Asker, asked: Json) -> Json:
    """Set the weights and thresholds that are named, and tell all."""
    now = asdict(await asker.node.driver.weights())
    wanted = {name: value for name, value in asked.items() if name != "call"}
    if wanted:
        await asker.node.driver.set_weights(Weights(**{**now, **wanted}))
        now = asdict(await asker.node.driver.weights())
    return now


@call()
async def _telemetry(asker: Asker, _: Json) -> Json:
    """What GET_TELEMETRY tells, counted over all open files, and their hint misses."""
    return {
        "current_step": await asker.node.driver.current_step(),
        **asdict(asker.node.total.counters),
        **asdict(await asker.node.driver.weights()),
        "hint_misses": asker.node.total.hint_misses,
    }


# ---------------------------------------------------------------- the directory


def _shown(index: int, entry: Entry) -> Json:
    return {"index": index, "kv": str(entry.kv_addr), **asdict(entry)}


@call(
    first=_STEP,
    count={**_STEP, "minimum": 1},
    request={**WORD, "maximum": 65535},
    tier=_TIER,
)
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


@call()
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


@call("kv", kv=_KV)
async def _explain(asker: Asker, asked: Json) -> Json:
    """The terms of a block's score, and what a scan would decide now."""
    driver, kv_addr = asker.node.driver, _kv(asked["kv"])
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


@call("kv", kv=_KV, tokens={**WORD, "minimum": 1, "maximum": 256}, tier=_TIER, prefix=_FLAG, hot=_FLAG)
async def _insert(asker: Asker, asked: Json) -> Json:
    """INSERT a block whose first `tokens` (default: all) are valid, into a tier (default 0)."""
    driver, kv_addr = asker.node.driver, _kv(asked["kv"])
    end = kv_addr.token + asked.get("tokens", driver.caps.block_tokens) - 1
    flags = {name: asked.get(name, False) for name in ("prefix", "hot")}
    place = await driver.insert(InsertRequest(kv_addr, end, asked.get("tier", 0), **flags))
    return asdict(place)


@call("kv", kv=_KV, touch=_FLAG)
async def _lookup(asker: Asker, asked: Json) -> Json:
    """Where a token's block is; with `touch` as a port's lookup."""
    kv_addr = _kv(asked["kv"])
    place = await asker.node.driver.lookup(kv_addr, touch=asked.get("touch", False))
    if place is None:
        raise CallError(errno.ENOENT, f"{kv_addr} is not in the directory")
    return asdict(place)


@call("kv", kv=_KV)
async def _remove(asker: Asker, asked: Json) -> Json:
    """REMOVE a block."""
    await asker.node.driver.remove(_kv(asked["kv"]))
    return {}


@call("kv", "tier", kv=_KV, tier=_TIER)
async def _migrate(asker: Asker, asked: Json) -> Json:
    """MIGRATE: queue a move."""
    await asker.node.driver.migrate(_kv(asked["kv"]), asked["tier"])
    return {}


@call("request", request={**WORD, "maximum": 65535})
async def _free(asker: Asker, asked: Json) -> Json:
    """FREE_REQUEST."""
    return asdict(await asker.node.driver.free_request(asked["request"]))
