"""The only way to declare a test: `kv_test` on a coroutine or on a `KvUvmTest` class.

Guards what cocotb and pyuvm let pass: a test that checks nothing, drives nothing, raises no
objection, logs errors, waits for ever, or ends while something is still on its way.
"""

import asyncio
import faulthandler
import functools
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

import cocotb
from pyuvm import uvm_root, uvm_test

from tb.harness.context import Channel, Context, EndCheckError, Mismatch, TaskFailed, WatchdogError

__all__ = ["Channel", "Context", "EndCheckError", "KvUvmTest", "Mismatch", "WatchdogError", "context", "kv_test"]

TIMEOUT_CYCLES = 1_000_000
NO_PROGRESS_CYCLES = 50_000

_current: Context | None = None

Body = Callable[[Context], Awaitable[None]]
Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def context() -> Context:
    """The running test's context, for components that are not handed one."""
    if _current is None:
        raise RuntimeError("no test is running: context() works inside a kv_test only")
    return _current


class KvUvmTest(uvm_test):
    """Base of every pyuvm test: write `body`, never `run_phase`.

    `body` runs under an objection that is held until the drain is over, so that no check of another
    component is cancelled while it still has something to look at.
    """

    def __init__(self, name: str, parent: Any = None) -> None:
        super().__init__(name, parent)
        self.ctx = context()

    async def body(self) -> None:
        """What the test does; every test overrides it."""
        raise NotImplementedError(f"{type(self).__name__} has no body()")

    async def run_phase(self) -> None:
        """Run `body` and the drain under one objection."""
        self.raise_objection()
        await self.body()
        await self.ctx.drain()
        self.drop_objection()


async def _run(ctx: Context, body: Body | type[KvUvmTest]) -> None:
    if isinstance(body, type):
        await uvm_root().run_test(body)
        if not ctx.drained:
            ctx.fail(
                EndCheckError(
                    "the test ended at once: no objection was raised; write `body`, do not override `run_phase`"
                )
            )
    else:
        await body(ctx)
    await ctx.drain()  # pyuvm again: its check phase may have started something
    await ctx.finish()


def _make_test(body: Any, timeout_cycles: int, no_progress_cycles: int) -> Any:
    if isinstance(body, type) and not issubclass(body, KvUvmTest):
        raise TypeError(f"kv_test on class {body.__name__}: it must derive from KvUvmTest")
    module, name = body.__module__, body.__name__

    @cocotb.test(name=name)
    @functools.wraps(body, assigned=("__module__", "__qualname__", "__doc__"), updated=())
    async def test(dut: Any) -> None:
        global _current  # noqa: PLW0603 - one process runs one test
        ctx = _current = Context(dut, module, name)
        faulthandler.register(signal.SIGUSR1, all_threads=True)
        ctx.log_guard.install()
        ctx.start_watchdogs(timeout_cycles, no_progress_cycles)
        try:
            await _run(ctx, body)
        except asyncio.CancelledError:
            ctx.report(TaskFailed("a task of the test failed"))
            raise
        except BaseException as error:
            ctx.report(error)
            raise
        finally:
            ctx.close()
            ctx.log_guard.remove()

    return test


@overload
def kv_test(body: Decorated) -> Decorated: ...


@overload
def kv_test(*, timeout_cycles: int = ..., no_progress_cycles: int = ...) -> Callable[[Decorated], Decorated]: ...


def kv_test(
    body: Any = None, *, timeout_cycles: int = TIMEOUT_CYCLES, no_progress_cycles: int = NO_PROGRESS_CYCLES
) -> Any:
    """Declare a test (with or without parentheses).

    `timeout_cycles` bounds the simulated time, `no_progress_cycles` the time without a transaction
    or comparison, both in clock cycles.
    """

    def decorate(target: Any) -> Any:
        test = _make_test(target, timeout_cycles, no_progress_cycles)
        # cocotb finds tests by looking at the module; the class or coroutine itself stays usable.
        setattr(sys.modules[target.__module__], f"_kv_test_{target.__name__}", test)
        return target

    return decorate(body) if body is not None else decorate
