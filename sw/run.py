"""Drives coroutines that await only a transport, without any event loop."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class NotImmediate(RuntimeError):
    """A coroutine waited for something that plain Python cannot give it."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return its result.

    Raises:
        NotImmediate: it awaited something else than an immediate transport (a simulator's
            trigger, an asyncio object); such code runs under that scheduler.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    coroutine.close()
    raise NotImmediate(f"the coroutine waits for {awaited!r}; run it under that scheduler")


class Sync:
    """A synchronous view of an object with `async` methods, for scripts and tests."""

    def __init__(self, target: object) -> None:
        """Wrap `target`."""
        self._target = target

    def __getattr__(self, name: str) -> Any:
        """The attribute; coroutine functions run to their end when called."""
        value = getattr(self._target, name)
        if not inspect.iscoroutinefunction(value):
            return value
        return _synchronous(value)


def _synchronous(function: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., T]:
    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> T:
        return run(function(*arguments, **named))

    return call
