"""Run the random legs over seeds that no run had before, until enough cycles have passed without a failure.

Runs on unchanged sources add up: a soak that was interrupted goes on where it was. Exit status: 0 enough cycles and no
failure, 1 a run failed, 2 wrong use, 130 interrupted.
"""

import os
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from tb.run import evidence
from tb.run.command import Parser, run_command, whole
from tb.run.commands import say
from tb.run.engine import Engine, Local
from tb.run.errors import CheckError
from tb.run.leg import Job, Outcome
from tb.run.manifest import Leg, Manifest, load
from tb.run.regress import tell
from tb.run.results import Results
from tb.run.screen import Screen
from tb.signoff.numbers import SOAK_CYCLES

RANDOM = "tb.top.test_random"  # module of the random legs
FIRST_SEED = 1001  # the regression uses the first seeds
ROUND = 8  # seeds of each test between two lines of progress
PS_OF_NS = 1000


def random_legs(manifest: Manifest) -> list[Leg]:
    """The legs of random traffic. Raises CheckError when there are none."""
    legs = [leg for leg in manifest.legs if leg.module == RANDOM and leg.expect == "pass"]
    if not legs:
        raise CheckError(f"the manifest has no leg of {RANDOM}")
    return legs


def cycles_of(outcome: Outcome) -> int:
    """Simulated clock cycles of a run, from its results file; 0 when it left none."""
    try:
        root = ET.parse(outcome.log.parent / "results.xml").getroot()
    except (OSError, ET.ParseError):
        return 0
    spent_ns = sum(float(entry.get("value", "0")) for entry in root.iterfind(".//property[@name='sim_time_duration']"))
    return int(spent_ns * PS_OF_NS) // outcome.job.leg.top.clock_ps


def next_seed(titles: Sequence[str]) -> int:
    """The first seed behind those of "leg.test seed N"."""
    return max((int(title.rpartition(" ")[2]) for title in titles), default=FIRST_SEED - 1) + 1


def one_round(legs: Sequence[Leg], engine: Engine, first: int) -> Results:
    """Every test of the legs with `ROUND` seeds from `first` on."""
    work = [(leg, [Job(leg, test, first + n) for test in leg.tests for n in range(ROUND)]) for leg in legs]
    results = Results()
    screen = Screen(sum(len(jobs) for _leg, jobs in work))
    with screen.live():
        engine.run_all(work, results, screen)
    return results


def soak(legs: Sequence[Leg], engine: Engine, wanted: int) -> int:
    """Run rounds until `wanted` cycles have passed, those of earlier soaks on the same sources included.

    Returns the exit status; ends with the first round in which a run failed.
    """
    taken = evidence.stamp("soak")
    parts = dict(evidence.read("soak").parts)
    while True:
        done = sum(part["cycles"] for part in parts.values() if part["passed"])
        failed = sum(not part["passed"] for part in parts.values())
        say(f"soak: {done:,} of {wanted:,} cycles, {len(parts):,} runs, {failed} failed")
        if failed or done >= wanted:
            return 1 if failed else 0
        results = one_round(legs, engine, next_seed(list(parts)))
        if results.broken:
            tell(results, engine)
            return 1
        found = {o.job.title: {"passed": o.verdict.passed, "cycles": cycles_of(o)} for o in results.outcomes}
        evidence.keep("soak", taken, found, say)
        parts |= found
        tell(results, engine)


def _command(arguments: list[str]) -> int:
    parser = Parser("python -m tb.signoff.soak", __doc__)
    parser.add_argument("--cycles", default=str(SOAK_CYCLES), help=f"how many (default {SOAK_CYCLES:,})")
    options = parser.parse_args(arguments)
    wanted = whole(options.cycles, "--cycles", 1, 10**12)
    return soak(random_legs(load()), Local(os.cpu_count() or 1), wanted)


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit status."""
    return run_command(lambda: _command(arguments), "interrupted: finished rounds are kept")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
