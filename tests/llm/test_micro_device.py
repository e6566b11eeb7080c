"""What a sequence does to the device: lookups, bytes, hints, room, and how everything that can fail fails closed."""

from __future__ import annotations

import pytest

from sw.llm.backend import DeviceFault, Sampling
from sw.llm.micro.backend import MicroGeneration
from sw.llm.micro.device import DeviceStores
from sw.llm.micro.plan import DevicePlan
from sw.llm.micro.reference import ReferenceKv
from sw.llm.micro.session import NewBlock
from sw.llm.package import Quantisation
from sw.metrics.usage import Usage
from sw.regs.kv_address import KvAddress
from sw.run import run
from sw.transport.base import Lookup, LookupAnswer
from tests.llm.micro_bench import CONFIG, MODEL, Bench, Output, Request, collect

PREFIX = b"The directory knows where every block of the cache is. "  # with the marker 56 tokens: 3 blocks and a half
ROOMY = (64, 64, 64, 400)


def steps(generation: MicroGeneration, chunks: int) -> Output:
    output = Output()
    for _ in range(chunks):
        collect(generation, output)
    return output


def entries(bench: Bench) -> dict[KvAddress, object]:
    return {entry.kv_addr: entry for entry in run(bench.driver.directory()).values()}


@pytest.mark.parametrize("form", Quantisation)
def test_the_bytes_stand_where_the_directory_says(form: Quantisation) -> None:
    bench = Bench(form)
    output = steps(bench.start(Request(PREFIX, 30, Sampling(1, 1000)), 7), 4 + 20)
    tokens = [256, *PREFIX, *output.tokens[:-1]]
    kv = ReferenceKv(CONFIG, form)
    run(MODEL.forward(tokens, kv))
    found = run(bench.driver.directory()).values()
    assert len(found) == 2 * 2 * 5
    assert sum(entry.token_end - entry.token_start + 1 for entry in found) == 2 * 2 * len(tokens)
    for entry in found:
        count = entry.token_end - entry.token_start + 1
        data = run(bench.transport.mem_read(entry.tier, entry.phys_addr, count * bench.layout.token_bytes))
        rows = bench.layout.pack(*(a[entry.head, entry.token_start :][:count] for a in run(kv.read(entry.layer))))
        assert data == rows.tobytes(), f"block {entry.kv_addr} in tier {entry.tier}"
    # the prompt's whole blocks are in request 0, here from its token 0 on; the rest is the request's own
    assert {(entry.request_id, entry.token_start) for entry in found} == {(0, 0), (0, 16), (0, 32), (7, 48), (7, 64)}


