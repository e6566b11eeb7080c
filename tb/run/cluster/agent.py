"""What a worker of a cluster does for a regression.

A worker gets this module by value, so it uses only the standard library and Dask: all else comes with the sources. They
are unpacked once for each machine and content, under the user's cache folder; a job is a process of its own in them,
which ends when its worker does, or when its result is no longer wanted.
"""

import contextlib
import fcntl
import importlib.util
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin, get_worker

POLL_S = 0.1
GRACE_S = 5.0  # for a job's process to end what it has started
KEPT_S = 7 * 24 * 3600  # sources that no regression has used for so long are removed
REMOTE = "tb.run.cluster.remote"
PASSED_ON = ("HOME", "PATH", "TMPDIR", "LD_LIBRARY_PATH", "CPATH", "LIBRARY_PATH")
Reply = dict[str, Any]
"""`host`, and one of `refused` (why this worker cannot run jobs) and `result` (what `tb.run.cluster.remote` wrote)."""


def cache() -> Path:
    """Where this machine keeps sources, builds and runs of clusters."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kvcpu" / "cluster"


class Agent(WorkerPlugin):
    """The sources of one regression on a worker, and its jobs that run there."""

    def __init__(self, name: str, digest: str, archive: bytes) -> None:
        self.name = name
        self._digest = digest
        self._archive = archive

    def setup(self, worker: Any) -> None:
        """A worker begins to serve this regression."""
        self._unwanted: dict[str, threading.Event] = {}
        self._mutex = threading.Lock()
        self._ready = False

    def transition(self, key: str, start: str, finish: str, **_more: object) -> None:
        """Dask: a task has changed its state; one that was given up ends its process."""
        if finish in ("cancelled", "released", "forgotten") and key in self._unwanted:
            self._unwanted[key].set()

    def teardown(self, worker: Any) -> None:
        """The worker or the regression ends."""
        for event in self._unwanted.values():
            event.set()

    @property
    def running(self) -> int:
        """Jobs that have a process."""
        return len(self._unwanted)

    def run(self, key: str, request: bytes) -> Reply:
        """Run the job of the task `key`; blocks until it has ended."""
        host = socket.gethostname()
        self._unwanted[key] = unwanted = threading.Event()
        try:
            with self._mutex:
                tree = self._sources()
            return {"host": host, **_run(tree, request, unwanted)}
        except (OSError, RuntimeError) as error:
            return {"host": host, "refused": str(error)}
        finally:
            del self._unwanted[key]

    def _sources(self) -> Path:
        """The folder of the sources, with the worker's own environment. Raises OSError, RuntimeError."""
        tree = cache() / "sources" / self._digest
        if not self._ready:
            tree.parent.mkdir(parents=True, exist_ok=True)
            with (tree.parent / "lock").open("w") as mutex:
                fcntl.flock(mutex, fcntl.LOCK_EX)
                if not tree.exists():
                    _forget_old(tree.parent)
                    _unpack(self._archive, tree)
            _check_environment(tree)
            self._ready = True
        os.utime(tree)
        return tree


def _forget_old(folder: Path) -> None:
    for tree in folder.iterdir():
        if tree.is_dir() and time.time() - tree.stat().st_mtime > KEPT_S:
            shutil.rmtree(tree, ignore_errors=True)


def _unpack(archive: bytes, tree: Path) -> None:
    """The sources appear whole, with the machine's compiled objects and the environment of this worker."""
    staged = Path(tempfile.mkdtemp(prefix="unpack-", dir=tree.parent))
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
            tar.extractall(staged)
        (staged / ".venv").symlink_to(sys.prefix)
        objects = cache() / "objects"
        objects.mkdir(parents=True, exist_ok=True)
        (staged / "sim_build" / "cache").mkdir(parents=True)
        (staged / "sim_build" / "cache" / "objects").symlink_to(objects)
        staged.chmod(0o755)
        staged.rename(tree)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _check_environment(tree: Path) -> None:
    """Raise RuntimeError when this worker's environment is not what the locks of the sources name."""
    spec = importlib.util.spec_from_file_location("kvcpu_setup_env", tree / "tb" / "run" / "setup_env.py")
    if spec is None or spec.loader is None:
        raise RuntimeError("the sources have no tb/run/setup_env.py")
    setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup)
    locks = [tree / "requirements" / f"{name}.txt" for name in ("dev", "cluster")]
    if not setup.is_whole(Path(sys.prefix), locks):
        raise RuntimeError(
            f"its environment {sys.prefix} is not of this checkout's versions: call `make setup-cluster` there with "
            "these sources, and start the worker from that .venv"
        )


def _run(tree: Path, request: bytes, unwanted: threading.Event) -> Reply:
    """Run a job in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="kvcpu-job-") as folder:
        asked, reply, log = (Path(folder) / name for name in ("request", "reply", "log"))
        asked.write_bytes(request)
        command = [str(tree / ".venv" / "bin" / "python"), "-m", REMOTE, str(asked), str(reply)]
        env = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"LC_ALL": "C.UTF-8"}
        with log.open("wb") as out:
            child = subprocess.Popen(
                command, cwd=tree, env=env, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
            try:
                while child.poll() is None and not unwanted.is_set():
                    time.sleep(POLL_S)
            finally:
                _end(child)
        if reply.exists():
            return {"result": reply.read_bytes()}
        last = (log.read_text(errors="replace").strip().splitlines() or ["no message"])[-1]
        return {"refused": f"a job ended with status {child.returncode} and no result: {last}"}


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End a job's process: when its standard input ends it ends what it has started."""
    if child.stdin is not None:
        child.stdin.close()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def run_job(name: str, key: str, request: bytes) -> Reply:
    """The task of a job: reports that it has begun, and runs it."""
    worker = get_worker()
    worker.log_event(name, {"started": key, "worker": worker.address})
    agent: Agent = worker.plugins[name]
    return agent.run(key, request)


def count_running(name: str, dask_worker: Any) -> int:
    """Jobs of a regression that still have a process on this worker."""
    agent: Agent | None = dask_worker.plugins.get(name)
    return agent.running if agent is not None else 0
