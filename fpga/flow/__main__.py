"""`python -m fpga.flow`: the command behind `make fpga-check`.

Exit status: 0 all checks hold, 1 a check failed, 2 wrong use or tools missing, 130 interrupted.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from fpga.flow import report
from fpga.flow.checks import GROUPS, check_all
from fpga.flow.project import load
from fpga.flow.step import tool_versions
from tb.run.command import Parser, run_command, tell
from tb.run.commands import say
from tb.run.errors import UsageError
from tb.run.paths import REPORT, ROOT, shown

PROJECT = ROOT / "fpga" / "project.toml"


def _groups(text: str | None) -> set[str]:
    groups = set((text or ",".join(GROUPS)).replace(",", " ").split())
    for name in sorted(groups - set(GROUPS)):
        raise UsageError(f"ONLY={name}: the parts are {', '.join(GROUPS)}")
    return groups


def _check(argv: list[str]) -> int:
    """Run the checks, print the figures, write the reports."""
    parser = Parser("python -m fpga.flow", __doc__)
    parser.add_argument("--project", type=Path, default=PROJECT, help="another project than fpga/project.toml")
    parser.add_argument("--root", type=Path, default=ROOT, help="what paths in the project are relative to")
    parser.add_argument("--report", type=Path, default=REPORT, help="folder of the reports")
    parser.add_argument("--only", help=f"parts of it, of {', '.join(GROUPS)}")
    options = parser.parse_args(argv)
    start = time.monotonic()
    tool_versions()
    groups = _groups(options.only)
    runs = check_all(load(options.project.resolve(), options.root.resolve()), groups, say)
    seconds = time.monotonic() - start
    page = report.write(runs, seconds, options.report)
    for name, value in report.figures(
        {name: value for run in runs.values() for name, value in run.facts.items()}
    ).items():
        say(f"{name:<22}{value:>14,}")
    checks = [check for run in runs.values() for check in run.checks]
    failed = [check for check in checks if check.problems]
    say(f"{len(checks) - len(failed)} passed, {len(failed)} failed ({seconds:.0f} s); report: {shown(page)}")
    if failed:
        first = f"{failed[0].name}: {failed[0].problems[0]}"
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        tell(f"error: {first}{more}")
    return 1 if failed else 0


def main(argv: list[str]) -> int:
    """Run the checks; every foreseeable error is one line and a status."""
    finished = "interrupted: no process left behind, finished steps stay in sim_build/fpga"
    return run_command(lambda: _check(argv), finished)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