def test_each_step_looks_up_every_block_that_attention_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(slots=ROOMY)
    generation = bench.start(Request(PREFIX, 30), 7)
    steps(generation, 5)
    batches: list[list[Lookup]] = []
    lookups = bench.transport.lookups

    async def recorded(requests: list[Lookup]) -> list[LookupAnswer]:
        batches.append(list(requests))
        return await lookups(requests)

    monkeypatch.setattr(bench.transport, "lookups", recorded)
    step = bench.session.step
    steps(generation, 1)
    assert bench.session.step == step + 1 == run(bench.driver.current_step())
    assert [{lookup.write for lookup in batch} for batch in batches] == [{True}, {False}, {True}, {False}]
    # token 57 of the text; then all tokens before and itself, block by block, the last of each
    for layer, (writes, reads) in enumerate(zip(batches[::2], batches[1::2], strict=True)):
        assert [KvAddress.unpack(lookup.kv_addr) for lookup in writes] == [
            KvAddress(7, layer, head, 57) for head in sorted((0, 1), key=lambda head: (57 // 16 + head) % 3)
        ]
        assert {KvAddress.unpack(lookup.kv_addr) for lookup in reads} == {
            KvAddress(request, layer, head, token)
            for request, token in ((0, 15), (0, 31), (0, 47), (7, 57))
            for head in range(2)
        }
        ports = [lookup.port for lookup in reads]
        assert sorted(ports) == ports
        assert max(map(ports.count, range(3))) - min(map(ports.count, range(3))) <= 1


def test_usage_is_counted() -> None:
    bench = Bench(slots=ROOMY)
    generation = bench.start(Request(PREFIX, 2), 1)
    steps(generation, 4)
    usage = generation.usage
    # prompt chunks of 16, 16, 16 and 8 tokens: 4 new blocks a chunk, 1 write lookup each, reads of 1 to 4 blocks
    assert (usage.computed, usage.cycles, usage.inserts) == (56, 112_000, 16)
    assert (usage.lookups, usage.misses) == (4 * 4 + 4 * (1 + 2 + 3 + 4), 0)
    assert usage.bytes_written == 4 * 56 * 128
    assert usage.bytes_read == 4 * (16 + 32 + 48 + 56) * 128
    assert bench.backend.need(PREFIX, 2).blocks == 16


@pytest.mark.parametrize(("prompt", "max_tokens", "blocks"), [(b"", 1, 4), (b"x" * 15, 1, 4), (b"x" * 15, 2, 8)])
def test_need_is_what_is_inserted(prompt: bytes, max_tokens: int, blocks: int) -> None:
    bench = Bench()
    need = bench.backend.need(prompt, max_tokens)
    assert (need.prompt_tokens, need.context_tokens, need.blocks) == (
        len(prompt) + 1,
        len(prompt) + 1 + max_tokens,
        blocks,
    )
    generation = bench.start(Request(prompt, max_tokens, Sampling(1, 1000)), 1)
    while not generation.finished:
        run(generation.chunk())
    assert generation.usage.inserts == blocks


# ------------------------------------------------------------------ shared prefixes and hints


def test_share_release_and_evict() -> None:
    bench = Bench(slots=ROOMY)
    first = bench.start(Request(PREFIX, 8), 1)
    steps(first, 4)
    assert {entry.ref_count for entry in entries(bench).values()} == {0}
    second = bench.start(Request(PREFIX + b"!", 8), 2)
    steps(second, 1)
    assert second.usage.shared_tokens == 48
    for address, entry in entries(bench).items():
        assert (entry.ref_count, entry.prefix) == ((1, True) if address.request_id == 0 else (0, False))
    run(first.close())
    assert {address.request_id for address in entries(bench)} == {0, 2}
    assert not any(entry.evictable for address, entry in entries(bench).items() if address.request_id == 0)
    run(second.close())
    left = entries(bench)
    assert len(left) == 12
    assert all((entry.ref_count, entry.evictable) == (0, True) for entry in left.values())
    assert run(bench.driver.statistics())["REF_UNDERFLOW_COUNT"] == 0


def test_announce_prefetches_what_a_prompt_will_find() -> None:
    bench = Bench(slots=ROOMY)
    bench.generate([Request(PREFIX, 3)])
    run(bench.transport.sleep(100_000))
    assert {entry.tier for entry in entries(bench).values()} == {1}
    run(bench.backend.announce(b"another text that begins in another way"))
    assert not any(entry.hint for entry in entries(bench).values())
    run(bench.backend.announce(PREFIX[:40]))
    run(bench.driver.drain())
    hinted = {address for address, entry in entries(bench).items() if entry.hint}
    assert hinted == {KvAddress(0, layer, head, token) for layer in (0, 1) for head in (0, 1) for token in (0, 16)}
    assert {entries(bench)[address].access_step for address in hinted} == {bench.session.step + 1}
    run(bench.transport.sleep(100_000))
    assert {address for address, entry in entries(bench).items() if entry.tier == 0} == hinted


def test_hints_leave_the_span_of_others_alone() -> None:
    bench = Bench(slots=ROOMY)
    run(bench.driver.set_span(1, 1))
    bench.generate([Request(PREFIX, 3), Request(PREFIX, 3)])
    assert bench.driver.span == (1, 1)


def test_a_cancelled_prompt_leaves_no_half_written_prefix() -> None:
    bench = Bench(slots=ROOMY, chunk_tokens=20)
    generation = bench.start(Request(PREFIX, 3), 1)
    steps(generation, 1)  # block 0 whole, 4 tokens of block 1
    run(generation.close())
    assert {address.token for address in entries(bench)} == {0}
    other = bench.start(Request(PREFIX, 3), 2)
    steps(other, 4)
    assert other.usage.shared_tokens == 16


def test_a_prefix_that_another_writes_now_is_not_read() -> None:
    bench = Bench(slots=ROOMY)
    first, second = (bench.start(Request(PREFIX, 3), n) for n in (1, 2))
    kv = first._kv
    run(kv.begin(16))  # the block is inserted, its bytes are not there yet
    output = steps(second, 4)
    assert second.usage.shared_tokens == 0
    assert {address.request_id for address in entries(bench)} == {0, 2}
    assert output.tokens == bench.expected(Request(PREFIX, 3)).tokens[:1]


def test_unload_takes_the_prefixes_away() -> None:
    bench = Bench()
    bench.generate([Request(PREFIX, 3), Request(b"Another text, so that there are two chains.", 3)])
    assert entries(bench)
    run(bench.backend.unload())
    assert not entries(bench)
    run(bench.driver.step_and_scan(1000))
    assert run(bench.driver.free_slots()) == [12, 12, 16, 400]


# ------------------------------------------------------------------ room


def test_unused_prefixes_make_room_oldest_first() -> None:
    bench = Bench(slots=(8, 8, 8, 8))
    texts = [bytes([n]) * 32 for n in (65, 66, 67)]  # two whole blocks of tokens each: 8 device blocks
    for text in texts:
        bench.check([Request(text, 1)])
    assert len(entries(bench)) == 24
    bench.check([Request(texts[0], 1)])  # used again: now the second is the oldest
    bench.check([Request(b"x" * 47, 1)])
    model = bench.stores.model
    kept = [len(bench.session.prefixes.chain(model, bench.stores.cut([256, *text]))) for text in texts]
    assert kept[0] == 2
    assert kept[1] < 2


def test_the_last_slot_can_be_used() -> None:
    bench = Bench(slots=(16, 0, 0, 0))  # the sixteenth is left to moves, as long as there is another
    steps(bench.start(Request(b"x" * 63, 2), 1), 4)
    assert run(bench.driver.free_slots())[0] == 0


def test_insert_waits_for_slots_that_moves_hold() -> None:
    bench = Bench(slots=(8, 8, 0, 0))
    steps(bench.start(Request(b"x" * 31, 2), 1), 2)
    assert [entry.tier for entry in entries(bench).values()] == [0] * 8
    run(bench.session.advance())  # what the last step has used would not move
    run(bench.driver.set_span(2, 2))
    run(bench.driver.evict(KvAddress(0, 0, 0, 0), 32))
    run(bench.driver.drain())
    # every block has a slot in both tiers now; in two steps those in tier 0 are free
    assert run(bench.driver.free_slots())[:2] == [0, 0]
    step = bench.session.step
    run(bench.session.insert([NewBlock(KvAddress(9, 0, head, 0), 1) for head in range(2)], Usage()))
    assert bench.session.step > step


def test_no_room_is_a_fault_and_everything_comes_back() -> None:
    bench = Bench(slots=(4, 4, 4, 4))
    generation = bench.start(Request(b"x" * 80, 5), 1)
    with pytest.raises(DeviceFault, match="no room in any tier"):
        steps(generation, 6)
    run(generation.close())
    run(bench.backend.unload())
    run(bench.session.advance())
    assert run(bench.driver.free_slots()) == [4, 4, 4, 4]
    bench.check([Request(b"small", 3)])


# ------------------------------------------------------------------ faults


def test_a_block_that_is_gone_is_a_fault() -> None:
    bench = Bench(slots=ROOMY)
    generation = bench.start(Request(PREFIX, 30), 7)
    steps(generation, 5)
    run(bench.driver.remove(KvAddress(0, 1, 0, 16)))
    with pytest.raises(DeviceFault, match=r"read lookup of 0:1:0:31 in step 6 misses: the block must be there"):
        steps(generation, 1)
    assert generation.usage.misses == 1
    run(generation.close())


def test_a_tail_block_that_is_gone_is_a_fault() -> None:
    bench = Bench(slots=ROOMY)
    generation = bench.start(Request(PREFIX, 30), 7)
    steps(generation, 5)
    run(bench.driver.remove(KvAddress(7, 0, 1, 48)))
    with pytest.raises(DeviceFault, match=r"write lookup of 7:0:1:57 in step 6 misses"):
        steps(generation, 1)


def test_a_tenant_window_that_denies_is_a_fault() -> None:
    bench = Bench(slots=ROOMY)
    for port in range(3):
        run(bench.driver.configure_window(port, 8, 9))
    with pytest.raises(DeviceFault, match=r"write lookup of 0:0:\d:15 in step 1 is denied"):
        steps(bench.start(Request(PREFIX, 30), 7), 1)


def test_what_driver_and_transport_raise_is_a_fault() -> None:
    bench = Bench(slots=ROOMY)
    generation = bench.start(Request(PREFIX, 30), 7)
    run(bench.driver.disable())
    with pytest.raises(DeviceFault, match=r"lookups in step 1: lookup port 0 is not ready"):
        steps(generation, 1)


def test_a_reset_fails_what_runs_and_nothing_else() -> None:
    bench = Bench(slots=ROOMY)
    before = bench.start(Request(PREFIX, 30), 7)
    steps(before, 5)
    run(bench.driver.soft_reset())
    bench.session.lost()
    with pytest.raises(DeviceFault, match="the device was reset: the blocks of request 7 are lost"):
        steps(before, 1)
    run(before.close())
    bench.check([Request(PREFIX, 10)])


def test_an_unreported_reset_is_a_fault_too() -> None:
    bench = Bench(slots=ROOMY)
    generation = bench.start(Request(PREFIX, 30), 7)
    steps(generation, 5)
    run(bench.driver.soft_reset())
    with pytest.raises(DeviceFault, match="misses: the block must be there"):
        steps(generation, 1)


def test_blocks_that_stay_are_a_fault() -> None:
    bench = Bench(slots=ROOMY)
    generation = bench.start(Request(PREFIX, 30), 7)
    steps(generation, 5)
    run(bench.driver.share(KvAddress(7, 1, 1, 48), 1))
    with pytest.raises(DeviceFault, match="FREE_REQUEST of 7: 1 blocks stayed"):
        run(generation.close())
    run(generation.close())


def test_a_request_id_in_use_is_a_fault() -> None:
    bench = Bench(slots=ROOMY)
    steps(bench.start(Request(b"one", 5), 7), 1)
    with pytest.raises(DeviceFault, match="INSERT of 7:0:0:0 in step 2: EXISTS"):
        steps(bench.start(Request(b"two", 5), 7), 1)


def test_a_closed_sequence_does_nothing() -> None:
    bench = Bench(slots=ROOMY)
    kv = bench.stores.open(1, [256])
    run(kv.close())
    with pytest.raises(RuntimeError, match="request 1 is closed"):
        run(kv.begin(1))


def test_past_the_context() -> None:
    kv = Bench().stores.open(1, [256])
    with pytest.raises(ValueError, match="the context is 128"):
        run(kv.begin(129))


def test_blocks_must_fit_block_bytes() -> None:
    bench = Bench(Quantisation.Q4_0)
    with pytest.raises(ValueError, match="has 4096 bytes, BLOCK_BYTES is 576"):
        DeviceStores(bench.session, CONFIG, Quantisation.F32, "m")


def test_a_plan_that_the_device_refuses_is_a_fault() -> None:
    bench = Bench()
    bench.generate([Request(PREFIX, 1)])
    with pytest.raises(DeviceFault, match="configuration of the device: the device refused the write of BLOCK_BYTES"):
        run(DevicePlan(ROOMY, 4096).apply(bench.driver))
