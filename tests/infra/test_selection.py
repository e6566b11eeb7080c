"""Which tests TEST, SEED and SEEDS name."""

from dataclasses import replace
from pathlib import Path

import pytest

from tb.run import commands, selection
from tb.run.build import BuildSpec, Built
from tb.run.commands import Wanted
from tb.run.errors import UsageError
from tb.run.leg import Job, Outcome
from tb.run.manifest import Leg, Manifest, Top
from tb.run.verdict import Verdict

SPEC = BuildSpec("t", "t", ("t.sv",))


def leg(name: str, *tests: str) -> Leg:
    return Leg(name, "block", Top(SPEC), "tb.t", tests, "a leg of this test")


@pytest.fixture
def manifest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Manifest:
    monkeypatch.setattr(selection, "RUNS", tmp_path / "run")
    legs = (leg("moves", "test_void", "test_full"), leg("ports", "test_full", "test_one"), leg("replay", "replay"))
    return Manifest({}, legs)


def names(jobs: list[Job]) -> list[str]:
    return [f"{job.leg.name}.{job.test}:{job.seed}" for job in jobs]


@pytest.mark.parametrize(
    ("text", "seed", "seeds", "expected"),
    [
        ("moves.test_full", None, 1, ["moves.test_full:1"]),
        ("test_one", "7", 2, ["ports.test_one:7", "ports.test_one:8"]),
        ("moves", "3", 1, ["moves.test_void:3", "moves.test_full:3"]),
        ("replay", None, 1, ["replay.replay:1"]),
        ("moves.*", None, 1, ["moves.test_void:1", "moves.test_full:1"]),
        ("*.test_full", None, 2, ["moves.test_full:1", "moves.test_full:2", "ports.test_full:1", "ports.test_full:2"]),
        ("[mp]o*_[vo]*", None, 1, ["moves.test_void:1", "ports.test_one:1"]),
    ],
)
def test_a7_a_leg_a_pattern_a_test(
    manifest: Manifest, text: str, seed: str | None, seeds: int, expected: list[str]
) -> None:
    assert names(selection.chosen(manifest, text, seed, seeds)) == expected


@pytest.mark.parametrize(
    ("text", "seed", "seeds", "message"),
    [
        (None, None, 1, "name a test: TEST=<test>, <leg>, '<pattern>' or failed"),
        ("test_full", None, 1, "in several legs, name one: TEST=moves.test_full, TEST=ports.test_full"),
        ("move", None, 1, "unknown test `move` (did you mean `moves`?)"),
        ("nothing.*", None, 1, "TEST=nothing.*: no <leg>.<test> is like that"),
        ("moves", "x", 1, "SEED=x: a whole number"),
        ("moves", "2147483647", 2, "SEED=2147483648: a whole number from 1 to 2,147,483,647 is needed"),
        ("failed", None, 1, "TEST=failed: no run has ended in this checkout yet"),
        ("failed", "3", 1, "SEED has no effect with TEST=failed"),
    ],
)
def test_a7_what_names_nothing(
    manifest: Manifest, text: str | None, seed: str | None, seeds: int, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        selection.chosen(manifest, text, seed, seeds)
    assert message in str(caught.value)


def fails(monkeypatch: pytest.MonkeyPatch, failing: set[str]) -> list[str]:
    """Let the tests of these names fail; what has run, as it runs."""
    ran: list[str] = []

    def run_built(job: Job, _built: Built) -> Outcome:
        if job.test == "interrupted":
            raise KeyboardInterrupt
        ran.extend(names([job]))
        return Outcome(job, Verdict(job.test not in failing), 0.0, Path("log"))

    monkeypatch.setattr(commands, "build", lambda *_: Built(Path("Vtop"), "", True, "key"))
    monkeypatch.setattr(commands, "run_built", run_built)
    return ran


def test_a7_failures_are_repeated_with_their_seeds(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = fails(monkeypatch, {"test_full"})
    assert commands.run_tests(manifest, "*", "5", 2, Wanted()) == 1
    ran.clear()
    assert commands.run_tests(manifest, "failed", None, 1, Wanted()) == 1
    assert ran == ["moves.test_full:5", "moves.test_full:6", "ports.test_full:5", "ports.test_full:6"]
    ran = fails(monkeypatch, set())
    assert commands.run_tests(manifest, "failed", None, 1, Wanted()) == 0
    assert len(ran) == 4
    with pytest.raises(UsageError, match="nothing failed in the last run"):
        commands.run_tests(manifest, "failed", None, 1, Wanted())


def test_a7_an_interrupted_repetition_keeps_the_rest(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(monkeypatch, set())
    legs = [leg("a", "test_one", "interrupted", "test_two")]
    whole = Manifest({}, tuple(legs))
    selection.keep_failures([Job(legs[0], test, 9) for test in legs[0].tests])
    with pytest.raises(KeyboardInterrupt):
        commands.run_tests(whole, "failed", None, 1, Wanted())
    assert names(selection.chosen(whole, "failed", None, 1)) == ["a.interrupted:9", "a.test_two:9"]


def test_the_command_that_repeats_a_run() -> None:
    assert Job(leg("a", "test_one"), "test_one", 9).repeat == "make sim TEST=a.test_one SEED=9"
    built_with = replace(leg("a", "test_one"), top=Top(replace(SPEC, verilator="/opt/my verilator", cxx="clang++")))
    assert Job(built_with, "test_one", 9).repeat.endswith(" SEED=9 VERILATOR='/opt/my verilator' CXX=clang++")


def test_a7_a_damaged_record_is_one_line(manifest: Manifest) -> None:
    selection.keep_failures([])
    (selection.RUNS / selection.RECORD).write_text('{"digest": "x"')
    with pytest.raises(UsageError, match=r"failed\.json is damaged: run the tests again"):
        selection.chosen(manifest, "failed", None, 1)
