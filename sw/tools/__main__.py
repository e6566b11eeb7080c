"""`python -m sw.tools NAME ...`: a tool by its name; `bin/` has a script for each.

Ctrl-C is one line and status 130 from the start, also while the tool's modules are still being imported.
"""

from __future__ import annotations

import sys

NAMES = ("kvctl", "llmctl", "llminfer", "llmstats", "graphctl", "det", "metrics", "kvsh")


def run() -> int:
    """Entry point; returns the exit status."""
    name, arguments = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    if name not in NAMES:
        print(f"usage: python -m sw.tools {{{','.join(NAMES)}}} ...", file=sys.stderr)
        return 2
    try:
        from importlib import import_module

        from sw.tools.common import main

        return main(import_module(f"sw.tools.{name}").TOOL, arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run())
