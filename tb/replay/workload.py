"""The requests of a replay and the settings that fit them: the same in the front and in the simulator's process."""

from pathlib import Path

from sw.replay.config import ReplayConfig, tier_slots
from sw.replay.generator import generate
from sw.replay.trace import TraceRequest, read_trace

GENERATED_REQUESTS = 400  # a minute or two on the RTL


def load(trace: Path | None, requests: int | None, seed: int) -> list[TraceRequest]:
    """The requests of a trace, or generated ones. Raises TraceError."""
    if trace is None:
        return list(generate(seed, requests or GENERATED_REQUESTS))
    return list(read_trace(trace, requests))


def plan(workload: list[TraceRequest], entries: int) -> ReplayConfig:
    """Settings for a workload on a device of so many entries."""
    return ReplayConfig(slots=tier_slots(workload, entries))
