"""Serves a workload through control frames on any transport, and checks every token against the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sw.audit import verify
from sw.control.llm_commands import InferState
from sw.driver import Driver
from sw.kernel.clock import CountedClock
from sw.llm.backend import Compute
from sw.llm.micro.backend import MicroBackend
from sw.llm.micro.reference import ReferenceStores
from sw.llm.package import Quantisation
from sw.llm.system import System, build_system
from sw.metrics import snapshots
from sw.metrics.schema import check as check_snapshot
from sw.node.start import settle
from sw.regs import registers as regs
from sw.replay.records import Checks
from sw.transport.base import Transport
from tb.llm.clients import Client, Desk
from tb.llm.outcome import Outcome, Progress, Served
from tb.llm.setup import AUDIT, WCET_CYCLES, Model, press, system_config
from tb.llm.workload import Prompt

OBSERVE_EVERY = 16  # chunks between two looks at the whole stack
REST_NS = 20_000_000
TOKEN_FILE = "admin.token"
NEVER = (
    regs.RTBD_MISS_COUNT,
    regs.DENIED_COUNT,
    regs.HINT_MISS_COUNT,
    regs.REF_SATURATED_COUNT,
    regs.REF_UNDERFLOW_COUNT,
    regs.CMD_REFUSED_COUNT,
    regs.PARITY_COUNT,
    regs.EVICT_ERROR_COUNT,
    regs.PREFETCH_ERROR_COUNT,
)
"""Counters of what the backend never does or meets: it knows which blocks there are."""

Observer = Callable[[Progress], None]
"""Called after every chunk; comparisons are left to who knows them."""


async def reference(system: System, model: Model, prompt: Prompt) -> list[int]:
    """Tokens of a loaded model's weights, its keys and values in plain arrays, on a clock of its own."""
    assert system.service
    micro = system.service.model()
    assert isinstance(micro, MicroBackend)
    stores = ReferenceStores(micro.model.config, Quantisation(model.header.quantisation))
    backend = MicroBackend("reference", micro.model, stores, Compute(1, 1_000_000, CountedClock()))
    generation = await backend.start(prompt.text, prompt.max_tokens, prompt.sampling, 1)
    tokens: list[int] = []
    while not generation.finished:
        tokens += await generation.chunk()
    return tokens


