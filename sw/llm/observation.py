"""The state of a system at one moment, as it is reported to the metrics (software.md 4, metrics)."""

from __future__ import annotations

from typing import Protocol

from sw.control.graph_service import GraphService
from sw.control.plane import ControlPlane
from sw.driver import Driver
from sw.kernel.clock import Clock
from sw.kernel.growth import Growth
from sw.kernel.scheduler import Scheduler
from sw.llm.service import LlmService
from sw.metrics.state import Admissions, ChannelState, ServerState, State, TierState
from sw.regs import registers as regs


class Observed(Protocol):
    """What is looked at: the parts of a `System`."""

    @property
    def driver(self) -> Driver:
        """The device."""

    @property
    def clock(self) -> Clock:
        """The one clock."""

    @property
    def scheduler(self) -> Scheduler:
        """Servers and admission."""

    @property
    def growth(self) -> Growth:
        """What has grown."""

    @property
    def graph(self) -> GraphService:
        """The control plane's graph."""

    @property
    def plane(self) -> ControlPlane:
        """Streams of frames."""

    @property
    def service(self) -> LlmService | None:
        """The LLM service; None when it is off."""


async def observation(system: Observed) -> State:
    """Read the device's counters and free slots, and look at everything else.

    Raises:
        DriverError, TransportError: the device does not answer.
    """
    driver = system.driver
    device = await driver.statistics()
    free = await driver.free_slots()
    slots = await driver.registers.read_all(regs.TIER_SLOTS)
    block_bytes = await driver.registers.read(regs.BLOCK_BYTES)
    moved = device["EVICT_BYTES_MOVED"] + device["PREFETCH_BYTES_MOVED"]
    service, scheduler = system.service, system.scheduler
    counters = scheduler.counters
    return State(
        now_ns=system.clock.now(),
        queued=service.queued if service else (0, 0, 0, 0),
        running=service.running if service else 0,
        admissions=Admissions(
            bound_ppm=scheduler.bound_ppm,
            used_ppm=scheduler.used_ppm,
            accepted=counters.accepted,
            rejected=counters.rejected,
            changed=counters.changed,
            removed=counters.removed,
        ),
        servers=tuple(_server(scheduler, number) for number in scheduler.servers),
        grown=sum(system.growth.grown.values()),
        growth_refused=system.growth.refused,
        channels=_channels(system),
        tiers=tuple(TierState(count, left) for count, left in zip(slots, free, strict=True)),
        migrations=moved // block_bytes,
        device=device,
        dropped_bytes=system.plane.dropped,
    )


def _server(scheduler: Scheduler, number: int) -> ServerState:
    params = scheduler.server(number).params
    return ServerState(
        server=number,
        budget_ns=params.budget_ns,
        period_ns=params.period_ns,
        deadline_ns=params.relative_deadline_ns,
        used_ppm=params.share_ppm,
        stats=scheduler.stats(number),
    )


def _channels(system: Observed) -> tuple[ChannelState, ...]:
    """Channel 0: prompts, 1: tokens, each over all LLM graphs; behind them those of the control plane's graph."""
    channels = []
    if system.service:
        graphs = system.service.channels()
        for number in (0, 1):
            rings = [graph[number] for graph in graphs]
            channels.append(
                ChannelState(
                    channel=number,
                    depth=sum(ring.depth for ring in rings),
                    deepest=max((ring.deepest for ring in rings), default=0),
                    stalls=sum(ring.stalls for ring in rings),
                )
            )
    if system.graph.graph:
        first = len(channels)
        for ring in system.graph.graph.stats():
            channels.append(ChannelState(first + ring.channel, ring.depth, ring.deepest, ring.stalls))
    return tuple(channels)
