"""The LLM service behind the frames 0x10 to 0x16 (software.md 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from enum import IntEnum

from sw.audit import AuditLog
from sw.control.codes import Code
from sw.control.llm_commands import InferRequest, InferState, PollAnswer, StatusAnswer
from sw.driver import Driver
from sw.kernel.buffers import Buffers
from sw.kernel.capability import Capability
from sw.kernel.clock import Clock
from sw.kernel.executor import Executor
from sw.kernel.scheduler import Scheduler
from sw.llm.backend import Backend
from sw.llm.config import LlmConfig
from sw.llm.package import Package
from sw.metrics.registry import Metrics


class BackendKind(IntEnum):
    """Flags of LLM_LOAD: who computes the model of a package."""

    MICRO = 0
    STUB = 1
    COPROCESSOR = 2


MakeBackend = Callable[[Package], Awaitable[Backend]]
"""A backend for a package that has passed every check.

Raises Refusal: ModelUnsupported, NoRoom.
"""


class LlmService:
    """Models, inferences, quotas; implements `LlmCommands`.

    Calls do not overlap: frames are handled between chunks (`run_one`), never during one.

    Attributes:
        executor: runs the inferences' chunks; its servers 0 to 3 are the classes.
        refused: refusals so far, by operation ("load", "infer.start", ...) and code.
        accepted: inferences that the gate has let through.
    """

    def __init__(
        self,
        config: LlmConfig,
        *,
        driver: Driver,
        clock: Clock,
        scheduler: Scheduler,
        buffers: Buffers,
        audit: AuditLog,
        metrics: Metrics,
        backends: Mapping[BackendKind, MakeBackend],
    ) -> None:
        """No model, no inference; the classes of the configuration are admitted.

        Raises:
            AdmissionRefused: the configured classes do not fit the bound.
        """
        self.executor = Executor(scheduler, clock)
        self.refused: Counter[tuple[str, Code]] = Counter()
        self.accepted = 0
        raise NotImplementedError

    # ------------------------------------------------------------------ frames

    async def load(self, cap: Capability, package_handle: int, wcet_cycles: int, flags: int) -> int:
        """LLM_LOAD: check a package and load its model; `flags` is a BackendKind.

        Raises:
            Refusal: NotFound, a package code (32 to 39), BadArgument, Unsupported, Exists, NoRoom, AdmissionRefused.
        """
        raise NotImplementedError

    async def infer_start(self, cap: Capability, request: InferRequest) -> int:
        """LLM_INFER_START: through the gate into the class's queue.

        Raises:
            Refusal: as docs/llm.md lists them; no infer_id is used.
        """
        raise NotImplementedError

    async def poll(self, cap: Capability, infer_id: int, max_items: int) -> PollAnswer:
        """LLM_INFER_POLL: takes tokens; an ended inference that is read to its end is forgotten.

        Raises:
            Refusal: NotFound.
        """
        raise NotImplementedError

    async def cancel(self, cap: Capability, infer_id: int) -> InferState:
        """LLM_CANCEL: ends an inference and frees its blocks; of an ended one: no effect.

        Raises:
            Refusal: NotFound.
        """
        raise NotImplementedError

    async def unload(self, cap: Capability, model_id: int) -> None:
        """LLM_UNLOAD.

        Raises:
            Refusal: NoModel; Busy while an inference of it has not ended.
        """
        raise NotImplementedError

    async def budget(self, cap: Capability, cls: int, budget_ns: int, period_ns: int, tokens_per_period: int) -> int:
        """LLM_BUDGET: admit or change the server of a class.

        Raises:
            Refusal: BadArgument, AdmissionRefused.
        """
        raise NotImplementedError

    async def status(self, cap: Capability) -> StatusAnswer:
        """LLM_STATUS."""
        raise NotImplementedError

    # ------------------------------------------------------------------ time

    async def run_one(self) -> bool:
        """Run one chunk, or let time pass until one may run.

        Returns:
            False when nothing can go on by itself: no inference is left, or only such whose output waits to be read.
        """
        raise NotImplementedError

    async def run_until_idle(self) -> None:
        """Run until `run_one` has nothing left."""
        while await self.run_one():
            pass

    async def device_was_reset(self) -> None:
        """The device has lost every block: what runs fails with DeviceFault; what is queued stays queued."""
        raise NotImplementedError

    def model(self, model_id: int = 0) -> Backend:
        """The backend of a loaded model (0: the only one), for tools that turn tokens into text.

        Raises:
            Refusal: NoModel.
        """
        raise NotImplementedError
