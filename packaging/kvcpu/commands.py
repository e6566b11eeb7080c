"""Entry points of an installation: the tools of `bin/`, and a device model to use them on."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from pathlib import Path

TOOLS = ("det", "graphctl", "kvctl", "kvsh", "llmctl", "llminfer", "llmstats", "metrics")


def _tool(name: str) -> int:
    module = import_module(f"kvcpu.sw.tools.{name}")
    return int(import_module("kvcpu.sw.tools.common").main(module.TOOL))


det, graphctl, kvctl, kvsh, llmctl, llminfer, llmstats, metrics = (partial(_tool, name) for name in TOOLS)


def _served(entries: int, lanes: int, socket: Path) -> None:
    from kvcpu.model.device import DeviceModel
    from kvcpu.sw.node.server import Server, refuse_second
    from kvcpu.sw.node.start import start
    from kvcpu.sw.run import run
    from kvcpu.sw.transport.model import ModelTransport

    refuse_second(socket)
    device = DeviceModel(entries=entries, lanes=lanes)
    node = run(start(ModelTransport(device), socket, {"backend": "model"}))
    with Server(node, socket) as server, server.stopped_by_signals():
        print(f"serving the device model at {socket}; Ctrl-C ends it", flush=True)
        run(server.serve())


def serve() -> int:
    """Keep a device model open for the tools until Ctrl-C. Exit status 130 then, 1 on an error, 2 for wrong use."""
    import argparse

    from kvcpu.sw.audit import AuditError
    from kvcpu.sw.driver import DriverError
    from kvcpu.sw.llm.backend import InferenceFailed
    from kvcpu.sw.llm.package import TrustError
    from kvcpu.sw.signing import KeyFileError
    from kvcpu.sw.transport.base import TransportError
    from kvcpu.sw.uapi.place import PlaceError, default_path

    parser = argparse.ArgumentParser(prog="kvcpu-serve", description="Keep a device model open for the tools.")
    parser.add_argument("--entries", type=int, default=65536, choices=[1 << n for n in range(10, 17)])
    parser.add_argument("--lanes", type=int, default=16, choices=[4, 8, 16])
    parser.add_argument("--socket", type=Path, help="path of the socket (default: the user's runtime folder)")
    given = parser.parse_args()
    try:
        _served(given.entries, given.lanes, (given.socket or default_path()).absolute())
    except (PlaceError, DriverError, TransportError, InferenceFailed, AuditError, KeyFileError, TrustError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 130
