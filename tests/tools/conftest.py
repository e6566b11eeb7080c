from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sw.node.client import Client
from sw.node.server import Server
from tests.node.serving import serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "node") as served:
        yield served


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.path) as connected:
        yield connected
