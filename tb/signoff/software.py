"""Measure the branch coverage of model/ and sw/ by the Python tests, in the processes too that the tests start.

Exit status: 0 measured, 1 a test failed (nothing is kept then), 2 wrong use or the tool is not installed, 130
interrupted.
"""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec

from tb.run import evidence
from tb.run.artefacts import published
from tb.run.command import Parser, run_command
from tb.run.commands import say
from tb.run.errors import CheckError, UsageError
from tb.run.paths import REPORT, ROOT, SIM_BUILD, shown

MEASURED = ("model", "sw")
TESTS = (
    *("audit", "control", "driver", "kernel", "llm", "metrics", "model", "node", "oracle", "package", "regs"),
    *("replay", "tools", "transport", "uapi", "vllm"),
)
"""Folders of tests/ that show model/ and sw/; the others are about the testbench and the flows."""
WORK = SIM_BUILD / "software"
SETTINGS = f"""\
[run]
branch = true
parallel = true
source = {",".join(MEASURED)}
patch = subprocess
disable_warnings = no-data-collected, module-not-imported, module-not-measured
data_file = {WORK}/data
[report]
exclude_also = if TYPE_CHECKING:
"""


def _tool(*arguments: str) -> int:
    """Run coverage.py; its exit status."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "coverage", arguments[0], f"--rcfile={WORK / 'settings.ini'}", *arguments[1:]]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _measure(tests: list[str]) -> None:
    """Run the tests and put the data of all processes together. Raises CheckError."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    (WORK / "settings.ini").write_text(SETTINGS)
    if _tool("run", "-m", "pytest", "-n", "auto", *tests):
        raise CheckError("a Python test failed: its coverage says nothing; run `make pytest`")
    if _tool("combine", "--quiet"):
        raise CheckError(f"the coverage data in {shown(WORK)} could not be read: run it again")


def _command(arguments: list[str]) -> int:
    parser = Parser("python -m tb.signoff.software", __doc__)
    parser.add_argument("tests", nargs="*", help="these tests only, as pytest takes them: printed, not kept")
    options = parser.parse_args(arguments)
    if find_spec("coverage") is None:
        raise UsageError("coverage.py is not installed: call `make setup-signoff`")
    taken = evidence.stamp("software")
    _measure(options.tests or [f"tests/{name}" for name in TESTS])
    with published(REPORT, "software") as staged:
        if _tool("json", "--quiet", "-o", str(staged / "software.json")):
            raise CheckError(f"no coverage report from {shown(WORK)}")
        totals = json.loads((staged / "software.json").read_text())["totals"]
    covered, total = totals["covered_branches"], totals["num_branches"]
    say(f"branch coverage of {' and '.join(MEASURED)}: {covered:,} of {total:,}")
    if not options.tests:
        evidence.keep("software", taken, {"branches": {"covered": covered, "total": total}}, say)
    return 0


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit status."""
    return run_command(lambda: _command(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
