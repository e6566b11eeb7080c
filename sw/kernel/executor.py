"""The loop that runs chunks as the scheduler says (software.md 2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sw.kernel.admission import BadArgument
from sw.kernel.clock import Clock
from sw.kernel.scheduler import Job, Scheduler

Chunk = Callable[[], Awaitable[bool]]
"""One bounded piece of work; True when the job has finished with it."""

Idle = Callable[[int | None], Awaitable[None]]
"""Lets time pass until the absolute time given, or until something may have come sooner."""


@dataclass(frozen=True, slots=True)
class _Entry:
    job: Job
    chunk: Chunk


class Executor:
    """Runs the chunks of jobs, one at a time; all device time of a chunk is charged to its server.

    Jobs may be added, blocked, unblocked and cancelled at any time, also by a chunk.

    Attributes:
        scheduler: decides; its servers are admitted by the caller.
        clock: tells the time.
    """

    def __init__(self, scheduler: Scheduler, clock: Clock, idle: Idle | None = None) -> None:
        """Have no jobs.

        Args:
            scheduler: who decides.
            clock: the time.
            idle: awaited when no job is ready, with the time at which a throttled server returns,
                or None if only blocked jobs are left; may unblock jobs. By default time passes
                until a server returns, and blocked jobs are left to others.
        """
        self.scheduler = scheduler
        self.clock = clock
        self._idle = idle
        self._entries: dict[int, _Entry] = {}
        self._runs = False

    def add(self, server_id: int, job_id: int, deadline_ns: int, chunk: Chunk) -> Job:
        """A job arrives now.

        Args:
            server_id: its server.
            job_id: its id, unique among the jobs that have not ended.
            deadline_ns: absolute.
            chunk: its work.

        Raises:
            UnknownServer: no such server.
            BadArgument: a job with this id has not ended.
        """
        if job_id in self._entries:
            raise BadArgument(f"job {job_id} has not ended")
        job = Job(job_id, deadline_ns)
        self.scheduler.submit(server_id, job, self.clock.now())
        self._entries[job_id] = _Entry(job, chunk)
        return job

    def cancel(self, job_id: int) -> bool:
        """Take a job away; one whose chunk runs ends with that chunk. False if there is no such job."""
        entry = self._entries.pop(job_id, None)
        if entry is None:
            return False
        self.scheduler.withdraw(entry.job, self.clock.now())
        return True

    def block(self, job_id: int) -> None:
        """A job waits for the device before its next chunk: not ready, not charged.

        Raises:
            BadArgument: no such job.
        """
        self.scheduler.block(self._job(job_id), self.clock.now())

    def unblock(self, job_id: int) -> None:
        """A job returns from its wait.

        Raises:
            BadArgument: no such job.
        """
        self.scheduler.unblock(self._job(job_id), self.clock.now())

    async def run_one(self) -> bool:
        """Run one chunk, or be idle once if no job is ready.

        Returns:
            False when nothing can go on by itself: no job is left, or only blocked ones and no
            `idle` was given.

        Raises:
            BadArgument: called from inside a chunk.
            Exception: what the chunk raised; its job has been charged and taken away.
        """
        if self._runs:
            raise BadArgument("a chunk is running")
        job = self.scheduler.dispatch(self.clock.now())
        if job is None:
            return await self._pass_time()
        await self._run(job)
        return True

    async def run_until_idle(self) -> None:
        """Run until `run_one` has nothing left."""
        while await self.run_one():
            pass

    async def _run(self, job: Job) -> None:
        start = self.clock.now()
        finished = False
        self._runs = True
        try:
            finished = await self._entries[job.id].chunk()
        except BaseException:
            if not job.withdrawn:
                self.cancel(job.id)
            raise
        finally:
            self._runs = False
            self.scheduler.ran(job, start, self.clock.now(), finished)
            if finished and not job.withdrawn:
                del self._entries[job.id]

    async def _pass_time(self) -> bool:
        returns = self.scheduler.next_event(self.clock.now())
        if self._idle is not None and (returns is not None or self._entries):
            await self._idle(returns)
            return True
        if returns is None:
            return False
        await self.clock.wait_until(returns)
        return True

    def _job(self, job_id: int) -> Job:
        try:
            return self._entries[job_id].job
        except KeyError:
            raise BadArgument(f"no job {job_id}") from None
