"""The whole stack on one transport: driver, kernel, control plane, LLM service (software.md, top)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sw.audit import AuditLog
from sw.control.graph_service import GraphService
from sw.control.plane import ControlPlane
from sw.driver import Driver, DriverError
from sw.kernel.buffers import Buffers
from sw.kernel.capability import Capabilities
from sw.kernel.clock import Clock, DeviceClock
from sw.kernel.executor import Executor
from sw.kernel.failures import Failures
from sw.kernel.growth import Growth
from sw.kernel.operators import BUILT_IN
from sw.kernel.scheduler import Scheduler
from sw.llm.backend import Backend, Compute
from sw.llm.capacity import Capacity, backing
from sw.llm.config import LlmConfig
from sw.llm.coprocessor import QueueTransport, on_coprocessor
from sw.llm.loaded import BackendKind, MakeBackend, Models
from sw.llm.micro.backend import CHUNK_TOKENS, MicroBackend
from sw.llm.micro.device import DeviceStores
from sw.llm.micro.plan import DevicePlan
from sw.llm.micro.reference import ReferenceStores
from sw.llm.micro.session import DeviceSession
from sw.llm.micro.weights import from_package
from sw.llm.observation import observation
from sw.llm.package import Calendar, Package, Quantisation, TrustStore, host_calendar
from sw.llm.service import LlmService
from sw.llm.stub import StubBackend
from sw.metrics.registry import Metrics
from sw.regs import registers as regs
from sw.regs.queue import Engine
from sw.signing import PrivateKey
from sw.transport.base import Transport, TransportError


@dataclass(frozen=True, slots=True)
class LlmSetup:
    """What the LLM service needs of a system.

    Attributes:
        config: limits and classes.
        plan: how the device is configured; its slots are the service's alone.
        trust: trust store of model packages.
        calendar: calendar time for the expiry of keys.
        cycles_per_token: compute cycles that a token costs.
        chunk_tokens: most tokens of a prompt in one chunk.
        inserts_per_step: blocks that a chunk may insert; so many slots of the largest tier stay free of migrations.
        coprocessor: makes a queue device with an engine, for models that are loaded into one; None: there is none.
    """

    plan: DevicePlan
    trust: TrustStore
    config: LlmConfig = field(default_factory=LlmConfig)
    calendar: Calendar = host_calendar
    cycles_per_token: int = 1_500
    chunk_tokens: int = CHUNK_TOKENS
    inserts_per_step: int = 8
    coprocessor: Callable[[Engine], QueueTransport] | None = None

    def __post_init__(self) -> None:
        """Check every number.

        Raises:
            ValueError: one is out of range.
        """
        for name, value, least in (
            ("cycles_per_token", self.cycles_per_token, 0),
            ("chunk_tokens", self.chunk_tokens, 1),
            ("inserts_per_step", self.inserts_per_step, 1),
        ):
            if not least <= value < 1 << 32:
                raise ValueError(f"{name} {value}: {least} to {(1 << 32) - 1}")


@dataclass(frozen=True, slots=True)
class SystemConfig:
    """A system.

    Attributes:
        key: signs the audit log's head record.
        llm: the LLM service; None: off, frames 0x10 to 0x16 are Unsupported and the device is left as it is.
        audit_path: of the audit log; None: in memory.
        audit_anchor: of the copy of its head record that a start is held against, in another place; None: none.
        random: random bits for capability tokens.
        bound_ppm: utilisation that admission may give away.
        trace: whether the scheduler keeps its decisions.
        pace: ns of the clock that windows count on which protect a service from its users, where device time may
            stand still between requests (a served device); None: they count device time, and every refusal of an
            unknown caller has an audit entry.
    """

    key: PrivateKey
    llm: LlmSetup | None = None
    audit_path: Path | None = None
    audit_anchor: Path | None = None
    random: Callable[[int], int] = secrets.randbits
    bound_ppm: int = 850_000
    trace: bool = False
    pace: Callable[[], int] | None = None


@dataclass(frozen=True, slots=True)
class System:
    """Everything of one node. Frames and chunks do not overlap: one task at a time.

    Attributes:
        session: the device as the micro-LLM uses it; None, like `service`, when the LLM service is off.
    """

    transport: Transport
    driver: Driver
    clock: Clock
    scheduler: Scheduler
    executor: Executor
    growth: Growth
    capabilities: Capabilities
    buffers: Buffers
    graph: GraphService
    plane: ControlPlane
    session: DeviceSession | None
    service: LlmService | None
    audit: AuditLog
    metrics: Metrics

    async def run_one(self) -> bool:
        """One chunk, or time passes until one may run; False when nothing can go on by itself.

        Raises:
            TransportError, AuditError: see `LlmService.run_one`.
        """
        return await (self.service.run_one() if self.service else self.executor.run_one())

    async def run_until_idle(self) -> None:
        """Run until `run_one` has nothing left."""
        while await self.run_one():
            pass

    async def observe(self) -> None:
        """Tell the metrics the state of the stack now; reads the device's counters, which takes device time.

        Raises:
            DriverError, TransportError: the device does not answer.
        """
        self.metrics.observe(await observation(self))

    async def reset_device(self) -> None:
        """Soft reset of the device; its configuration stays, running inferences fail with DeviceFault.

        Raises:
            DriverError, TransportError: the device does not answer.
        """
        await self.driver.soft_reset()
        if self.session and self.service:
            self.session.lost()
            await self.service.device_was_reset()


async def build_system(transport: Transport, config: SystemConfig) -> System:
    """Probe and configure the device behind a transport and build the stack on it.

    No capability exists yet: `system.capabilities.bootstrap(path)` makes the first.

    Raises:
        DriverError, TransportError, DeviceFault: the device does not do its part.
        AuditError: the audit log cannot be used.
        Refusal: the configured classes do not fit the bound.
    """
    driver = await Driver.probe(transport)
    clock = DeviceClock(transport)
    growth = Growth()
    audit = AuditLog(config.audit_path, config.key, clock, config.audit_anchor)
    metrics = Metrics()
    scheduler = Scheduler(config.bound_ppm, trace=config.trace)
    buffers = Buffers(audit, growth)
    session, service = None, None
    if config.llm:
        session = await config.llm.plan.apply(driver)
        capacity = await _reserve(driver, config.llm, growth)
        service = LlmService(
            config.llm.config,
            clock=clock,
            clock_hz=driver.caps.clock_mhz * 1_000_000,
            scheduler=scheduler,
            buffers=buffers,
            audit=audit,
            metrics=metrics,
            models=_models(config.llm, session, clock, growth),
            capacity=capacity,
            was_reset=_Watch(session).was_reset,
            pace=config.pace,
        )
    executor = service.executor if service else Executor(scheduler, clock)
    failures = Failures(config.pace)
    capabilities = Capabilities(audit, config.random, failures)
    graph = GraphService(BUILT_IN, growth, executor)
    return System(
        transport=transport,
        driver=driver,
        clock=clock,
        scheduler=scheduler,
        executor=executor,
        growth=growth,
        capabilities=capabilities,
        buffers=buffers,
        graph=graph,
        plane=ControlPlane(graph, service, capabilities, clock, audit, failures),
        session=session,
        service=service,
        audit=audit,
        metrics=metrics,
    )


async def _reserve(driver: Driver, setup: LlmSetup, growth: Growth) -> Capacity:
    """Keep slots of the backing tier for INSERT; what is left may be given away at the gate."""
    place = backing(driver.caps.entries, setup.plan.slots, setup.inserts_per_step)
    await driver.registers.write(regs.TIER_RESERVE[place.tier], place.reserve)
    return Capacity(place, growth)


def _models(setup: LlmSetup, session: DeviceSession, clock: Clock, growth: Growth) -> Models:
    compute = Compute(setup.cycles_per_token, session.driver.caps.clock_mhz * 1_000_000, clock)

    async def micro(package: Package) -> Backend:
        model = from_package(package)
        form = Quantisation(package.header.quantisation)
        stores = DeviceStores(session, model.config, form, package.digest)
        return MicroBackend(package.header.name, model, stores, compute, chunk_tokens=setup.chunk_tokens)

    async def stub(package: Package) -> Backend:
        return StubBackend(compute)

    async def coprocessor(package: Package) -> Backend:
        assert setup.coprocessor is not None
        model = from_package(package)
        stores = ReferenceStores(model.config, Quantisation(package.header.quantisation))

        def inside(cost: Compute) -> Backend:
            return MicroBackend(package.header.name, model, stores, cost, chunk_tokens=setup.chunk_tokens)

        return await on_coprocessor(inside, setup.coprocessor, compute)

    backends: dict[BackendKind, MakeBackend] = {BackendKind.MICRO: micro, BackendKind.STUB: stub}
    if setup.coprocessor is not None:
        backends[BackendKind.COPROCESSOR] = coprocessor
    return Models(setup.config.limits, setup.trust, setup.calendar, backends, growth)


@dataclass(frozen=True, slots=True)
class _Watch:
    """Notices a reset of the device from outside: counters are cleared by resets only (device.md 7)."""

    session: DeviceSession

    async def was_reset(self, hits: int) -> bool:
        """Whether the device has counted fewer lookup hits than `hits`; then it is emptied once more.

        A chunk that was run between that reset and its first miss has inserted blocks without an owner.
        """
        driver = self.session.driver
        try:
            if await driver.registers.read(regs.RTBD_HIT_COUNT) >= hits:
                return False
            await driver.soft_reset()
        except (DriverError, TransportError):
            return False  # it does not answer at all: each inference fails by itself
        self.session.lost()
        return True
