"""Tokens and logits with K and V in the device's memories are those with plain arrays, bit for bit (software.md 4).

The tiers are so small that the device moves most blocks several times while attention reads them.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.driver import DirectoryError
from sw.llm.backend import Sampling
from sw.llm.micro.backend import MicroGeneration
from sw.llm.package import Quantisation
from sw.run import run
from tests.llm.micro_bench import Bench, Output, Request, assert_same, collect

MODES = {
    "greedy": Sampling(1),
    "temperature": Sampling(2, temperature=800),
    "top-k": Sampling(3, temperature=1200, top_k=20),
    "top-p": Sampling(4, temperature=1000, top_p=900),
    "all": Sampling(5, temperature=900, top_k=50, top_p=950),
}
PREFIX = b"The directory knows where every block of the cache is. "  # 55 bytes: 3 blocks with the marker


@pytest.mark.parametrize("form", Quantisation)
def test_every_sampling_in_turn_while_blocks_move(form: Quantisation) -> None:
    requests = [
        Request(bytes([97 + n]) + b" block, a step and a tier", 60, mode) for n, mode in enumerate(MODES.values())
    ]
    bench = Bench(form)
    outputs = bench.check(requests)
    tokens = sum(len(output.tokens) for output in outputs)
    counts = run(bench.driver.statistics())
    moved = (counts["EVICT_BYTES_MOVED"] + counts["PREFETCH_BYTES_MOVED"]) // bench.layout.block_bytes
    blocks = sum(
        bench.stores.blocks(len(request.prompt) + len(o.tokens)) for request, o in zip(requests, outputs, strict=True)
    )
    assert tokens > 200
    assert moved > 5 * blocks, f"{moved} moves of {blocks} blocks"
    assert bench.session.moved_twice > blocks / 2, f"{bench.session.moved_twice} of {blocks} blocks moved twice"
    assert bench.session.migrations <= moved
    assert counts["RTBD_MISS_COUNT"] == counts["HINT_MISS_COUNT"] == counts["REF_UNDERFLOW_COUNT"] == 0


@pytest.mark.parametrize("form", Quantisation)
def test_shared_prefixes(form: Quantisation) -> None:
    requests = [Request(PREFIX + bytes([65 + n]) * (5 * n + 1), 20, mode) for n, mode in enumerate(MODES.values())]
    bench = Bench(form)
    generations = [bench.start(request, n + 1) for n, request in enumerate(requests)]
    outputs = [Output() for _ in requests]
    while not all(generation.finished for generation in generations):
        for generation, output in zip(generations, outputs, strict=True):
            if not generation.finished:
                collect(generation, output)
    for n, (request, output) in enumerate(zip(requests, outputs, strict=True)):
        assert_same(n + 1, bench.expected(request), output)
    # the first prompt was computed by several at once: each block once, by whoever came to it first
    shared = [generation.usage.shared_tokens for generation in generations]
    assert sum(shared) == 4 * 3 * 16, shared
    assert sum(generation.usage.computed for generation in generations) == sum(
        len(request.prompt) + len(output.tokens) for request, output in zip(requests, outputs, strict=True)
    ) - sum(shared)
    for generation in generations:
        run(generation.close())
    assert run(bench.driver.statistics())["REF_UNDERFLOW_COUNT"] == 0
    assert not any(entry.ref_count for entry in run(bench.driver.directory()).values())


def test_a_prefix_is_found_again_wherever_it_is_now() -> None:
    bench = Bench()
    bench.check([Request(PREFIX, 5)])
    entries = run(bench.driver.directory()).values()
    assert {(entry.request_id, entry.prefix) for entry in entries} == {(0, True)}
    for n, tier in enumerate((3, 2, 1, 3)):
        for entry in run(bench.driver.directory()).values():
            try:
                run(bench.driver.migrate(entry.kv_addr, tier))
            except DirectoryError:
                continue  # it is there, or moving by itself
        run(bench.transport.sleep(50_000))
        output = bench.check([Request(PREFIX + bytes([n]), 5)])
        assert output[0].tokens
    # 3 blocks of 4 requests behind the first, in 2 layers with 2 heads, were never inserted again
    assert run(bench.driver.statistics())["RTBD_MISS_COUNT"] == 0
    assert sum(entry.request_id == 0 for entry in run(bench.driver.directory()).values()) == 3 * 4


def test_longest_prompt_and_full_context() -> None:
    bench = Bench(slots=(40, 40, 40, 400))
    outputs = bench.check(
        [Request(b"z" * 126, 1), Request(b"", 127, Sampling(9, 1000)), Request(b"q" * 60, 67, Sampling(8, 1000))]
    )
    assert len(outputs[0].tokens) == 1


@pytest.mark.parametrize("chunk_tokens", [1, 7, 20, 48])
def test_chunks_that_end_within_blocks(chunk_tokens: int) -> None:
    bench = Bench(chunk_tokens=chunk_tokens)
    bench.check([Request(PREFIX + bytes([65 + n]), 10, mode) for n, mode in enumerate(MODES.values())])


def test_a_prompt_of_whole_blocks_leaves_a_token_to_compute() -> None:
    bench = Bench()
    bench.check([Request(PREFIX[:47], 5)])
    generation = bench.start(Request(PREFIX[:47], 5), 9)
    output = Output()
    collect(generation, output)
    assert (generation.usage.shared_tokens, generation.usage.computed) == (32, 16)
    assert output.tokens == bench.expected(Request(PREFIX[:47], 1)).tokens


@settings(derandomize=True, max_examples=6, deadline=None)
@given(data=st.data())
def test_any_order_of_chunks_moves_and_cancels(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(Quantisation))
    bench = Bench(form, (8, 8, 16, 200))
    chaos = random.Random(data.draw(st.integers(0, 2**32)))
    common = data.draw(st.integers(0, 40))
    live: dict[int, tuple[Request, MicroGeneration, Output]] = {}
    for request_id in range(1, 7):
        prompt = PREFIX[:common] + bytes(chaos.randrange(256) for _ in range(chaos.randrange(30)))
        request = Request(prompt, chaos.randrange(1, 16), chaos.choice(list(MODES.values())))
        live[request_id] = request, bench.start(request, request_id), Output()
    while live:
        request_id = chaos.choice(list(live))
        request, generation, output = live[request_id]
        collect(generation, output)
        if generation.finished:
            assert_same(request_id, bench.expected(request), output)
        if generation.finished or chaos.random() < 0.03:  # the rest are cancelled somewhere
            run(generation.close())
            del live[request_id]
        if chaos.random() < 0.3:
            move_some(bench, chaos)
    left = run(bench.driver.directory()).values()
    assert not any(entry.request_id or entry.ref_count for entry in left)


def move_some(bench: Bench, chaos: random.Random) -> None:
    """Another program's MIGRATE commands between two chunks."""
    entries = list(run(bench.driver.directory()).values())
    for entry in chaos.sample(entries, min(6, len(entries))):
        try:
            run(bench.driver.migrate(entry.kv_addr, chaos.randrange(4)))
        except DirectoryError:
            continue  # its own tier, referenced or in flight


def test_two_models_do_not_share_bytes() -> None:
    bench = Bench()
    bench.check([Request(PREFIX, 3)])
    first = len(run(bench.driver.directory()))
    bench.stores.model = "another"
    bench.check([Request(PREFIX, 3)])
    assert len(run(bench.driver.directory())) == 2 * first == 24
