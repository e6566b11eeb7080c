"""metrics: all metrics of a served system, checked against their schema (software.md 5)."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sw.metrics.schema import SnapshotError, check
from sw.tools.common import Parser, Session, Tool, ToolError, main
from sw.tools.control import Control, add_token_option
from sw.tools.llmstats import figure


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="metrics", description=__doc__)
    add_token_option(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--prometheus", action="store_true", help="print them in Prometheus' text format")
    form.add_argument("--page", type=Path, metavar="FILE", help="write the report page")
    form.add_argument("--save", type=Path, metavar="FILE", help="write the snapshot as JSON (`python -m sw.metrics`)")
    return parser


def _written(path: Path, write: Callable[[Path], object]) -> None:
    try:
        write(path)
    except OSError as error:
        raise ToolError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _execute(options: argparse.Namespace, session: Session) -> int:
    control = Control(session, options.token_file)
    if options.prometheus:
        sys.stdout.write(control.client.call("metrics", token=control.admin(), form="prometheus")["text"])
        return 0
    snapshot: dict[str, Any] = control.client.call("metrics", token=control.admin())["snapshot"]
    try:
        check(snapshot)
    except SnapshotError as error:
        raise ToolError(f"the snapshot does not hold to its schema: {error}") from None
    if options.page:
        from sw.metrics.page import write_page  # plots are slow to import

        _written(options.page, lambda path: write_page(snapshot, path))
        session.line(f"wrote {options.page}")
    elif options.save:
        _written(options.save, lambda path: path.write_text(json.dumps(snapshot, indent=1) + "\n"))
        session.line(f"wrote {options.save}")
    else:
        plain = {name: value for name, value in snapshot.items() if not isinstance(value, (dict, list))}
        plain |= snapshot["summary"]
        session.show(snapshot, lambda: session.pairs((name, figure(value)) for name, value in plain.items()))
    return 0


TOOL = Tool("metrics", _parser, _execute)

if __name__ == "__main__":
    sys.exit(main(TOOL))
