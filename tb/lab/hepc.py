"""HEPC on a stream: its layers, each a set of what the runtime knows, and the search of weights on the first half."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np

from model.policy import PolicyConfig, PolicyModel
from sw.policy.engine import EngineConfig, schedule
from sw.policy.runtime import Behaviour, Log, Work, run_work
from sw.policy.sessions import NONE, Sessions
from sw.policy.tuner import RECENCY, SelfTuner
from tb.lab.settings import Table
from tb.lab.stream import Flags, Outcome, Stream

T = TypeVar("T", bound=PolicyModel)
Weights = dict[str, int]
"""Registers of PolicyConfig, and `steps` of Behaviour."""
LRU: Weights = {**RECENCY, "steps": 180}
TUNER: Weights = {**RECENCY, "steps": SelfTuner.STEPS}
SHIPPED: Weights = {"w_r": 96, "w_f": 64, "w_s": 48, "w_d": 16, "f_age": 4, "steps": 180}
"""What the replay of `make sim` writes (sw/replay/device.py)."""
KNOWN_GOOD: Weights = {"w_r": 0, "w_f": 255, "w_s": 12, "w_d": 0, "steps": 16}
KNOWN_RETURNS: Weights = {**KNOWN_GOOD, "w_s": 4, "steps": 64, "return_percent": 50}
"""The same for the layer `returns`."""
SPACE = {
    "w_r": (0, 0, 4),
    "w_f": (64, 128, 255),
    "w_s": (4, 8, 12, 16, 32, 64),
    "f_age": (0, 0, 8, 10, 12),
    "r_shift": (0, 2, 3),
    "steps": (8, 16, 32, 64),
}
RETURNS_SPACE = {"w_f": (255,), "w_s": (2, 4, 8, 16), "steps": (16, 32, 64), "return_percent": (30, 40, 50, 60, 70)}
DEEP = 256


@dataclass(frozen=True, slots=True)
class Layer:
    """What the runtime knows: the depth of the queue that it looks at, session ends; whether it tunes itself."""

    queue: int | None = None
    session_end: bool = False
    self_tuned: bool = False
    shipped: bool = False
    returns: bool = False


OWN = "own"
"""The layer that the user puts together: `policy.own` of the settings."""
LAYERS = {
    "shipped": Layer(shipped=True),
    "blind": Layer(),
    "session_end": Layer(session_end=True),
    "returns": Layer(session_end=True, returns=True),
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


@dataclass(frozen=True, slots=True)
class Task(Generic[T]):
    """One run at the policy level: device, work, what the runtime does."""

    device: T
    work: Work
    behaviour: Behaviour
    tuner: SelfTuner | None

    @staticmethod
    def outcome(log: Log) -> Outcome:
        """What happened, as the reports count it."""
        return Outcome(log.retention, log.prefetch, log.moved)


def slow_slots(settings: Table, capacity: int) -> int:
    """Slots of the slower tier: what the directory's entries leave, unless the settings say less."""
    rest = max(1024, int(settings["device"]["entries"]) - capacity)
    return min(rest, int(settings["device"]["slow_slots"]) or rest)


def layer_of(settings: Table, name: str) -> Layer:
    """A layer by its name."""
    return Layer(**settings["policy"]["own"]) if name == OWN else LAYERS[name]


def weights_of(layer: Layer, weights: Weights) -> Weights:
    """The weights that a layer begins with, `weights` where it has none of its own."""
    return SHIPPED if layer.shipped else TUNER if layer.self_tuned else weights


def given_weights(settings: Table, layer: Layer) -> Weights:
    """The settings' weights, on top of a known setting: where nothing is searched."""
    return {**(KNOWN_RETURNS if layer.returns else KNOWN_GOOD), **settings["policy"].get("weights", {})}


def registers(settings: Table, weights: Weights) -> PolicyConfig:
    """The device's registers."""
    own = {name: value for name, value in weights.items() if name not in ("steps", "return_percent")}
    return PolicyConfig(**own, prefetch_thresh=settings["policy"]["prefetch_thresh"])


