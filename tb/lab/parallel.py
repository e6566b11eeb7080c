"""Runs of an experiment on two processes; what they say comes back to the one that shows it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from queue import Empty
from typing import Any, TypeVar

WORKERS = 2
POLL_S = 0.2
Say = Callable[[str], None]
T = TypeVar("T")
_said: list[Say] = []


def _begin(put: Say) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the workers through their parent, which sends SIGTERM
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _said[:] = [put]


def _call(work: Callable[..., T], arguments: Sequence[Any]) -> T:
    return work(*arguments, _said[0])


def in_parallel(work: Callable[..., T], tasks: Sequence[Sequence[Any]], say: Say) -> list[T]:
    """`work(*arguments, say)` for each task, WORKERS at a time; results in the order of the tasks.

    What a worker says is said here. An exception of a worker is raised here; no worker is left, however this ends.
    """
    context = get_context("fork")
    with context.Manager() as manager:
        said = manager.Queue()
        with context.Pool(WORKERS, _begin, (said.put,)) as pool:
            waiting = [pool.apply_async(_call, (work, arguments)) for arguments in tasks]
            while not all(one.ready() for one in waiting):
                _say_all(said, say, POLL_S)
            _say_all(said, say, 0.0)
            return [one.get() for one in waiting]


def _say_all(said: Any, say: Say, wait_s: float) -> None:
    """What has been said since the last call; waits so long for the first."""
    try:
        while True:
            say(said.get(timeout=wait_s) if wait_s else said.get_nowait())
    except Empty:
        return
