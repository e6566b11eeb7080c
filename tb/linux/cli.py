"""Linux on the device: builds kernel, driver and tests, boots a guest for each suite, and reports.

Exit status: 0 every test passed, 1 a test failed or a build did, 2 wrong use or a package is missing, 130 interrupted.
"""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from sw.terminal import new_console, visible
from tb.linux import coverage, programs, report
from tb.linux.boots import RUN, boot_on, task
from tb.linux.deadline import guest, verdict
from tb.linux.deadline.sets import text
from tb.linux.kernel import Kernel, kernel
from tb.linux.ktap import FAILED, kernel_faults
from tb.linux.machine import Boot
from tb.linux.options import DEADLINE, ON_MODEL_ONLY, Chosen, Options, choose, parse
from tb.linux.session import session
from tb.run.command import run_command
from tb.run.paths import REPORT, RUNS
from tb.run.process import clean_env
from tb.run.store import keep
from tb.run.tools import require_kernel_packages
from tb.sim.display import sayer

IDENTICAL, REPEATS = "events", 3  # the suite that is repeated, and how often
LIST = "list"
STACK = "stack"  # the suite in which the software of the project runs inside the guest
Say = Callable[[str], None]


def _listed(init: Path) -> list[str]:
    done = subprocess.run([str(init), LIST], env=clean_env(), capture_output=True, text=True, timeout=60, check=True)
    return [*done.stdout.split(), f"{DEADLINE}.sets"]


def comparable(boot: Boot) -> tuple[str, str, int, int, int]:
    """What must be the same in every run: log (but for its sockets' folder), the RTL's event log, times, counts."""
    log = re.sub(r"kvcpu-[a-z0-9_]+", "kvcpu-", boot.log)
    return log, boot.events, boot.simulated_ns, boot.accesses, boot.messages


def _suite(built: Kernel, chosen: Chosen, options: Options, outcome: report.Outcome, say: Say) -> None:
    """Run a suite, or say why not; the suite whose runs must be the same several times, when all suites are run."""
    if options.backend == "rtl" and chosen.suite in ON_MODEL_ONLY:
        outcome.left_out[chosen.suite] = ON_MODEL_ONLY[chosen.suite]
        return
    if chosen.suite == DEADLINE:
        _compare_schedulers(built, outcome, say)
        return
    wanted = task(built, options, chosen.suite, chosen.pattern)
    repeats = REPEATS if chosen.suite == IDENTICAL and options.pattern == "*" else 1
    runs = [boot_on(built, wanted, options, say, events=repeats > 1) for _ in range(repeats)]
    boot, comparisons = runs[0]
    suite = report.judge(chosen, boot)
    outcome.suites.append(suite)
    outcome.comparisons += comparisons
    if chosen.suite == STACK:
        from tb.linux import micro_llm  # NumPy and the whole software

        outcome.micro_llm, differences = micro_llm.judge(boot.log)
        outcome.differences += differences
    if repeats > 1:
        outcome.identical_runs = sum(comparable(run) == comparable(boot) for run, _ in runs)
        outcome.repeats = repeats
    good = sum(result.result != FAILED for result in suite.results)
    say(visible(f"{chosen.suite}: {good} of {len(suite.results)} in {suite.boot.seconds:.1f} s"))


def _compare_schedulers(built: Kernel, outcome: report.Outcome, say: Say) -> None:
    """The scheduler of sw/kernel against SCHED_DEADLINE. Raises CheckError: the guest has not ended."""
    sets = verdict.chosen()
    folder = RUNS / RUN
    folder.mkdir(parents=True, exist_ok=True)
    log = guest.boot(built, text(sets), folder / f"{DEADLINE}.log")
    try:
        outcome.compared, outcome.deadline = verdict.judge(sets, log)
    except verdict.NoTimes as error:
        outcome.differences.append(f"{DEADLINE}: {error}")
    outcome.differences += [f"{DEADLINE}: kernel log: {line}" for line in kernel_faults(log)]
    good = sum(result.result != FAILED for result in outcome.compared)
    say(f"{DEADLINE}: {good} of {len(sets)}")


def _run(options: Options) -> int:
    require_kernel_packages()
    console = new_console()
    say = sayer(console)
    init = programs.init()
    if options.pattern == LIST:
        print("\n".join(_listed(init)))
        return 0
    suites = choose(options.pattern, _listed(init))
    built = kernel(say, kasan=options.kasan)
    if options.shell:
        return session(built, options, say)
    outcome = report.Outcome(built.version, options.backend)
    for chosen in suites:
        _suite(built, chosen, options, outcome, say)
    if options.backend == "model" and options.pattern == "*":
        outcome.coverage = coverage.coverage(chosen.suite for chosen in suites if chosen.suite != DEADLINE)
    report.show(console, outcome)
    settings = {"backend": options.backend, "test": options.pattern, "seed": options.seed, "kasan": options.kasan}
    record = report.write(outcome, settings, REPORT)
    keep.keep_run(report.KIND, record, keep.verdict(outcome.passed), REPORT)
    return 0 if outcome.passed else 1


def main(argv: list[str]) -> int:
    """Run the guest's tests; every foreseeable error is one line and a status."""
    return run_command(lambda: _run(parse(argv)))
