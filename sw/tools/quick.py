"""`make llm-quick`: the whole LLM path in a few seconds, on the device model with the summarizer stub.

A node is served in this process, and the tools talk to it as users' do: a package is loaded, one prompt goes through
by control frames, the metrics are checked against their schema and the audit log against its head record.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from model.device import DeviceModel
from sw.node.server import Server, in_thread
from sw.node.start import start
from sw.run import run
from sw.tools import kvsh
from sw.tools.common import Parser, Session, Tool, main
from sw.transport.model import ModelTransport
from sw.uapi.place import NAME

PROMPT = "The KV cache of a long prompt is moved between memory tiers while the model decodes its next token."
MAX_TOKENS = 96


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="llm-quick", description="stub backend, one prompt by frames, metrics and schema checked")
    parser.set_defaults(parser=parser)
    parser.add_argument("--prompt", default=PROMPT, help="another prompt")
    return parser


def _execute(options: argparse.Namespace, session: Session) -> int:
    if not options.prompt:
        options.parser.error("a prompt without a byte")
    with TemporaryDirectory(prefix="kvcpu-") as folder:
        socket = Path(folder) / NAME
        node = run(start(ModelTransport(DeviceModel(entries=1024, lanes=4)), socket, {"backend": "model"}))
        with in_thread(Server(node, socket)):
            session.path = socket
            for line in (
                "llmctl load --backend stub",
                f"llminfer {shlex.quote(options.prompt)} --max-tokens {MAX_TOKENS} --stream",
                "llmstats",
                "metrics",
                "llmctl audit --last 4",
            ):
                session.line(f"$ {line}")
                status = kvsh.run_line(line, session)
                if status:
                    return status
            session.close()
    session.line("llm-quick: prompt done, metrics valid against their schema, audit log whole")
    return 0


TOOL = Tool("llm-quick", _parser, _execute)

if __name__ == "__main__":
    sys.exit(main(TOOL))
