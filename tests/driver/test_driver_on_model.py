"""The driver and the golden device model together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sw.driver import DirectoryError, Refused
from sw.driver.device import Weights
from sw.driver.published import published_sequence
from sw.driver.registers import Event
from sw.driver.score import Policy, score
from sw.driver.types import COUNTERS, CompletionItem, InsertRequest, TierConfig
from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.regs.registers import Completion, Status
from sw.run import Sync, run
from sw.transport.base import AccessRefused, Lookup, Read, TransportError, WaitIrq, WaitTimeout, Write
from sw.transport.model import ModelTransport

TOKENS = 16


def block(number: int, request: int = 1) -> KvAddress:
    return KvAddress(request, 0, 0, number * TOKENS)


def full(number: int, tier: int = 1, request: int = 1) -> InsertRequest:
    first = block(number, request)
    return InsertRequest(first, first.token + TOKENS - 1, tier)


def test_published_sequence(driver: Sync) -> None:
    readback = run(published_sequence(driver.registers))
    assert readback.seen == readback.expected
    assert readback.expected["STEP_ADVANCE"] == 128
    assert readback.empty_hot_refused


def test_insert_lookup_remove(driver: Sync) -> None:
    place = driver.insert(full(3))
    assert driver.lookup(block(3), touch=False) == place
    assert driver.lookup(block(4), touch=True) is None
    with pytest.raises(DirectoryError, match="INSERT of 1:0:0:48: EXISTS"):
        driver.insert(full(3))
    driver.share(block(3), TOKENS)
    with pytest.raises(DirectoryError, match="REFERENCED"):
        driver.remove(block(3))
    driver.release(block(3), TOKENS)
    driver.remove(block(3))
    with pytest.raises(DirectoryError, match="MISS"):
        driver.remove(block(3))
    assert driver.free_slots() == [256] * 4


def test_insert_many(driver: Sync) -> None:
    answers = driver.insert_many([full(n) for n in range(300)] + [full(0, tier=2)])
    assert [a.status for a in answers[:256]] == [Status.OK] * 256
    assert {a.status for a in answers[256:300]} == {Status.NO_SLOT}
    assert answers[300].status is Status.EXISTS
    assert answers[300].place is None
    entries = driver.directory()
    assert {e.kv_addr for e in entries.values()} == {block(n) for n in range(256)}
    for number, answer in enumerate(answers[:256]):
        entry = entries[answer.place.index]
        assert (entry.kv_addr, entry.phys_addr, entry.tier) == (block(number), answer.place.phys_addr, 1)


def test_hints_reach_every_block(driver: Sync) -> None:
    driver.insert_many([full(n) for n in range(40)])
    driver.hot(block(2), 5 * TOKENS + 1)
    driver.prefetch(block(20), TOKENS, 900)
    driver.share(KvAddress(1, 0, 0, 30 * TOKENS + 3), 1)
    driver.drain()
    entries = {e.kv_addr: e for e in driver.directory().values()}
    assert {a for a, e in entries.items() if e.hot} == {block(n) for n in range(2, 8)}
    assert {a for a, e in entries.items() if e.hint} == {block(20)}
    assert entries[block(20)].access_step == 900
    assert {a for a, e in entries.items() if e.ref_count} == {block(30)}
    driver.cool(block(2), 6 * TOKENS)
    driver.release(block(30), 1)
    driver.drain()
    assert not any(e.hot or e.ref_count for e in driver.directory().values())


def test_span_repeats_a_range(driver: Sync) -> None:
    requests = [InsertRequest(KvAddress(1, layer, head, 0), 15, 1) for layer in range(3) for head in range(4)]
    driver.insert_many(requests)
    driver.set_span(2, 3)
    driver.hot(KvAddress(1, 1, 1, 0), 1)
    driver.drain()
    hot = {(e.layer, e.head) for e in driver.directory().values() if e.hot}
    assert hot == {(layer, head) for layer in (1, 2) for head in (1, 2, 3)}


def test_migrate_and_completion(driver: Sync) -> None:
    driver.insert(full(0))
    driver.migrate(block(0), 3)
    assert driver.wait_completions() == [CompletionItem(block(0), 1, 3, Completion.OK)]
    with pytest.raises(DirectoryError, match="BAD_ARG"):
        driver.migrate(block(0), 3)
    assert driver.completions() == []


def test_many_completions_come_in_order_of_their_ends(driver: Sync) -> None:
    driver.insert_many([full(n) for n in range(30)])
    driver.evict(block(0), 30 * TOKENS)
    driver.drain()
    items: list[CompletionItem] = []
    while len(items) < 30:
        items += driver.wait_completions()
    assert {item.kv_addr for item in items} == {block(n) for n in range(30)}
    assert {(item.from_tier, item.to_tier, item.status) for item in items} == {(1, 2, Completion.OK)}
    assert driver.statistics()["EVICT_BYTES_MOVED"] == 30 * 8192


def test_free_request(driver: Sync) -> None:
    driver.insert_many([full(n) for n in range(10)] + [full(0, request=2)])
    driver.share(block(4), 2 * TOKENS)
    freed = driver.free_request(1)
    assert (freed.removed, freed.stayed) == (8, 2)
    assert sum(driver.occupancy()) == 3


def test_lookups_and_misses(driver: Sync, transport: ModelTransport) -> None:
    place = driver.insert(full(0))
    requests = [Lookup(0, block(0).pack()), Lookup(1, block(9).pack()), Lookup(1, block(0).pack(), True)]
    hit, miss, write = run(transport.lookups(requests))
    assert (hit.hit, hit.phys_addr, hit.index) == (True, place.phys_addr, place.index)
    assert (miss.hit, miss.tier, miss.phys_addr) == (False, 0, 0)
    assert write.hit
    assert driver.misses() == [block(9)]
    assert driver.misses() == []
    counters = driver.statistics()
    assert (counters["RTBD_HIT_COUNT"], counters["RTBD_MISS_COUNT"]) == (2, 1)
    assert {register.name for register in COUNTERS} <= set(counters)


def test_tenant_window(driver: Sync, transport: ModelTransport) -> None:
    driver.insert(full(0, request=5))
    driver.configure_window(2, 6, 9)
    answer = run(transport.lookup(2, block(0, request=5).pack(), False))
    assert (answer.hit, answer.denied) == (False, True)
    assert driver.statistics()["DENIED_COUNT"] == 1


def test_scan_and_score(driver: Sync) -> None:
    driver.set_weights(Weights(1, 2, 3, 4, 0, 65535))
    assert driver.weights() == Weights(1, 2, 3, 4, 0, 65535)
    driver.insert(full(0))
    driver.step_and_scan(1)
    entry = next(iter(driver.directory().values()))
    assert entry.priority == 1 * 255 + 2 * 1 + 3 * 254
    assert driver.current_step() == 1


def test_step_and_scan_waits_for_its_own_scan(driver: Sync) -> None:
    driver.insert(full(0))
    driver.step(4)  # starts a scan and does not wait: the next one follows it
    driver.step_and_scan(9)
    assert not run(driver.registers.get(regs.STATUS))["SCANNING"], "the scan of step 9 has ended, not only that of 4"


def test_hold_keeps_what_explain_says(driver: Sync) -> None:
    driver.set_weights(Weights(0, 0, 0, 0, 0, 65535))
    driver.configure(regs.HOLD, STEPS=5)
    driver.insert_many([full(n) for n in range(3)])
    for number, ahead in enumerate((1, 5, 6)):
        driver.prefetch(block(number), TOKENS, 10 + ahead)
    driver.drain()
    driver.step_and_scan(9)  # R decays, so that a start check lets the block go
    driver.set_weights(Weights(0, 0, 0, 0, 65535, 65535))
    policy = run(Policy.read(driver._target))
    assert (policy.lookahead, policy.hold) == (1, 5)
    entries = {entry.token_start // TOKENS: entry for entry in driver.directory().values()}
    told = {number: score(entry, replace(policy, step=10)) for number, entry in entries.items()}
    assert told[0].reason == "hinted, needed in 1 steps (LOOKAHEAD 1)"
    assert told[1].reason == "hinted, needed in 5 steps (HOLD 5)"
    assert [told[n].decision.name for n in range(2)] == ["NONE", "NONE"]
    driver.step_and_scan(10)
    driver.wait_completions()
    tiers = {entry.token_start // TOKENS: entry.tier for entry in driver.directory().values()}
    assert tiers == {0: 1, 1: 1, 2: 2}


def test_soft_reset(driver: Sync) -> None:
    driver.insert_many([full(n) for n in range(5)])
    driver.set_weights(Weights(9, 9, 9, 9, 1, 2))
    driver.soft_reset()
    assert driver.directory() == {}
    assert driver.weights() == Weights(9, 9, 9, 9, 1, 2)
    assert driver.free_slots() == [256] * 4
    driver.insert(full(0))


def test_a_tier_in_use_refuses_its_size(driver: Sync) -> None:
    driver.insert(full(0))
    with pytest.raises(Refused, match="TIER1_BASE"):
        driver.configure_tiers({1: TierConfig(base=0, slots=10)})
    with pytest.raises(Refused, match="BLOCK_BYTES"):
        driver.configure_block_bytes(4096)


def test_memory(transport: ModelTransport) -> None:
    run(transport.mem_write(1, 4096, b"kv"))
    assert run(transport.mem_read(1, 4095, 4)) == b"\0kv\0"


def test_a_batch_stops_at_the_first_refusal(driver: Sync, transport: ModelTransport) -> None:
    operations = [
        Read(regs.ID.offset),
        Write(regs.WEIGHT_R.offset, 9),
        Write(regs.ID.offset, 1),
        Write(regs.WEIGHT_R.offset, 10),
    ]
    with pytest.raises(AccessRefused, match=r"write of 0x1 to 0x0008 \(operation 2\)") as caught:
        run(transport.batch(operations))
    assert caught.value.index == 2
    assert caught.value.results == (regs.ID.reset, 0)
    assert run(transport.read(regs.WEIGHT_R.offset)) == 9


def test_a_wait_in_a_batch(driver: Sync, transport: ModelTransport) -> None:
    driver.registers.forget()
    run(driver.registers.enable(Event.SCAN_DONE))
    before = transport.now()
    step = Write(regs.STEP_ADVANCE.offset, 3)
    times = run(transport.batch([step, WaitIrq(1_000_000), Read(regs.STEP_ADVANCE.offset)]))
    assert times[1] > before
    assert times[2] == 3
    run(driver.registers.clear(Event.SCAN_DONE))
    with pytest.raises(WaitTimeout) as caught:
        run(transport.batch([Read(regs.ID.offset), WaitIrq(1_000), Read(regs.ID.offset)]))
    assert (caught.value.index, len(caught.value.results)) == (1, 1)
    assert transport.now() >= before + 1_000


def test_ports_that_are_not_ready(driver: Sync, transport: ModelTransport) -> None:
    driver.disable()
    with pytest.raises(TransportError, match="not ready"):
        run(transport.lookup(0, 0, False))
    driver.enable(demand=True)
    with pytest.raises(TransportError, match="port"):
        run(transport.lookup(5, 0, False))


def test_the_window_ends_with_the_directory(transport: ModelTransport) -> None:
    assert len(run(transport.window(1020, 4))) == 128
    with pytest.raises(AccessRefused):
        run(transport.window(1020, 5))
