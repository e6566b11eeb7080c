"""The generator: the same trace for the same arguments, and the shape of the published traces."""

import statistics
from collections import Counter
from itertools import islice

import pytest

from sw.replay.generator import BATCH_MS, generate
from sw.replay.trace import DEFAULT_BLOCK_TOKENS, TraceRequest

PUBLISHED = 12_031
SEEDS = (1, 2, 3)


def percentile(values: list[int], p: float) -> int:
    return sorted(values)[int(p / 100 * (len(values) - 1))]


def ceiling(requests: list[TraceRequest]) -> float:
    """Share of references to an id that was there before: the hit rate of a cache without end."""
    references = sum(len(request.hash_ids) for request in requests)
    return 1 - len({hash_id for request in requests for hash_id in request.hash_ids}) / references


def test_same_for_same_arguments() -> None:
    assert list(generate(7, 300)) == list(generate(7, 300))
    assert list(generate(7, 300)) != list(generate(8, 300))


@pytest.mark.parametrize("requests", [1, 2, 100])
def test_count_and_form(requests: int) -> None:
    made = list(generate(1, requests))
    assert len(made) == requests
    for request in made:
        assert len(request.hash_ids) == -(-request.input_length // DEFAULT_BLOCK_TOKENS)
        assert len(set(request.hash_ids)) == len(request.hash_ids)
        assert request.hash_ids[0] == 0
        assert request.output_length >= 1
        assert request.timestamp_ms % BATCH_MS == 0
    assert sorted(r.timestamp_ms for r in made) == [r.timestamp_ms for r in made]


@pytest.mark.parametrize("seed", SEEDS)
def test_lengths_are_as_published(seed: int) -> None:
    """Published: mean 12,035, percentiles 901, 2,306, 6,909, 15,367, 39,550; outputs 343 and 3, 350, 1,118."""
    made = list(generate(seed, PUBLISHED))
    inputs = [request.input_length for request in made]
    outputs = [request.output_length for request in made]
    assert statistics.mean(inputs) == pytest.approx(12_035, rel=0.1)
    for p, value in ((5, 901), (25, 2306), (50, 6909), (75, 15_367), (95, 39_550)):
        assert percentile(inputs, p) == pytest.approx(value, rel=0.4), f"input percentile {p}"
    assert max(inputs) <= 126_000
    assert statistics.mean(outputs) == pytest.approx(343, rel=0.1)
    for p, value in ((25, 156), (50, 350), (75, 472), (95, 698), (99, 1118)):
        assert percentile(outputs, p) == pytest.approx(value, rel=0.4), f"output percentile {p}"
    assert percentile(outputs, 5) <= 30
    assert statistics.mean(len(request.hash_ids) for request in made) == pytest.approx(24, rel=0.1)
    assert made[-1].timestamp_ms == pytest.approx(3_537_000, rel=0.1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("requests", [400, 2000, PUBLISHED])
def test_reuse_is_as_published_at_every_length(seed: int, requests: int) -> None:
    """Published: ceiling 36.6 %, 76 % of the ids come once, one id is in every request."""
    made = list(generate(seed, requests))
    assert ceiling(made) == pytest.approx(0.366, abs=0.06)
    counts = Counter(hash_id for request in made for hash_id in request.hash_ids)
    assert sum(count == 1 for count in counts.values()) / len(counts) == pytest.approx(0.76, abs=0.11)
    assert counts[0] == requests


def test_later_turns_begin_with_the_earlier_prompt() -> None:
    """Reuse is by prefix: the ids that were there before come first."""
    seen: set[int] = set()
    later_turns = 0
    for request in islice(generate(1, 3000), 3000):
        known = [hash_id in seen for hash_id in request.hash_ids]
        assert known == sorted(known, reverse=True)
        later_turns += sum(known) > 12
        seen.update(request.hash_ids)
    assert later_turns > 300


def test_applications_share_their_system_prompt() -> None:
    """Some ids besides the first are in many conversations that have nothing else in common."""
    counts = Counter(hash_id for request in generate(2, 3000) for hash_id in request.hash_ids[:12])
    assert sum(count > 30 for count in counts.values()) > 10
