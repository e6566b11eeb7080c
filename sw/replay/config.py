"""Settings of a replay, and the tier sizes that fit a workload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sw.replay.trace import DEFAULT_BLOCK_TOKENS, TraceRequest

HELD = 0.85  # of the working set fits into all tiers together
RUNNING = 32
LEAST_SLOTS = 64
LARGEST = 0.75
"""Of the directory's entries a prompt may have: beyond, its blocks crowd each other out of the directory (FULL)."""
SECOND_MS = 1000


class TooLarge(Exception):
    """A workload that the device cannot hold; one line."""


@dataclass(frozen=True, slots=True)
class ReplayConfig:
    """How a workload is replayed.

    Attributes:
        slots: of each tier.
        block_bytes: bytes of a block.
        step_cycles: a decode step takes at least so many cycles of the device.
        trace_block: tokens behind one hash id; one such block is one block of the device, so that a device token stands
            for trace_block / BLOCK_TOKENS trace tokens.
        step_ms: trace time of one step, in which every running request decodes one device token.
        running: requests that decode at the same time.
        admissions: requests that start in one step.
        reads: read lookups of a request in a step: the budget of what its attention reads.
        score_every: steps between two samples of the scores.
        score_entries: directory entries in such a sample.
    """

    slots: tuple[int, int, int, int]
    block_bytes: int = 4096
    step_cycles: int = 20_000
    trace_block: int = DEFAULT_BLOCK_TOKENS
    step_ms: int = SECOND_MS
    running: int = RUNNING
    admissions: int = 8
    reads: int = 8
    score_every: int = 8
    score_entries: int = 256


def configured(requests: Sequence[TraceRequest], entries: int, trace_block: int = DEFAULT_BLOCK_TOKENS) -> ReplayConfig:
    """Settings for a workload on a device of so many entries.

    Raises:
        TooLarge: a prompt has more blocks than the device can hold.
    """
    limit = int(LARGEST * entries)
    for number, request in enumerate(requests, 1):
        blocks = len(set(request.hash_ids))
        if blocks > limit:
            raise TooLarge(
                f"request {number:,} has {blocks:,} blocks, and a device of {entries:,} entries holds prompts of up to "
                f"{limit:,}"
            )
    step_ms = max(1, SECOND_MS * trace_block // DEFAULT_BLOCK_TOKENS)
    return ReplayConfig(slots=tier_slots(requests, entries), trace_block=trace_block, step_ms=step_ms)


def tier_slots(requests: Sequence[TraceRequest], entries: int) -> tuple[int, int, int, int]:
    """Slots of the four tiers for a workload.

    HBM has room for what runs at the same time but little more, so that the device must move what is
    needed up and the rest down; T1 and host are fractions of the working set; all four together hold
    less than that, but any one prompt with its answer, so that the runtime must remove blocks as well.
    """
    prompts = [set(request.hash_ids) for request in requests]
    largest = max(map(len, prompts), default=0)
    held = min(max(int(HELD * len(set().union(*prompts))), largest + LEAST_SLOTS), entries)
    together = RUNNING * sum(map(len, prompts)) // max(1, len(prompts))
    hbm = max(LEAST_SLOTS, min(together, held // 3), held // 8)
    t1, host = max(LEAST_SLOTS, held // 4), max(LEAST_SLOTS, held // 4)
    return hbm, t1, host, max(LEAST_SLOTS, held - hbm - t1 - host)
