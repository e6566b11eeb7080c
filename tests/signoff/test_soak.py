"""The soak runs new seeds until the cycles are enough, adds up over calls, and ends with the first failure."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tb.run import evidence
from tb.run.engine import Work
from tb.run.errors import CheckError
from tb.run.leg import Job, Outcome
from tb.run.manifest import Manifest, load
from tb.run.results import Results
from tb.run.screen import Screen
from tb.run.verdict import Verdict
from tb.signoff import soak

CYCLES = 1000
LEGS = soak.random_legs(load())


@dataclass
class Fake:
    """An engine whose runs take `CYCLES` cycles; those in `failing` fail."""

    folder: Path
    failing: tuple[str, ...] = ()
    ran: list[str] = field(default_factory=list)

    def run_all(self, work: Work, results: Results, _screen: Screen) -> None:
        results.outcomes += [self.one(job) for _leg, jobs in work for job in jobs]

    def one(self, job: Job) -> Outcome:
        self.ran.append(job.title)
        home = self.folder / job.title
        home.mkdir()
        spent = CYCLES * job.leg.top.clock_ps / 1000
        (home / "results.xml").write_text(
            f'<t><properties><property name="sim_time_duration" value="{spent}"/></properties></t>'
        )
        (home / "sim.log").write_text("")
        failed = job.title in self.failing
        return Outcome(job, Verdict(not failed, ["expected 1, seen 2"] * failed), 1.0, home / "sim.log")

    def run_again(self, job: Job, _spec: object) -> Outcome:
        raise CheckError(f"{job.title}: no second run in this test")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    monkeypatch.setattr(evidence, "EVIDENCE", tmp_path / "evidence")
    monkeypatch.setattr(soak, "tell", lambda *_arguments: None)
    monkeypatch.setattr(soak, "ROUND", 2)
    return Fake(tmp_path)


def test_it_runs_until_the_cycles_are_enough_and_goes_on_with_new_seeds(fake: Fake) -> None:
    each = 2 * sum(len(leg.tests) for leg in LEGS)
    assert soak.soak(LEGS, fake, each * CYCLES + 1) == 0
    assert len(fake.ran) == 2 * each
    assert len(set(fake.ran)) == 2 * each
    assert f"{LEGS[0].name}.{LEGS[0].tests[0]} seed {soak.FIRST_SEED}" == fake.ran[0]
    before = list(fake.ran)
    assert soak.soak(LEGS, fake, each * CYCLES + 1) == 0
    assert fake.ran == before, "nothing is left to do"
    assert soak.soak(LEGS, fake, 2 * each * CYCLES + 1) == 0
    assert not set(fake.ran[len(before) :]) & set(before)


def test_a_failure_ends_it_and_stays(fake: Fake) -> None:
    fake.failing = (f"{LEGS[0].name}.{LEGS[0].tests[0]} seed {soak.FIRST_SEED + 1}",)
    assert soak.soak(LEGS, fake, 10**9) == 1
    ran = len(fake.ran)
    assert soak.soak(LEGS, fake, 10**9) == 1
    assert len(fake.ran) == ran


def test_seeds_are_not_those_of_the_regression() -> None:
    assert soak.next_seed([]) == soak.FIRST_SEED > max(leg.seeds for leg in load().legs)
    assert soak.next_seed(["a.b seed 1009", "a.c seed 1002"]) == 1010


def test_without_random_legs_it_fails() -> None:
    with pytest.raises(CheckError, match="no leg of"):
        soak.random_legs(Manifest({}, ()))
