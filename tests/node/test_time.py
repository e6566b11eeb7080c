"""A5: what passes time for whom on a served device (docs/tools.md)."""

from __future__ import annotations

import time

import pytest

from sw.codes import Code
from sw.control.frames import Command
from sw.control.llm_commands import InferState
from sw.llm.models import PACKAGE
from sw.node.client import Client
from sw.node.server import Server
from tests.node.tenant import Tenant, read, start

MICRO = 0


def test_a5_two_hundred_prompts_in_a_row(user: Tenant, server: Server) -> None:
    """More than a window's limit of the service by itself, and more compute than its class has budget in a period."""
    begun = time.monotonic()
    for number in range(200):
        infer_id = start(user, max_tokens=16)
        assert len(read(user, infer_id)) == 16, f"prompt {number}"
    assert time.monotonic() - begun < 120
    assert server.node.transport.skipped_ns > 0, "budgets were waited for without running the device"


def test_a5_a_window_passes_with_the_wall_clock(
    user: Tenant,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A flood is refused, says when to come back, and is served then, although no device time has passed."""
    service = server.node.system.service
    assert service is not None
    wall = time.monotonic_ns() // 10**9 * 10**9 + 250_000_000
    monkeypatch.setattr(service.gate, "_pace", lambda: wall)
    handle = user.buffer(b"x")
    for _ in range(256):
        reply = user.ask(Command.LLM_INFER_START, handle, 1, 0, 0)
        assert user.ask(Command.LLM_CANCEL, reply.fields[0]).fields[0] == InferState.CANCELLED
    assert user.ask(Command.LLM_INFER_START, handle, 1, 0, 0).code is Code.RATE_LIMITED
    want = "RateLimited (25): 256 inferences in this window of 1000 ms, the next begins in 750 ms; ask again"
    assert user.client.call("reason")["reason"].startswith(want)
    wall += 750_000_000
    assert user.ask(Command.LLM_INFER_START, handle, 1, 0, 0).code is Code.OK


def test_a5_the_served_windows_are_wall_time(server: Server, client: Client) -> None:
    service = server.node.system.service
    assert service is not None
    before, device = service.gate._pace(), client.call("info")["now_ns"]
    time.sleep(0.2)
    assert service.gate._pace() - before >= 200_000_000
    assert client.call("info")["now_ns"] - device < 100_000


@pytest.mark.parametrize("user_step", [4000, 2**32 - 2, 2**32 - 1])
def test_a5_the_service_goes_on_from_the_users_step(admin: Tenant, client: Client, user_step: int) -> None:
    owner = admin.granted("admin", "submit", "stream")
    assert admin.ask(Command.LLM_LOAD, owner.buffer(PACKAGE.read_bytes()), 0, MICRO).code is Code.OK
    assert read(owner, start(owner, max_tokens=4))
    client.call("step", step=user_step)
    assert read(owner, start(owner, max_tokens=4))
    passed = (client.call("info")["step"] - user_step) % 2**32
    assert 4 <= passed < 1000, "later than the user's step, modulo 2^32"


def test_a5_steps_never_go_back_by_themselves(admin: Tenant, client: Client) -> None:
    owner = admin.granted("admin", "submit", "stream")
    assert admin.ask(Command.LLM_LOAD, owner.buffer(PACKAGE.read_bytes()), 0, MICRO).code is Code.OK
    seen = [0]
    for round_ in range(1, 6):
        read(owner, start(owner, max_tokens=4))
        seen.append(client.call("info")["step"])
        client.call("step", step=seen[-1] + 100 * round_)
        seen.append(client.call("info")["step"])
    assert seen == sorted(set(seen))
