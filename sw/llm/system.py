"""The whole stack on one transport: driver, kernel, control plane, LLM service (software.md, top)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sw.audit import AuditLog
from sw.control.plane import ControlPlane
from sw.driver import Driver
from sw.driver.device import Weights
from sw.driver.types import TierConfig
from sw.kernel.buffers import Buffers
from sw.kernel.capability import Capabilities
from sw.kernel.clock import Clock
from sw.kernel.executor import Executor
from sw.kernel.scheduler import Scheduler
from sw.llm.config import LlmConfig
from sw.llm.package import Calendar, TrustStore, host_calendar
from sw.llm.service import LlmService
from sw.metrics.registry import Metrics
from sw.signing import PrivateKey
from sw.transport.base import Transport

TIER_WINDOW = 1 << 36  # address bytes between the tiers' bases


def _default_weights() -> Weights:
    return Weights(w_r=96, w_f=64, w_s=48, w_d=16, evict_thresh=0, prefetch_thresh=48_000)


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """How the stack configures the device.

    Attributes:
        slots: of tiers 0 to 3.
        block_bytes: BLOCK_BYTES, from the model's KV format and geometry.
        inserts_per_step: slots of each tier that migrations leave to INSERT (RESERVE).
        weights: of the score, and thresholds.
        demand: hits in slow tiers queue promotions.
    """

    slots: tuple[int, int, int, int]
    block_bytes: int = 8192
    inserts_per_step: int = 8
    weights: Weights = field(default_factory=_default_weights)
    demand: bool = True

    def tiers(self) -> dict[int, TierConfig]:
        """The configuration of every tier."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class SystemConfig:
    """A system.

    Attributes:
        device: how the device is configured; None: it is left as it is.
        llm: the LLM service; None: off, frames 0x10 to 0x16 are Unsupported.
        trust: trust store of model packages.
        key: signs the audit log's head record.
        audit_path: of the audit log; None: in memory.
        calendar: calendar time for the expiry of keys.
        random: random bits for capability tokens (tests give a seeded one); None: the system's.
        trace: whether the scheduler keeps its decisions.
    """

    device: DeviceConfig | None
    llm: LlmConfig | None
    trust: TrustStore
    key: PrivateKey
    audit_path: Path | None = None
    calendar: Calendar = host_calendar
    random: Callable[[int], int] | None = None
    trace: bool = False


@dataclass(frozen=True, slots=True)
class System:
    """Everything of one node. Frames and chunks do not overlap: one task at a time.

    Attributes:
        service: None when the LLM service is off.
    """

    transport: Transport
    driver: Driver
    clock: Clock
    scheduler: Scheduler
    executor: Executor
    capabilities: Capabilities
    buffers: Buffers
    plane: ControlPlane
    service: LlmService | None
    audit: AuditLog
    metrics: Metrics

    async def run_one(self) -> bool:
        """One chunk of the service, or time passes until one may run; False when nothing can go on by itself."""
        raise NotImplementedError

    async def observe(self) -> None:
        """Tell the metrics the state of the stack now (reads the device's counters)."""
        raise NotImplementedError

    async def reset_device(self) -> None:
        """Soft reset of the device and its configuration anew; running inferences fail with DeviceFault."""
        raise NotImplementedError


async def build_system(transport: Transport, config: SystemConfig) -> System:
    """Probe and configure the device behind a transport and build the stack on it.

    No capability exists yet: `system.capabilities.bootstrap(path)` makes the first.

    Raises:
        DriverError, TransportError: the device does not do its part.
        AuditError: the audit log cannot be used.
        AdmissionRefused: the configured classes do not fit the bound.
    """
    raise NotImplementedError
