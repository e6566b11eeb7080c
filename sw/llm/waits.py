"""Inferences that have work and are not ready: their class has no tokens left, or their output is not read."""

from __future__ import annotations

from sw.kernel.clock import Clock
from sw.kernel.executor import Executor
from sw.kernel.scheduler import Scheduler
from sw.llm.classes import Classes
from sw.llm.config import CLASSES
from sw.llm.inference import Book, Inference, Wait


class Waits:
    """Blocks and unblocks inferences' jobs.

    Attributes:
        executor: of the jobs; it idles here when no job is ready.
    """

    def __init__(self, scheduler: Scheduler, clock: Clock, classes: Classes, book: Book) -> None:
        """No inference waits."""
        self.executor = Executor(scheduler, clock, self._idle)
        self._clock = clock
        self._classes = classes
        self._book = book

    @property
    def stuck(self) -> bool:
        """Whether no inference can go on by itself: all that there are wait for their readers."""
        return all(Wait.READER in inference.waits for inference in self._book.live.values())

    def submitted(self, inference: Inference) -> None:
        """An inference has become a job; perhaps in a period whose tokens are all emitted."""
        if self._classes.out_of_tokens(inference.cls) is not None:
            self._block(inference, Wait.TOKENS)

    def emitted(self, inference: Inference, tokens: int, *, ended: bool) -> None:
        """A chunk has emitted tokens; it was the last one if `ended`."""
        if tokens:
            self._classes.emitted(inference.cls, tokens)
        if self._classes.out_of_tokens(inference.cls) is not None:
            for other in self._book.live.values():
                if other.cls == inference.cls and not (other is inference and ended):
                    self._block(other, Wait.TOKENS)
        if not ended and inference.graph and inference.graph.full:
            self._block(inference, Wait.READER)

    def polled(self, inference: Inference) -> None:
        """Somebody has read."""
        if inference.graph and not inference.graph.full:
            self._unblock(inference, Wait.READER)

    def release(self) -> None:
        """Classes whose next period has begun, or whose limit was lifted, may emit tokens again."""
        for cls in range(CLASSES):
            waiting = self._out_of_tokens(cls)
            if waiting and self._classes.out_of_tokens(cls) is None:
                for inference in waiting:
                    self._unblock(inference, Wait.TOKENS)

    def _out_of_tokens(self, cls: int) -> list[Inference]:
        return [i for i in self._book.live.values() if i.cls == cls and Wait.TOKENS in i.waits]

    async def _idle(self, returns: int | None) -> None:
        """Time passes until a server has budget (`returns`), or a class tokens, again."""
        ends = [self._classes.out_of_tokens(cls) for cls in range(CLASSES) if self._out_of_tokens(cls)]
        until = min((end for end in (*ends, returns) if end is not None), default=None)
        if until is not None:
            await self._clock.wait_until(until)
        self.release()

    def _block(self, inference: Inference, wait: Wait) -> None:
        if not inference.waits:
            self.executor.block(inference.infer_id)
        inference.waits |= wait

    def _unblock(self, inference: Inference, wait: Wait) -> None:
        if not inference.waits:
            return
        inference.waits &= ~wait
        if not inference.waits:
            self.executor.unblock(inference.infer_id)
