"""Regressions over worker processes with fake jobs: workers end, come late, are not fit; nothing is lost or left."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tb.run.engine import Work
from tb.run.errors import UsageError
from tb.run.leg import Job, Outcome
from tb.run.manifest import Leg
from tb.run.paths import ROOT
from tb.run.regress import run_legs
from tb.run.report import record
from tb.run.results import Results
from tb.run.screen import Screen
from tb.run.verdict import Verdict
from tests.cluster import fake_remote
from tests.cluster.conftest import LocalCluster, wait_for

pytest.importorskip("distributed", reason="the cluster tools are not installed: `make setup-cluster` does it")

from tb.run.cluster.connect import check_versions, connected

OF_A_RUN = ("time", "seconds", "host")  # what two runs of the same tests may differ in
NewCluster = Callable[..., LocalCluster]
FakeLeg = Callable[..., Leg]


class Here:
    """The same fake tests without a cluster."""

    def run_all(self, work: Work, results: Results, screen: Screen) -> None:
        for _leg, jobs in work:
            for job in jobs:
                log = job.folder / "sim.log"
                text = json.dumps(fake_remote.verdict(job.test, job.seed)).replace(str(Path.cwd()), str(ROOT))
                results.outcomes.append(Outcome(job, Verdict(**json.loads(text)), 0.1, log))

    def run_again(self, job: Job, spec: object) -> Outcome:
        raise AssertionError


def comparable(results: Results) -> dict[str, Any]:
    """The JSON report without times and hosts; what repeats a bucket is its quickest run, so that differs too."""
    data: dict[str, Any] = json.loads(json.dumps(record(results, {}, {})))
    for part in [data, *data["rows"]]:
        for key in OF_A_RUN:
            part.pop(key, None)
    for bucket in data["buckets"]:
        bucket["tests"].sort()
        bucket.pop("repeat")
    return data


def alive(cluster: LocalCluster) -> list[int]:
    """Processes of jobs that are still there."""
    pids = [int(path.name) for path in cluster.cache.rglob("pids/*")]
    return [pid for pid in pids if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"  # a zombie has ended
    except FileNotFoundError:
        return False


def test_a_worker_killed_in_the_middle_loses_nothing(
    new_cluster: NewCluster, sources: Path, fake_leg: FakeLeg, tmp_path: Path
) -> None:
    cluster = new_cluster(4)
    leg = fake_leg("passes", "fails", seeds=12)

    def kill_one() -> None:
        wait_for(lambda: len(list((tmp_path / "run").rglob("sim.log"))) >= 5)
        cluster.workers[0].send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    with connected(cluster.address, sources) as engine:
        killer.start()
        results = run_legs([leg], engine, seeds=None, coverage=False)
    killer.join()
    assert cluster.workers[0].wait() == -signal.SIGKILL
    assert results.counts == (12, 12)
    assert comparable(results) == comparable(run_legs([leg], Here(), seeds=None, coverage=False))
    logs = {path.read_text() for path in (tmp_path / "run").rglob("sim.log")}
    assert logs == {f"{test} {seed} in {ROOT}\n" for test in leg.tests for seed in range(1, 13)}
    assert not list(tmp_path.rglob("escaped"))
    assert alive(cluster) == []


def test_a_job_that_ends_three_workers_has_failed(new_cluster: NewCluster, sources: Path, fake_leg: FakeLeg) -> None:
    cluster = new_cluster(4)
    with connected(cluster.address, sources) as engine:
        results = run_legs([fake_leg("kills", "passes", seeds=1)], engine, seeds=None, coverage=False)
    assert results.counts == (1, 1)
    (failed,) = results.failed
    assert failed.job.test == "kills"
    assert failed.verdict.reasons[0].startswith("3 workers ended while they ran it (tcp://127.0.0.1:")
    assert failed.verdict.reasons[0] in failed.log.read_text()
    assert sum(worker.poll() is not None for worker in cluster.workers) == 3
    wait_for(lambda: not alive(cluster), 5)  # the jobs of workers that ended have ended too


def test_a_worker_that_comes_late_gets_the_sources(
    new_cluster: NewCluster, sources: Path, fake_leg: FakeLeg, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = new_cluster(0)
    with connected(cluster.address, sources) as engine:
        cluster.add_workers(2)
        results = run_legs([fake_leg("passes", seeds=6)], engine, seeds=None, coverage=False)
    assert results.counts == (6, 0)
    assert "cluster: 0 workers for 0 tests at the same time" in capsys.readouterr().out
    assert len(list((cluster.cache / "kvcpu/cluster/sources").glob("[0-9a-f]*"))) == 1, "once for a machine"


RUNNER = """
import sys
from pathlib import Path
from tb.run import leg as leg_module
from tb.run.command import run_command
from tb.run.cluster.connect import connected
from tb.run.manifest import Leg, load
from tb.run.regress import run_legs
address, folder = sys.argv[1], Path(sys.argv[2])
leg_module.RUNS = folder / "run"
def body():
    top = load(Path("tests/infra/designs/manifest.toml")).tops["counter"]
    leg = Leg("fake", "infra", top, "none", ("hangs",), "a fake leg", seeds=9)
    with connected(address, folder / "sources") as engine:
        run_legs([leg], engine, seeds=None, coverage=False)
    return 0
