"""A point: one capacity, one layer, one trace; and its run in lockstep with a device behind a driver."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from sw.driver import Driver
from sw.policy.lockstep import Follower, Recorder
from sw.policy.runtime import Log, started
from sw.replay.records import Checks
from sw.serving.store import DeviceStore
from sw.transport.base import Transport
from tb.lab import hepc, serving
from tb.lab.settings import POLICIES, Table
from tb.lab.stream import Stream
from tb.run.errors import UsageError

FEED = "point.jsonl"
NO_DEVICE = ("none", "lru")
"""Policies of `serving` without a device."""


@dataclass(frozen=True)
class Progress:
    """How far a point has come.

    Attributes:
        requests: that have started.
        references: blocks that they have looked up.
        policy_hits, policy_prefetch_hits: of those at the policy level, kept and brought back.
        device_hits: lookups that the device answered from its fast tier.
        moves: blocks moved.
        overflows: scans with more decisions than the evict queue takes for certain.
        cycles: of the device.
    """

    requests: int = 0
    references: int = 0
    policy_hits: int = 0
    policy_prefetch_hits: int = 0
    device_hits: int = 0
    moves: int = 0
    overflows: int = 0
    cycles: int = 0
    comparisons: int = 0
    mismatches: int = 0

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, line: str) -> Self:
        """The progress of a line."""
        return cls(**json.loads(line))


@dataclass(frozen=True)
class Point:
    """One point of an experiment. `bench` has its stream."""

    settings: Table
    stream: Stream
    capacity: int
    layer: str
    engine: str

    @property
    def experiment(self) -> str:
        """Which one it is a point of."""
        name: str = self.settings["point"]["experiment"]
        return name

    def task(self) -> hepc.Task[Recorder]:
        """The device at the policy level, and its work."""
        layer = hepc.layer_of(self.settings, self.layer)
        weights = hepc.given_weights(self.settings, layer)
        return hepc.Bench(self.settings, self.stream, self.capacity).task(layer, self.engine, weights, Recorder)


def point_of(settings: Table, stream: Stream, where: Path) -> Point:
    """The point that settings name. Raises UsageError when they name several."""
    place = POLICIES[settings["point"]["experiment"]]
    capacities, layers = settings["device"]["capacities"], settings[place[0]][place[1]]
    for key, values in (("device.capacities", capacities), (".".join(place), layers)):
        if len(values) != 1:
            raise UsageError(
                f"{where}: `{key}` has {len(values)} values, and `make sim` runs one point: leave one "
                "(`make experiments` runs them all)"
            )
    if layers[0] in NO_DEVICE:
        raise UsageError(f"{where}: with the policy `{layers[0]}` there is no device to run: name a layer of HEPC")
    return Point(settings, stream, capacities[0], layers[0], settings["point"]["engine"])


@dataclass(frozen=True)
class _Stage:
    """The device at the policy level with what has happened on it so far.

    Attributes:
        done: (requests, references, hits, hits of those by a prefetch) so far.
    """

    device: Recorder
    done: Callable[[], tuple[int, int, int, int]]


async def run_point(
    point: Point, transport: Transport, checks: Checks, observe: Callable[[Progress], None],
    counted: Callable[[], tuple[int, int]],
) -> None:  # fmt: skip
    """Run a point; `observe` gets the progress as it goes on, `counted` gives comparisons and mismatches.

    Raises what `checks`, the driver and the transport raise.
    """
    stage, steps = (_serving if point.experiment == "serving" else _eviction)(point)
    driver = await Driver.probe(transport)
    follower = Follower(driver, transport, checks)
    device, slow = stage.device, hepc.slow_slots(point.settings, point.capacity)
    await follower.configure(device, (point.capacity, slow), point.settings["device"]["block_bytes"])
    for _ in steps:
        if not device.operations:
            continue
        done, device.operations = device.operations, []
        await follower.follow(done)
        cycles = transport.now() * driver.caps.clock_mhz // 1000
        observe(Progress(*stage.done(), follower.hits, device.moves, device.overflows, cycles, *counted()))
    _requests, _references, hits, prefetched = stage.done()
    checks.compare("hits of the whole point", hits + prefetched, follower.hits)


def _eviction(point: Point) -> tuple[_Stage, Iterator[object]]:
    """Request after request in the order of the trace."""
    task = point.task()
    log, first = Log.empty(point.stream.references), point.stream.first
    begun = 0

    def steps() -> Iterator[None]:
        nonlocal begun
        for request in started(task.device, task.work, task.behaviour, point.capacity, task.tuner, log):
            begun = request + 1
            yield

    return (
        _Stage(task.device, lambda: (begun, int(first[begun]), int(log.retention.sum()), int(log.prefetch.sum()))),
        steps(),
    )


def _serving(point: Point) -> tuple[_Stage, Iterator[object]]:
    """Step after step of the engine: starts, growth, ends of requests, with their pins."""
    one = serving.prepared(point.settings, point.stream, point.capacity, point.engine, point.layer, Recorder)
    assert isinstance(one.store, DeviceStore), "point_of refuses policies without a device"
    device, measured = one.store.device, one.engine.measured
    assert isinstance(device, Recorder)

    def done() -> tuple[int, int, int, int]:
        started = measured.first > 0
        references = int(sum(len(one.load.prompts[n]) for n in np.flatnonzero(started)))
        return int(started.sum()), references, int(measured.retention_hits.sum()), int(measured.prefetch_hits.sum())

    return _Stage(device, done), one.engine.steps()


def figures(point: Point, last: Progress) -> dict[str, Any]:
    """What the report of a point has."""
    return {
        "experiment": point.experiment,
        "trace": point.stream.name,
        "trace_sha256": point.stream.digest,
        "capacity": point.capacity,
        "layer": point.layer,
        "engine": point.engine,
        **asdict(last),
        "hits": {"policy": last.policy_hits + last.policy_prefetch_hits, "device": last.device_hits},
    }
