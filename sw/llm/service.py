"""The LLM service behind the frames 0x10 to 0x16 (software.md 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from sw.codes import Code, Refusal, described
from sw.control.frames import POLL_TOKENS
from sw.control.llm_commands import InferRequest, InferState, PollAnswer, StatusAnswer
from sw.kernel.buffers import Buffers
from sw.kernel.capability import Capability
from sw.kernel.clock import Clock
from sw.kernel.decision import AuditSink, bounded, decided
from sw.kernel.graph import ChannelStats
from sw.kernel.scheduler import Scheduler
from sw.llm.backend import Backend, Generation
from sw.llm.capacity import Capacity
from sw.llm.classes import Classes
from sw.llm.config import CLASSES, ClassBudget, LlmConfig
from sw.llm.gate import Gate
from sw.llm.inference import Book, Inference
from sw.llm.loaded import OLDER, Models, chunk_bound_ns
from sw.llm.waits import Waits
from sw.metrics.registry import Metrics
from sw.metrics.state import Inference as EndedInference

ANNOUNCE_TOKENS = 1  # left to emit: PREFETCH goes out before the last chunk, and its moves run meanwhile
Reset = Callable[[int], Awaitable[bool]]
"""Whether the device was reset: it has counted fewer lookup hits than so many. Called after a fault."""


class LlmService:
    """Models, inferences, quotas; implements `LlmCommands`.

    Calls do not overlap: frames are handled between chunks (`run_one`), never during one.

    Attributes:
        executor: runs the inferences' chunks; its servers 0 to 3 are the classes.
        book: all inferences that a client may ask about.
        gate: what an inference must pass.
        refused: refusals so far, by operation ("llm.load", "llm.infer.start", ...) and code.
        accepted: inferences that the gate has let through.
    """

    def __init__(
        self,
        config: LlmConfig,
        *,
        clock: Clock,
        clock_hz: int,
        scheduler: Scheduler,
        buffers: Buffers,
        audit: AuditSink,
        metrics: Metrics,
        models: Models,
        capacity: Capacity,
        was_reset: Reset,
        pace: Callable[[], int] | None = None,
    ) -> None:
        """No model, no inference; the classes of the configuration are admitted.

        Args:
            config: limits and classes.
            clock: the one clock.
            clock_hz: of compute cycles.
            scheduler: shared with the graph of the control plane.
            buffers: with prompts and packages.
            audit: gets every decision once.
            metrics: gets every inference.
            models: empty.
            capacity: blocks of the device.
            was_reset: asked after a fault of the device.
            pace: ns of the clock that the tenants' windows count; None: `clock`.

        Raises:
            Refusal: AdmissionRefused, BadArgument: the configured classes.
        """
        self.refused: Counter[tuple[str, Code]] = Counter()
        self.accepted = 0
        self._clock = clock
        self._clock_hz = clock_hz
        self._buffers = buffers
        self._audit = audit
        self._metrics = metrics
        self._models = models
        self._was_reset = was_reset
        self.book = Book()
        self._classes = Classes(config, scheduler, clock)
        self._waits = Waits(scheduler, clock, self._classes, self.book)
        self.executor = self._waits.executor
        self.gate = Gate(config.limits, models, self._classes, buffers, self.book, capacity, pace or clock.now)
        self._hits = 0

    # ------------------------------------------------------------------ models and classes

    async def load(self, cap: Capability, package_handle: int, wcet_cycles: int, flags: int) -> int:
        """LLM_LOAD: check a package and load its model; `flags`: a BackendKind, and OLDER.

        The audit entry's `verified` is 1 when the package has passed every check, its signature's among them.

        Raises:
            Refusal: NotFound, a package code (32 to 39), BadArgument, Unsupported, Exists, NoRoom, AdmissionRefused.
        """
        with self._decision(cap, "llm.load", f"buffer:{package_handle}", flags=flags) as counts:
            data = self._buffers.get(cap, package_handle)
            counts |= {"bytes": len(data), "verified": 0}
            package, kind = self._models.check(data, flags)
            header = package.header
            counts |= {"verified": 1, "model": header.model_id, "revision": header.revision}
            graphs = self._models.check_place(package)
            counts["newest"] = self._models.check_revision(header, older=bool(flags & OLDER))
            counts["wcet_ns"] = wcet_ns = chunk_bound_ns(wcet_cycles, header.wcet_cycles, self._clock_hz)
            model = await self._models.make(package, kind, wcet_ns, graphs)
            self.gate.capacity.check_chunk(model.backend)
            self._classes.set_chunk(max(self._models.wcet_ns, wcet_ns))
        self._models.add(model)
        return model.model_id

    async def unload(self, cap: Capability, model_id: int) -> None:
        """LLM_UNLOAD.

        Raises:
            Refusal: NoModel; Busy while an inference of it has not ended; DeviceFault.
        """
        with self._decision(cap, "llm.unload", f"model:{model_id}"):
            model = self._models.find(model_id)
            if model.in_use:
                raise Refusal(Code.BUSY, f"inferences of model {model.model_id} have not ended")
            await model.backend.unload()
        self._models.remove(model)
        self._classes.set_chunk(self._models.wcet_ns)

    async def budget(self, cap: Capability, cls: int, budget_ns: int, period_ns: int, tokens_per_period: int) -> int:
        """LLM_BUDGET: admit or change the server of a class.

        Raises:
            Refusal: BadArgument, AdmissionRefused.
        """
        counts = {"budget_ns": budget_ns, "period_ns": period_ns, "tokens_per_period": tokens_per_period}
        with self._decision(cap, "llm.budget", f"class:{cls}", **counts):
            used = self._classes.set(cls, ClassBudget(budget_ns, period_ns, tokens_per_period))
        self._waits.release()
        return used

    async def status(self, cap: Capability) -> StatusAnswer:
        """LLM_STATUS; `rejected` counts refused submissions."""
        queued = sum(self.queued)
        return StatusAnswer(
            models=len(self._models),
            queued=queued,
            running=len(self.book.live) - queued,
            used_ppm=self.executor.scheduler.used_ppm,
            accepted=self.accepted,
            rejected=sum(count for (op, _), count in self.refused.items() if op == "llm.infer.start"),
            misses=self._classes.misses,
        )

    def model(self, model_id: int = 0) -> Backend:
        """The backend of a loaded model (0: the only one), for tools that turn tokens into text.

        Raises:
            Refusal: NoModel.
        """
        return self._models.find(model_id).backend

    # ------------------------------------------------------------------ inferences

    async def infer_start(self, cap: Capability, request: InferRequest) -> int:
        """LLM_INFER_START: through the gate into the class's queue.

        Raises:
            Refusal: as docs/llm.md lists them; no infer_id is used.
        """
        now = self._clock.now()
        asked = {"max_tokens": request.max_tokens, "deadline_ns": request.deadline_ns, "model": request.model_id}
        try:
            with self._decision(cap, "llm.infer.start", f"class:{request.cls}", **asked) as counts:
                passed = self.gate.check(cap, request, now, counts)
                counts["infer_id"] = self.book.next_id
        except Refusal as refusal:
            self._metrics.rejected(refusal.code)
            raise
        inference = self.gate.take(cap, request, passed, now)
        self.book.add(inference)
        self.accepted += 1
        try:
            with bounded(f"inference {inference.infer_id}"):
                self._submit(inference)
        except Refusal as refusal:
            await self._fail(inference, refusal)
        self._metrics.queued(inference.cls, self.book.queue(inference.cls))
        return inference.infer_id

    def _submit(self, inference: Inference) -> None:
        graph = inference.graph
        assert graph is not None

        async def begin(prompt: bytes) -> Generation:
            return await inference.model.backend.start(
                prompt, inference.max_tokens, inference.sampling, inference.request_id
            )

        graph.submit(inference.prompt, begin)
        self.executor.add(inference.cls, inference.infer_id, inference.deadline_ns, lambda: self._chunk(inference))
        self._waits.submitted(inference)

    async def poll(self, cap: Capability, infer_id: int, max_items: int) -> PollAnswer:
        """LLM_INFER_POLL: takes tokens; the poll that finds fewer than it asks for after the end is the last.

        Raises:
            Refusal: NotFound.
        """
        inference = self._find(cap, "llm.infer.poll", infer_id)
        first, count = inference.read, min(max_items, POLL_TOKENS)
        tokens = inference.take(count)
        state = self.state(inference)
        if inference.ended and len(tokens) < count:
            self.book.forget(inference)
        self._waits.polled(inference)
        return PollAnswer(infer_id, state, first, tokens)

    async def cancel(self, cap: Capability, infer_id: int) -> InferState:
        """LLM_CANCEL: ends an inference and frees its blocks; of an ended one: no effect.

        Raises:
            Refusal: NotFound.
        """
        inference = self._find(cap, "llm.infer.cancel", infer_id)
        if inference.ended:
            self._record(cap, "llm.infer.cancel", infer_id, Code.OK, ended=1)
            return inference.ended[0]
        self.executor.cancel(infer_id)
        await self._end(inference, InferState.CANCELLED, Code.OK, cap)
        return self.state(inference)

    def state(self, inference: Inference) -> InferState:
        """The state of an inference as frames tell it."""
        if inference.ended:
            return inference.ended[0]
        if inference.queued:
            return InferState.QUEUED
        if inference.waits or self._classes.throttled(inference.cls):
            return InferState.THROTTLED
        return InferState.RUNNING

    @property
    def queued(self) -> tuple[int, ...]:
        """Inferences whose first chunk has not begun, by class."""
        return tuple(self.book.queue(cls) for cls in range(CLASSES))

    @property
    def running(self) -> int:
        """Inferences that have begun and not ended."""
        return len(self.book.live) - sum(self.queued)

    def channels(self) -> list[list[ChannelStats]]:
        """The prompt and the token channel of every graph of every model."""
        return [graph.stats() for model in self._models for graph in model.graphs]

    # ------------------------------------------------------------------ chunks

    async def run_one(self) -> bool:
        """Run one chunk, or let time pass until one may run.

        Returns:
            False when nothing can go on by itself: no inference is left, or only such whose output waits to be read.
        """
        self._waits.release()
        return not self._waits.stuck and await self.executor.run_one()

    async def run_until_idle(self) -> None:
        """Run until `run_one` has nothing left."""
        while await self.run_one():
            pass

    async def _chunk(self, inference: Inference) -> bool:
        """One chunk of an inference, as the executor runs it."""
        graph = inference.graph
        assert graph is not None
        if inference.started_ns is None:
            inference.started_ns = self._clock.now()
            inference.prompt = b""
        before = graph.sent
        try:
            with bounded(f"inference {inference.infer_id}"):
                await self._announce(inference)
                if not await graph.step():
                    raise RuntimeError("a chunk without work or room")
        except Refusal as refusal:
            await self._fail(inference, refusal)
            return False
        tokens = graph.sent - before
        if tokens:
            inference.produced += tokens
            self._metrics.token(inference.infer_id, self._clock.now(), tokens)
        finished = inference.generation is not None and inference.generation.finished
        self._waits.emitted(inference, tokens, ended=finished)
        if finished:
            await self._end(inference, InferState.DONE, Code.OK, inference.cap)
            return inference.ended is not None and inference.ended[0] is InferState.DONE
        return False

    async def _announce(self, inference: Inference) -> None:
        """Shortly before an inference ends: tell the device what the next one of its class will find there."""
        if inference.max_tokens - inference.produced > ANNOUNCE_TOKENS:
            return
        following = self.book.next_queued(inference.cls)
        if following is not None and not following.announced:
            following.announced = True
            with suppress(Refusal), bounded(f"the announcement of inference {following.infer_id}"):
                # a hint for another inference: this one does not depend on it
                await following.model.backend.announce(following.prompt)

    # ------------------------------------------------------------------ ends

    async def _end(self, inference: Inference, state: InferState, code: Code, by: Capability) -> None:
        """End an inference: blocks, reservations and graph go back; a device that keeps blocks makes it a failure."""
        inference.drain()
        inference.prompt = b""
        freed = True
        if inference.generation is not None:
            try:
                with bounded(f"the end of inference {inference.infer_id}"):
                    await inference.generation.close()
            except Refusal as refusal:
                freed, code = False, refusal.code
                if state is InferState.DONE:
                    state = InferState.FAILED
                    self.executor.cancel(inference.infer_id)
            inference.usage = inference.generation.usage
        now = self._clock.now()
        inference.ended = (state, now)
        self._hits += inference.usage.lookups - inference.usage.misses
        self.gate.settle(inference, freed=freed)
        self.book.end(inference)
        self._metrics.ended(
            EndedInference(
                infer_id=inference.infer_id,
                cls=inference.cls,
                state=state.name.lower(),
                accepted_ns=inference.accepted_ns,
                started_ns=inference.started_ns,
                ended_ns=now,
                tokens=inference.produced,
                missed=state is InferState.DONE and now > inference.deadline_ns,
                usage=inference.usage,
                holder=inference.cap.holder,
                reason=inference.reason,
            )
        )
        op = "llm.infer.cancel" if state is InferState.CANCELLED else "llm.infer.end"
        usage = inference.usage
        self._record(
            by, op, inference.infer_id, code, state=int(state), tokens=inference.produced, lookups=usage.lookups,
            bytes_moved=usage.bytes_read + usage.bytes_written,
        )  # fmt: skip

    async def _fail(self, inference: Inference, refusal: Refusal) -> None:
        """An inference has failed; when the device was reset, all that run have."""
        code = refusal.code
        inference.reason = described(code, str(refusal))
        self.executor.cancel(inference.infer_id)
        hits = self._hits + sum(
            other.generation.usage.lookups - other.generation.usage.misses
            for other in self.book.live.values()
            if other.generation
        )
        reset = code is Code.DEVICE_FAULT and await self._was_reset(hits)
        await self._end(inference, InferState.FAILED, code, inference.cap)
        if reset:
            await self.device_was_reset()

    async def device_was_reset(self) -> None:
        """The device has lost every block: what runs fails with DeviceFault; what is queued stays queued."""
        for inference in [inference for inference in self.book.live.values() if not inference.queued]:
            self.executor.cancel(inference.infer_id)
            await self._end(inference, InferState.FAILED, Code.DEVICE_FAULT, inference.cap)
        self.gate.device_was_reset()
        self._hits = 0

    # ------------------------------------------------------------------ decisions

    @contextmanager
    def _decision(self, cap: Capability, op: str, obj: str, **counts: int) -> Iterator[dict[str, int]]:
        """Around the checks of a decision: one audit entry, and a refusal is counted."""
        try:
            with decided(self._audit, cap, op, obj, **counts) as known:
                yield known
        except Refusal as refusal:
            self.refused[op, refusal.code] += 1
            raise

    def _find(self, cap: Capability, op: str, infer_id: int) -> Inference:
        try:
            return self.book.find(cap, infer_id)
        except Refusal as refusal:
            self.refused[op, refusal.code] += 1
            self._record(cap, op, infer_id, refusal.code)
            raise

    def _record(self, cap: Capability, op: str, infer_id: int, code: Code, **counts: int) -> None:
        obj = f"infer:{infer_id}"
        self._audit.record(holder=cap.holder, cap_id=cap.id, op=op, obj=obj, code=code, **counts)
