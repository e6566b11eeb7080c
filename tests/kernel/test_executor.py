"""The loop that runs chunks: order, charging, idling, cancelling, failing."""

from __future__ import annotations

import pytest

from model.device import DeviceModel
from sw.kernel.admission import BadArgument, ServerParams, UnknownServer
from sw.kernel.clock import Clock, CountedClock, DeviceClock
from sw.kernel.executor import Chunk, Executor
from sw.kernel.scheduler import Scheduler
from sw.regs import registers as regs
from sw.run import run
from sw.transport.model import ModelTransport


class Worker:
    """Jobs of `chunks` chunks of `ns` each, noted as they run."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.log: list[tuple[str, int]] = []

    def job(self, name: str, chunks: int, ns: int) -> Chunk:
        left = chunks

        async def chunk() -> bool:
            nonlocal left
            self.log.append((name, self.clock.now()))
            await self.clock.spend(ns)
            left -= 1
            return left == 0

        return chunk


def make(*servers: ServerParams) -> tuple[Executor, Worker]:
    scheduler = Scheduler()
    for number, params in enumerate(servers):
        scheduler.admit(number, params)
    clock = CountedClock()
    return Executor(scheduler, clock), Worker(clock)


def test_chunks_run_in_the_order_of_deadlines_and_are_charged() -> None:
    executor, worker = make(ServerParams(40, 100), ServerParams(20, 50))
    executor.add(0, 1, 100, worker.job("slow", 2, 10))
    executor.add(1, 2, 50, worker.job("fast", 2, 10))
    run(executor.run_until_idle())
    assert worker.log == [("fast", 0), ("fast", 10), ("slow", 20), ("slow", 30)]
    assert [executor.scheduler.stats(n).consumed_ns for n in (0, 1)] == [20, 20]
    assert not run(executor.run_one())


def test_a_throttled_server_is_waited_for() -> None:
    executor, worker = make(ServerParams(4, 10))
    executor.add(0, 1, 100, worker.job("job", 10, 3))
    run(executor.run_until_idle())
    assert [t for _, t in worker.log][:6] == [0, 3, 10, 20, 30, 33]
    assert executor.scheduler.stats(0).misses == 0


def test_device_time_of_accesses_inside_a_chunk_is_charged() -> None:
    transport = ModelTransport(DeviceModel(entries=1024, lanes=4))
    scheduler = Scheduler()
    scheduler.admit(0, ServerParams(1_000, 10_000))
    executor = Executor(scheduler, DeviceClock(transport))

    async def chunk() -> bool:
        await transport.read(regs.ID.offset)
        await transport.sleep(100)
        return True

    executor.add(0, 1, 10_000, chunk)
    run(executor.run_until_idle())
    assert scheduler.stats(0).consumed_ns == transport.now() == 6 * 4 + 100


def test_a_job_that_waits_for_the_device_is_not_charged_and_its_wait_is_idle_time() -> None:
    scheduler = Scheduler()
    scheduler.admit(0, ServerParams(10, 100))
    clock = CountedClock()
    waits: list[int | None] = []

    async def idle(until: int | None) -> None:
        waits.append(until)
        await clock.spend(25)
        executor.unblock(1)

    executor = Executor(scheduler, clock, idle)
    starts: list[int] = []

    async def chunk() -> bool:
        starts.append(clock.now())
        await clock.spend(5)
        if len(starts) == 1:
            executor.block(1)
        return len(starts) == 2

    executor.add(0, 1, 100, chunk)
    run(executor.run_until_idle())
    assert starts == [0, 30]
    assert waits == [None]
    assert scheduler.stats(0).consumed_ns == 10


def test_blocked_jobs_alone_end_the_loop_without_an_idle_hook() -> None:
    executor, worker = make(ServerParams(10, 100))
    executor.add(0, 1, 100, worker.job("job", 1, 1))
    executor.block(1)
    assert not run(executor.run_one())
    executor.unblock(1)
    run(executor.run_until_idle())
    assert worker.log == [("job", 0)]


def test_cancel_before_and_during_a_chunk() -> None:
    executor, worker = make(ServerParams(40, 100))
    executor.add(0, 1, 10, worker.job("never", 5, 5))
    assert executor.cancel(1)
    assert not executor.cancel(1)

    async def chunk() -> bool:
        await executor.clock.spend(5)
        executor.cancel(2)
        executor.add(0, 2, 20, worker.job("again", 1, 5))
        return True

    executor.add(0, 2, 10, chunk)
    run(executor.run_until_idle())
    assert worker.log == [("again", 5)]
    stats = executor.scheduler.stats(0)
    assert (stats.withdrawn, stats.finished, stats.misses, stats.consumed_ns) == (2, 1, 0, 10)


def test_a_chunk_that_fails_is_charged_and_its_job_is_gone() -> None:
    executor, worker = make(ServerParams(40, 100))

    async def chunk() -> bool:
        await executor.clock.spend(7)
        raise RuntimeError("the device does not answer")

    executor.add(0, 1, 100, chunk)
    executor.add(0, 2, 200, worker.job("other", 1, 1))
    with pytest.raises(RuntimeError, match="does not answer"):
        run(executor.run_one())
    stats = executor.scheduler.stats(0)
    assert (stats.consumed_ns, stats.withdrawn, stats.finished) == (7, 1, 0)
    run(executor.run_until_idle())
    assert worker.log == [("other", 7)]


def test_jobs_added_by_a_chunk_run() -> None:
    executor, worker = make(ServerParams(40, 100))

    async def chunk() -> bool:
        executor.add(0, 2, 50, worker.job("child", 1, 1))
        await executor.clock.spend(1)
        return True

    executor.add(0, 1, 100, chunk)
    run(executor.run_until_idle())
    assert worker.log == [("child", 1)]


def test_wrong_use_is_refused() -> None:
    executor, worker = make(ServerParams(40, 100))
    executor.add(0, 1, 100, worker.job("job", 1, 1))
    with pytest.raises(BadArgument, match="job 1 has not ended"):
        executor.add(0, 1, 100, worker.job("job", 1, 1))
    with pytest.raises(UnknownServer):
        executor.add(9, 2, 100, worker.job("job", 1, 1))
    for call in (executor.block, executor.unblock):
        with pytest.raises(BadArgument, match="no job 2"):
            call(2)

    async def chunk() -> bool:
        await executor.run_one()
        return True

    executor.add(0, 3, 1, chunk)
    with pytest.raises(BadArgument, match="a chunk is running"):
        run(executor.run_one())