def behaviour(settings: Table, layer: Layer, weights: Weights) -> Behaviour:
    """What the runtime does."""
    device, policy, queue = settings["device"], settings["policy"], layer.queue or 0
    return Behaviour(
        queue, min(policy["prefetch"], queue), policy["held_share"], weights["steps"],
        0 if layer.returns else policy["hold"], policy["lookahead"], device["low"], device["high"],
        exact=policy["room"] == "exact", returns=weights.get("return_percent", 50) / 100 if layer.returns else 0.0,
    )  # fmt: skip


class Bench:
    """Runs HEPC on one stream with one fast tier."""

    def __init__(self, settings: Table, stream: Stream, capacity: int) -> None:
        """Nothing is run yet."""
        self._settings, self._stream, self._capacity = settings, stream, capacity
        self._ends = last_turns(stream, settings["policy"]["session_end_accuracy"], settings["seed"])

    def run(self, layer: Layer, engine: str, weights: Weights) -> Outcome:
        """One layer in one engine."""
        task = self.task(layer, engine, weights, PolicyModel)
        return task.outcome(run_work(task.device, task.work, task.behaviour, self._capacity, task.tuner))

    def lru_prefetch(self, engine: str) -> Outcome:
        """LRU, with the prefetch of the layers with a queue, and nothing held."""
        task = self.task(Layer(queue=self._settings["policy"]["prefetch"]), engine, LRU, PolicyModel)
        doing = replace(task.behaviour, hold=0)
        return task.outcome(run_work(task.device, task.work, doing, self._capacity))

    def task(self, layer: Layer, engine: str, weights: Weights, kind: type[T]) -> Task[T]:
        """A device at the policy level, of this kind, and what runs on it."""
        stream = self._stream
        times = schedule(
            EngineConfig(**self._settings["engine"][engine]), stream.arrival_ms, stream.prompt, stream.output
        )
        weights = weights_of(layer, weights)
        model = kind(
            stream.unique, fast=self._capacity, slow=slow_slots(self._settings, self._capacity),
            config=registers(self._settings, weights), reserve=self._settings["device"]["reserve"],
        )  # fmt: skip
        work = Work(
            stream.blocks, stream.unique, stream.first, times.start_ms, times.end_ms, times.arrived,
            self._ends if layer.session_end else None,
        )  # fmt: skip
        doing = behaviour(self._settings, layer, weights)
        return Task(model, work, doing, SelfTuner(stream.unique, self._capacity) if layer.self_tuned else None)

    def retention(self, layer: Layer, weights: Weights) -> float:
        """Share of the stream's references that a layer keeps in the healthy engine: what a search maximises."""
        return float(self.run(layer, "healthy", weights).retention.mean())


def first_half(stream: Stream) -> Stream:
    """The requests of the first half: what a search may see."""
    return stream.part(0, int(np.searchsorted(stream.first, stream.middle)))


TUNED = ("blind", "session_end", "returns")
"""Layers whose weights are searched; the others take those of the one that is like them."""


def tuned_as(layer: Layer) -> str:
    """Which search's weights a layer takes."""
    return "returns" if layer.returns else TUNED[layer.session_end]


def search(
    settings: Table, stream: Stream, capacity: int, layer: str, say: Callable[[str], None]
) -> tuple[Weights, dict[str, Any]]:
    """The weights with which a layer keeps most on the first half, and how they were found.

    LRU and one known setting are tried first, then random ones; weights of the settings' own are taken as they are.
    """
    known, space = (KNOWN_RETURNS, RETURNS_SPACE) if layer == "returns" else (KNOWN_GOOD, SPACE)
    given = settings["policy"].get("weights")
    if given is not None:
        return {**known, **given}, {"given": given}
    draw = random.Random(settings["seed"])
    bench = Bench(settings, first_half(stream), capacity)
    budget, tried = settings["search"]["budget"], list[dict[str, Any]]()
    for number in range(budget):
        say(f"{stream.name} {capacity:,}: search {layer} {number + 1}")
        drawn = {**known, **{name: draw.choice(values) for name, values in space.items()}}
        weights = (LRU, known)[number] if number < 2 else drawn
        kept = bench.retention(LAYERS[layer], weights)
        tried.append({"weights": weights, "retention_percent": round(100 * kept, 3)})
    best = max(tried, key=lambda one: float(one["retention_percent"]))
    return best["weights"], {"seed": settings["seed"], "budget": budget, "tried": tried, "best": best}
