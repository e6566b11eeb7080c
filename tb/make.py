"""`python -m tb.make TARGET`: what a make target runs, with the values of its variables as they were typed.

The Makefile hands its variables over in the environment (KVCPU_MAKE_<name>), unexpanded. Neither make nor a shell ever
reads a value, so no value is run, split or cut, whatever characters it has; here each becomes one argument.
"""

import os
import runpy
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tb.run.command import run_command
from tb.run.errors import UsageError

PREFIX = "KVCPU_MAKE_"
GOALS = f"{PREFIX}GOALS"
OUTPUT = "sim_build"
TOOLS = ("VERILATOR", "CXX")
REPLAY = ("TRACE", "REQUESTS", "BLOCK_SIZE", "TIME_UNIT")
DEVICE = ("SEED", "ENTRIES", "LANES", "PORTS", "BACKEND", *TOOLS)
POINT = ("CONFIG", "SLOTS", "POLICY")  # what names a point of an experiment
LAB = ("ONLY", "TRACE", "BLOCK_SIZE", "TIME_UNIT", *POINT)
EVENTS = "EVENTS"  # 1: the run leaves its event log

Values = Mapping[str, str]
"""What was given on make's command line: values by variable."""


@dataclass(frozen=True)
class Step:
    """One program (`python -m <module>`) with its arguments."""

    module: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A target: the variables that it takes, and the programs that it runs one after the other."""

    variables: tuple[str, ...]
    steps: Callable[[Values], list[Step]]


def options(given: Values, names: Iterable[str]) -> list[str]:
    """Each variable that was given as one argument: TRACE=-x becomes `--trace=-x`."""
    return [f"--{name.lower().replace('_', '-')}={given[name]}" for name in names if name in given]


def flag(given: Values, name: str) -> list[str]:
    """A variable that is 1, or 0 as if it was not given. Raises UsageError."""
    value = given.get(name, "0")
    if value not in {"0", "1"}:
        raise UsageError(f"{name}={value}: 1 or 0 is needed")
    return [f"--{name.lower().replace('_', '-')}"] if value == "1" else []


def words(text: str) -> list[str]:
    """Names with blanks or commas between."""
    return text.replace(",", " ").split()


def _testbench(given: Values, command: str, *arguments: str) -> list[Step]:
    return [Step("tb.run", (*options(given, TOOLS), command, *arguments))]


def _sim(given: Values) -> list[Step]:
    if "TEST" in given:
        _no_effect(given, *REPLAY, *POINT, "PROMPT", "ENTRIES", "LANES", "PORTS", "BACKEND", why="with TEST")
        return _testbench(
            given,
            "run",
            "--waves=failure",
            *options(given, ("TEST", "SEED", "SEEDS")),
            *flag(given, "DEBUG"),
            *flag(given, EVENTS),
        )
    _no_effect(given, "SEEDS", "DEBUG", why="without TEST")
    if named := [name for name in POINT if name in given]:
        _no_effect(given, "PROMPT", "ENTRIES", why=f"with {named[0]}: a point of an experiment runs")
        return [Step("tb.lab.point", (*options(given, (*POINT, *REPLAY, *DEVICE)), *flag(given, EVENTS)))]
    steps = []
    if "PROMPT" in given:
        _no_effect(given, *REPLAY, why="with PROMPT, which is served alone")
    else:
        steps.append(Step("tb.replay", (*options(given, (*REPLAY, *DEVICE)), *flag(given, EVENTS))))
    if not {"TRACE", "REQUESTS"} & given.keys():
        steps.append(Step("tb.llm", (*options(given, ("PROMPT", *DEVICE)), *flag(given, EVENTS))))
    return steps


def _no_effect(given: Values, *names: str, why: str) -> None:
    for name in names:
        if name in given:
            raise UsageError(f"{name} has no effect {why}")


def _kernel(given: Values) -> list[Step]:
    return [
        Step("tb.linux", (*options(given, ("BACKEND", "TEST", "SEED")), *flag(given, "SHELL"), *flag(given, "KASAN")))
    ]


def _serve(given: Values) -> list[Step]:
    return [Step("tb.serve", (*options(given, ("SOCKET", *DEVICE)), *flag(given, "FREE_RUN"), *flag(given, EVENTS)))]


def _regress(given: Values) -> list[Step]:
    if "SCHEDULER" in given:
        _no_effect(given, "WORKERS", why="with SCHEDULER: the cluster's workers decide")
    flags = (*flag(given, "COVERAGE"), *flag(given, EVENTS))
    return _testbench(given, "regress", *options(given, ("SEEDS", "LEVEL", "WORKERS", "SCHEDULER")), *flags)


def _waves(given: Values) -> list[Step]:
    return _testbench(given, "run", "--waves=always", *options(given, ("TEST", "SEED")), *flag(given, EVENTS))


def _pytest(given: Values) -> list[Step]:
    try:
        return [Step("pytest", tuple(shlex.split(given.get("ARGS", ""))))]
    except ValueError as error:
        raise UsageError(f"ARGS={given['ARGS']}: {str(error).lower()}") from None


def _mutate(given: Values) -> list[Step]:
    return [Step("tb.mutation", (*options(given, ("COUNT", "SEED")), "--", *words(given.get("ONLY", ""))))]


def _defects(given: Values) -> list[Step]:
    return [
        Step("tb.defects", (*flag(given, "ASSERTIONS"), *flag(given, "DRIVER"), "--", *words(given.get("ONLY", ""))))
    ]


def _formal(given: Values) -> list[Step]:
    return [Step("tb.formal", (*flag(given, "PLANTED"), "--", *words(given.get("ONLY", ""))))]


def _signoff(given: Values) -> list[Step]:
    return [Step("tb.signoff", (*options(given, ("STAGE",)),))]


def _bench(given: Values) -> list[Step]:
    return [Step("tb.figures", (*options(given, ("ROWS", *TOOLS)), *flag(given, "DEBUG")))]


def _rt_bench(given: Values) -> list[Step]:
    return [Step("tb.engines.bench", (*options(given, ("MODEL", "SEED")), *flag(given, "QUICK")))]


def _regs(_given: Values) -> list[Step]:
    return [Step("sw.regs.generate"), Step("sw.uapi", ("generate",)), Step("tb.events.generate"), Step("tb.where")]


def _docs(_given: Values) -> list[Step]:
    return [Step("sphinx", ("-q", "-W", "--keep-going", "-b", "html", "docs", f"{OUTPUT}/site"))]


def _exports(_given: Values) -> list[Step]:
    """Register maps for other tools, each from the one description."""
    return [
        Step("peakrdl", (form, "--top", top, "-o", f"{OUTPUT}/exports/{top}{suffix}", "rtl/regs/kvcpu.rdl"))
        for top in ("kvcpu_regs", "kvcpu_bar2")
        for form, suffix in (("ip-xact", ".xml"), ("html", "_html"), ("uvm", "_uvm_pkg.sv"), ("pyuvm", "_pyuvm.py"))
    ]


TARGETS = {
    "sim": Target((*REPLAY, *POINT, "PROMPT", *DEVICE, "TEST", "SEEDS", "DEBUG", EVENTS), _sim),
    "serve": Target(("SOCKET", "FREE_RUN", *DEVICE, EVENTS), _serve),
    "kernel": Target(("BACKEND", "TEST", "SEED", "SHELL", "KASAN"), _kernel),
    "llm-quick": Target(("PROMPT",), lambda given: [Step("sw.tools.quick", (*options(given, ("PROMPT",)),))]),
    "test": Target(("ONLY", *TOOLS), lambda given: _testbench(given, "check", *options(given, ("ONLY",)))),
    "pytest": Target(("ARGS",), _pytest),
    "lint": Target(TOOLS, lambda given: _testbench(given, "check", "--only=lint")),
    "regs": Target((), _regs),
    "regress": Target(("SEEDS", "LEVEL", "COVERAGE", "WORKERS", "SCHEDULER", EVENTS, *TOOLS), _regress),
    "bench": Target(("ROWS", "DEBUG", *TOOLS), _bench),
    "fpga-check": Target(("ONLY",), lambda given: [Step("fpga.flow", (*options(given, ("ONLY",)),))]),
    "experiments": Target(LAB, lambda given: [Step("tb.lab", tuple(options(given, LAB)))]),
    "rt-bench": Target(("MODEL", "QUICK", "SEED"), _rt_bench),
    "vllm-check": Target(("SEED",), lambda given: [Step("tb.engines.check", tuple(options(given, ("SEED",))))]),
    "formal": Target(("ONLY", "PLANTED"), _formal),
    "signoff": Target(("STAGE",), _signoff),
    "docs": Target((), _docs),
    "exports": Target((), _exports),
    "results": Target((), lambda _: [Step("tb.results", ("list",))]),
    "package": Target((), lambda _: [Step("tb.results", ("package",))]),
    "compare": Target(("A", "B"), lambda given: [Step("tb.results", ("compare", *options(given, ("A", "B"))))]),
    "waves": Target(("TEST", "SEED", EVENTS, *TOOLS), _waves),
    "defects": Target(("ONLY", "ASSERTIONS", "DRIVER"), _defects),
    "mutate": Target(("ONLY", "COUNT", "SEED"), _mutate),
    "list": Target((), lambda given: _testbench(given, "list")),
    "doctor": Target((), lambda given: _testbench(given, "doctor")),
    "lock": Target((), lambda _: [Step("tb.run.lock")]),
}
EVERYWHERE = {"PYTHON"}  # read by the target `setup`, which all others need


def plan(name: str, given: Values, goals: Sequence[str] = ()) -> list[Step]:
    """What the target runs.

    Raises UsageError for a variable that none of the `goals` of make's command line takes, or that is empty.
    """
    takers = {name, *goals} & TARGETS.keys()
    known = EVERYWHERE.union(*(TARGETS[taker].variables for taker in takers))
    for variable, value in given.items():
        if not value:
            raise UsageError(f"{variable} is empty: give it a value, or leave it out")
        if variable not in known:
            raise UsageError(f"{variable} has no effect on `make {name}`: `make help` lists what has")
    return TARGETS[name].steps({key: value for key, value in given.items() if key in TARGETS[name].variables})


def handed_over(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that the Makefile has handed over."""
    return {
        name.removeprefix(PREFIX): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name != GOALS
    }


def _run(step: Step) -> int:
    """Run a program in this process; its exit status."""
    sys.argv = [step.module, *step.arguments]
    try:
        runpy.run_module(step.module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def main(arguments: list[str]) -> int:
    """Run the target that the only argument names; ends with the first program that fails."""
    target: list[Step] = []

    def read() -> int:
        target.extend(plan(arguments[0], handed_over(os.environ), os.environ.get(GOALS, "").split()))
        return 0

    status = run_command(read)
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    for step in target:
        status = status or _run(step)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
