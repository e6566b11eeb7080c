"""Tasks under a scheduler that is not ours: what they await of it goes through, what they pause for does not."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from sw.node.tasks import Task, pause
from sw.run import NotImmediate, run


class Trigger:
    """What a simulator's scheduler is given by whoever waits for it; it answers with a value or an error."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __await__(self) -> Generator[Trigger, Any, Any]:
        return (yield self)


class Scheduler:
    """Runs one coroutine and answers its triggers."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.seen: list[str] = []
        self._answers = answers

    def run(self, coroutine: Any) -> Any:
        value: Any = None
        while True:
            try:
                asked = coroutine.throw(value) if isinstance(value, BaseException) else coroutine.send(value)
            except StopIteration as stop:
                return stop.value
            assert isinstance(asked, Trigger), f"the scheduler was given {asked!r}"
            self.seen.append(asked.name)
            value = self._answers[asked.name]


def test_b8_tasks_take_turns_and_triggers_go_through() -> None:
    done: list[str] = []

    async def work(name: str) -> None:
        done.append(f"{name} {await Trigger(name)}")
        await pause()
        done.append(f"{name} {await Trigger(name)}")

    async def serve() -> None:
        tasks = [Task(work("a")), Task(work("b"))]
        while tasks:
            tasks = [task for task in tasks if not await task.step()]

    scheduler = Scheduler({"a": 1, "b": 2})
    scheduler.run(serve())
    assert done == ["a 1", "b 2", "a 1", "b 2"]
    assert scheduler.seen == ["a", "b", "a", "b"]


def test_an_error_of_the_scheduler_reaches_who_waits() -> None:
    async def work() -> None:
        with pytest.raises(ZeroDivisionError):
            await Trigger("bad")
        await pause()

    async def serve() -> list[bool]:
        task = Task(work())
        return [await task.step(), await task.step()]

    assert Scheduler({"bad": ZeroDivisionError()}).run(serve()) == [False, True]


def test_an_error_of_a_task_reaches_who_steps_it() -> None:
    async def work() -> None:
        await pause()
        raise KeyError("mine")

    task = Task(work())
    assert not run(task.step())
    with pytest.raises(KeyError, match="mine"):
        run(task.step())


def test_a_task_is_left_alone_until_it_is_ready() -> None:
    ready = False

    async def work() -> None:
        await pause(lambda: ready)

    task = Task(work())
    assert task.runnable
    assert not run(task.step())
    assert not task.runnable
    ready = True
    assert task.runnable
    assert run(task.step())


def test_plain_python_has_no_triggers() -> None:
    async def work() -> None:
        await Trigger("a simulator's")

    with pytest.raises(NotImmediate):
        run(Task(work()).step())
