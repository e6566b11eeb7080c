"""The next token from the logits: arg-max, temperature, top-k, top-p (software.md 4).

Candidates are in order of falling logit, ties with the lower id first; that order decides every tie.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sw.llm.backend import THOUSANDTHS, Sampling
from sw.llm.quantisation import Floats


class Sampler:
    """Chooses the tokens of one request; its PCG64 gives one number for each token it draws."""

    def __init__(self, sampling: Sampling) -> None:
        """Begin the request's stream of random numbers."""
        self._sampling = sampling
        self._random = np.random.Generator(np.random.PCG64(sampling.seed))

    def choose(self, logits: Floats) -> int:
        """The next token id.

        Args:
            logits: (V,), one number for each token of the vocabulary.

        Raises:
            ValueError: a logit is not a finite number.
        """
        if not np.isfinite(logits).all():
            raise ValueError("the model's logits are not finite numbers")
        if not self._sampling.temperature:
            return int(np.argmax(logits))  # the first of equals
        order, weights = candidates(logits, self._sampling)
        bounds = np.cumsum(weights)
        drawn = self._random.random() * bounds[-1]
        return int(order[min(int(np.searchsorted(bounds, drawn, side="right")), len(order) - 1)])


def candidates(logits: Floats, sampling: Sampling) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The tokens that may be chosen, likeliest first, with their weights (not normalised).

    top-k is cut first; top-p is of the probability that is left then. At least one token stays.
    """
    order = np.argsort(-logits.astype(np.float64), kind="stable")
    if sampling.top_k:
        order = order[: sampling.top_k]
    scaled = logits[order].astype(np.float64) * (THOUSANDTHS / sampling.temperature)
    weights = np.exp(scaled - scaled[0])
    if sampling.top_p:
        bounds = np.cumsum(weights)
        enough = np.searchsorted(bounds, bounds[-1] * sampling.top_p / THOUSANDTHS, side="left")
        order, weights = order[: enough + 1], weights[: enough + 1]
    return order, weights
