"""Run one test of a leg: one process, one seed, one verdict."""

import fcntl
import json
import re
import shlex
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tb.run import process
from tb.run.artefacts import require_space
from tb.run.build import Built, build
from tb.run.manifest import Leg
from tb.run.paths import ROOT, RUNS, VENV, shown
from tb.run.tools import find_libpython
from tb.run.verdict import Evidence, Request, Verdict, judge

EVENT_LOG = "events.sqlite"
RECORDINGS_KEPT = 3  # waves of one test and seed


def repeat_command(leg: Leg, what: str) -> str:
    """The command that runs `what` (a leg, or a test with its seed) of a leg again with the same tools."""
    if leg.repeated_by:
        return leg.repeated_by
    tools = {"VERILATOR": leg.top.spec.verilator, "CXX": leg.top.spec.cxx}
    asked = "".join(f" {name}={shlex.quote(value)}" for name, value in tools.items() if value)
    return f"make sim TEST={what}{asked}"


@dataclass(frozen=True)
class Job:
    """One test to run: a leg's test with a seed; waves from `waves_from_ps` to `waves_to_ps` when they are set; with
    `events` the event log is written next to its sim.log."""

    leg: Leg
    test: str
    seed: int
    waves_from_ps: int | None = None
    waves_to_ps: int | None = None
    events: bool = False
    recording: int = 0  # number of the waves among those of this test and seed; 0: not given yet

    @property
    def title(self) -> str:
        """Name in tables."""
        return f"{self.leg.name}.{self.test} seed {self.seed}"

    @property
    def repeat(self) -> str:
        """The command that repeats this run exactly."""
        return repeat_command(self.leg, f"{self.leg.name}.{self.test} SEED={self.seed}")

    @property
    def folder(self) -> Path:
        """Where the run leaves its log, results and waves."""
        test = RUNS / self.leg.name / re.sub(r"[^\w.=-]", "_", self.test)
        if self.waves_from_ps is None:
            return test / f"seed{self.seed}"
        return test / f"seed{self.seed}-waves" / str(self.recording)


@dataclass(frozen=True)
class Outcome:
    """A judged run, and the machine it was on."""

    job: Job
    verdict: Verdict
    seconds: float
    log: Path
    waves: Path | None = None
    host: str = field(default_factory=socket.gethostname)


def _environment(job: Job, folder: Path) -> dict[str, str]:
    import cocotb_tools.config as cocotb_config  # 0.1 s that other commands do not need

    leg = job.leg
    return process.clean_env(
        {
            "PATH": f"{VENV / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(leg.spec.root if leg.spec.root == ROOT else f"{leg.spec.root}:{ROOT}"),
            "PYTHONUNBUFFERED": "1",
            "PYTHONHASHSEED": "0",
            "PYGPI_PYTHON_BIN": str(VENV / "bin" / "python"),
            "GPI_USERS": f"{find_libpython()};{cocotb_config.pygpi_entry_point()}",
            "COCOTB_TOPLEVEL": leg.spec.module,
            "COCOTB_TEST_MODULES": leg.module,
            "COCOTB_TEST_FILTER": f"^{re.escape(f'{leg.module}.{job.test}')}$",
            "COCOTB_RANDOM_SEED": str(job.seed),
            "COCOTB_RESULTS_FILE": str(folder / "results.xml"),
            "COCOTB_TRUST_INERTIAL_WRITES": "1",
            "COCOTB_ANSI_OUTPUT": "0",
            "COCOTB_REWRITE_ASSERTION_FILES": "test_*.py",
            "TOPLEVEL_LANG": "verilog",
            "KVCPU_SEED": str(job.seed),
            "KVCPU_PARAMETERS": json.dumps(dict(leg.spec.parameters)),
            "KVCPU_SETTINGS": json.dumps(dict(leg.settings)),
            "KVCPU_CLOCK_PS": str(leg.top.clock_ps),
            "KVCPU_RUN_DIR": str(folder),
            "KVCPU_EVENTLOG": str(folder / EVENT_LOG) if job.events else "",
        }
    )


