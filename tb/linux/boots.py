"""One guest on the backend that was asked for."""

from collections.abc import Callable

from tb.linux import coverage, programs
from tb.linux.kernel import Kernel
from tb.linux.machine import SHELL, Boot, Task
from tb.linux.options import DEVICES, LEAKS, Options
from tb.run.paths import RUNS

RUN = "kernel"  # folder of the logs


def task(built: Kernel, options: Options, suite: str, pattern: str = "*") -> Task:
    """What runs in a guest. Raises CheckError: driver or tests do not compile."""
    on_model = options.backend == "model"
    return Task(
        programs.module(built),
        programs.init(),
        programs.others(built),
        suite,
        pattern,
        leaks=suite in LEAKS and on_model,
        coverage=str(coverage.fresh(suite)) if on_model and suite != SHELL else "",
    )


def boot_on(
    built: Kernel, wanted: Task, options: Options, say: Callable[[str], None], *, events: bool = False
) -> tuple[Boot, int]:
    """Boot a guest; how it ended, and how many comparisons a scoreboard has made.

    `events`: with a digest of the RTL's event log.
    """
    # each backend imports what it alone needs
    if options.backend == "rtl":
        from tb.linux import on_rtl

        return on_rtl.boot_one(built, wanted, options.seed, say, events=events)
    from tb.linux import on_model

    folder = RUNS / RUN
    folder.mkdir(parents=True, exist_ok=True)
    return on_model.boot_one(built, wanted, DEVICES.get(wanted.suite, 1), folder / f"{wanted.suite}.log"), 0
