"""Fixtures of the infrastructure's self-tests: the counter's build, and runs in a folder of their own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tb.run import leg as leg_module
from tb.run.build import Built, build
from tb.run.leg import Job, Outcome, run_built
from tb.run.manifest import Leg, Manifest, load

MANIFEST = Path(__file__).parent / "designs" / "manifest.toml"
PLANTED = "tests.infra.designs.test_planted"

RunPlanted = Callable[..., Outcome]


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    return load(MANIFEST)


@pytest.fixture(scope="session")
def counter(manifest: Manifest) -> Leg:
    return manifest.leg("counter")


@pytest.fixture(scope="session")
def built(counter: Leg) -> Built:
    return build(counter.spec)


@pytest.fixture
def run_job(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Job], Outcome]:
    monkeypatch.setattr(leg_module, "RUNS", tmp_path / "run")
    return lambda job: run_built(job, built)


@pytest.fixture
def run_planted(counter: Leg, run_job: Callable[[Job], Outcome]) -> RunPlanted:
    """Run one test of the planted module: `run_planted("rtl_error", seed=2, expect="fail", ...)`."""

    def run(test: str, seed: int = 1, **leg_fields: object) -> Outcome:
        fields = {"module": PLANTED, "tests": (test,), **leg_fields}
        return run_job(Job(replace(counter, **fields), test, seed))  # type: ignore[arg-type]

    return run
