"""Which tests a user means: one, a leg, a pattern, or what failed last."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from tb.run.artefacts import Damaged, read_record, write_record
from tb.run.command import checked_seed
from tb.run.errors import UsageError
from tb.run.leg import Job
from tb.run.manifest import Leg, Manifest
from tb.run.paths import RUNS, shown

FAILED = "failed"
RECORD = "failed.json"  # in the folder of the runs: what failed in the last run, as [leg, test, seed]


def chosen(manifest: Manifest, text: str | None, seed: str | None, seeds: int) -> list[Job]:
    """The runs that TEST, SEED and SEEDS name, in the order of the manifest; `seed` None: 1, or those that failed.

    TEST is `<leg>.<test>`, a test that only one leg has, a leg, a pattern over `<leg>.<test>` (`top_moves.*`), or
    `failed`: the failures of the last run with their seeds. Raises UsageError.
    """
    if not text:
        raise UsageError("name a test: TEST=<test>, <leg>, '<pattern>' or failed; `make list` shows all")
    if text == FAILED:
        if seed is not None:
            raise UsageError("SEED has no effect with TEST=failed: every failure is repeated with its own seed")
        pairs = [(manifest.find_test(name), first) for name, first in _read_failures()]
        return [Job(leg, test, number) for (leg, test), first in pairs for number in range(first, first + seeds)]
    first = 1 if seed is None else checked_seed(seed)
    numbers = range(first, first + seeds)
    checked_seed(str(numbers[-1]))
    return [Job(leg, test, number) for leg, test in _named(manifest, text) for number in numbers]


def _named(manifest: Manifest, text: str) -> list[tuple[Leg, str]]:
    if text in manifest.by_name:
        return [(manifest.by_name[text], test) for test in manifest.by_name[text].tests]
    if not set(text) & set("*?["):
        return [manifest.find_test(text)]
    found = [(leg, test) for leg in manifest.legs for test in leg.tests if fnmatchcase(f"{leg.name}.{test}", text)]
    if not found:
        raise UsageError(f"TEST={text}: no <leg>.<test> is like that; `make list` shows all")
    return found


def _read_failures() -> list[tuple[str, int]]:
    """(leg.test, seed) of the last run's failures. Raises UsageError."""
    try:
        failures = [(f"{leg}.{test}", int(seed)) for leg, test, seed in read_record(RUNS / RECORD)]
    except FileNotFoundError:
        raise UsageError("TEST=failed: no run has ended in this checkout yet") from None
    except Damaged:
        raise UsageError(f"TEST=failed: {shown(RUNS / RECORD)} is damaged: run the tests again") from None
    if not failures:
        raise UsageError("TEST=failed: nothing failed in the last run")
    return failures


def keep_failures(jobs: Iterable[Job]) -> None:
    """Note down what failed in this run, in place of what failed in the run before it."""
    RUNS.mkdir(parents=True, exist_ok=True)
    write_record(RUNS / RECORD, [[job.leg.name, job.test, job.seed] for job in jobs])
