"""Directed tests of a device behind any transport: what a board must do before it is trusted with more.

Each test begins with `prepare`, drives the device through the driver, and returns what it saw, in
terms that depend neither on time nor on the device's choices. The same coroutines run on the device
model, on the pins of the simulated board top, on its netlist after synthesis, and on a real board
(`python -m fpga.board`); equal outcomes are a pass.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sw.driver import DirectoryError, Driver
from sw.driver.device import Weights
from sw.driver.published import published_sequence
from sw.driver.types import InsertRequest, TierConfig
from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.transport.base import AccessRefused, Read, Transport, Write

Outcome = dict[str, Any]
SmokeTest = Callable[[Driver, Transport], Awaitable[Outcome]]

SLOTS = 16
BLOCK_BYTES = 256  # the least there is: every byte goes over the serial line
UNMAPPED = 0x2000


def _block(driver: Driver, number: int, request: int = 1) -> KvAddress:
    return KvAddress(request, 2, 3, number * driver.caps.block_tokens)


def _whole(driver: Driver, number: int, tier: int, request: int = 1) -> InsertRequest:
    first = _block(driver, number, request)
    return InsertRequest(first, first.token + driver.caps.block_tokens - 1, tier)


def _bytes(number: int) -> bytes:
    return bytes((number * 37 + byte) & 0xFF for byte in range(BLOCK_BYTES))


async def prepare(driver: Driver) -> None:
    """An empty device: four tiers from address 0 on, weights that decide nothing, everything enabled."""
    await driver.soft_reset()
    await driver.configure_block_bytes(BLOCK_BYTES)
    await driver.configure_tiers({tier: TierConfig(base=0, slots=SLOTS) for tier in range(4)})
    await driver.set_weights(Weights(1, 1, 1, 1, 0, 65535))
    await driver.enable(demand=False)


async def registers(driver: Driver, transport: Transport) -> Outcome:
    """The published sequence reads back; refused accesses are refused, and stop a batch."""
    readback = await published_sequence(driver.registers)
    await driver.drain()
    operations = [
        Write(regs.WEIGHT_R.offset, 9),
        Write(regs.ID.offset, 0),
        Write(regs.WEIGHT_R.offset, 200),
    ]
    refused_at = -1
    try:
        await transport.batch(operations)
    except AccessRefused as refused:
        refused_at = refused.index
    unmapped = False
    try:
        await transport.batch([Read(UNMAPPED)])
    except AccessRefused:
        unmapped = True
    return {
        "published registers": readback.seen == readback.expected,
        "HOT of length 0 refused": readback.empty_hot_refused,
        "batch stops at": refused_at,
        "WEIGHT_R after it": await transport.read(regs.WEIGHT_R.offset),
        "unmapped address refused": unmapped,
    }


async def directory(driver: Driver, _transport: Transport) -> Outcome:
    """INSERT, LOOKUP, REMOVE, FREE_REQUEST, the window."""
    requests = [_whole(driver, n, tier=n % 4) for n in range(6)]
    answers = await driver.insert_many([*requests, requests[3]])
    entries = []
    for answer in answers[:2]:
        assert answer.place is not None
        (entry,) = (await driver.directory(answer.place.index, 1)).values()
        entries.append((str(entry.kv_addr), entry.token_end, entry.tier, entry.r, entry.f))
    peeked = await driver.lookup(_block(driver, 4), touch=False)
    absent = await driver.lookup(_block(driver, 9), touch=False)
    await driver.share(_block(driver, 5), 1)
    await driver.drain()
    kept = ""
    try:
        await driver.remove(_block(driver, 5))
    except DirectoryError as error:
        kept = error.status.name
    await driver.remove(_block(driver, 0))
    freed = await driver.free_request(1)
    return {
        "INSERT": [answer.status.name for answer in answers],
        "entries": entries,
        "LOOKUP": (peeked is not None and peeked.tier, absent),
        "REMOVE of a referenced block": kept,
        "FREE_REQUEST": (freed.removed, freed.stayed),
        "free slots": await driver.free_slots(),
    }


async def lookups(driver: Driver, transport: Transport) -> Outcome:
    """Reads, a write that makes a block grow, a miss, a denial."""
    first = _block(driver, 0)
    place = await driver.insert(InsertRequest(first, first.token + 3, 1))
    token = first.pack()
    answers = [
        await transport.lookup(0, token + 3, False),
        await transport.lookup(0, token + 4, False),
        await transport.lookup(1, token + 4, True),
        await transport.lookup(2, token + 4, False),
    ]
    await driver.configure_window(1, 5, 6)
    denied = await transport.lookup(1, token, True)
    (entry,) = (await driver.directory(place.index, 1)).values()
    return {
        "answers": [(a.hit, a.denied, a.tier, a.phys_addr) for a in answers],
        "index": {a.index for a in answers if a.hit} == {place.index},
        "denied": (denied.hit, denied.denied, denied.phys_addr),
        "entry": (entry.token_end - first.token, entry.f, entry.dirty),
        "misses": [str(kv_addr) for kv_addr in await driver.misses()],
    }


async def moves(driver: Driver, transport: Transport) -> Outcome:
    """Moves between all tiers, with their bytes, and their completions by interrupt."""
    targets = {0: 2, 1: 0, 2: 3}
    for number in targets:
        place = await driver.insert(_whole(driver, number, tier=1))
        await transport.mem_write(1, place.phys_addr, _bytes(number))
    ended: set[tuple[object, ...]] = set()
    for number, tier in targets.items():
        await driver.migrate(_block(driver, number), tier)
    while len(ended) < len(targets):
        for item in await driver.wait_completions():
            ended.add((str(item.kv_addr), item.from_tier, item.to_tier, item.status.name))
    moved = []
    for number in targets:
        there = await driver.lookup(_block(driver, number), touch=False)
        assert there is not None
        same = await transport.mem_read(there.tier, there.phys_addr, BLOCK_BYTES) == _bytes(number)
        moved.append((there.tier, same))
    await transport.mem_write(3, 5, b"ragged bytes")  # neither end at a word's
    around = await transport.mem_read(3, 3, 16)
    return {
        "completions": sorted(ended),
        "tier and bytes": moved,
        "ragged": around[2:14],
        "bytes moved": (await driver.statistics())["EVICT_BYTES_MOVED"],
    }


async def steps(driver: Driver, _transport: Transport) -> Outcome:
    """Scans: scores, decay, evictions by threshold, the fence."""
    blocks = 6
    await driver.insert_many([_whole(driver, n, tier=1) for n in range(blocks)])
    await driver.hot(_block(driver, 0), 1)
    await driver.share(_block(driver, 1), 1)
    await driver.drain()
    # R falls from 255 in steps of an eighth; the third scan finds P under the threshold.
    await driver.set_weights(Weights(1, 0, 0, 1, 200, 65535))
    for step in range(1, 4):
        await driver.step_and_scan(step)
    ended: set[tuple[object, ...]] = set()
    while len(ended) < blocks - 2:
        for item in await driver.wait_completions():
            ended.add((str(item.kv_addr), item.from_tier, item.to_tier, item.status.name))
    held = await driver.free_slots()
    await driver.set_weights(Weights(1, 0, 0, 1, 0, 65535))
    await driver.step_and_scan(4)
    counters = await driver.statistics()
    return {
        "step": await driver.current_step(),
        "completions": sorted(ended),
        "free slots before and after the fence": (held, await driver.free_slots()),
        "scans": counters["SCAN_COUNT"],
    }


TESTS: dict[str, SmokeTest] = {
    "registers": registers,
    "directory": directory,
    "lookups": lookups,
    "moves": moves,
    "steps": steps,
}


async def run_test(name: str, driver: Driver, transport: Transport) -> Outcome:
    """Prepare the device and run one test of TESTS."""
    await prepare(driver)
    return await TESTS[name](driver, transport)
