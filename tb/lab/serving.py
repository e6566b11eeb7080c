"""Experiment `serving`: what a store of KV blocks buys an engine, at equal memory, over many seeded traces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from model.policy import PolicyModel
from sw.policy.device import Blocks
from sw.policy.runtime import Runtime
from sw.policy.tuner import SelfTuner
from sw.replay.sessions import TOKENS_PER_S
from sw.serving.cost import CostModel, Hardware, Link, Model
from sw.serving.engine import Engine, Limits, Load, Measured, tails_at_most
from sw.serving.store import DeviceStore, KvStore, LruStore
from tb.lab import hepc
from tb.lab.intervals import interval
from tb.lab.load import load_of, tenanted
from tb.lab.parallel import in_parallel
from tb.lab.settings import Table
from tb.lab.stream import Stream
from tb.run.errors import UsageError

PERCENTILES = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
CURVE = np.concatenate([np.arange(1.0, 100.0), [99.5, 99.9, 100.0]])
"""Percentiles of the plotted distributions."""
Values = npt.NDArray[np.float64]


def percentile(values: Values, share: float) -> float:
    """The smallest value that `share` percent do not exceed: sorted[ceil(share * n / 100) - 1]."""
    ordered = np.sort(values)
    return float(ordered[max(0, int(np.ceil(share * len(ordered) / 100)) - 1)])


@dataclass(frozen=True, slots=True)
class Prepared:
    """An engine that is about to run, with what it runs on.

    Attributes:
        tenant: of each request.
    """

    engine: Engine
    store: KvStore
    load: Load
    cost: CostModel
    tenant: Blocks


def prepared(
    settings: Table, stream: Stream, capacity: int, engine: str, policy: str, kind: type[PolicyModel] = PolicyModel
) -> Prepared:
    """One policy under one engine on one trace; a device is a `kind`."""
    serving = settings["serving"]
    stream, tenant = tenanted(stream, serving["tenants"], settings["seed"])
    load = load_of(
        stream, hepc.last_turns(stream, settings["policy"]["session_end_accuracy"], settings["seed"]),
        block_tokens=stream.block_tokens, closed=serving["loop"] == "closed", speedup=serving["engines"][engine],
        decode_tokens_s=TOKENS_PER_S,
    )  # fmt: skip
    limits = Limits(serving["batched_tokens"], serving["running"], stream.block_tokens, capacity)
    cost = cost_of(settings, stream.block_tokens)
    box: list[Engine] = []
    queue = partial(_request_of, box)
    store = _store(settings, stream, load, limits, policy, queue, kind)
    box.append(Engine(cost, limits, load, store))
    return Prepared(box[0], store, load, cost, tenant)


def _request_of(box: Sequence[Engine], number: int) -> Blocks:
    """The prompt of a request that has arrived at the engine, which is made after its store."""
    return box[0].request_of(number)


def run_one(settings: Table, stream: Stream, capacity: int, engine: str, policy: str) -> dict[str, Any]:
    """One policy under one engine on one trace: its figures."""
    one = prepared(settings, stream, capacity, engine, policy)
    measured = one.engine.run()
    found = figures(measured, one.load, one.cost, settings["serving"])
    ttft = measured.first - measured.arrival
    found["figures"]["ttft_p99_worst_tenant_s"] = max(
        percentile(ttft[one.tenant == tenant], 99) for tenant in np.unique(one.tenant)
    )
    return found


def cost_of(settings: Table, block_tokens: int) -> CostModel:
    """The cost model of the settings."""
    far = settings["far"]
    return CostModel(
        Model(**settings["model"]), Hardware(**settings["hardware"]), Link(**settings["link"]), block_tokens,
        Link(far["latency_s"], far["bytes_s"]) if far["after"] else None,
    )  # fmt: skip


def _store(
    settings: Table, stream: Stream, load: Load, limits: Limits, policy: str, of: Callable[[int], Blocks],
    kind: type[PolicyModel],
) -> KvStore:  # fmt: skip
    capacity = limits.slots
    slow, first = hepc.slow_slots(settings, capacity), settings["far"]["after"]
    if policy in ("none", "lru"):
        return LruStore(capacity, slow if policy == "lru" else 0, first)
    layer = hepc.layer_of(settings, policy)
    weights = hepc.weights_of(layer, hepc.given_weights(settings, layer))
    numbers = load.spare + tails_at_most(load, limits)
    device = kind(
        numbers, fast=capacity, slow=slow, config=hepc.registers(settings, weights),
        reserve=settings["device"]["reserve"],
    )  # fmt: skip
    if not layer.session_end:
        load.ends[:] = False
    runtime = Runtime(
        device, of, (numbers, stream.requests, capacity),
        replace(hepc.behaviour(settings, layer, weights), force=True),
        SelfTuner(numbers, capacity) if layer.self_tuned else None,
    )  # fmt: skip
    return DeviceStore(device, runtime, capacity, first)


def figures(m: Measured, load: Load, cost: CostModel, serving: Mapping[str, Any]) -> dict[str, Any]:
    """What a run is judged by; times in seconds."""
    ttft, whole = m.first - m.arrival, m.end - m.arrival
    tpot = (m.end - m.first) / np.maximum(1, load.output - 1)
    good = (ttft <= serving["ttft_limit_s"]) & (tpot <= serving["tpot_limit_s"])
    span, tokens = float(m.end.max()), int(load.prompt.sum())
    used = m.kept + m.prefetched + m.loaded
    generated = int(load.output.sum())
    found: dict[str, float] = {}
    for name, values in (("ttft", ttft), ("tpot", tpot), ("end_to_end", whole)):
        found |= {f"{name}_{key}_s": percentile(values, share) for key, share in PERCENTILES.items()}
    found |= {
        "goodput_per_s": float(good.sum()) / span,
        "good_percent": 100 * float(good.mean()),
        "throughput_tokens_s": generated / span,
        "kept_percent": 100 * float(m.kept.sum()) / tokens,
        "prefetched_percent": 100 * float(m.prefetched.sum()) / tokens,
        "loaded_percent": 100 * float(m.loaded.sum()) / tokens,
        "again_percent": 100 * float(m.again.sum()) / tokens,
        "new_percent": 100 * float(tokens - used.sum() - m.again.sum()) / tokens,
        "tokens_saved": float(used.sum()),
        "retention_hits": float(m.retention_hits.sum()),
        "prefetch_hits": float(m.prefetch_hits.sum()),
        "loaded_far_percent": 100 * float(m.loaded_far.sum()) / tokens,
        "stall_s": float(m.stall.sum()),
        "stall_ms_request": 1000 * float(m.stall.mean()),
        "stall_first_ms_request": 1000 * float((m.stall - m.stall_far).mean()),
        "stall_second_ms_request": 1000 * float(m.stall_far.mean()),
        "recompute_s": sum(cost.recompute_s((int(n), 0)) for n in m.again),
        "queue_mean": m.queue,
        "queue_max": float(m.longest_queue),
        "occupied_mean": m.occupied,
        "pinned_mean": m.pinned,
        "preemptions": float(m.preemptions),
        "bytes_moved_per_token": m.moved * cost.block_bytes / (tokens + generated),
        "far_bytes_moved_per_token": m.moved_far * cost.block_bytes / (tokens + generated),
        "busy_percent": 100 * m.busy_s / span,
    }
    return {"figures": found, "ttft_curve_s": [percentile(ttft, share) for share in CURVE]}


def check_installed() -> None:
    """Raise UsageError where what this experiment needs is not installed."""
    if find_spec("scipy") is None:
        raise UsageError("SciPy is not installed: `make setup-lab`")


def _run_said(
    settings: Table, stream: Stream, capacity: int, engine: str, policy: str, say: Callable[[str], None]
) -> dict[str, Any]:
    say(f"{stream.name} {capacity:,}: {policy}, {engine}")
    return run_one(settings, stream, capacity, engine, policy)


def units(settings: Table, streams: list[Stream]) -> int:
    """How often `run` says what it does."""
    serving = settings["serving"]
    runs = len(settings["device"]["capacities"]) * len(serving["engines"]) * len(serving["policies"])
    return runs * len(streams)


def run(settings: Table, streams: list[Stream], say: Callable[[str], None]) -> dict[str, Any]:
    """All policies on the traces of all seeds; the part of the results that belongs to this kind of trace."""
    serving = settings["serving"]
    points: dict[str, Any] = {}
    for capacity in settings["device"]["capacities"]:
        for engine in serving["engines"]:
            policies = serving["policies"]
            tasks = [(settings, stream, capacity, engine, policy) for policy in policies for stream in streams]
            found = in_parallel(_run_said, tasks, say)
            count = len(streams)
            runs = {policy: found[n * count : (n + 1) * count] for n, policy in enumerate(policies)}
            points.setdefault(str(capacity), {})[engine] = _judged(runs, settings)
    return {
        "name": streams[0].name,
        "sha256": [stream.digest for stream in streams],
        "seeds": len(streams),
        "requests": streams[0].requests,
        "scale": scale(settings, streams[0].block_tokens),
        "capacities": points,
    }


def _judged(runs: Mapping[str, list[dict[str, Any]]], settings: Table) -> dict[str, Any]:
    """Mean and interval of each figure of each policy, and of its difference to each other policy on the same trace."""
    resamples, seed = settings["serving"]["resamples"], settings["seed"]
    values = {
        policy: {name: np.array([one["figures"][name] for one in results]) for name in results[0]["figures"]}
        for policy, results in runs.items()
    }
    return {
        policy: {
            "figures": {name: interval(own, resamples, seed) for name, own in figures_of.items()},
            "against": {
                other: {name: interval(own - values[other][name], resamples, seed) for name, own in figures_of.items()}
                for other in ("none", "lru")
                if other in values and other != policy
            },
            "ttft_curve_s": np.median([one["ttft_curve_s"] for one in runs[policy]], axis=0).tolist(),
            "samples": {name: own.tolist() for name, own in figures_of.items()},
        }
        for policy, figures_of in values.items()
    }


def scale(settings: Table, block_tokens: int) -> dict[str, float]:
    """How the device's scaled block relates to the real one: its clock runs slower by the same factor.

    A block of `real` bytes is a block of `device.block_bytes` on the device; when a second of the engine is
    real / block_bytes seconds less of device time, moves have the real system's share of the bus.
    """
    real = cost_of(settings, block_tokens).block_bytes
    device = settings["device"]["block_bytes"]
    return {"real_block_bytes": real, "device_block_bytes": device, "engine_s_per_device_s": real / device}


SHOWN = {
    "ttft_p50_s": ("first token, median", "s"),
    "ttft_p95_s": ("first token, p95", "s"),
    "ttft_p99_s": ("first token, p99", "s"),
    "ttft_p99_worst_tenant_s": ("first token, p99 of the worst tenant", "s"),
    "ttft_p99.9_s": ("first token, p99.9", "s"),
    "ttft_max_s": ("first token, longest", "s"),
    "tpot_p50_s": ("each further token, median", "ms"),
    "tpot_p99_s": ("each further token, p99", "ms"),
    "end_to_end_p50_s": ("whole answer, median", "s"),
    "end_to_end_p99_s": ("whole answer, p99", "s"),
    "goodput_per_s": ("requests a second within both limits", "1/s"),
    "good_percent": ("requests within both limits", "%"),
    "kept_percent": ("prompt tokens: block was kept", "%"),
    "prefetched_percent": ("prompt tokens: block brought back before", "%"),
    "loaded_percent": ("prompt tokens: block moved on demand", "%"),
    "again_percent": ("prompt tokens computed again", "%"),
    "recompute_s": ("processor time of what was computed again", "s"),
    "loaded_far_percent": ("of those moved: from the second slower tier", "%"),
    "stall_ms_request": ("wait for slower tiers, mean of all requests", "ms"),
    "stall_first_ms_request": ("of that: for the first slower tier", "ms"),
    "stall_second_ms_request": ("of that: for the second one", "ms"),
    "bytes_moved_per_token": ("moved for each token over the first link", "kB"),
    "far_bytes_moved_per_token": ("moved for each token over the second one", "kB"),
    "queue_mean": ("requests that wait, mean", ""),
    "queue_max": ("requests that wait, most", ""),
    "occupied_mean": ("blocks of the fast tier, mean", ""),
    "pinned_mean": ("of those needed by running requests", ""),
    "preemptions": ("preemptions", ""),
}
"""Figures of the tables, with what they are and their unit."""
FACTOR = {"ms": 1000.0, "kB": 1e-3}


def cell(name: str, entry: Mapping[str, Any], *, intervals: bool) -> str:
    """A figure, with its interval where asked for, in the unit of the tables."""
    unit = SHOWN[name][1]
    factor = FACTOR.get(unit, 1.0) if name.endswith("_s") or unit == "kB" else 1.0
    parts = [None if entry[key] is None else f"{factor * entry[key]:.4g}" for key in ("mean", "low", "high")]
    return f"{parts[0]}" if parts[1] is None or not intervals else f"{parts[0]} [{parts[1]}, {parts[2]}]"


HEADLINE = (
    "ttft_p50_s", "ttft_p99_s", "tpot_p50_s", "goodput_per_s", "kept_percent", "prefetched_percent", "loaded_percent",
    "again_percent", "stall_first_ms_request", "stall_second_ms_request", "bytes_moved_per_token",
)  # fmt: skip
"""Figures of the terminal's table."""


def title(result: Mapping[str, Any], capacity: str, engine: str) -> str:
    """What one table is about."""
    return f"{result['name']}, {int(capacity):,} blocks, {engine} engine"


def rows(policies: Mapping[str, Any], names: Iterable[str], *, intervals: bool) -> list[tuple[str, list[str]]]:
    """(figure, cell of each policy)."""
    found = []
    for name in names:
        text, unit = SHOWN[name]
        cells = [cell(name, one["figures"][name], intervals=intervals) for one in policies.values()]
        found.append((f"{text} ({unit})" if unit else text, cells))
    return found
