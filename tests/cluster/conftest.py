"""Clusters of processes on this machine, and fake sources whose jobs take a fraction of a second."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tb.run import leg as leg_module
from tb.run.manifest import Leg, load
from tb.run.paths import ROOT
from tests.infra.conftest import MANIFEST
from tests.infra.conftest import manifest as manifest  # noqa: PLC0414 - a fixture

START_S = 60


@dataclass
class LocalCluster:
    """A scheduler and its workers, each a process of its own; `cache` is where the workers keep sources."""

    folder: Path
    options: list[str] = field(default_factory=list)
    scheme: str = "tcp"
    workers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.address = f"{self.scheme}://127.0.0.1:{server.getsockname()[1]}"
        port = self.address.rpartition(":")[2]
        self.scheduler = self._start("scheduler", "--host", f"{self.scheme}://127.0.0.1", "--port", port)

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def _start(self, what: str, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "dask", what, *arguments, "--no-dashboard", *self.options]
        with (self.folder / "cluster.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, "XDG_CACHE_HOME": str(self.cache)},
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def add_workers(self, count: int) -> None:
        fixed = ["--nthreads", "1", "--no-nanny", "--memory-limit", "0", "--local-directory", str(self.folder)]
        self.workers += [self._start("worker", self.address, *fixed) for _ in range(count)]

    def stop(self) -> None:
        for process in [*self.workers, self.scheduler]:
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.fixture
def new_cluster(tmp_path: Path) -> Iterator[Callable[..., LocalCluster]]:
    """Starts a cluster: `new_cluster(4)`."""
    started: list[LocalCluster] = []

    def make(workers: int, *options: str, scheme: str = "tcp") -> LocalCluster:
        started.append(LocalCluster(tmp_path, list(options), scheme))
        started[-1].add_workers(workers)
        return started[-1]

    yield make
    for cluster in started:
        cluster.stop()


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A checkout in which a job is `fake_remote.py`."""
    root = tmp_path / "sources"
    for name in ("tb/run/setup_env.py", "requirements/dev.txt", "requirements/cluster.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / "tb" / "run" / "cluster").mkdir()
    shutil.copy(Path(__file__).with_name("fake_remote.py"), root / "tb" / "run" / "cluster" / "remote.py")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


@pytest.fixture
def fake_leg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Leg]:
    """A leg with these tests: `fake_leg("passes", "fails", seeds=10)`; runs leave their files in the test's folder."""
    monkeypatch.setattr(leg_module, "RUNS", tmp_path / "run")
    top = load(MANIFEST).tops["counter"]
    return lambda *tests, seeds=1: Leg("fake", "infra", top, "none", tests, "a fake leg", seeds=seeds)


def wait_for(what: Callable[[], object], seconds: float = START_S) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.05)
