"""The summarizer stub: what it keeps, how it is chunked, what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.kernel.clock import CountedClock
from sw.llm.backend import Compute, Sampling
from sw.llm.stub import StubBackend, summarize
from sw.run import run


def backend(cycles_per_token: int = 250) -> StubBackend:
    return StubBackend(Compute(cycles_per_token, 250_000_000, CountedClock()))


def chunks(served: StubBackend, prompt: bytes, max_tokens: int, sampling: Sampling) -> list[list[int]]:
    generation = run(served.start(prompt, max_tokens, sampling, 1))
    seen = []
    while not generation.finished:
        seen.append(run(generation.chunk()))
    run(generation.close())
    return seen


def test_a_summary() -> None:
    text = b"The device moves blocks. The runtime tells the device what it knows, and the device scores blocks."
    # worth: letters less occurrences; 6 of 17 words: runtime 6, scores 5, then of those with 4 the first four
    assert summarize(text) == b"moves blocks. runtime tells knows, scores"


def test_the_earlier_of_equals_is_kept_and_empty_gives_nothing() -> None:
    assert summarize(b"aa bb cc dd") == b"aa bb"
    assert summarize(b"") == summarize(b" \n\t ") == b""


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.binary(max_size=600))
def test_a_summary_is_some_of_the_words_in_order(prompt: bytes) -> None:
    words, kept = prompt.split(), summarize(prompt).split()
    assert len(kept) == -(-len(words) // 3)
    rest = iter(words)
    assert all(word in rest for word in kept)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.binary(max_size=600), st.integers(1, 300), st.integers(0, 2**64 - 1), st.integers(0, 2000))
def test_the_same_prompt_gives_the_same_tokens(prompt: bytes, most: int, seed: int, temperature: int) -> None:
    served = backend()
    first = chunks(served, prompt, most, Sampling(seed, temperature))
    assert first == chunks(served, prompt, most, Sampling())
    assert served.text([token for chunk in first for token in chunk]) == summarize(prompt)[:most]


def test_bounded_chunks_and_their_time() -> None:
    served = backend()
    clock = served._compute.clock
    generation = run(served.start(b"word " * 120, 3, Sampling(), 1))
    seen = []
    while not generation.finished:
        before = clock.now()
        seen.append((len(run(generation.chunk())), clock.now() - before))
    assert seen == [(0, 256_000), (0, 256_000), (0, 88_000), (1, 1000), (1, 1000), (1, 1000)]
    assert (generation.usage.computed, generation.usage.lookups) == (603, 0)


def test_an_empty_prompt_ends_without_a_token() -> None:
    assert chunks(backend(), b"", 5, Sampling()) == [[]]


def test_refusals_and_misuse() -> None:
    served = backend()
    assert served.need(b"abc", 7).blocks == 0
    with pytest.raises(ValueError, match="max_tokens 0"):
        run(served.start(b"abc", 0, Sampling(), 1))
    with pytest.raises(ValueError, match="the context of summarizer-stub is 65536"):
        run(served.start(b"x" * 65_536, 1, Sampling(), 1))
    with pytest.raises(ValueError, match="range"):
        served.text([256])
    generation = run(served.start(b"abc", 1, Sampling(), 1))
    run(generation.close())
    with pytest.raises(RuntimeError, match="has ended"):
        run(generation.chunk())
