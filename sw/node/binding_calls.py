"""Calls on the default binding: which blocks user bytes are for open files that have bound nothing themselves.

A default binding lets every program act on the blocks that it names, so that it takes the right to act on them."""

from __future__ import annotations

import errno

from sw.node.calls import KV, WORD, Asker, Call, CallError, Json, call, parsed_kv
from sw.node.device_calls import BINDINGS
from sw.regs import registers as regs


async def _default_bind(asker: Asker, asked: Json) -> Json:
    """Bind a range for every file that has no binding of its own."""
    if len(asker.node.bindings) >= BINDINGS:
        raise CallError(errno.ENOSPC, f"{BINDINGS:,} ranges are bound by default; unbind one")
    first = parsed_kv(asked["kv"])
    asker.may_act(asked, first.request_id, claims=True)
    block_bytes = await asker.node.driver.registers.read(regs.BLOCK_BYTES)
    asker.node.bindings.bind(asked["va"], asked["len"], first, block_bytes)
    return {"blocks": -(-asked["len"] // block_bytes)}


async def _default_unbind(asker: Asker, asked: Json) -> Json:
    """Forget such a range."""
    for one in asker.node.bindings.ranges:
        if one.va == asked["va"]:
            asker.may_act(asked, one.first.request_id)
    asker.node.bindings.unbind(asked["va"])
    return {}


async def _bindings(asker: Asker, _: Json) -> Json:
    """The default binding, by address."""
    ranges = asker.node.bindings.ranges
    return {"bindings": [{"va": one.va, "len": one.length, "kv": str(one.first)} for one in ranges]}


BINDING_CALLS: dict[str, Call] = {
    "default_bind": call(_default_bind, "va", "len", "kv", va=WORD, len={**WORD, "minimum": 1}, kv=KV, token=WORD),
    "default_unbind": call(_default_unbind, "va", va=WORD, token=WORD),
    "bindings": call(_bindings),
}
