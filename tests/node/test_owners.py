"""B5, A2: who may act on blocks of a served device, and whose request ids are."""

from __future__ import annotations

import errno
import time
from typing import Any

import pytest

from sw.node.client import CallRefused, Client
from sw.node.server import Server
from tests.node.serving import settled
from tests.node.tenant import Tenant, read, start

KV = "5:0:0:0"
ACTS: dict[str, dict[str, Any]] = {
    "remove": {"kv": KV},
    "migrate": {"kv": KV, "tier": 2},
    "free": {"request": 5},
    "lookup": {"kv": KV, "touch": True},
    "insert": {"kv": "5:0:0:16"},
    "bind": {"va": 4096, "len": 1, "kv": KV},
    "hint": {"hint": "evict", "kv": KV, "tokens": 1},
}


def denied(client: Client, name: str, **arguments: Any) -> str:
    with pytest.raises(CallRefused) as caught:
        client.call(name, **arguments)
    assert caught.value.errno == errno.EACCES
    return str(caught.value)


@pytest.mark.parametrize("name", ACTS)
def test_b5_without_a_capability_only_ones_own(server: Server, admin: Tenant, name: str) -> None:
    """What another client has inserted is looked at, and not acted on; with the capability it is."""
    with Client(server.path) as owner, Client(server.path) as other:
        owner.call("insert", kv=KV)
        before = other.call("dump")["entries"]
        said = denied(other, name, **ACTS[name])
        assert said.startswith(
            "AuthFailed (5): request 5 is another client's: acting on it needs a capability with ADMIN"
        )
        assert other.call("dump")["entries"] == before
        assert other.call("explain", kv=KV)["entry"]["kv"] == KV
        assert other.call("lookup", kv=KV)["tier"] == 0
        owner.call(name, **ACTS[name])
        if name not in ("remove", "free", "migrate", "insert", "bind"):  # those cannot be done twice
            admin.call(name, **ACTS[name])


def test_b5_what_a_client_leaves_is_freed(server: Server, admin: Tenant) -> None:
    """But for what is referenced: that is the administrator's from then on."""
    with Client(server.path) as first:
        first.call("insert", kv=KV)
        first.call("insert", kv="6:0:0:0")
        first.call("hint", hint="share", kv="6:0:0:0", tokens=1)
    assert settled(lambda: [e["kv"] for e in admin.client.call("dump")["entries"]] == ["6:0:0:0"])
    with Client(server.path) as second:
        second.call("insert", kv=KV)
        assert "request 6 is another client's" in denied(second, "insert", kv="6:0:0:16")
        admin.call("hint", hint="release", kv="6:0:0:0", tokens=1)
        assert admin.call("free", request=6) == {"removed": 1, "stayed": 0}
        second.call("insert", kv="6:0:0:0")


def test_b5_what_the_administrator_inserts_stays(server: Server, admin: Tenant) -> None:
    with Client(server.path) as tool:
        Tenant(tool, admin.token).call("insert", kv=KV)
    assert settled(lambda: len(server.node.files) == 1)
    assert [e["kv"] for e in admin.client.call("dump")["entries"]] == [KV]
    with Client(server.path) as other:
        assert "request 5 is another client's" in denied(other, "remove", kv=KV)


def test_b5_naming_an_id_does_not_make_it_ones_own(server: Server) -> None:
    with Client(server.path) as greedy, Client(server.path) as owner:
        for call, arguments in (("free", {"request": 5}), ("hint", {"hint": "hot", "kv": KV, "tokens": 1})):
            greedy.call(call, **arguments)
        owner.call("insert", kv=KV)
        assert "another client's" in denied(greedy, "remove", kv=KV)


def test_b5_ids_of_a_client_without_a_capability_are_limited(client: Client) -> None:
    for request in range(1, 65):
        client.call("insert", kv=f"{request}:0:0:0", tier=3)
    with pytest.raises(CallRefused, match=r"NoRoom \(21\): this client has blocks under 64 request ids; free one"):
        client.call("insert", kv="65:0:0:0", tier=3)
    client.call("free", request=1)
    client.call("insert", kv="65:0:0:0", tier=3)


def test_b5_a_capability_for_something_else_is_none(server: Server, admin: Tenant, client: Client) -> None:
    other = admin.granted("ops", "submit")
    client.call("insert", kv=KV)
    with Client(server.path) as stranger:
        assert "no capability for this" in denied(stranger, "free", request=5, token=other.token)
        entries = server.node.system.audit.entries()
        assert (entries[-1]["operation"], entries[-1]["object"], entries[-1]["code"]) == (
            "capability.check",
            "device",
            5,
        )
        admin.call("free", request=5)
    last = server.node.system.audit.entries()[-1]
    assert (last["operation"], last["object"], last["holder"], last["code"]) == ("device.free", "request:5", "admin", 0)


def test_b5_a_tokenless_free_ends_no_inference(user: Tenant, server: Server) -> None:
    infer_id = start(user)
    service = server.node.system.service
    assert service is not None
    request = service.book.live[infer_id].request_id
    with Client(server.path) as stranger:
        for name, arguments in (("free", {"request": request}), ("remove", {"kv": f"{request}:0:0:0"})):
            assert f"request {request} is the LLM service's" in denied(stranger, name, **arguments)
        assert "request 0 is the LLM service's" in denied(stranger, "hint", hint="evict", kv="0:0:0:0", tokens=1)
    assert read(user, infer_id)


def test_b5_refusals_are_recorded_and_bounded(server: Server) -> None:
    begun = time.monotonic()
    for _ in range(8):
        with Client(server.path) as one:
            for _ in range(12):
                denied(one, "free", request=40_000)
    windows = time.monotonic() - begun + 2
    entries = [e for e in server.node.system.audit.entries() if e["operation"] == "device.free"]
    assert 0 < len(entries) <= min(95, 16 * windows)
    assert {(e["object"], e["code"], e["holder"], e["capability"]) for e in entries} == {("request:40000", 5, "", None)}


@pytest.mark.parametrize("request_id", [0, 0x8000, 0xFFFF])
def test_a2_ids_of_the_service_are_refused_to_users(admin: Tenant, client: Client, request_id: int) -> None:
    want = (
        f"BadArgument (16): request {request_id}: 0 and 32,768 to 65,535 are the LLM service's own, "
        "take one of 1 to 32,767; "
    )
    for insert in (client.call, admin.call):
        with pytest.raises(CallRefused) as caught:
            insert("insert", kv=f"{request_id}:0:0:0")
        assert str(caught.value).startswith(want)
    client.call("insert", kv="32767:0:0:0")


def test_a2_a_users_blocks_and_inferences_do_not_meet(user: Tenant, client: Client) -> None:
    for request in range(1, 20):
        client.call("insert", kv=f"{request}:0:0:0", tier=1)
    for _ in range(3):
        assert read(user, start(user))
    assert {row["kv"] for row in client.call("dump")["entries"]} >= {f"{r}:0:0:0" for r in range(1, 20)}
