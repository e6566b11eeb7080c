"""Linux on the device: builds kernel, driver and tests, boots a guest for each suite, and reports.

Exit status: 0 every test passed, 1 a test failed or a build did, 2 wrong use or a package is missing, 130 interrupted.
"""

import re
import subprocess
from pathlib import Path

from sw.terminal import new_console, visible
from tb.linux import programs, report
from tb.linux.kernel import Kernel, kernel
from tb.linux.ktap import FAILED
from tb.linux.machine import Boot, Task
from tb.linux.options import DEVICES, LEAKS, ON_MODEL_ONLY, Chosen, Options, choose, parse
from tb.run.command import run_command
from tb.run.errors import UsageError
from tb.run.paths import REPORT, RUNS
from tb.run.process import clean_env
from tb.run.tools import require_kernel_packages
from tb.sim.display import sayer

RUN = "kernel"  # folder of the logs
IDENTICAL, REPEATS = "events", 3  # the suite that is repeated, and how often
LIST = "list"


def _listed(init: Path) -> list[str]:
    done = subprocess.run([str(init), LIST], env=clean_env(), capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


def _boot(built: Kernel, chosen: Chosen, options: Options, name: str) -> Boot:
    """One guest on the backend."""
    task = Task(
        programs.module(built), programs.init(), programs.smoke(), chosen.suite, chosen.pattern, chosen.suite in LEAKS
    )
    folder = RUNS / RUN
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    from tb.linux import on_model  # the backend imports what it alone needs

    return on_model.boot_one(built, task, DEVICES.get(chosen.suite, 1), log)


def comparable(boot: Boot) -> tuple[str, int, int, int]:
    """What must be the same in every run: the log but for its sockets' folder, times and counts."""
    return re.sub(r"kvcpu-[a-z0-9_]+", "kvcpu-", boot.log), boot.simulated_ns, boot.accesses, boot.messages


def _run(options: Options) -> int:
    require_kernel_packages()
    if options.backend == "rtl":
        raise UsageError("make kernel runs on the device model only, for now: BACKEND=model")
    console = new_console()
    say = sayer(console)
    init = programs.init()
    if options.pattern == LIST:
        print("\n".join(_listed(init)))
        return 0
    suites = choose(options.pattern, _listed(init))
    built = kernel(say)
    outcome = report.Outcome(built.version, options.backend)
    for chosen in suites:
        if options.backend == "rtl" and chosen.suite in ON_MODEL_ONLY:
            outcome.left_out[chosen.suite] = ON_MODEL_ONLY[chosen.suite]
            continue
        suite = report.judge(chosen, _boot(built, chosen, options, chosen.suite))
        outcome.suites.append(suite)
        good = sum(result.result != FAILED for result in suite.results)
        say(visible(f"{chosen.suite}: {good} of {len(suite.results)} in {suite.boot.seconds:.1f} s"))
    first = next((suite for suite in outcome.suites if suite.chosen.suite == IDENTICAL), None)
    if first is not None and options.pattern == "*":
        runs = [_boot(built, first.chosen, options, f"{IDENTICAL}{n}") for n in range(2, REPEATS + 1)]
        outcome.identical_runs = 1 + sum(comparable(run) == comparable(first.boot) for run in runs)
    report.show(console, outcome)
    report.write(outcome, {"backend": options.backend, "test": options.pattern}, REPORT)
    different = outcome.identical_runs not in (0, REPEATS)
    return 0 if outcome.passed and not different else 1


def main(argv: list[str]) -> int:
    """Run the guest's tests; every foreseeable error is one line and a status."""
    return run_command(lambda: _run(parse(argv)))
