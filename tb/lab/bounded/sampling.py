"""Cycles that the choice of the next token takes; what depends on the data comes from the sampler that ships."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from sw.llm.backend import Sampling
from sw.llm.micro.sampling import candidates

LANES = 16
"""Logits that the accelerator handles in a cycle."""
VECTORS = 64
SPREAD = 4.0
"""Standard deviation of the logits: a model that is neither sure nor lost."""
STRATEGIES = {
    "greedy": Sampling(),
    "temperature": Sampling(temperature=800),
    "top_k": Sampling(temperature=800, top_k=40),
    "top_p": Sampling(temperature=800, top_p=950),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Cycles of one strategy.

    Attributes:
        seen: for each of `VECTORS` vectors of logits and one draw, shape (VECTORS,).
        longest: most that any logits can take.
        least: least.
    """

    seen: npt.NDArray[np.int64]
    longest: int
    least: int


@cache
def cost(strategy: str, vocabulary: int, seed: int) -> Cost:
    """Passes over the logits (arg-max, exponential and sum), a sort for top-p, a heap for top-k, the walk to the draw.

    Args:
        strategy: of `STRATEGIES`.
        vocabulary: logits.
        seed: of logits and draws.
    """
    sampling, one = STRATEGIES[strategy], -(-vocabulary // LANES)
    if not sampling.temperature:
        return Cost(np.full(VECTORS, one), one, one)
    fixed, longest = 2 * one, vocabulary
    if sampling.top_k:
        fixed += sampling.top_k * sampling.top_k.bit_length()
        longest = sampling.top_k
    if sampling.top_p:
        fixed += one * vocabulary.bit_length()
    rng = np.random.default_rng(seed)
    seen = []
    for _ in range(VECTORS):
        _, weights = candidates(rng.normal(0, SPREAD, vocabulary).astype(np.float32), sampling)
        bounds = np.cumsum(weights)
        walked = int(np.searchsorted(bounds, rng.random() * bounds[-1], side="right")) + 1
        seen.append(fixed + -(-walked // LANES))
    return Cost(np.array(seen), fixed + -(-longest // LANES), fixed + 1)
