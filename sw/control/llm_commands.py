"""What the control plane asks of an LLM service (software.md 3, commands 0x10 to 0x16)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from sw.kernel.capability import Capability


class InferState(IntEnum):
    """States of an inference (software.md 4)."""

    QUEUED = 0
    RUNNING = 1
    THROTTLED = 2
    DONE = 3
    CANCELLED = 4
    FAILED = 5


@dataclass(frozen=True, slots=True)
class InferRequest:
    """LLM_INFER_START; the fields of the longer form are 0 in the shorter one.

    Attributes:
        prompt_handle: a shared buffer of the capability's holder.
        max_tokens: u16.
        cls: class, 0 to 3; another is the service's to refuse.
        deadline_ns: relative to acceptance; 0: the class's period.
        model_id: 0: the only one.
        seed: u64 of the sampling.
        temperature, top_p: thousandths; 0: off. top_k: 0: off.
    """

    prompt_handle: int
    max_tokens: int
    cls: int
    deadline_ns: int
    model_id: int = 0
    seed: int = 0
    temperature: int = 0
    top_k: int = 0
    top_p: int = 0


@dataclass(frozen=True, slots=True)
class PollAnswer:
    """LLM_INFER_POLL; at most min(max_items, 12) tokens, the first of them is number `first_index`."""

    infer_id: int
    state: InferState
    first_index: int
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """LLM_STATUS; counts, and the sum of the admitted servers' shares in ppm."""

    models: int
    queued: int
    running: int
    used_ppm: int
    accepted: int
    rejected: int
    misses: int


class LlmCommands(Protocol):
    """The LLM service behind the frames.

    The control plane has checked the capability (object, right, expiry); the service checks that a
    handle or infer_id is the holder's. Each refuses with a `Refusal`. The service writes the audit
    entry of each decision itself, because it knows sizes and token counts; the control plane
    writes none for these commands beyond that of the capability check.
    """

    async def load(self, cap: Capability, package_handle: int, wcet_cycles: int, flags: int) -> int:
        """LLM_LOAD; the model id. `wcet_cycles` 0: the package's."""

    async def infer_start(self, cap: Capability, request: InferRequest) -> int:
        """LLM_INFER_START; the infer_id."""

    async def poll(self, cap: Capability, infer_id: int, max_items: int) -> PollAnswer:
        """LLM_INFER_POLL."""

    async def cancel(self, cap: Capability, infer_id: int) -> InferState:
        """LLM_CANCEL; the state it is in then."""

    async def unload(self, cap: Capability, model_id: int) -> None:
        """LLM_UNLOAD."""

    async def budget(self, cap: Capability, cls: int, budget_ns: int, period_ns: int, tokens_per_period: int) -> int:
        """LLM_BUDGET; the used_ppm."""

    async def status(self, cap: Capability) -> StatusAnswer:
        """LLM_STATUS."""
