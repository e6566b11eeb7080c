"""The matrix of `make rt-bench`: what is measured, how often, in which form."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

SAMPLING: dict[str, dict[str, float]] = {
    "greedy": {},
    "temperature": {"temperature": 0.8},
    "top_k": {"temperature": 0.8, "top_k": 40},
    "top_p": {"temperature": 0.8, "top_p": 0.9},
}
"""Sampling by name: parameters of the published study."""
THREADS = (1, 2, 4, 8)
LOADS = (0, 25, 50, 75)
"""Percent of each of the engine's cores that the load asks for."""
PROMPT = 32  # tokens
CONTEXT = 1_024  # tokens, allocated before the first


@dataclass(frozen=True)
class Form:
    """How much is measured: repetitions of a cell (processes of their own), tokens of each."""

    name: str
    repetitions: int
    tokens: int
    large_repetitions: int
    large_tokens: int


FULL = Form("full", 20, 512, 20, 512)
QUICK = Form("quick", 5, 240, 3, 120)


@dataclass(frozen=True)
class Cell:
    """One point of the matrix.

    Attributes:
        model: name of the model.
        sampling: of SAMPLING.
        threads: of the engine.
        load: percent, of LOADS.
        bounded: pinned, locked, pre-allocated, no mmap; else as a user without a wish starts it.
        repetitions: processes, one after the other.
        tokens: measured ones of each.
    """

    model: str
    sampling: str
    threads: int
    load: int
    bounded: bool
    repetitions: int
    tokens: int

    @property
    def key(self) -> str:
        """Name in the report: model/sampling/threads/load/setting."""
        setting = "bounded" if self.bounded else "free"
        return f"{self.model}/{self.sampling}/t{self.threads}/load{self.load}/{setting}"

    def described(self) -> dict[str, Any]:
        """Its fields for a report."""
        return asdict(self)


def matrix(model: str, form: Form, cpus: int, *, large: bool) -> list[Cell]:
    """Cells of a model on a machine with `cpus` cores.

    Every sampling, number of threads and load with all constraints, and greedy without any. A large model is measured
    greedy only, by one thread and by as many as there are cores.
    """
    one = Cell(model, "greedy", 1, 0, True, form.repetitions, form.tokens)
    if large:
        one = replace(one, repetitions=form.large_repetitions, tokens=form.large_tokens)
        threads = sorted({1, max(count for count in THREADS if count <= max(cpus, 1))})
        return [replace(one, threads=count, load=load) for count, load in product(threads, LOADS)]
    cells = [
        replace(one, sampling=sampling, threads=threads, load=load)
        for sampling, threads, load in product(SAMPLING, THREADS, LOADS)
    ]
    return cells + [replace(one, threads=threads, bounded=False) for threads in THREADS]


def pinned(threads: int, cpus: list[int]) -> list[int]:
    """Cores of an engine with so many threads, and of the load: the last ones, which serve fewest interrupts."""
    return sorted(cpus)[-min(threads, len(cpus)) :]