def _plusargs(job: Job, built: Built, folder: Path) -> list[str]:
    args = [
        f"+verilator+seed+{job.seed}",
        "+verilator+rand+reset+2",
        f"+verilator+coverage+file+{folder / 'coverage.dat'}",
    ]
    if job.waves_from_ps is not None:
        args += [f"+kvcpu_trace={folder / f'waves.{built.waves}'}", f"+kvcpu_trace_from={job.waves_from_ps}"]
    if job.waves_to_ps is not None:
        args.append(f"+kvcpu_trace_to={job.waves_to_ps}")
    return [*args, *(f"+{arg.lstrip('+')}" for arg in job.leg.plusargs)]


def run_built(job: Job, built: Built) -> Outcome:
    """Run a job on its finished build and judge it: a failing test raises nothing, see `verdict`.

    Raises CheckError when the program cannot be started, UsageError on a full disk, OSError.
    """
    with alone(job) as numbered:
        return _run(numbered, built)


def _new_recording(job: Job) -> Job:
    """The job with a folder for its waves that no earlier run had: a user may still read the others'.

    The last `RECORDINGS_KEPT` of a test and seed stay.
    """
    folder = job.folder.parent
    numbers = sorted(int(path.name) for path in folder.glob("[0-9]*") if path.name.isdecimal())
    for number in numbers[: -(RECORDINGS_KEPT - 1)]:
        shutil.rmtree(folder / str(number), ignore_errors=True)
    return replace(job, recording=max(numbers, default=0) + 1)


@contextmanager
def alone(job: Job) -> Iterator[Job]:
    """The job with the folder that it has for itself: a second process that runs the same test and seed waits."""
    folder = replace(job, waves_from_ps=None, waves_to_ps=None).folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as mutex:
        while not process.stopping():  # polled, because a thread blocked in flock cannot be interrupted
            try:
                fcntl.flock(mutex, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
        yield job if job.waves_from_ps is None else _new_recording(job)


def _run(job: Job, built: Built) -> Outcome:
    folder = job.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / "sim.log"
    timeout_s = job.leg.timeout_s * (1 if job.waves_from_ps is None else 10)
    ended = process.run(
        [str(built.binary), *_plusargs(job, built, folder)],
        env=_environment(job, folder),
        cwd=folder,
        log=log,
        timeout_s=timeout_s,
    )
    request = Request(((job.leg.module, job.test),), job.leg.expect, job.leg.expect_message, timeout_s)
    text = log.read_text(errors="replace")
    verdict = judge(request, Evidence(ended.status, ended.timed_out, ended.seconds, text, folder / "results.xml"))
    if not verdict.passed:
        require_space(folder)
    (folder / "verdict.json").write_text(
        json.dumps({**asdict(verdict), "seconds": ended.seconds, "repeat": job.repeat}, indent=1)
    )
    waves = folder / f"waves.{built.waves}"
    return Outcome(job, verdict, ended.seconds, log, waves if waves.exists() else None)


def run_test(leg: Leg, test: str, seed: int = 1, *, coverage: bool = False, debug: bool = False) -> Outcome:
    """Build what is needed and run one test. Raises UsageError, CheckError (the build failed)."""
    spec = replace(leg.spec, coverage=coverage, debug=debug)
    return run_built(Job(leg, test, seed), build(spec))


def explain(outcome: Outcome) -> str:
    """What a person needs to know about a failed run: what, where, why, and how to see it again."""
    verdict = outcome.verdict
    where = f" at cycle {verdict.failure_cycle}" if verdict.failure_cycle is not None else ""
    if not where and verdict.failure_ps is not None:
        where = f" at {verdict.failure_ps / 1000:g} ns"
    lines = [f"FAILED {outcome.job.title}{where}"]
    if verdict.failure_text:
        lines.append(f"  {verdict.failure_text}")
    said = f"{outcome.job.test}: " if verdict.failure_text else "\0"  # cocotb's words for the same failure
    lines += [f"  - {reason}" for reason in verdict.reasons if not reason.startswith(said)]
    lines += [f"  log    {shown(outcome.log)}", f"  repeat {outcome.job.repeat}"]
    return "\n".join(lines)
