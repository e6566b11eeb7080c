"""Calls on the device and its node: time, steps, hints, weights."""

from __future__ import annotations

import errno
from dataclasses import asdict

from sw.driver.device import Weights
from sw.driver.ioctl import Hint, send
from sw.node.calls import KV, STEP, WORD, Asker, Call, CallError, Json, call, parsed_kv
from sw.regs import registers as regs

BINDINGS = 1024  # ranges of one open file
_LENGTH = {**WORD, "minimum": 1}
_WEIGHT = {**WORD, "maximum": 255}
_THRESHOLD = {**WORD, "maximum": 65535}


# ---------------------------------------------------------------- the node


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
        "frame_bytes_dropped": asker.node.system.plane.dropped,
    }


async def _run(asker: Asker, asked: Json) -> Json:
    """Let device time pass."""
    done = await asker.node.run(asked["cycles"], asker.between)
    return {"cycles": done, "now_ns": asker.node.transport.now()}


async def _bind(asker: Asker, asked: Json) -> Json:
    """Bind a range of the caller's memory to blocks."""
    if len(asker.file.ioctl.bindings) >= BINDINGS:
        raise CallError(errno.ENOSPC, f"{BINDINGS:,} ranges of this file are bound; unbind one")
    first = parsed_kv(asked["kv"])
    asker.may_act(asked, first.request_id, claims=True)
    try:
        await asker.file.ioctl.bind(asked["va"], asked["len"], first)
    except OSError as error:
        raise CallError(error.errno or errno.EIO, str(error.strerror)) from None
    return {}


async def _unbind(asker: Asker, asked: Json) -> Json:
    """Forget a bound range."""
    asker.file.ioctl.bindings.unbind(asked["va"])
    return {}


# ---------------------------------------------------------------- steps, hints, weights


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


async def _hint(asker: Asker, asked: Json) -> Json:
    """A hint on user bytes (va, len) or on tokens (kv, tokens), to its end."""
    hint, step = Hint(asked["hint"]), asked.get("step", 0)
    if {"kv", "tokens"} <= asked.keys() and not asked.keys() & {"va", "len"}:
        driver, first = asker.node.driver, parsed_kv(asked["kv"])
        asker.may_act(asked, first.request_id)
        before = await driver.registers.read(regs.HINT_MISS_COUNT)
        await send(driver, hint, first, asked["tokens"], step)
        await driver.drain()
        missed = await driver.registers.read(regs.HINT_MISS_COUNT) - before
        return {"hint": hint.value, "not_in_directory": missed}
    if {"va", "len"} <= asked.keys() and not asked.keys() & {"kv", "tokens"}:
        unbound = await asker.file.ioctl.hint(hint, asked["va"], asked["len"], step, asker.between)
        await asker.node.driver.drain()
        return {"hint": hint.value, "not_bound": unbound}
    raise CallError(errno.EINVAL, "either va and len, or kv and tokens")


async def _weights(asker: Asker, asked: Json) -> Json:
    """Set the weights and thresholds that are named, and tell all."""
    now = asdict(await asker.node.driver.weights())
    wanted = {name: value for name, value in asked.items() if name != "call"}
    if wanted:
        await asker.node.driver.set_weights(Weights(**{**now, **wanted}))
        now = asdict(await asker.node.driver.weights())
    return now


async def _telemetry(asker: Asker, _: Json) -> Json:
    """What GET_TELEMETRY tells, counted over all open files, and their hint misses."""
    return {
        "current_step": await asker.node.driver.current_step(),
        **asdict(asker.node.total.counters),
        **asdict(await asker.node.driver.weights()),
        "hint_misses": asker.node.total.hint_misses,
    }


DEVICE_CALLS: dict[str, Call] = {
    "info": call(_info),
    "run": call(_run, "cycles", cycles=WORD),
    "bind": call(_bind, "va", "len", "kv", va=WORD, len=_LENGTH, kv=KV, token=WORD),
    "unbind": call(_unbind, "va", va=WORD),
    "step": call(_step, "step", step=STEP),
    "hint": call(
        _hint,
        "hint",
        hint={"enum": [hint.value for hint in Hint]},
        va=WORD,
        len=_LENGTH,
        kv=KV,
        tokens={**STEP, "minimum": 1},
        step=STEP,
        token=WORD,
    ),
    "weights": call(
        _weights,
        w_r=_WEIGHT,
        w_f=_WEIGHT,
        w_s=_WEIGHT,
        w_d=_WEIGHT,
        evict_thresh=_THRESHOLD,
        prefetch_thresh=_THRESHOLD,
    ),
    "telemetry": call(_telemetry),
}
