"""The report of a regression over a cluster is that of a local one, with the real testbench on a small design."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tb.run.engine import Engine, Local
from tb.run.manifest import Leg, Manifest
from tb.run.regress import run_legs, tell
from tb.run.report import write_reports
from tests.cluster.conftest import LocalCluster
from tests.infra.conftest import PLANTED

pytest.importorskip("distributed", reason="the cluster tools are not installed: `make setup-cluster` does it")

from tb.run.cluster.connect import connected

OF_A_RUN = ("time", "seconds", "host", "waves", "repeat", "tests")  # `waves` are numbered, the others follow times


def cleaned(value: Any) -> Any:
    """A report without what differs between two runs of the same tests."""
    if isinstance(value, dict):
        return {key: cleaned(one) for key, one in value.items() if key not in OF_A_RUN}
    return [cleaned(one) for one in value] if isinstance(value, list) else value


def report(engine: Engine, legs: list[Leg], folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """regress.json of a run."""
    monkeypatch.setattr("tb.run.report.REPORT", folder / "report")
    monkeypatch.setattr("tb.run.history.HISTORY", folder / "history")
    monkeypatch.setattr("tb.run.report._judge_plan", lambda _staged: ("", True, None))
    monkeypatch.setattr("tb.run.leg.RUNS", folder / "run")
    results = run_legs(legs, engine, seeds=1, coverage=False)
    tell(results, engine)
    write_reports(results, {}, print)
    data: dict[str, Any] = json.loads((folder / "report/regress.json").read_text().replace(str(folder), "FOLDER"))
    return data


@pytest.mark.slow
def test_the_report_is_that_of_a_local_run(
    new_cluster: Callable[..., LocalCluster], manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = replace(manifest.leg("counter"), tests=("counts", "initial_value"))
    bad = replace(good, name="bad", module=PLANTED, tests=("rtl_error", "logs_error"))
    top = replace(good.top, spec=replace(good.top.spec, parameters={"NoSuchParameter": 1}))
    legs = [good, bad, replace(good, name="broken", top=top)]
    here = report(Local(2), legs, tmp_path / "local", monkeypatch)
    cluster = new_cluster(2)
    begin = time.monotonic()
    with connected(cluster.address) as engine:
        there = report(engine, legs, tmp_path / "cluster", monkeypatch)
    print(f"cluster: {time.monotonic() - begin:.0f} s")
    assert cleaned(there) == cleaned(here)
    assert (there["passed"], there["failed"]) == (2, 3)
    assert [len(data["buckets"]) for data in (here, there)] == [3, 3]
    for data in (here, there):
        waves = {row["test"]: row["waves"] for row in data["rows"] if row["waves"]}
        assert waves.keys() == {"rtl_error", "logs_error"}
    files = [
        {path.relative_to(tmp_path / name / "run") for path in (tmp_path / name / "run").rglob("*") if path.is_file()}
        for name in ("local", "cluster")
    ]
    assert files[0] == files[1]
    assert not [path for path in (tmp_path / "cluster/run").rglob("sim.log") if str(cluster.cache) in path.read_text()]
