from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sw.node.client import Client
from sw.node.server import Server
from sw.tools.common import Tool
from tests.node.serving import serving
from tests.tools.running import Runner


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "node") as served:
        yield served


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.path) as connected:
        yield connected


@pytest.fixture
def tool(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Tool], Runner]:
    return lambda which: Runner(which, server.path, capsys, monkeypatch)
