"""Experiment `eviction`: which policy keeps what is used again, on the whole of a trace and on its second half."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tb.lab import baselines, hepc
from tb.lab.parallel import in_parallel
from tb.lab.settings import Table
from tb.lab.stream import Outcome, Stream

Say = Callable[[str], None]


def check_installed() -> None:
    """Raise UsageError where what this experiment needs is not installed."""
    baselines.library()


def units(settings: Table, streams: list[Stream]) -> int:
    """How often `run` says what it does."""
    assert len(streams) == 1, "a search needs one trace"
    layers = settings["policy"]["layers"]
    own = 0 if "weights" in settings["policy"] else len(hepc.TUNED) * settings["search"]["budget"]
    both = [layer for layer in layers if layer not in hepc.ALIKE]
    return len(settings["device"]["capacities"]) * (len(baselines.NAMES) + 1 + own + len(layers) + len(both) + 2)


def run(settings: Table, streams: list[Stream], say: Say) -> dict[str, Any]:
    """Every policy on one trace; the trace's part of the results."""
    (stream,) = streams
    capacities = settings["device"]["capacities"]
    # the largest capacity takes longest: first
    tasks = [(settings, stream, capacity) for capacity in sorted(capacities, reverse=True)]
    found = dict(zip(sorted(capacities, reverse=True), in_parallel(_at, tasks, say), strict=True))
    result = {**described(stream), "capacities": {str(capacity): found[capacity] for capacity in capacities}}
    _add_memory_saved(result, stream)
    return result


def _add_memory_saved(result: dict[str, Any], stream: Stream) -> None:
    """Of each HEPC layer: the slots with which LRU keeps as much on the second half, and what is saved against them."""
    distances = baselines.stack_distances(stream)[stream.middle :]
    again = np.sort(distances[distances < np.iinfo(np.int64).max])
    for capacity, point in result["capacities"].items():
        for engine in ("hepc", "hepc_loaded"):
            for layer in point["second_half"][engine].values():
                hits = layer["retention_hits"]
                slots = int(again[hits - 1]) + 1 if 0 < hits <= len(again) else None
                layer["lru_slots_for_as_much"] = slots
                layer["memory_saved_percent"] = None if slots is None else round(100 * (1 - int(capacity) / slots), 1)


def described(stream: Stream) -> dict[str, Any]:
    """What a trace is: name, hash, sizes, and the share of references that no policy can turn into hits."""
    return {
        "name": stream.name,
        "sha256": stream.digest,
        "requests": stream.requests,
        "references": stream.references,
        "unique_blocks": stream.unique,
        "ceiling_percent": round(100 * (1 - stream.unique / max(1, stream.references)), 3),
        "largest_prompt_blocks": int(np.diff(stream.first).max()),
    }


def _at(settings: Table, stream: Stream, capacity: int, say: Say) -> dict[str, Any]:
    bytes_of = settings["device"]["block_bytes"]
    classic = baselines.run_all(stream, capacity, say)
    searched = {name: hepc.search(settings, stream, capacity, name, say) for name in hepc.TUNED}
    bench = hepc.Bench(settings, stream, capacity)
    engines: dict[str, dict[str, Outcome]] = {}
    for engine in ("healthy", "loaded"):
        say(f"{stream.name} {capacity:,}: lru with prefetch, {engine}")
        classic["lru_prefetch" if engine == "healthy" else "lru_prefetch_loaded"] = bench.lru_prefetch(engine)
        engines[engine] = {}
        for name in settings["policy"]["layers"]:
            if name in hepc.ALIKE and engine == "loaded":
                engines[engine][name] = engines["healthy"][name]
                continue
            say(f"{stream.name} {capacity:,}: hepc {name}, {engine}")
            layer = hepc.layer_of(settings, name)
            engines[engine][name] = bench.run(layer, engine, searched[hepc.tuned_as(layer)][0])
    result = halves(stream, classic, bytes_of)
    for half, policies in result.items():
        for engine, key in (("healthy", "hepc"), ("loaded", "hepc_loaded")):
            policies[key] = halves(stream, engines[engine], bytes_of)[half]
    return {**result, "search": {name: found for name, (_, found) in searched.items()}}


def halves(stream: Stream, outcomes: Mapping[str, Outcome], block_bytes: int) -> dict[str, Any]:
    """Metrics of each policy on the whole trace and on its second half."""
    return {
        half: {name: outcome.counted(stream, begin, block_bytes) for name, outcome in outcomes.items()}
        for half, begin in (("whole", 0), ("second_half", stream.middle))
    }
