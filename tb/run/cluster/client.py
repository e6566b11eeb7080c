"""A regression's side of a Dask cluster: sends the sources and the jobs, takes back what the runs leave."""

import contextlib
import json
import operator
import pickle
import queue
import secrets
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import cloudpickle
from distributed import KilledWorker

from tb.run.artefacts import remove
from tb.run.build import BuildSpec
from tb.run.cluster import agent
from tb.run.cluster.archive import pack
from tb.run.cluster.remote import LOGS, REPLY, RUN, Request
from tb.run.commands import say
from tb.run.engine import Work
from tb.run.errors import CheckError, UsageError
from tb.run.leg import Job, Outcome, alone
from tb.run.paths import CACHE, ROOT
from tb.run.results import Broken, Results
from tb.run.screen import Screen
from tb.run.verdict import Verdict

POLL_S = 0.5
WAITING_S = 30  # without workers this long: one line
ENDING_S = 10
DEADLY = 3  # workers that a job may end before it counts as failed
TEXTS = (".log", ".json", ".xml")  # files that may name the folder of the sources

cloudpickle.register_pickle_by_value(agent)


class _ByValue:
    """A function of the agent as a worker gets it, which has none of the project's modules."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._pickled = cloudpickle.dumps(function)

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return pickle.loads, (self._pickled,)


@dataclass
class _Task:
    """A job on its way: its current task, where that runs, and the workers that ended while it ran there."""

    job: Job
    spec: BuildSpec
    future: Any = None
    worker: str = ""
    deaths: list[str] = field(default_factory=list)


class Cluster:
    """The engine of a cluster (see `tb.run.engine.Engine`)."""

    def __init__(self, client: Any, root: Path) -> None:
        self._client = client
        self._root = root  # of the sources that the workers get
        self._name = f"kvcpu-{secrets.token_hex(6)}"
        self._tasks: dict[str, _Task] = {}  # by the key of the current task
        self._events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._run_job = _ByValue(agent.run_job)

    def open(self) -> None:
        """Let every worker, also one that comes later, have the sources. Raises UsageError: git does not list them."""
        archive = pack(self._root)
        self._client.subscribe_topic(self._name, lambda event: self._events.put(("started", event[1])))
        self._client.subscribe_topic("all", self._on_scheduler_event)
        self._client.register_plugin(agent.Agent(self._name, archive.digest, archive.data), name=self._name)

    def close(self) -> None:
        """Give up what is not finished, and wait until no worker runs any of it."""
        with contextlib.suppress(Exception):  # the scheduler may be gone, and with it its workers' tasks
            self._client.cancel([task.future for task in self._tasks.values()], force=True)
            deadline = time.monotonic() + ENDING_S
            while time.monotonic() < deadline and any(self._client.run(agent.count_running, self._name).values()):
                time.sleep(POLL_S)
            self._client.unregister_worker_plugin(self._name)

    def run_all(self, work: Work, results: Results, screen: Screen) -> None:
        """See `tb.run.engine.Engine`."""
        for leg, jobs in work:
            spec = replace(leg.spec, coverage=results.coverage)
            for job in jobs:
                self._submit(_Task(job, spec))
        broken: dict[str, str] = {}
        for task, reply in self._finished(screen):
            if isinstance(reply, Outcome):
                results.outcomes.append(reply)
            elif task.job.leg.name not in broken:
                broken[task.job.leg.name] = reply
                results.broken.append(Broken(task.job.leg, reply))
            screen.ended(task.job.title, isinstance(reply, Outcome) and reply.verdict.passed)

    def run_again(self, job: Job, spec: BuildSpec) -> Outcome:
        """See `tb.run.engine.Engine`."""
        self._submit(_Task(job, spec))
        for _task, reply in self._finished(None):
            if isinstance(reply, Outcome):
                return reply
            raise CheckError(reply)
        raise UsageError("the cluster gave no answer")

    def _submit(self, task: _Task) -> None:
        key = f"{self._name}-{task.job.leg.name}-{task.job.test}-{task.job.seed}-{secrets.token_hex(4)}"
        request = pickle.dumps(Request(task.job, task.spec, self._root))
        task.worker = ""
        self._tasks[key] = task
        task.future = self._client.submit(operator.call, self._run_job, self._name, key, request, key=key, pure=False)
        task.future.add_done_callback(lambda future: self._events.put(("done", future.key)))

    def _on_scheduler_event(self, event: tuple[float, dict[str, Any]]) -> None:
        """Dask, in its thread: the scheduler has logged something."""
        if event[1].get("action") == "remove-worker" and not event[1].get("expected"):
            self._events.put(("removed", event[1]))

    def _finished(self, screen: Screen | None) -> Iterator[tuple[_Task, Outcome | str]]:
        """Every job once, as it ends, with its outcome, or with why its build failed. Raises UsageError."""
        told = time.monotonic()
        while self._tasks:
            try:
                kind, what = self._events.get(timeout=POLL_S)
            except queue.Empty:
                if time.monotonic() - told > WAITING_S:
                    told = time.monotonic()
                    self._tell_waiting()
                continue
            if kind == "started" and what["started"] in self._tasks:
                task = self._tasks[what["started"]]
                task.worker = what["worker"]
                if screen is not None:
                    screen.started(task.job.title)
            elif kind == "removed":
                yield from self._worker_ended(what["worker"], set(what["processing-tasks"]))
            elif kind == "done" and what in self._tasks:
                task = self._tasks.pop(what)
                reply = self._reply(task)
                if reply is not None:
                    yield task, reply

    def _tell_waiting(self) -> None:
        if not self._client.nthreads():
            say(f"cluster: {len(self._tasks)} tests wait: the scheduler has no worker")

    def _worker_ended(self, worker: str, processing: set[str]) -> Iterator[tuple[_Task, Outcome]]:
        """Count the end of a worker for the jobs that it ran; a deadly one has failed, the others run elsewhere."""
        for key, task in list(self._tasks.items()):
            if task.worker != worker or key not in processing:
                continue
            task.worker = ""
            task.deaths.append(worker)
            if len(task.deaths) >= DEADLY:
                del self._tasks[key]
                self._client.cancel([task.future], force=True)
                yield task, _deadly(task)

    def _reply(self, task: _Task) -> Outcome | str | None:
        """What came of a task that has ended; None when its job was given to the workers again."""
        try:
            reply = task.future.result()
        except KilledWorker:  # the scheduler counts also workers that had it only in their queue
            self._submit(task)
            return None
        except Exception as error:  # noqa: BLE001 - whatever Dask raises: a connection that is lost has many names
            raise UsageError(f"the cluster has lost {task.job.title} ({type(error).__name__}): call again") from None
        task.future = None  # lets the workers forget the result
        host = reply["host"]
        if "refused" in reply:
            raise UsageError(f"worker on {host}: {reply['refused']}")
        with zipfile.ZipFile(BytesIO(reply["result"])) as files:
            return self._take(task.job, host, files)

    def _take(self, job: Job, host: str, files: zipfile.ZipFile) -> Outcome | str:
        """Put the files of a run where a local one leaves them; the outcome, or why the build failed."""
        there = json.loads(files.read(REPLY))["root"]
        answer = json.loads(files.read(REPLY).decode().replace(there, str(ROOT)))
        if "refused" in answer:
            raise UsageError(f"worker on {host}: {answer['refused']}")
        if "broken" in answer:
            _extract(files, LOGS, CACHE, there)
            return str(answer["broken"])
        with alone(job) as numbered:
            folder = numbered.folder
            remove(folder)
            _extract(files, RUN, folder, there)
        waves = folder / answer["waves"] if answer["waves"] else None
        return Outcome(numbered, Verdict(**answer["verdict"]), answer["seconds"], folder / "sim.log", waves, host)


def _extract(files: zipfile.ZipFile, prefix: str, folder: Path, there: str) -> None:
    """Write the files below `prefix` into a folder; texts name the sources here, not those on the worker."""
    for name in files.namelist():
        path = PurePosixPath(name.removeprefix(prefix))
        if not name.startswith(prefix) or path.is_absolute() or ".." in path.parts:
            continue
        content = files.read(name)
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.replace(there.encode(), str(ROOT).encode()) if target.suffix in TEXTS else content)


def _deadly(task: _Task) -> Outcome:
    """The outcome of a job that no worker survives."""
    reason = f"{DEADLY} workers ended while they ran it ({', '.join(task.deaths)}): see their logs; out of memory?"
    verdict = Verdict(passed=False, reasons=[reason], killed="worker")
    with alone(task.job) as job:
        remove(job.folder)
        job.folder.mkdir(parents=True)
        log = job.folder / "sim.log"
        log.write_text(f"{reason}\n")
    return Outcome(job, verdict, 0.0, log, host="")
