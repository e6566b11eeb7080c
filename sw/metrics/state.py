"""What is reported to the metrics: the state of the stack at one moment, and what each inference has cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sw.kernel.statistics import ServerStats
from sw.metrics.usage import Usage

CLASSES = 4
ENDED = ("done", "cancelled", "failed")
"""States of an inference that has ended."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server of the scheduler: its parameters in ns, its share, its statistics."""

    server: int
    budget_ns: int
    period_ns: int
    deadline_ns: int
    used_ppm: int
    stats: ServerStats


@dataclass(frozen=True, slots=True)
class Admissions:
    """What admission has decided so far (software.md 2), in counts, and the bound and its use in ppm."""

    bound_ppm: int = 850_000
    used_ppm: int = 0
    accepted: int = 0
    rejected: int = 0
    changed: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class ChannelState:
    """One channel of the graph: items waiting, most that ever waited, times a full ring made one wait."""

    channel: int
    depth: int
    deepest: int
    stalls: int


@dataclass(frozen=True, slots=True)
class TierState:
    """Slots of a memory tier, and those that are free."""

    slots: int
    free: int


@dataclass(frozen=True, slots=True)
class State:
    """The stack at one moment.

    Attributes:
        now_ns: of the one clock.
        queued: inferences that wait, by class.
        running: inferences that run or are throttled.
        admissions: of the scheduler.
        servers: of the scheduler.
        grown: growth of arena, handles, rings and directory so far.
        growth_refused: growths that deterministic mode has refused.
        channels: of the graph.
        tiers: of the device, fastest first.
        migrations: blocks that the device has moved.
        device: its counters by register name.
        dropped_bytes: of all streams of control frames, that belonged to no frame.
    """

    now_ns: int
    queued: tuple[int, ...] = (0,) * CLASSES
    running: int = 0
    admissions: Admissions = Admissions()
    servers: tuple[ServerState, ...] = ()
    grown: int = 0
    growth_refused: int = 0
    channels: tuple[ChannelState, ...] = ()
    tiers: tuple[TierState, ...] = ()
    migrations: int = 0
    device: Mapping[str, int] = field(default_factory=dict)
    dropped_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Inference:
    """An inference that has ended.

    Attributes:
        infer_id: its number.
        cls: class, 0 to 3.
        state: "done", "cancelled" or "failed".
        accepted_ns: when the gate took it.
        started_ns: its first chunk; None: it never ran.
        ended_ns: when it ended.
        tokens: that it produced.
        missed: whether it finished after its deadline.
        usage: what it has cost.
        holder: whose it was; not shown.
        reason: why it has failed.
    """

    infer_id: int
    cls: int
    state: str
    accepted_ns: int
    started_ns: int | None
    ended_ns: int
    tokens: int
    missed: bool
    usage: Usage
    holder: str = ""
    reason: str = ""
