"""The report of a regression over a cluster is that of a local one, with the real testbench on a small design."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tb.run.engine import Engine, Local
from tb.run.manifest import Leg, Manifest
from tb.run.paths import CACHE
from tb.run.regress import run_legs, tell
from tb.run.report import write_reports
from tests.cluster.conftest import LocalCluster
from tests.infra.conftest import PLANTED

pytest.importorskip("distributed", reason="the cluster tools are not installed: `make setup-cluster` does it")

from tb.run.cluster.connect import connected

SETTINGS = {"level": None, "quick": False, "seeds": 1, "coverage": False}
OF_A_RUN = ("time", "seconds", "host", "waves", "repeat", "tests")  # `waves` are numbered, the others follow times


def cleaned(value: Any) -> Any:
    """A report without what differs between two runs of the same tests."""
    if isinstance(value, dict):
        return {key: cleaned(one) for key, one in value.items() if key not in OF_A_RUN}
    return [cleaned(one) for one in value] if isinstance(value, list) else value


def redirect(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run leave everything in a folder."""
    monkeypatch.setattr("tb.run.report.REPORT", folder / "report")
    monkeypatch.setattr("tb.run.history.HISTORY", folder / "history")
    monkeypatch.setattr("tb.run.report._judge_plan", lambda _staged: ("", True, None))
    monkeypatch.setattr("tb.run.leg.RUNS", folder / "run")


def report(engine: Engine, legs: list[Leg], folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """regress.json of a run."""
    redirect(folder, monkeypatch)
    write_reports(run_legs(legs, engine, seeds=1, coverage=False), SETTINGS, print)
    data: dict[str, Any] = json.loads((folder / "report/regress.json").read_text().replace(str(folder), "FOLDER"))
    return data


def with_objects(cluster: LocalCluster) -> LocalCluster:
    """A cluster that takes compiled objects from this checkout, so that nothing is compiled twice."""
    objects = cluster.cache / "kvcpu/cluster/objects"
    objects.parent.mkdir(parents=True)
    objects.symlink_to(CACHE / "objects")
    return cluster


@pytest.mark.slow
def test_the_report_is_that_of_a_local_run(
    new_cluster: Callable[..., LocalCluster], manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = replace(manifest.leg("counter"), tests=("counts", "initial_value"))
    bad = replace(good, name="bad", module=PLANTED, tests=("rtl_error", "logs_error"))
    top = replace(good.top, spec=replace(good.top.spec, parameters={"NoSuchParameter": 1}))
    legs = [good, bad, replace(good, name="broken", top=top)]
    here = report(Local(2), legs, tmp_path / "local", monkeypatch)
    with connected(with_objects(new_cluster(2)).address) as engine:
        there = report(engine, legs, tmp_path / "cluster", monkeypatch)
    assert cleaned(there) == cleaned(here)
    assert (there["passed"], there["failed"]) == (2, 3)
    assert [len(data["buckets"]) for data in (here, there)] == [3, 3]
    files = [
        {path.relative_to(tmp_path / name / "run") for path in (tmp_path / name / "run").rglob("*") if path.is_file()}
        for name in ("local", "cluster")
    ]
    assert files[0] == files[1]
    assert not [
        path for path in (tmp_path / "cluster/run").rglob("sim.log") if str(tmp_path / "cache") in path.read_text()
    ]


@pytest.mark.slow
def test_waves_of_a_failure_come_back(
    new_cluster: Callable[..., LocalCluster], manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redirect(tmp_path, monkeypatch)
    leg = replace(manifest.leg("counter"), module=PLANTED, tests=("rtl_error",))
    with connected(with_objects(new_cluster(1)).address) as engine:
        results = run_legs([leg], engine, seeds=1, coverage=False)
        tell(results, engine)
    (waves,) = results.waves.values()
    assert waves.parent == tmp_path / "run/counter/rtl_error/seed1-waves/1"
    assert waves.stat().st_size > 0
    assert waves.with_suffix(".gtkw").exists()
