"""`python -m sw.llm.micro.train`: trains the shipped model's weights on the project's own documentation.

Everything that decides the result is in the command line and in the commit that it names. The weights go to
an .npz file, which `python -m sw.llm.package pack` makes a package of.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sw.llm.micro import tokenizer
from sw.llm.micro.backward import Array, Gradients
from sw.llm.micro.corpus import Corpus, CorpusError, load
from sw.llm.micro.model import ModelConfig
from sw.llm.micro.weights import seeded
from sw.terminal import command_line, complain

CONFIG = ModelConfig(
    context=256, vocabulary=tokenizer.VOCABULARY, layers=2, heads=4, kv_heads=2, head_dim=32, hidden=384
)
"""Sizes of the model that ships."""

WINDOW = CONFIG.context
SHOWN_EVERY = 100
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Schedule:
    """How training goes.

    Attributes:
        steps: updates of the weights.
        batch: windows of `WINDOW` tokens in each.
        rate: highest learning rate; it rises over the first 5% of the steps and falls along a cosine to a tenth.
        decay: weight decay of the matrices.
        clip: longest gradient.
    """

    steps: int
    batch: int = 4
    rate: float = 3e-3
    decay: float = 0.1
    clip: float = 1.0

    def rate_at(self, step: int) -> float:
        """Learning rate of step 0, 1, ..."""
        warm = max(1, self.steps // 20)
        if step < warm:
            return self.rate * (step + 1) / warm
        along = (step - warm) / max(1, self.steps - warm)
        return float(self.rate * (0.1 + 0.45 * (1 + np.cos(np.pi * along))))


class AdamW:
    """Adam with decoupled weight decay, in place."""

    def __init__(self, tensors: Mapping[str, Array], schedule: Schedule) -> None:
        """Begin with no momentum."""
        self._schedule = schedule
        self._means = {name: np.zeros_like(tensor) for name, tensor in tensors.items()}
        self._squares = {name: np.zeros_like(tensor) for name, tensor in tensors.items()}
        self._step = 0

    def update(self, tensors: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """One step down the gradients."""
        schedule, (b1, b2) = self._schedule, (0.9, 0.95)
        length = float(np.sqrt(sum(float(np.sum(g * g)) for g in gradients.values())))
        scale = min(1.0, schedule.clip / max(length, 1e-12))
        rate = schedule.rate_at(self._step)
        self._step += 1
        for name, tensor in tensors.items():
            gradient = gradients[name] * scale
            mean, square = self._means[name], self._squares[name]
            mean += (1 - b1) * (gradient - mean)
            square += (1 - b2) * (gradient * gradient - square)
            if tensor.ndim > 1:
                np.multiply(tensor, 1 - rate * schedule.decay, out=tensor)
            bias = np.sqrt(1 - b2**self._step) / (1 - b1**self._step)
            np.subtract(tensor, rate * bias * mean / (np.sqrt(square) + 1e-8), out=tensor)


def windows(tokens: NDArray[np.intp], count: int, random: np.random.Generator) -> NDArray[np.intp]:
    """(count, WINDOW + 1) pieces of a text from random places."""
    starts = random.integers(0, len(tokens) - WINDOW, count)
    return np.take(tokens, starts[:, None] + np.arange(WINDOW + 1))


def loss_of(tensors: Mapping[str, Array], tokens: NDArray[np.intp]) -> float:
    """Mean loss in nats a byte over a text, cut into windows one behind the other."""
    count = (len(tokens) - 1) // WINDOW
    pieces = tokens[np.arange(count)[:, None] * WINDOW + np.arange(WINDOW + 1)]
    return float(np.mean([Gradients(CONFIG, tensors, piece[None]).loss for piece in pieces]))


def train(corpus: Corpus, schedule: Schedule, seed: int) -> dict[str, Array]:
    """The trained weights; progress is printed.

    Args:
        corpus: to learn from.
        schedule: how.
        seed: of the first weights and of the choice of windows.
    """
    tensors = seeded(CONFIG, seed)
    random = np.random.Generator(np.random.PCG64([seed, 1]))
    optimizer = AdamW(tensors, schedule)
    begun = time.process_time()
    recent: list[float] = []
    for step in range(1, schedule.steps + 1):
        batch = Gradients(CONFIG, tensors, windows(corpus.learned, schedule.batch, random))
        optimizer.update(tensors, batch.gradients())
        recent.append(batch.loss)
        if step % SHOWN_EVERY == 0 or step == schedule.steps:
            loss, recent = float(np.mean(recent)), []
            held = loss_of(tensors, corpus.held_out)
            spent = time.process_time() - begun
            print(f"step {step:5}  loss {loss:.4f}  held out {held:.4f} nats a byte  {spent:6.0f} s", flush=True)
    return dict(tensors)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sw.llm.micro.train", description=__doc__)
    parser.add_argument("output", type=Path, help=".npz file to write")
    parser.add_argument("--revision", required=True, help="commit whose README.md and docs/*.md are the text")
    parser.add_argument("--steps", type=int, required=True, help="updates of the weights")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.steps < 1 or options.seed < 0:
        parser.error("--steps is 1 or more, --seed 0 or more")
    try:
        corpus = load(Path(__file__).parents[3], options.revision)
        print(f"{len(corpus.files)} files, SHA-256 {corpus.digest}")
        print(f"{len(corpus.learned)} tokens to learn from, {len(corpus.held_out)} held out")
        weights = train(corpus, Schedule(options.steps), options.seed)
        np.savez(options.output, allow_pickle=False, **weights)
    except CorpusError as error:
        complain(f"train: {error}")
        return 2
    except OSError as error:
        complain(f"train: {error.filename}: {error.strerror}")
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    print(f"{options.output}: {sum(tensor.size for tensor in weights.values()):,} numbers")
    return 0


if __name__ == "__main__":
    sys.exit(command_line(main))
