"""The RTL behind the socket: builds it, starts the simulator, waits for its socket, ends it in good order."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

from sw.node.client import Client, NodeError
from sw.node.lock import refuse_second, remove_dead
from tb.run.build import Built, build
from tb.run.errors import CheckError
from tb.run.leg import Job, Outcome, run_built
from tb.run.process import kill_all
from tb.run.verdict import Verdict
from tb.serve.options import Options
from tb.sim.leg import folder_of_its_own, judged, sized_job

LEG = "serve"
TEST = "serve"
FOLDER = "serve"
POLL_S = 0.1
GRACE_S = 60.0  # for the rest of the device and the comparison of everything it holds


def job_for(options: Options) -> Job:
    """The serve leg with the user's sizes. Raises UsageError."""
    return sized_job(LEG, TEST, options, {"socket": str(options.socket), "free_run": options.free_run})


def _reach(options: Options) -> Client | None:
    try:
        return Client(options.socket)
    except NodeError:
        return None


class _Simulation(threading.Thread):
    """The simulator's process, waited for in a thread of its own so that this one can end it."""

    def __init__(self, job: Job, built: Built) -> None:
        super().__init__(name="simulation", daemon=True)
        self._job, self._built = job, built
        self.outcome: Outcome | None = None
        self.over = threading.Event()  # join() cannot be relied on once a signal has interrupted it (Python 3.11)

    def run(self) -> None:
        try:
            with folder_of_its_own(self._job, FOLDER) as mine:
                self.outcome = run_built(mine, self._built)
        finally:
            self.over.set()


def serve(options: Options, ready: Callable[[], None], say: Callable[[str], None]) -> str:
    """Serve until Ctrl-C.

    Returns what was checked, in one line.

    Raises UsageError, PlaceError, CheckError, Difference: it cannot begin, or did not end well; KeyboardInterrupt: a
    second Ctrl-C.
    """
    refuse_second(options.socket)
    job = job_for(options)
    built = build(job.leg.spec, say)
    simulation = _Simulation(job, built)
    simulation.start()
    server = 0
    try:
        while not simulation.over.wait(POLL_S):
            if not server and (client := _reach(options)):
                server = client.pid
                client.close()
                ready()
    except KeyboardInterrupt:
        if not server:
            raise
        _end(simulation, server)
        verdict = _judge(simulation)
        return f"{verdict.transactions:,} transactions, {verdict.comparisons:,} comparisons, no mismatch"
    finally:
        kill_all()
        simulation.over.wait()
        remove_dead(options.socket)
    _judge(simulation)
    raise CheckError("the simulation ended by itself")


def _end(simulation: _Simulation, server: int) -> None:
    """Ask the server to stop after the command that runs, and wait for its last checks."""
    with suppress(ProcessLookupError):
        os.kill(server, signal.SIGTERM)
    if not simulation.over.wait(GRACE_S):
        raise CheckError(
            f"the simulation did not end within {GRACE_S:g} s and was killed; nothing was compared at its end"
        )


def _judge(simulation: _Simulation) -> Verdict:
    """The verdict of a run that passes. Raises Difference, CheckError for another."""
    if simulation.outcome is None:
        raise CheckError("the simulation could not be run")
    return judged(simulation.outcome)
