"""What one running test knows and counts: the only object through which a test can pass.

A test passes when its counts say so: transactions and comparisons above zero, no mismatch, every
channel balanced, every queue drained, no error logged, no watchdog fired.
"""

import contextlib
import inspect
import json
import os
import random
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cocotb
import numpy as np
from cocotb.simtime import get_sim_time
from cocotb.triggers import Timer
from numpy.typing import ArrayLike

from tb.harness import message
from tb.harness.log_guard import LogGuard

DRAIN_CYCLES = 64
DRAIN_LIMIT_CYCLES = 20_000
DRAIN_STEP_CYCLES = 8
SHOWN_DIFFERENCES = 8

T = TypeVar("T")


class Mismatch(AssertionError):
    """What was seen is not what the golden model expects."""


class WatchdogError(AssertionError):
    """A limit of simulated time passed, or nothing happened for too long."""


class TaskFailed(RuntimeError):
    """Another task of the test failed, or the simulator ended; cocotb's results say which."""


class EndCheckError(AssertionError):
    """The test came to its end in a state that is no pass."""


@dataclass
class Channel:
    """A path on which everything that goes in must come out: counted on both sides."""

    name: str
    count_in: int = 0
    count_out: int = 0

    def sent(self, n: int = 1) -> None:
        """Count `n` items that went in."""
        self.count_in += n

    def received(self, n: int = 1) -> None:
        """Count `n` items that came out."""
        self.count_out += n

    def problem(self) -> str | None:
        """Why the channel is no pass, or None."""
        if self.count_in == self.count_out and self.count_in > 0:
            return None
        return f"channel `{self.name}`: {self.count_in} sent, {self.count_out} received"


