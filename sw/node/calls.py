"""Calls beside the published ioctls, for tools: JSON in, JSON out, every argument checked before anything is done."""

from __future__ import annotations

import errno
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import jsonschema

from sw import regs
from sw.driver.device import Weights
from sw.driver.errors import BadArgument, DirectoryError
from sw.driver.ioctl import Hint, send
from sw.driver.score import Policy, score
from sw.driver.types import TIERS, Entry, InsertRequest
from sw.kv_address import TOKENS, KvAddress
from sw.node.wire import Request
from sw.regs import Status

if TYPE_CHECKING:
    from sw.node.node import File, Node

Json = dict[str, Any]


_WORD = {"type": "integer", "minimum": 0, "maximum": (1 << 64) - 1}
_LENGTH = {**_WORD, "minimum": 1}
_STEP = {"type": "integer", "minimum": 0, "maximum": TOKENS - 1}
_KV = {"type": "string", "maxLength": 64}
_TIER = {"type": "integer", "minimum": 0, "maximum": TIERS - 1}
_WEIGHT = {**_WORD, "maximum": 255}
_THRESHOLD = {**_WORD, "maximum": 65535}
_FLAG = {"type": "boolean"}
_DEVICE_ERRNO = {Status.MISS: errno.ENOENT, Status.EXISTS: errno.EEXIST, Status.BAD_ARG: errno.EINVAL}
_DEVICE_ERRNO |= {Status.NO_SLOT: errno.ENOSPC, Status.FULL: errno.ENOSPC}
_DEVICE_ERRNO |= {Status.REFERENCED: errno.EBUSY, Status.BUSY: errno.EBUSY}


class CallError(Exception):
    """A call that is refused; one line and an errno."""

    def __init__(self, number: int, message: str) -> None:
        """Refuse with errno `number`."""
        super().__init__(message)
        self.errno = number


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the node, the open file, and whether the answer is still waited for."""

    node: Node
    file: File
    abandoned: Callable[[], bool]


Handler = Callable[[Asker, Json], Awaitable[Json]]


@dataclass(frozen=True, slots=True)
class Call:
    """A call: the JSON Schema of its arguments, and what it does."""

    schema: Json
    handler: Handler


CALLS: dict[str, Call] = {}


def _call(*needed: str, **properties: Json) -> Callable[[Handler], Handler]:
    schema = {
        "type": "object",
        "properties": {"call": {}, **properties},
        "required": list(needed),
        "additionalProperties": False,
    }

    def register(handler: Handler) -> Handler:
        CALLS[handler.__name__.strip("_")] = Call(schema, handler)
        return handler

    return register


async def dispatch(node: Node, file: File, request: Request) -> Json:
    """Do the call that the payload of a request describes.

    Raises:
        CallError: it is none, an argument is wrong, or the device refuses it.
        DriverError, TransportError: the device does not do its part.
    """
    try:
        asked = json.loads(request.payload)
        call = CALLS[asked["call"]]
        jsonschema.validate(asked, call.schema)
    except (ValueError, TypeError, RecursionError):
        raise CallError(errno.EINVAL, "not a call") from None
    except KeyError:
        raise CallError(errno.ENOSYS, "no such call") from None
    except jsonschema.ValidationError as error:
        place = ".".join(map(str, error.absolute_path))
        raise CallError(errno.EINVAL, f"{place}: {error.message}" if place else error.message) from None
    try:
        return await call.handler(Asker(node, file, request.abandoned), asked)
    except BadArgument as error:
        raise CallError(errno.EINVAL, str(error)) from None
    except DirectoryError as error:
        raise CallError(_DEVICE_ERRNO.get(error.status, errno.EIO), str(error)) from None


def _kv(text: str) -> KvAddress:
    try:
        return KvAddress.parse(text)
    except ValueError as error:
        raise CallError(errno.EINVAL, str(error)) from None


# ---------------------------------------------------------------- the node


@_call()
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


@_call("cycles", cycles=_WORD)
async def _run(asker: Asker, asked: Json) -> Json:
    """Let device time pass."""
    done = await asker.node.run(asked["cycles"], asker.abandoned)
    return {"cycles": done, "now_ns": asker.node.transport.now()}


@_call("va", "len", "kv", va=_WORD, len=_LENGTH, kv=_KV)
async def _bind(asker: Asker, asked: Json) -> Json:
    """Bind a range of the caller's memory to blocks."""
    try:
        await asker.file.ioctl.bind(asked["va"], asked["len"], _kv(asked["kv"]))
    except OSError as error:
        raise CallError(error.errno or errno.EIO, str(error.strerror)) from None
    return {}


@_call("va", va=_WORD)
async def _unbind(asker: Asker, asked: Json) -> Json:
    """Forget a bound range."""
    asker.file.ioctl.bindings.unbind(asked["va"])
    return {}


# ---------------------------------------------------------------- steps, hints, weights


@_call("step", step=_STEP)
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


@_call(
    "hint",
    hint={"enum": [hint.value for hint in Hint]},
    va=_WORD,
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


@_call(w_r=_WEIGHT, w_f=_WEIGHT, w_s=_WEIGHT, w_d=_WEIGHT, evict_thresh=_THRESHOLD, prefetch_thresh=_THRESHOLD)
async def _weights(asker: Asker, asked: Json) -> Json:
    """Set the weights and thresholds that are named, and tell all."""
    now = asdict(await asker.node.driver.weights())
    wanted = {name: value for name, value in asked.items() if name != "call"}
    if wanted:
        await asker.node.driver.set_weights(Weights(**{**now, **wanted}))
        now = asdict(await asker.node.driver.weights())
    return now


@_call()
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


@_call(
    first=_STEP,
    count={**_STEP, "minimum": 1},
    request={**_WORD, "maximum": 65535},
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


@_call()
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


@_call("kv", kv=_KV)
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


@_call("kv", kv=_KV, tokens={**_WORD, "minimum": 1, "maximum": 256}, tier=_TIER, prefix=_FLAG, hot=_FLAG)
async def _insert(asker: Asker, asked: Json) -> Json:
    """INSERT a block whose first `tokens` (default: all) are valid, into a tier (default 0)."""
    driver, kv_addr = asker.node.driver, _kv(asked["kv"])
    end = kv_addr.token + asked.get("tokens", driver.caps.block_tokens) - 1
    flags = {name: asked.get(name, False) for name in ("prefix", "hot")}
    place = await driver.insert(InsertRequest(kv_addr, end, asked.get("tier", 0), **flags))
    return asdict(place)


@_call("kv", kv=_KV, touch=_FLAG)
async def _lookup(asker: Asker, asked: Json) -> Json:
    """Where a token's block is; with `touch` as a port's lookup."""
    kv_addr = _kv(asked["kv"])
    place = await asker.node.driver.lookup(kv_addr, touch=asked.get("touch", False))
    if place is None:
        raise CallError(errno.ENOENT, f"{kv_addr} is not in the directory")
    return asdict(place)


@_call("kv", kv=_KV)
async def _remove(asker: Asker, asked: Json) -> Json:
    """REMOVE a block."""
    await asker.node.driver.remove(_kv(asked["kv"]))
    return {}


@_call("kv", "tier", kv=_KV, tier=_TIER)
async def _migrate(asker: Asker, asked: Json) -> Json:
    """MIGRATE: queue a move."""
    await asker.node.driver.migrate(_kv(asked["kv"]), asked["tier"])
    return {}


@_call("request", request={**_WORD, "maximum": 65535})
async def _free(asker: Asker, asked: Json) -> Json:
    """FREE_REQUEST."""
    return asdict(await asker.node.driver.free_request(asked["request"]))
