"""Settings of a replay, and the tier sizes that fit a workload."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sw.replay.trace import TraceRequest

TRACE_BLOCK_TOKENS = 512
"""Tokens behind one hash id in Mooncake's traces. One such block is one block of the device."""

HELD = 0.85  # of the working set fits into all tiers together
RUNNING = 32
LEAST_SLOTS = 64


@dataclass(frozen=True, slots=True)
class ReplayConfig:
    """How a workload is replayed.

    Attributes:
        slots: of each tier.
        block_bytes: bytes of a block.
        step_cycles: a decode step takes at least so many cycles of the device.
        step_ms: trace time of one step: a device token stands for 512 / BLOCK_TOKENS trace tokens.
        running: requests that decode at the same time.
        admissions: requests that start in one step.
        reads: read lookups of a request in a step: the budget of what its attention reads.
        score_every: steps between two samples of the scores.
        score_entries: directory entries in such a sample.
    """

    slots: tuple[int, int, int, int]
    block_bytes: int = 4096
    step_cycles: int = 20_000
    step_ms: int = 1000
    running: int = RUNNING
    admissions: int = 8
    reads: int = 8
    score_every: int = 8
    score_entries: int = 256


def tier_slots(requests: Iterable[TraceRequest], entries: int) -> tuple[int, int, int, int]:
    """Slots of the four tiers for a workload.

    HBM has room for what runs at the same time but little more, so that the device must move what is
    needed up and the rest down; T1 and host are fractions of the working set; all four together hold
    less than that, so that the runtime must remove blocks as well.
    """
    prompts = [set(request.hash_ids) for request in requests]
    held = min(int(HELD * len(set().union(*prompts))), entries)
    together = RUNNING * sum(map(len, prompts)) // max(1, len(prompts))
    hbm = max(LEAST_SLOTS, min(together, held // 3), held // 8)
    t1, host = max(LEAST_SLOTS, held // 4), max(LEAST_SLOTS, held // 4)
    return hbm, t1, host, max(LEAST_SLOTS, held - hbm - t1 - host)
