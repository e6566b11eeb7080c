"""HEPC on a stream: its layers, each a set of what the runtime knows, and the search of weights on the first half."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.policy import PolicyConfig, PolicyModel
from sw.policy.engine import EngineConfig, schedule
from sw.policy.runtime import Behaviour, Runtime, Work
from sw.policy.sessions import NONE, Sessions
from sw.policy.tuner import RECENCY, SelfTuner
from tb.lab.settings import Table
from tb.lab.stream import Flags, Outcome, Stream

Weights = dict[str, int]
"""Registers of PolicyConfig, and `steps` of Behaviour."""
LRU: Weights = {**RECENCY, "steps": 180}
SHIPPED: Weights = {"w_r": 96, "w_f": 64, "w_s": 48, "w_d": 16, "f_age": 4, "steps": 180}
"""What the replay of `make sim` writes (sw/replay/device.py)."""
KNOWN_GOOD: Weights = {"w_r": 0, "w_f": 255, "w_s": 12, "w_d": 0, "steps": 16}
SPACE = {
    "w_r": (0, 0, 4),
    "w_f": (64, 128, 255),
    "w_s": (4, 8, 12, 16, 32, 64),
    "f_age": (0, 0, 8, 10, 12),
    "r_shift": (0, 2, 3),
    "steps": (8, 16, 32, 64),
}
DEEP = 256


@dataclass(frozen=True, slots=True)
class Layer:
    """What the runtime knows: the depth of the queue that it looks at, session ends; whether it tunes itself."""

    queue: int | None = None
    session_end: bool = False
    self_tuned: bool = False
    shipped: bool = False


LAYERS = {
    "shipped": Layer(shipped=True),
    "blind": Layer(),
    "session_end": Layer(session_end=True),
    "queue_0": Layer(queue=0),
    "queue_8": Layer(queue=8),
    "queue_64": Layer(queue=64),
    "queue_256": Layer(queue=256),
    "all": Layer(queue=DEEP, session_end=True),
    "self_tuned": Layer(queue=DEEP, self_tuned=True),
}
ALIKE = ("shipped", "blind")
"""Layers that do not depend on the engine: they know nothing of it."""


def last_turns(stream: Stream, accuracy: float, seed: int) -> Flags:
    """Whether each request is its session's last turn, right in a share `accuracy` of them.

    A turn is the last one when no later request of the trace continues it.
    """
    sessions = Sessions(stream.unique, stream.requests)
    last: Flags = np.ones(stream.requests, np.bool_)
    for request in range(stream.requests):
        before = sessions.see(request, stream.blocks[stream.first[request] : stream.first[request + 1]])
        if before != NONE:
            last[before] = False
    wrong = np.random.default_rng(seed).random(stream.requests) >= accuracy
    return last ^ wrong


class Bench:
    """Runs HEPC on one stream with one fast tier."""

    def __init__(self, settings: Table, stream: Stream, capacity: int) -> None:
        """Nothing is run yet."""
        self._settings, self._stream, self._capacity = settings, stream, capacity
        self._ends = last_turns(stream, settings["policy"]["session_end_accuracy"], settings["seed"])

    def run(self, layer: Layer, engine: str, weights: Weights) -> Outcome:
        """One layer in one engine."""
        policy = self._settings["policy"]
        queue = layer.queue or 0
        prefetch = min(policy["prefetch"], queue)
        return self._run(
            engine,
            SHIPPED if layer.shipped else weights,
            Behaviour(queue, prefetch, policy["held_share"]),
            ends=self._ends if layer.session_end else None,
            self_tuned=layer.self_tuned,
        )

    def lru_prefetch(self, engine: str) -> Outcome:
        """LRU, with the prefetch of the layers with a queue, and nothing held."""
        depth = self._settings["policy"]["prefetch"]
        return self._run(engine, LRU, Behaviour(depth, depth, self._settings["policy"]["held_share"]), hold=0)

    def _run(
        self, engine: str, weights: Weights, behaviour: Behaviour, *, ends: Flags | None = None,
        self_tuned: bool = False, hold: int | None = None,
    ) -> Outcome:  # fmt: skip
        stream, entries = self._stream, self._settings["device"]["entries"]
        times = schedule(
            EngineConfig(**self._settings["engine"][engine]), stream.arrival_ms, stream.prompt, stream.output
        )
        steps = SelfTuner.STEPS if self_tuned else weights["steps"]
        behaviour = Behaviour(behaviour.queue, behaviour.prefetch, behaviour.held_share, steps)
        registers = {name: value for name, value in weights.items() if name != "steps"}
        device = PolicyModel(
            stream.unique, fast=self._capacity, slow=max(1024, entries - self._capacity),
            config=PolicyConfig(**(dict(RECENCY) if self_tuned else registers)),
        )  # fmt: skip
        tuner = SelfTuner(stream.unique, self._capacity) if self_tuned else None
        work = Work(
            stream.blocks, stream.unique, stream.first, times.start_ms, times.end_ms, times.arrived, ends
        )  # fmt: skip
        runtime = Runtime(device, work, behaviour, self._capacity, tuner)
        if hold is not None:
            device.configure(hold=hold)
        log = runtime.run()
        return Outcome(log.retention, log.prefetch, log.moved)

    def retention(self, layer: Layer, weights: Weights) -> float:
        """Share of the stream's references that a layer keeps in the healthy engine: what a search maximises."""
        return float(self.run(layer, "healthy", weights).retention.mean())


def first_half(stream: Stream) -> Stream:
    """The requests of the first half: what a search may see."""
    return stream.part(0, int(np.searchsorted(stream.first, stream.middle)))


TUNED = ("blind", "session_end")
"""Layers whose weights are searched; the others take those of the one that is like them."""


def tuned_as(name: str) -> str:
    """Which search's weights a layer takes."""
    return TUNED[LAYERS[name].session_end]


def search(
    settings: Table, stream: Stream, capacity: int, layer: str, say: Callable[[str], None]
) -> tuple[Weights, dict[str, Any]]:
    """The weights with which a layer keeps most on the first half, and how they were found.

    LRU and one known setting are tried first, then random ones; weights of the settings' own are taken as they are.
    """
    given = settings["policy"].get("weights")
    if given is not None:
        return {**KNOWN_GOOD, **given}, {"given": given}
    draw = random.Random(settings["seed"])
    bench = Bench(settings, first_half(stream), capacity)
    budget, tried = settings["search"]["budget"], list[dict[str, Any]]()
    for number in range(budget):
        say(f"{stream.name} {capacity:,}: search {layer} {number + 1}")
        drawn = {**KNOWN_GOOD, **{name: draw.choice(values) for name, values in SPACE.items()}}
        weights = (LRU, KNOWN_GOOD)[number] if number < 2 else drawn
        kept = bench.retention(LAYERS[layer], weights)
        tried.append({"weights": weights, "retention_percent": round(100 * kept, 3)})
    best = max(tried, key=lambda one: float(one["retention_percent"]))
    return best["weights"], {"seed": settings["seed"], "budget": budget, "tried": tried, "best": best}
