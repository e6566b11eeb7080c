"""A served device model for tests: in a thread of the test's process, or as the process that users start."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from model.device import DeviceModel
from sw.node.client import Client, NodeError
from sw.node.node import Node
from sw.node.server import Server, in_thread
from sw.node.start import start
from sw.run import run
from sw.transport.model import ModelTransport
from sw.uapi.place import NAME, VARIABLE
from tb.run.paths import ROOT
from tb.run.process import clean_env

LIMIT_S = 30.0


def model_node(socket: Path) -> Node:
    """The node of a small device model, configured and running."""
    return run(start(ModelTransport(DeviceModel(entries=1024, lanes=4)), socket, {"backend": "model"}))


@contextmanager
def serving(folder: Path, node: Node | None = None) -> Iterator[Server]:
    """Serve in a thread at `folder`/kvcpu0.sock; what the server raises fails the test."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with in_thread(Server(node or model_node(folder / NAME), folder / NAME)) as server:
        yield server


def environment(socket: Path, **more: str) -> dict[str, str]:
    """Of a program that uses the node at `socket`."""
    return clean_env({VARIABLE: str(socket), "PYTHONPATH": str(ROOT), **more})


@contextmanager
def started(socket: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m tb.serve` with the device model, once its socket answers."""
    command = [sys.executable, "-m", "tb.serve", "--backend", "model", "--entries", "1024", "--lanes", "4"]
    process = subprocess.Popen(
        [*command, "--socket", str(socket), *arguments],
        cwd=ROOT,
        env=clean_env({"PYTHONPATH": str(ROOT)}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + LIMIT_S
        while True:
            try:
                Client(socket).close()
                break
            except NodeError:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < end
                time.sleep(0.02)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def settled(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true within the limit; for what other processes bring about."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def descriptors() -> int:
    """Open descriptors of this process, without what earlier tests have left to the garbage collector."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))
