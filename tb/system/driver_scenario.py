"""One use of everything that the driver offers, the same on any transport; what it gives does not depend on time."""

from __future__ import annotations

import errno
from typing import Any

from sw.driver import BadArgument, DirectoryError, Driver, Refused
from sw.driver.device import Weights
from sw.driver.ioctl import RANGE, STEP, WEIGHTS, Ioctl, Request, Telemetry
from sw.driver.published import published_sequence
from sw.driver.types import InsertRequest, TierConfig
from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.transport.base import Lookup, Transport

Outcome = dict[str, Any]

SLOTS = 64
BLOCK_BYTES = 512
BLOCKS = 40
VA = 0x7F0000000000


def _block(driver: Driver, number: int, request: int = 1) -> KvAddress:
    return KvAddress(request, 0, 0, number * driver.caps.block_tokens)


def _insert(driver: Driver, number: int, request: int = 1, tier: int = 1) -> InsertRequest:
    first = _block(driver, number, request)
    return InsertRequest(first, first.token + driver.caps.block_tokens - 1, tier)


async def _directory(driver: Driver) -> list[tuple[object, ...]]:
    """What does not depend on time or on the choice of places."""
    entries = (await driver.directory()).values()
    return sorted(
        (str(e.kv_addr), e.token_end, e.tier, e.ref_count, e.f, e.prefix, e.dirty, e.hot, e.evictable, e.hint)
        for e in entries
    )


async def published(driver: Driver) -> Outcome:
    """The published sequence at its fixed offsets, then the published calls and their telemetry."""
    readback = await published_sequence(driver.registers)
    await driver.drain()
    node = Ioctl(driver)
    await node.ioctl(Request.STEP_ADVANCE, STEP.pack(129))
    await node.ioctl(Request.MARK_HOT, RANGE.pack(0x7F001000, 4096, 0))
    await node.ioctl(Request.EVICT, RANGE.pack(0x7F002000, 8192, 0))
    await node.ioctl(Request.PREFETCH, RANGE.pack(0x7F003000, 4096, 256))
    await node.ioctl(Request.SHARE_PREFIX, RANGE.pack(0x7F004000, 16384, 0))
    await node.ioctl(Request.SET_WEIGHTS, WEIGHTS.pack(3, 5, 7, 11, 1024, 40960))
    refused = None
    try:
        await node.ioctl(Request.MARK_HOT, RANGE.pack(0x7F001000, 0, 0))
    except OSError as error:
        refused = error.errno
    telemetry = Telemetry.unpack(await node.ioctl(Request.GET_TELEMETRY, bytes(96)))
    return {
        "registers read back": readback.seen,
        "registers expected": readback.expected,
        "HOT of length 0 refused": readback.empty_hot_refused,
        "ioctl HOT of length 0": refused == errno.EINVAL,
        "telemetry": telemetry,
        "hint misses": (await driver.statistics())["HINT_MISS_COUNT"],
    }


async def setup(driver: Driver) -> None:
    """Tiers, weights that decide nothing, and everything enabled."""
    await driver.soft_reset()
    await driver.configure_block_bytes(BLOCK_BYTES)
    await driver.configure_tiers({tier: TierConfig(base=tier << 32, slots=SLOTS) for tier in range(4)})
    await driver.set_weights(Weights(1, 1, 1, 1, 0, 65535))
    await driver.enable(demand=False)


async def commands(driver: Driver, transport: Transport) -> Outcome:
    """Directory commands, hints, moves with their bytes, queues, refusals."""
    outcome: Outcome = {}
    answers = await driver.insert_many([_insert(driver, n) for n in range(BLOCKS)] + [_insert(driver, 3)])
    outcome["INSERT"] = [answer.status for answer in answers]
    data = {}
    for number, answer in enumerate(answers[:BLOCKS]):
        assert answer.place is not None
        data[number] = bytes((number + byte) & 0xFF for byte in range(BLOCK_BYTES))
        await transport.mem_write(1, answer.place.phys_addr, data[number])
    tokens = driver.caps.block_tokens
    await driver.hot(_block(driver, 2), 3 * tokens)
    await driver.share(_block(driver, 10), 2 * tokens)
    await driver.prefetch(_block(driver, 20), tokens, 9_000)
    await driver.release(_block(driver, 11), 1)
    await driver.cool(_block(driver, 3), 1)
    await driver.drain()
    outcome["after hints"] = await _directory(driver)
    outcome["refusals"] = await _refusals(driver)
    await driver.evict(_block(driver, 5), 4 * tokens)
    await driver.migrate(_block(driver, 30), 0)
    await driver.drain()
    ended: set[tuple[object, ...]] = set()
    while len(ended) < 5:
        for item in await driver.wait_completions():
            ended.add((str(item.kv_addr), item.from_tier, item.to_tier, item.status))
    outcome["completions"] = sorted(ended)
    moved = {}
    for number in (5, 6, 7, 8, 30, 31):
        place = await driver.lookup(_block(driver, number), touch=False)
        assert place is not None
        bytes_there = await transport.mem_read(place.tier, place.phys_addr, BLOCK_BYTES)
        moved[number] = (place.tier, bytes_there == data[number])
    outcome["tier and bytes of moved blocks"] = moved
    asked = [
        Lookup(0, _block(driver, 0).pack()),
        Lookup(1, _block(driver, 90).pack()),
        Lookup(2, _block(driver, 1).pack(), True),
    ]
    outcome["lookups"] = [(a.hit, a.denied, a.tier) for a in await transport.lookups(asked)]
    outcome["misses"] = [str(kv_addr) for kv_addr in await driver.misses()]
    await driver.step_and_scan(1)
    outcome["step"] = await driver.current_step()
    freed = await driver.free_request(1)
    outcome["FREE_REQUEST"] = (freed.removed, freed.stayed)
    outcome["after FREE_REQUEST"] = await _directory(driver)
    await driver.release(_block(driver, 10), 1)
    await driver.remove(_block(driver, 10))
    await driver.step_and_scan(2)  # the fence: slots that moves left are free again
    outcome["free slots"] = await driver.free_slots()
    counters = await driver.statistics()
    timed = ("SCAN_CYCLES", "FIRST_DECISION_CYCLES")
    outcome["counters"] = {name: value for name, value in counters.items() if name not in timed}
    return outcome


async def _refusals(driver: Driver) -> list[str]:
    seen = []
    attempts = (
        driver.insert(_insert(driver, 3)),
        driver.remove(_block(driver, 10)),
        driver.remove(_block(driver, 77)),
        driver.migrate(_block(driver, 0), 1),
        driver.configure_block_bytes(1024),
        driver.configure_tiers({1: TierConfig(base=1 << 32, slots=10)}),
        driver.hot(_block(driver, 0), 0),
        driver.registers.write(regs.THRESHOLDS, 5),
        driver.registers.write(regs.STATUS, 1),
    )
    for attempt in attempts:
        try:
            await attempt
            seen.append("done")
        except (DirectoryError, Refused, BadArgument) as error:
            seen.append(str(error))
    return seen
