"""The requests of a replay and the settings that fit them: the same in the front and in the simulator's process."""

from dataclasses import dataclass
from pathlib import Path

from sw.replay.config import ReplayConfig, configured
from sw.replay.generator import generate
from sw.replay.readers import load as read
from sw.replay.trace import Trace

GENERATED_REQUESTS = 400  # a minute or two on the RTL


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the requests come from: a file and what the user says of it, or, without one, the generator."""

    trace: Path | None = None
    requests: int | None = None
    block_size: int | None = None
    time_unit: str | None = None


def load(source: Source, seed: int) -> Trace:
    """The requests of a trace, or generated ones. Raises TraceError."""
    if source.trace is None:
        return Trace(list(generate(seed, source.requests or GENERATED_REQUESTS)))
    return read(source.trace, source.requests, block_tokens=source.block_size, unit=source.time_unit)


def plan(workload: Trace, entries: int) -> ReplayConfig:
    """Settings for a workload on a device of so many entries. Raises TooLarge."""
    return configured(workload.requests, entries, workload.block_tokens)