class LlmJob:
    """One run.

    Attributes:
        system: the stack, from `run` on.
        directory: names of the blocks that were kept when all prompts had ended, if `trace`.
        desk: every frame of the run, from `run` on.
    """

    system: System
    desk: Desk
    directory: list[str]

    def __init__(
        self,
        transport: Transport,
        prompts: Sequence[Prompt],
        model: Model,
        checks: Checks,
        folder: Path,
        *,
        seed: int,
        observer: Observer | None = None,
        trace: bool = False,
    ) -> None:
        """Nothing is done before `run`.

        Args:
            transport: of a device that was just reset.
            prompts: by arrival.
            model: serves them.
            checks: decides what a difference does.
            folder: for the token file, the trust store and the audit log; the user's alone.
            seed: of keys and capability tokens.
            observer: told after every chunk.
            trace: whether scheduler's decisions and directory are kept.
        """
        self._transport = transport
        self._prompts = list(prompts)
        self._model = model
        self._checks = checks
        self._folder = folder
        self._seed = seed
        self._observer = observer
        self._trace = trace
        self._chunks = 0
        self._slots: list[int] = []

    async def run(self) -> Outcome:
        """Serve all prompts and check the end.

        Raises:
            DriverError, TransportError, DeviceFault: the device did not do its part.
            whatever `checks` raises at a difference.
        """
        caps = (await Driver.probe(self._transport)).caps
        config = system_config(self._model, self._prompts, caps, self._folder, seed=self._seed, trace=self._trace)
        assert config.llm
        self._slots = list(config.llm.plan.slots)
        system = self.system = await build_system(self._transport, config)
        await press(system.driver, self._slots)
        token_file = self._folder / TOKEN_FILE
        self.desk = Desk(system, system.capabilities.bootstrap(token_file), self._checks)
        self._checks.compare("mode of the first token's file", 0o600, token_file.stat().st_mode & 0o777)
        model_id = await self.desk.load(self._model.package, WCET_CYCLES)
        clients = await self._serve()
        await system.observe()
        served = [await self._judge(client) for client in sorted(clients, key=lambda client: client.number)]
        await self._end(model_id)
        report = verify(self._folder / AUDIT, self._folder / f"{AUDIT}.head", config.key.public)
        self._checks.compare("the audit log verifies", True, report.whole)
        assert system.session
        snapshot = snapshots.snapshot(system.metrics)
        check_snapshot(snapshot)
        for cost in snapshot["inferences"]:
            self._checks.compare("lookups that missed", 0, cost["misses"], infer_id=cost["infer_id"])
            spent = cost["cycles"] > 0 and cost["lookups"] > 0 and cost["bytes_moved"] > 0
            self._checks.compare("cycles, lookups and bytes were counted", True, spent, infer_id=cost["infer_id"])
        return Outcome(
            served=served,
            snapshot=snapshot,
            slots=self._slots,
            blocks=sum(inference.usage.inserts for inference in system.metrics.inferences),
            moved_twice=system.session.moved_twice,
        )

    async def _serve(self) -> list[Client]:
        """Submit each prompt at its time, run, and poll after every chunk until all have ended."""
        system, clients = self.system, list[Client]()
        waiting = list(enumerate(self._prompts))
        begun = system.clock.now()
        while True:
            while waiting and begun + waiting[0][1].arrival_ns <= system.clock.now():
                clients.append(await self.desk.submit(*waiting.pop(0)))
            ran = await self._run_one()
            for client in clients:
                await self.desk.poll(client)
            if ran:
                await self._tell(clients)
            elif waiting:
                await system.clock.wait_until(begun + waiting[0][1].arrival_ns)
            else:
                return clients

    async def _run_one(self) -> bool:
        """A chunk, all of whose time must be charged, or idling, none of which may be."""
        system = self.system
        before, charged = system.clock.now(), self._charged()
        ran = await system.run_one()
        passed, paid = system.clock.now() - before, self._charged() - charged
        if paid:
            self._checks.compare("time charged for a chunk, ns", passed, paid)
        return ran

    def _charged(self) -> int:
        scheduler = self.system.scheduler
        return sum(scheduler.stats(server).consumed_ns for server in scheduler.servers)

    async def _tell(self, clients: Sequence[Client]) -> None:
        self._chunks += 1
        if self._chunks % OBSERVE_EVERY == 1:
            await self.system.observe()
        if self._observer and self.system.session:
            self._observer(
                Progress(
                    now_ns=self.system.clock.now(),
                    ended=sum(client.ended for client in clients),
                    tokens=sum(len(client.tokens) for client in clients),
                    migrations=self.system.session.migrations,
                )
            )

    # ------------------------------------------------------------------ checks

    async def _judge(self, client: Client) -> Served:
        """Compare an inference's tokens with those of the same model on a plain array."""
        where = {"prompt": client.number}
        self._checks.compare("state at the end", InferState.DONE.name, client.state.name, **where)
        expected = await reference(self.system, self._model, client.prompt)
        self._checks.compare("tokens of the inference", expected, client.tokens, **where)
        return Served(
            number=client.number,
            state=client.state.name.lower(),
            tokens=client.tokens,
            token_ns=client.token_ns,
            accepted_ns=client.accepted_ns,
            deadline_ns=client.accepted_ns + client.prompt.deadline_ns,
            ended_ns=client.ended_ns,
            identical=expected == client.tokens,
        )

    async def _end(self, model_id: int) -> None:
        """Nothing is left: no inference, no reservation, and after the unload no block in any tier."""
        checks, system, count = self._checks, self.system, len(self._prompts)
        assert system.service
        assert system.session
        models, queued, running, _, _, accepted, rejected, _ = await self.desk.status()
        checks.compare("models, queued, running", (1, 0, 0), (models, queued, running))
        checks.compare("accepted, rejected", (count, 0), (accepted, rejected))
        checks.compare("blocks reserved", 0, system.service.gate.capacity.reserved)
        counts = await system.driver.statistics()
        for register in NEVER:
            checks.compare(register.name, 0, counts[register.name])
        if self._trace:
            self.directory = sorted(str(entry.kv_addr) for entry in (await system.driver.directory()).values())
        await self.desk.unload(model_id)
        await settle(system.driver, REST_NS)
        await system.session.advance()  # the fence: slots that moves have left are free again
        free = await system.driver.free_slots()
        await settle(system.driver, REST_NS)
        checks.compare("free slots of every tier", self._slots, free)