sys.exit(run_command(body))
"""


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_regression_leaves_no_job(
    new_cluster: NewCluster, sources: Path, tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    cluster = new_cluster(2)
    command = [sys.executable, "-c", RUNNER, cluster.address, str(tmp_path)]
    runner = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: len(alive(cluster)) == 2)
    runner.send_signal(sent)
    output, _ = runner.communicate(timeout=20)
    assert runner.returncode == status, output
    assert "Traceback" not in output
    assert sources.exists()
    if sent == signal.SIGKILL:
        wait_for(lambda: not alive(cluster), 20)
    else:
        assert alive(cluster) == []
        assert "interrupted" in output.splitlines()[-1]


def test_workers_of_other_versions_are_one_line(new_cluster: NewCluster, sources: Path, fake_leg: FakeLeg) -> None:
    lock = sources / "requirements/dev.txt"
    lock.write_text(lock.read_text() + "# newer\n")
    cluster = new_cluster(1)
    message = r"^worker on \S+: its environment \S+ is not of this checkout's versions: call `make setup-cluster` there"
    with connected(cluster.address, sources) as engine, pytest.raises(UsageError, match=message) as error:
        run_legs([fake_leg("passes")], engine, seeds=None, coverage=False)
    assert "\n" not in str(error.value)


def test_another_version_of_dask_is_one_line() -> None:
    mine = {
        "packages": {"python": "3.11.2.final.0", "dask": "3", "distributed": "3", "cloudpickle": "1", "msgpack": "1"}
    }
    other = {"packages": {**mine["packages"], "distributed": "2"}}

    class Client:
        def __init__(self, **parts: object) -> None:
            self.found = {"client": mine, "scheduler": mine, "workers": {"tcp://a:1": mine}, **parts}

        def get_versions(self, check: bool) -> dict[str, object]:
            assert not check
            return self.found

    check_versions(Client())
    for parts, who in (
        ({"scheduler": other}, "the scheduler"),
        ({"workers": {"tcp://b:2": other}}, "worker tcp://b:2"),
    ):
        with pytest.raises(
            UsageError, match=f"^{who} has distributed 2, this checkout has 3: .*setup-cluster"
        ) as error:
            check_versions(Client(**parts))
        assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="does not tell its versions"):
        check_versions(object())


def test_tls_is_configured_as_dask_does_it(
    new_cluster: NewCluster, sources: Path, fake_leg: FakeLeg, tmp_path: Path
) -> None:
    import dask

    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=kvcpu"]
    done = subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    cluster = new_cluster(
        1, "--tls-ca-file", str(certificate), "--tls-cert", str(certificate), "--tls-key", str(key), scheme="tls"
    )
    with pytest.raises(UsageError, match=r"^SCHEDULER=tls://\S+: no Dask"), connected(cluster.address, sources):
        pytest.fail("connected without a certificate")
    tls = {"ca-file": str(certificate), "client.cert": str(certificate), "client.key": str(key)}
    with (
        dask.config.set({f"distributed.comm.tls.{name}": path for name, path in tls.items()}),
        connected(cluster.address, sources) as engine,
    ):
        results = run_legs([fake_leg("passes", seeds=2)], engine, seeds=None, coverage=False)
    assert results.counts == (2, 0)
