from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sw.control.frames import Command
from sw.llm.models import PACKAGE
from sw.node.client import Client
from sw.node.home import Home, home_of
from sw.node.server import Server
from sw.tools.control import read_token
from tests.node.serving import serving
from tests.node.tenant import STUB, Tenant


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "node") as served:
        yield served


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.path) as connected:
        yield connected


@pytest.fixture
def home(server: Server) -> Home:
    return Home(home_of(server.path))


@pytest.fixture
def admin(client: Client, home: Home) -> Tenant:
    return Tenant(client, read_token(home.admin_token))


@pytest.fixture
def user(admin: Tenant) -> Tenant:
    """Of the administrator's own name, with the stub loaded."""
    tenant = admin.granted("admin", "submit", "stream")
    handle = tenant.buffer(PACKAGE.read_bytes())
    assert admin.ask(Command.LLM_LOAD, handle, 0, STUB).fields == (1,)
    return tenant
