"""Linux on the device: builds kernel, driver and tests, boots a guest for each suite, and reports.

Exit status: 0 every test passed, 1 a test failed or a build did, 2 wrong use or a package is missing, 130 interrupted.
"""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from sw.terminal import new_console, visible
from tb.linux import programs, report
from tb.linux.kernel import Kernel, kernel
from tb.linux.ktap import FAILED
from tb.linux.machine import Boot, Task
from tb.linux.options import DEVICES, LEAKS, ON_MODEL_ONLY, Chosen, Options, choose, parse
from tb.run.command import run_command
from tb.run.paths import REPORT, RUNS
from tb.run.process import clean_env
from tb.run.store.keep import keep_run, verdict
from tb.run.tools import require_kernel_packages
from tb.sim.display import sayer

RUN = "kernel"  # folder of the logs
IDENTICAL, REPEATS = "events", 3  # the suite that is repeated, and how often
LIST = "list"
Say = Callable[[str], None]


def _listed(init: Path) -> list[str]:
    done = subprocess.run([str(init), LIST], env=clean_env(), capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


def _boot(built: Kernel, chosen: Chosen, options: Options, say: Say) -> tuple[Boot, int]:
    """One guest on the backend; how it ended, and how many comparisons a scoreboard has made."""
    module, init, smoke = programs.module(built), programs.init(), programs.smoke()
    on_rtl = options.backend == "rtl"
    task = Task(module, init, smoke, chosen.suite, chosen.pattern, chosen.suite in LEAKS and not on_rtl)
    # each backend imports what it alone needs
    if on_rtl:
        from tb.linux import on_rtl as rtl

        return rtl.boot_one(built, task, options.seed, say)
    from tb.linux import on_model

    folder = RUNS / RUN
    folder.mkdir(parents=True, exist_ok=True)
    return on_model.boot_one(built, task, DEVICES.get(chosen.suite, 1), folder / f"{chosen.suite}.log"), 0


def comparable(boot: Boot) -> tuple[str, int, int, int]:
    """What must be the same in every run: the log but for its sockets' folder, times and counts."""
    return re.sub(r"kvcpu-[a-z0-9_]+", "kvcpu-", boot.log), boot.simulated_ns, boot.accesses, boot.messages


def _run(options: Options) -> int:
    require_kernel_packages()
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
        boot, comparisons = _boot(built, chosen, options, say)
        suite = report.judge(chosen, boot)
        outcome.suites.append(suite)
        outcome.comparisons += comparisons
        ended = sum(result.result != FAILED for result in suite.results)
        say(visible(f"{chosen.suite}: {ended} of {len(suite.results)} in {suite.boot.seconds:.1f} s"))
    first = next((suite for suite in outcome.suites if suite.chosen.suite == IDENTICAL), None)
    if first is not None and options.pattern == "*":
        runs = [_boot(built, first.chosen, options, say)[0] for _ in range(1, REPEATS)]
        outcome.identical_runs = 1 + sum(comparable(run) == comparable(first.boot) for run in runs)
    report.show(console, outcome)
    settings = {"backend": options.backend, "test": options.pattern, "seed": options.seed}
    record = report.write(outcome, settings, REPORT)
    good = outcome.passed and outcome.identical_runs in (0, REPEATS)
    keep_run(report.KIND, record, verdict(good), REPORT)
    return 0 if good else 1


def main(argv: list[str]) -> int:
    """Run the guest's tests; every foreseeable error is one line and a status."""
    return run_command(lambda: _run(parse(argv)))
