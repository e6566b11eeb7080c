"""When requests of a trace start and end in an engine of continuous batching, and which wait meanwhile.

Requests start in the order of their arrival, each as soon as one of `running` places is free. This is the part of an
engine that decides what a runtime knows of the future (its queue), not a model of its speed.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """An engine.

    Attributes:
        running: sequences that run at the same time.
        decode_tokens_s: tokens that one sequence generates in a second.
        prefill_tokens_s: prompt tokens of one sequence in a second.
    """

    running: int = 256
    decode_tokens_s: float = 32.0
    prefill_tokens_s: float = 16_384.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """Of each request: start and end, time in the queue, and how many have arrived when it starts."""

    start_ms: Times
    end_ms: Times
    wait_ms: Times
    arrived: Times


def schedule(config: EngineConfig, arrival_ms: Times, prompt: Times, output: Times) -> Schedule:
    """Run requests (arrival in ms, prompt and output in tokens) through the engine."""
    places = [0] * config.running
    start = np.zeros(len(arrival_ms), np.int64)
    service = 1000 * (prompt / config.prefill_tokens_s + output / config.decode_tokens_s)
    end = np.zeros(len(arrival_ms), np.int64)
    lengths = service.astype(np.int64).tolist()
    for number, (arrival, length) in enumerate(zip(arrival_ms.tolist(), lengths, strict=True)):
        start[number] = max(arrival, heapq.heappop(places))
        end[number] = start[number] + length
        heapq.heappush(places, int(end[number]))
    return Schedule(start, end, start - arrival_ms, np.searchsorted(arrival_ms, start, side="right"))
