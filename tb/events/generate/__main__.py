"""`python -m tb.events.generate` writes the generated files; with `--check` it only compares them.

Exit status: 0 written or all fresh, 1 a file is stale, 2 wrong use or an illegal description.
"""

import sys
from pathlib import Path

from sw.regs.generated import update
from tb.events.fields import ROOT, DescriptionError, load
from tb.events.generate import docs, python, systemverilog
from tb.run.command import Parser, run_command
from tb.run.errors import UsageError


def outputs(root: Path) -> dict[Path, str]:
    """Every generated file, relative to the project, with the text it must have. Raises DescriptionError, OSError."""
    description = load(root)
    return {
        Path("tb/hdl/kvcpu_events_pkg.sv"): systemverilog.emit(description),
        Path("tb/events/records.py"): python.emit(description),
        Path("docs/events.md"): docs.emit(description),
    }


def _generate(arguments: list[str]) -> int:
    parser = Parser("python -m tb.events.generate", __doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; name stale files")
    parser.add_argument("--root", type=Path, default=ROOT, help="project root")
    options = parser.parse_args(arguments)
    try:
        files = outputs(options.root)
    except (DescriptionError, OSError) as error:
        raise UsageError(f"events: {error}") from None
    return update(options.root, files, "events", check=options.check)


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit status."""
    return run_command(lambda: _generate(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