class Context:
    """Counts, checks and watchdogs of one test; made by `kv_test`, reached with `tb.harness.base_test.context`."""

    def __init__(self, dut: Any, module: str, name: str) -> None:
        self.dut = dut
        self.module = module
        self.name = name
        self.seed = int(os.environ.get("KVCPU_SEED", "1"))
        self.parameters: dict[str, Any] = json.loads(os.environ.get("KVCPU_PARAMETERS", "{}"))
        self.settings: dict[str, Any] = json.loads(os.environ.get("KVCPU_SETTINGS", "{}"))
        self.run_dir = Path(os.environ.get("KVCPU_RUN_DIR", "."))
        self.clock_ps = int(os.environ.get("KVCPU_CLOCK_PS", "4000"))
        log = os.environ.get("KVCPU_EVENTLOG")
        self.event_log = Path(log) if log else None
        key = zlib.crc32(f"{module}.{name}".encode())
        self.rng = random.Random(f"{self.seed}/{key}")
        self.np_rng = np.random.default_rng([self.seed, key])
        np.random.seed([self.seed, key])  # NumPy's global generator, which a test or a library may use
        self.transactions = 0
        self.comparisons = 0
        self.mismatches = 0
        self.log_guard = LogGuard()
        self.drained = False
        self.reported = False
        self._progress = 0
        self._waits: dict[int, tuple[str, str, int]] = {}
        self._channels: dict[str, Channel] = {}
        self._drains: dict[str, Callable[[], int]] = {}
        self._ends: list[tuple[str, Callable[[], Any]]] = []
        self._closes: list[Callable[[], None]] = []

    # --- time

    @property
    def time_ps(self) -> int:
        """Simulated time in ps."""
        return int(get_sim_time("ps"))

    @property
    def cycle(self) -> int:
        """Rising edges of `tb_clock` so far: the same number as its `cycle_o`."""
        return (self.time_ps + self.clock_ps // 2) // self.clock_ps

    async def cycles(self, n: int) -> None:
        """Let `n` clock cycles pass without waking Python for each."""
        await Timer(n * self.clock_ps, "ps")

    # --- counting

    def progress(self, n: int = 1) -> None:
        """Tell the no-progress watchdog that something happened that is neither counted below."""
        self._progress += n

    def transaction(self, n: int = 1) -> None:
        """Count `n` transactions driven into or observed at the device."""
        self.transactions += n
        self._progress += n

    def compare(self, subject: str, expected: Any, seen: Any, /, **where: Any) -> None:
        """One comparison, in the contract's words. Raises Mismatch when `seen` is not `expected`."""
        self.comparisons += 1
        self._progress += 1
        if expected != seen:
            self.mismatches += 1
            self.fail(Mismatch(message.difference(subject, where, expected, seen)), where.get("at_cycle"))

    def compare_array(
        self, subject: str, expected: ArrayLike, seen: ArrayLike, /, index: str = "index", **where: Any
    ) -> None:
        """Element-wise comparison, counted per element. Raises Mismatch, naming the first differences."""
        want, got = np.asarray(expected), np.asarray(seen)
        if want.shape != got.shape:
            self.fail(Mismatch(f"{subject}: expected shape {want.shape}, seen {got.shape}"))
        self.comparisons += want.size
        self._progress += 1
        different = np.flatnonzero((want != got).reshape(-1))
        if different.size == 0:
            return
        self.mismatches += int(different.size)
        flat_want, flat_got = want.reshape(-1), got.reshape(-1)
        rows = [
            message.difference(subject, {**where, index: int(i)}, flat_want[i], flat_got[i])
            for i in different[:SHOWN_DIFFERENCES]
        ]
        rest = f" ({different.size} of {want.size} differ)"
        self.fail(Mismatch("\n  ".join(rows) + rest), where.get("at_cycle"))

    def compare_fields(
        self, subject: str, expected: Mapping[str, Any], seen: Mapping[str, Any], /, **where: Any
    ) -> None:
        """One comparison of something with fields. Raises Mismatch, naming each field that differs."""
        self.comparisons += 1
        self._progress += 1
        if any(seen.get(name) != value for name, value in expected.items()):
            self.mismatches += 1
            self.fail(Mismatch(message.field_differences(subject, where, expected, seen)), where.get("at_cycle"))

    def channel(self, name: str) -> Channel:
        """The channel of this name; the end of the test demands sent == received > 0."""
        return self._channels.setdefault(name, Channel(name))

    def expect_error(self, pattern: str, count: int = 1) -> contextlib.AbstractContextManager[None]:
        """Within the block exactly `count` records at ERROR or above match `pattern`, and do not fail the test."""
        return self.log_guard.expect(pattern, count)

    # --- waiting

    @contextlib.contextmanager
    def waiting(self, who: str, what: str) -> Iterator[None]:
        """Name a wait, so that the no-progress watchdog can say who waits for what."""
        token = object()
        self._waits[id(token)] = (who, what, self.cycle)
        try:
            yield
        finally:
            del self._waits[id(token)]

    async def wait(self, trigger: Awaitable[T], who: str, what: str) -> T:
        """Await `trigger` as a named wait."""
        with self.waiting(who, what):
            return await trigger

    def waits(self) -> list[str]:
        """The open named waits, longest first, and the drains that are not empty."""
        lines = [
            f"{who} waits for {what} since cycle {since}"
            for who, what, since in sorted(self._waits.values(), key=lambda w: w[2])
        ]
        lines += [f"{name}: {count} left" for name, count in self._left().items()]
        return lines or ["no wait was declared (use ctx.waiting)"]

    # --- failing

    def fail(self, error: BaseException, at_cycle: int | None = None) -> None:
        """Print the line that the runner reads (cycle, reason) and raise `error`.

        `at_cycle` is when it happened, if that was seen later: waves are cut around it.
        """
        self.report(error, at_cycle)
        raise error

    def report(self, error: BaseException, at_cycle: int | None = None) -> None:
        """Print `KVCPU-FAIL` once for the first failure of the test."""
        if self.reported:
            return
        self.reported = True
        cycle, time_ps = self.cycle, self.time_ps
        if at_cycle is not None and at_cycle < cycle:
            cycle, time_ps = at_cycle, time_ps - (cycle - at_cycle) * self.clock_ps
        text = (str(error) or type(error).__name__).replace("\n", "\nKVCPU-MORE")
        print(
            f"KVCPU-FAIL cycle={cycle} time_ps={time_ps} test={self.name} kind={type(error).__name__} {text}",
            flush=True,
        )

    async def watch_time(self, timeout_cycles: int) -> None:
        """Watchdog of simulated time."""
        await self.cycles(timeout_cycles)
        self.fail(WatchdogError(f"not done after {timeout_cycles} cycles; " + "; ".join(self.waits())))

    async def watch_progress(self, no_progress_cycles: int) -> None:
        """Watchdog of progress: nothing counted for a whole period."""
        while True:
            before = self._progress
            await self.cycles(no_progress_cycles)
            if self._progress == before:
                self.fail(WatchdogError(f"no progress for {no_progress_cycles} cycles; " + "; ".join(self.waits())))

    # --- the end

    def on_drain(self, name: str, pending: Callable[[], int]) -> None:
        """`pending()` must be 0 before the test may end (queue lengths, transfers in flight)."""
        self._drains[name] = pending

    def on_end(self, name: str, check: Callable[[], Any]) -> None:
        """`check` runs after the drain (plain or async); it raises or compares."""
        self._ends.append((name, check))

    def on_close(self, close: Callable[[], None]) -> None:
        """`close` runs when the test is over, however it ends."""
        self._closes.append(close)

    def close(self) -> None:
        """The test is over: write out and close what it has opened."""
        for close in self._closes:
            close()

    def _left(self) -> dict[str, int]:
        return {
            name: count for name, count in ((name, int(pending())) for name, pending in self._drains.items()) if count
        }

    async def drain(self) -> None:
        """Wait until nothing is pending for DRAIN_CYCLES. Raises EndCheckError at DRAIN_LIMIT_CYCLES."""
        quiet = waited = 0
        while quiet < DRAIN_CYCLES:
            if waited >= DRAIN_LIMIT_CYCLES:
                left = ", ".join(f"{name} has {count}" for name, count in self._left().items())
                self.fail(EndCheckError(f"not drained after {DRAIN_LIMIT_CYCLES} cycles: {left}"))
            await self.cycles(DRAIN_STEP_CYCLES)
            waited += DRAIN_STEP_CYCLES
            self.progress()
            quiet = 0 if self._left() else quiet + DRAIN_STEP_CYCLES
        self.drained = True

    async def finish(self) -> None:
        """Run the end checks and print the end token. Raises EndCheckError or what a check raises."""
        for _name, check in self._ends:
            result = check()
            if inspect.isawaitable(result):
                await result
        problems = [p for p in (channel.problem() for channel in self._channels.values()) if p]
        problems += [f"{name} has {count} left" for name, count in self._left().items()]
        if self.transactions == 0:
            problems.append("no transactions")
        if self.comparisons == 0:
            problems.append("no comparisons")
        if self.mismatches:
            problems.append(f"{self.mismatches} mismatches")
        if self.log_guard.errors:
            problems.append(f"{len(self.log_guard.errors)} errors logged, the first: {self.log_guard.errors[0]}")
        if problems:
            self.fail(EndCheckError("end of test: " + "; ".join(problems)))
        counts = f"transactions={self.transactions} comparisons={self.comparisons} mismatches={self.mismatches}"
        print(f"KVCPU-END test={self.name} {counts}", flush=True)

    def start_watchdogs(self, timeout_cycles: int, no_progress_cycles: int) -> None:
        """Start both watchdogs as tasks of the running test."""
        cocotb.start_soon(self.watch_time(timeout_cycles), name="watchdog: simulated time")
        cocotb.start_soon(self.watch_progress(no_progress_cycles), name="watchdog: progress")
