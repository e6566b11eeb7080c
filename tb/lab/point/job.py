"""A point: one capacity, one layer, one trace; and its run in lockstep with a device behind a driver."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from sw.driver import Driver
from sw.policy.lockstep import Follower, Recorder
from sw.policy.runtime import Log, started
from sw.replay.records import Checks
from sw.transport.base import Transport
from tb.lab import hepc
from tb.lab.settings import Table
from tb.lab.stream import Stream
from tb.run.errors import UsageError

FEED = "point.jsonl"


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

    def task(self) -> hepc.Task[Recorder]:
        """The device at the policy level, and its work."""
        layer = hepc.layer_of(self.settings, self.layer)
        weights = hepc.given_weights(self.settings, layer)
        return hepc.Bench(self.settings, self.stream, self.capacity).task(layer, self.engine, weights, Recorder)


def point_of(settings: Table, stream: Stream, where: Path) -> Point:
    """The point that settings name. Raises UsageError when they name several."""
    capacities, layers = settings["device"]["capacities"], settings["policy"]["layers"]
    for key, values in (("device.capacities", capacities), ("policy.layers", layers)):
        if len(values) != 1:
            raise UsageError(
                f"{where}: `{key}` has {len(values)} values, and `make sim` runs one point: leave one "
                "(`make experiments` runs them all)"
            )
    return Point(settings, stream, capacities[0], layers[0], settings["point"]["engine"])


async def run_point(
    point: Point, transport: Transport, checks: Checks, observe: Callable[[Progress], None],
    counted: Callable[[], tuple[int, int]],
) -> Log:  # fmt: skip
    """Run a point; `observe` gets the progress after every request, `counted` gives comparisons and mismatches.

    Raises what `checks`, the driver and the transport raise.
    """
    task = point.task()
    driver = await Driver.probe(transport)
    follower = Follower(driver, transport, checks)
    slow = hepc.slow_slots(point.settings, point.capacity)
    await follower.configure(task.device, (point.capacity, slow), point.settings["device"]["block_bytes"])
    log = Log.empty(point.stream.references)
    clock = driver.caps.clock_mhz
    for request in started(task.device, task.work, task.behaviour, point.capacity, task.tuner, log):
        done, task.device.operations = task.device.operations, []
        await follower.follow(done)
        comparisons, mismatches = counted()
        observe(
            Progress(
                request + 1, int(point.stream.first[request + 1]), int(log.retention.sum()), int(log.prefetch.sum()),
                follower.hits, task.device.moves, task.device.overflows, transport.now() * clock // 1000,
                comparisons, mismatches,
            )
        )  # fmt: skip
    checks.compare("hits of the whole point", int((log.retention | log.prefetch).sum()), follower.hits)
    return log


def figures(point: Point, last: Progress) -> dict[str, Any]:
    """What the report of a point has."""
    return {
        "trace": point.stream.name,
        "trace_sha256": point.stream.digest,
        "capacity": point.capacity,
        "layer": point.layer,
        "engine": point.engine,
        **asdict(last),
        "hits": {"policy": last.policy_hits + last.policy_prefetch_hits, "device": last.device_hits},
    }
