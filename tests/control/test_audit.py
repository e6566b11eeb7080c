"""The real audit log behind the control plane: it takes every entry, and none shows a token."""

from __future__ import annotations

import json

import pytest

from sw.audit import AuditLog
from sw.codes import Code
from sw.control.frames import Command
from sw.kernel.buffers import Buffers
from sw.kernel.capability import ANY_OBJECT, ANY_RIGHT
from sw.kernel.growth import Growth
from sw.kernel.operators import SINK, SOURCE
from sw.signing import PrivateKey
from tests.control.system import System


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, system: System) -> AuditLog:
    log = AuditLog(None, PrivateKey(bytes(32)), system.clock)
    monkeypatch.setattr(system.audit, "record", log.record)
    return log


def test_everything_the_control_plane_decides(system: System, log: AuditLog) -> None:
    system.build((SOURCE, 0xFFFF, 0, 255, 1), (SINK, 0, 0xFFFF, 0, 2), channels=2)
    system.code(Command.ADD_TYPED_OPERATOR, 0xFFFFFFFF, 1, 0, 255, 255, 0xFFFFFFFF, 0xFFFFFFFF)
    system.code(Command.START_GRAPH, 10)
    system.code(Command.ENABLE_DETERMINISTIC, *[(1 << 64) - 1] * 3)
    system.code(Command.ENABLE_DETERMINISTIC, 10_000, 10_000, 0)
    system.code(Command.ENABLE_DETERMINISTIC, 1_000, 10_000, 0)
    system.code(Command.START_GRAPH, 10)
    system.code(0x7F)
    system.send(b"")
    system.code(Command.LLM_BUDGET, 0, 1, 1, 0, 0, 0)
    system.code(Command.CREATE_GRAPH, token=1)
    holder = system.capabilities.check(system.user, ANY_OBJECT, ANY_RIGHT, 0)
    Buffers(system.audit, Growth()).make(holder, b"a prompt")
    system.capabilities.revoke(system.user)
    entries = log.entries()
    assert [entry["seq"] for entry in entries] == list(range(len(entries)))
    assert sum(system.plane.replies.values()) <= len(entries)
    decided = {entry["operation"] for entry in entries}
    assert decided == {
        *("capability.check", "capability.revoke", "buffer.make", "frame", "llm.budget"),
        *("graph.create", "graph.add_channel", "graph.add_operator", "graph.start", "graph.deterministic"),
    }
    assert {entry["code"] for entry in entries} == {
        *(Code.OK, Code.NOT_FOUND, Code.ADMISSION_REFUSED, Code.UNSUPPORTED, Code.BAD_FRAME),
        *(Code.BAD_ARGUMENT, Code.AUTH_FAILED),
    }
    text = json.dumps(entries)
    for secret in (system.admin, system.user):
        assert str(secret) not in text
        assert f"{secret:x}" not in text
    assert "a prompt" not in text
