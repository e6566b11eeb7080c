"""llmstats: what the LLM service has done, in figures (software.md 5)."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from sw.tools.common import Parser, Session, Tool, main
from sw.tools.control import Control, add_token_option
from sw.tools.llmctl import status

FIGURES = (
    "llm_tokens_out",
    "llm_deadline_miss_count",
    "llm_queue_depth_max",
    "llm_infer_cycles",
    "llm_infer_lookups",
    "llm_infer_misses",
    "llm_infer_bytes_moved",
    "migrations",
)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="llmstats", description=__doc__)
    add_token_option(parser)
    return parser


def figure(value: Any) -> Any:
    """A figure as a table shows it."""
    if value is None:
        return "none yet"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _execute(options: argparse.Namespace, session: Session) -> int:
    control = Control(session, options.token_file)
    counts = status(control)
    snapshot = control.client.call("metrics", token=control.admin())["snapshot"]
    figures = {**counts, **{name: snapshot[name] for name in FIGURES}, **snapshot["summary"]}
    refused = snapshot["llm_rejects_by_code"]

    def render() -> None:
        session.pairs(((name, figure(value)) for name, value in figures.items()), title="LLM service")
        if refused:
            session.pairs(refused.items(), title="refused")

    session.show({**figures, "llm_rejects_by_code": refused}, render)
    return 0


TOOL = Tool("llmstats", _parser, _execute)

if __name__ == "__main__":
    sys.exit(main(TOOL))
