"""Sampling: ties, cuts, seeds, and frequencies as they must come out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sw.llm.backend import Sampling
from sw.llm.micro.sampling import Sampler, candidates

some_logits = arrays(np.float32, st.integers(1, 40), elements=st.integers(-8, 8).map(lambda n: n / 2))


def logits(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(some_logits, st.integers(0, 2**64 - 1), st.integers(0, 65535), st.integers(0, 1000))
def test_temperature_0_is_the_first_largest(row: np.ndarray, seed: int, top_k: int, top_p: int) -> None:
    chosen = Sampler(Sampling(seed, 0, top_k, top_p)).choose(row)
    assert row[chosen] == row.max()
    assert not (row[:chosen] == row.max()).any()


@settings(derandomize=True, max_examples=200, deadline=None)
@given(some_logits, st.integers(1, 50), st.integers(1, 3000))
def test_top_k_keeps_the_largest_and_the_lower_ids(row: np.ndarray, top_k: int, temperature: int) -> None:
    kept, weights = candidates(row, Sampling(0, temperature, top_k))
    expected = sorted(range(len(row)), key=lambda n: (-row[n], n))[:top_k]
    assert kept.tolist() == expected
    assert (np.diff(weights) <= 0).all()


@settings(derandomize=True, max_examples=200, deadline=None)
@given(some_logits, st.integers(1, 1000), st.integers(100, 3000))
def test_top_p_is_the_smallest_set(row: np.ndarray, top_p: int, temperature: int) -> None:
    everything, weights = candidates(row, Sampling(0, temperature))
    kept, _ = candidates(row, Sampling(0, temperature, 0, top_p))
    assert kept.tolist() == everything[: len(kept)].tolist()
    shares = np.cumsum(weights) / weights.sum()
    assert shares[len(kept) - 1] >= top_p / 1000 - 1e-9
    assert len(kept) == 1 or shares[len(kept) - 2] < top_p / 1000 + 1e-9


@settings(derandomize=True, max_examples=100, deadline=None)
@given(some_logits, st.integers(0, 2**64 - 1), st.integers(1, 3000), st.integers(0, 9), st.integers(0, 1000))
def test_a_seed_repeats_its_choices(row: np.ndarray, seed: int, temperature: int, top_k: int, top_p: int) -> None:
    sampling = Sampling(seed, temperature, top_k, top_p)
    first, second = Sampler(sampling), Sampler(sampling)
    chosen = [first.choose(row) for _ in range(5)]
    assert chosen == [second.choose(row) for _ in range(5)]
    assert set(chosen) <= set(candidates(row, sampling)[0].tolist())


def test_top_k_comes_before_top_p() -> None:
    # weights 4, 2, 1, 1: top_p 0.8 of all is 3 tokens, of the two that top_k leaves 2
    row = np.log(logits(4, 2, 1, 1))
    assert candidates(row, Sampling(0, 1000, 0, 800))[0].tolist() == [0, 1, 2]
    assert candidates(row, Sampling(0, 1000, 2, 800))[0].tolist() == [0, 1]
    assert candidates(row, Sampling(0, 1000, 2, 600))[0].tolist() == [0]


def test_top_p_that_is_met_exactly_takes_no_more() -> None:
    assert candidates(logits(1, 3, 3), Sampling(0, 1, 0, 500))[0].tolist() == [1]
    assert candidates(logits(1, 3, 3), Sampling(0, 1, 0, 501))[0].tolist() == [1, 2]


def test_temperature_scales_logits() -> None:
    row = logits(0, 1, 2)
    _, weights = candidates(row, Sampling(0, 500))
    assert weights == pytest.approx([1, np.exp(-2), np.exp(-4)])


def test_the_draw_is_pcg64_of_the_seed() -> None:
    # one number in [0, 1) a token; candidates are in falling order: ids 1, 2, 0 with 4/7, 2/7, 1/7
    row = np.log(logits(1, 4, 2))
    numbers = np.random.Generator(np.random.PCG64(11)).random(50)
    expected = [1 if u < 4 / 7 else 2 if u < 6 / 7 else 0 for u in numbers]
    sampler = Sampler(Sampling(11, 1000))
    assert [sampler.choose(row) for _ in range(50)] == expected


def test_frequencies() -> None:
    row = np.log(logits(1, 4, 2, 1))
    sampler = Sampler(Sampling(3, 1000))
    counts = np.bincount([sampler.choose(row) for _ in range(4000)], minlength=4) / 4000
    assert counts == pytest.approx([1 / 8, 1 / 2, 1 / 4, 1 / 8], abs=0.025)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("temperature", [0, 1000])
def test_logits_that_are_no_numbers_choose_nothing(bad: float, temperature: int) -> None:
    with pytest.raises(ValueError, match="not finite"):
        Sampler(Sampling(0, temperature)).choose(logits(0, bad))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seed": 2**64}, "seed"),
        ({"seed": -1}, "seed"),
        ({"temperature": 65536}, "temperature"),
        ({"top_k": 65536}, "top_k"),
        ({"top_p": 1001}, "top_p 1001: 0 to 1000"),
    ],
)
def test_fields_that_do_not_fit(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**fields)
