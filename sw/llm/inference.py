"""An inference from the gate to its end, and the book of all of them (software.md 4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Flag, auto

from sw.codes import Code, Refusal
from sw.control.llm_commands import InferState
from sw.kernel.capability import Capability
from sw.llm.backend import Generation, Need, Sampling
from sw.llm.loaded import LoadedModel
from sw.llm.operator import LlmGraph
from sw.llm.windows import Reservation
from sw.metrics.usage import Usage

ENDED_KEPT = 64


class Wait(Flag):
    """Why an inference is not ready although it has work."""

    NOTHING = 0
    TOKENS = auto()
    """Its class has emitted all tokens of the period."""
    READER = auto()
    """Its output is not read, and the channel is full."""


@dataclass(slots=True, eq=False)
class Inference:
    """One inference that the gate has let through.

    Attributes:
        infer_id: its number, from 1 on; also its job's.
        cap: of who has submitted it; the holder owns it.
        accepted_ns, deadline_ns: absolute.
        request_id: of its blocks in the device; its own until the end.
        quota: of its tenant's tokens.
        graph: it runs in; None when it has ended.
        prompt: its bytes; empty once they are not needed any more.
        started_ns: of its first chunk; None before.
        ended: how and when (absolute ns); None before.
        generation: None before the first chunk and after the end.
        usage: what it has cost.
        waits: why it is not ready.
        announced: the device has received hints for what it will need.
        reason: why it has failed.
        produced: tokens so far; `read` of them were given to a poll, `unread` wait outside the graph.
    """

    infer_id: int
    cap: Capability
    cls: int
    model: LoadedModel
    sampling: Sampling
    prompt: bytes
    max_tokens: int
    need: Need
    accepted_ns: int
    deadline_ns: int
    request_id: int
    quota: Reservation
    graph: LlmGraph | None
    started_ns: int | None = None
    ended: tuple[InferState, int] | None = None
    usage: Usage = field(default_factory=Usage)
    waits: Wait = Wait.NOTHING
    announced: bool = False
    produced: int = 0
    read: int = 0
    unread: deque[int] = field(default_factory=deque)
    reason: str = ""

    @property
    def generation(self) -> Generation | None:
        """Its generation; None before the first chunk and after the end."""
        return self.graph.generation if self.graph else None

    @property
    def queued(self) -> bool:
        """Its first chunk has not begun."""
        return self.started_ns is None and self.ended is None

    def drain(self) -> None:
        """Take every token out of the graph."""
        while self.graph and (ids := self.graph.take()) is not None:
            self.unread.extend(ids)

    def take(self, count: int) -> tuple[int, ...]:
        """The next tokens, at most so many."""
        while self.graph and len(self.unread) < count and (ids := self.graph.take()) is not None:
            self.unread.extend(ids)
        taken = tuple(self.unread.popleft() for _ in range(min(count, len(self.unread))))
        self.read += len(taken)
        return taken


class Book:
    """All inferences that a client may still ask about.

    Attributes:
        live: those that have not ended, by number.
    """

    def __init__(self) -> None:
        """Be empty."""
        self.live: dict[int, Inference] = {}
        self._ended: dict[str, deque[Inference]] = {}
        self._last = 0

    def __iter__(self) -> Iterator[Inference]:
        """Those that have not ended, and those that have and were not read to their end, by number."""
        kept = [inference for ended in self._ended.values() for inference in ended]
        return iter(sorted([*self.live.values(), *kept], key=lambda inference: inference.infer_id))

    @property
    def next_id(self) -> int:
        """The number that `add` gives next."""
        return self._last + 1

    def add(self, inference: Inference) -> None:
        """A new one; its number is `next_id`."""
        self._last = inference.infer_id
        self.live[inference.infer_id] = inference

    def find(self, cap: Capability, infer_id: int) -> Inference:
        """An inference of the capability's holder.

        Raises:
            Refusal: NotFound: there is none, another holder has it, or it was read to its end.
        """
        inference = self.live.get(infer_id)
        if inference is not None and inference.cap.holder == cap.holder:
            return inference
        for ended in self._ended.get(cap.holder, ()):
            if ended.infer_id == infer_id:
                return ended
        raise Refusal(Code.NOT_FOUND, f"no inference {infer_id}")

    def end(self, inference: Inference) -> None:
        """It has ended: kept until it is read to its end, or until 64 newer ones of its holder have ended."""
        del self.live[inference.infer_id]
        kept = self._ended.setdefault(inference.cap.holder, deque())
        kept.append(inference)
        if len(kept) > ENDED_KEPT:
            kept.popleft()

    def forget(self, inference: Inference) -> None:
        """It was read to its end."""
        kept = self._ended[inference.cap.holder]
        kept.remove(inference)
        if not kept:
            del self._ended[inference.cap.holder]

    def queue(self, cls: int) -> int:
        """Inferences of a class whose first chunk has not begun."""
        return sum(inference.queued and inference.cls == cls for inference in self.live.values())

    def of(self, holder: str) -> int:
        """Inferences of a holder that have not ended."""
        return sum(inference.cap.holder == holder for inference in self.live.values())

    def next_queued(self, cls: int) -> Inference | None:
        """The inference of a class that starts next."""
        waiting = [inference for inference in self.live.values() if inference.queued and inference.cls == cls]
        return min(waiting, key=lambda inference: (inference.deadline_ns, inference.infer_id), default=None)
