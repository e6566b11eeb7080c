"""Requests side by side in one thread, under whatever scheduler the transport needs (sw/run.py, a simulator's).

A task runs until it pauses, which it does where nothing is half done; what else it awaits is its transport's, and goes
through to the scheduler of whoever steps it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class _Pause:
    ready: Callable[[], bool]

    def __await__(self) -> Generator[_Pause, None, None]:
        yield self


async def pause(ready: Callable[[], bool] = lambda: True) -> None:
    """Let other tasks run, at least until `ready`; only inside a task."""
    await _Pause(ready)


class Task:
    """A coroutine that is run from pause to pause."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Nothing of it has run yet."""
        self._coroutine = coroutine
        self._pause: _Pause | None = None

    @property
    def runnable(self) -> bool:
        """Whether a step would do something."""
        return self._pause is None or self._pause.ready()

    async def step(self) -> bool:
        """Run to the next pause, or to the end; whether that was the end.

        Raises:
            BaseException: what the coroutine raised.
        """
        return await _Step(self)

    def close(self) -> None:
        """End it where it is."""
        self._coroutine.close()


@dataclass(frozen=True, slots=True)
class _Step:
    task: Task

    def __await__(self) -> Generator[Any, Any, bool]:
        resume: Callable[[Any], Any] = self.task._coroutine.send
        value: Any = None
        while True:
            try:
                asked = resume(value)
            except StopIteration:
                return True
            if isinstance(asked, _Pause):
                self.task._pause = asked
                return False
            try:
                value = yield asked
                resume = self.task._coroutine.send
            except BaseException as error:  # noqa: BLE001 - the scheduler's word to whoever waits
                value, resume = error, self.task._coroutine.throw
