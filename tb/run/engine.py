"""Where the tests of a regression run: the interface of an engine, and the engine of the local cores."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Protocol

from tb.run import process
from tb.run.build import BuildSpec, Built, build
from tb.run.commands import say
from tb.run.errors import CheckError
from tb.run.leg import Job, Outcome, run_built
from tb.run.manifest import Leg
from tb.run.results import Broken, Results
from tb.run.screen import Screen

Work = Sequence[tuple[Leg, Sequence[Job]]]
"""What to run: the jobs of each leg."""


class Engine(Protocol):
    """Builds and runs tests somewhere; what they leave is in their folders here afterwards."""

    def run_all(self, work: Work, results: Results, screen: Screen) -> None:
        """Add the outcome of every job, and every leg whose build broke, to `results`.

        Raises UsageError: something is missing; KeyboardInterrupt with nothing left running.
        """
        ...

    def run_again(self, job: Job, spec: BuildSpec) -> Outcome:
        """Run one job on its own. Raises UsageError, CheckError (the build broke)."""
        ...


@dataclass(frozen=True)
class Local:
    """This machine: `workers` tests at the same time; tests run while the next leg is built."""

    workers: int

    def run_all(self, work: Work, results: Results, screen: Screen) -> None:
        """See `Engine`."""

        def one(job: Job, built: Built) -> Outcome:
            screen.started(job.title)
            outcome = run_built(job, built)
            screen.ended(job.title, outcome.verdict.passed)
            return outcome

        pool = ThreadPoolExecutor(self.workers)
        futures: list[Future[Outcome]] = []
        try:
            for leg, jobs in work:
                try:
                    built = build(replace(leg.spec, coverage=results.coverage), say, jobs=self.workers)
                except CheckError as error:
                    results.broken.append(Broken(leg, str(error)))
                    for job in jobs:
                        screen.ended(job.title, False)
                    continue
                futures += [pool.submit(one, job, built) for job in jobs]
            for future in as_completed(futures):
                results.outcomes.append(future.result())
        except BaseException:
            process.refuse_new()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()

    def run_again(self, job: Job, spec: BuildSpec) -> Outcome:
        """See `Engine`."""
        return run_built(job, build(spec, say))
