"""B3, B4, B8: limits before work, and long work in parallel with others: through frames, buffers and service calls."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from sw.codes import Code
from sw.control.frames import Command, encode_request
from sw.llm.models import PACKAGE
from sw.llm.stub import summarize
from sw.node import service_calls
from sw.node.client import CallRefused, Client, NodeError
from sw.node.server import Server
from sw.uapi.wire import MOST, Kind, Request
from tests.node.serving import settled
from tests.node.tenant import PROMPT, STUB, Tenant, read, start


def test_b3_an_unknown_token_pays_for_its_attempts_alone(server: Server, client: Client, admin: Tenant) -> None:
    """Hundreds of guesses: a bounded number of audit entries that tells how many there were, and others go on."""
    entries = server.node.system.audit.entries
    before = len(entries())
    with Client(server.path) as guesser:
        begun = time.monotonic()
        frame = encode_request(Command.LLM_STATUS, 12345)
        for _ in range(40):
            guesser.frames(frame * 20)
        assert time.monotonic() - begun > 1, "who guesses waits"
        client.call("info")
    failed = [e for e in entries()[before:] if e["operation"] == "capability.check" and e["code"] == 5]
    windows = time.monotonic() - begun + 2
    assert 0 < len(failed) <= 16 * windows
    told = len(failed) + sum(e.get("unrecorded", 0) for e in failed)
    failures = server.node.system.capabilities.failures
    assert told + failures.unrecorded == failures.total >= 800


def test_b3_noise_is_bounded(server: Server, client: Client) -> None:
    """As many bytes as a packet may have, none of them a frame: every fault is replied, few are recorded."""
    entries = server.node.system.audit.entries
    before = len(entries())
    replies = client.frames(b"\x43" * MOST[Kind.FRAME])
    assert len(replies) == 10 * MOST[Kind.FRAME] // 8
    assert len(entries()) - before <= 32
    with pytest.raises(NodeError, match="a request of 4,097 bytes, of this kind at most 4,096; send it in parts"):
        client.frames(b"\x43" * (MOST[Kind.FRAME] + 1))


def test_b3_what_a_dead_client_has_begun_ends_with_it(server: Server, admin: Tenant, user: Tenant) -> None:
    """Sixteen clients are gone after INFER_START, with a buffer each: the seventeenth is served."""
    service = server.node.system.service
    assert service is not None
    for _ in range(16):
        with Client(server.path) as dying:
            start(Tenant(dying, user.token))
            Tenant(dying, user.token).buffer(b"left behind")
    assert settled(lambda: not service.book.live)
    assert settled(lambda: len(server.node.system.buffers) == 1), "the package's alone"
    assert bytes(read(user, start(user))) == summarize(PROMPT)


def test_b3_who_polls_last_is_whom_an_inference_ends_with(server: Server, user: Tenant) -> None:
    service = server.node.system.service
    assert service is not None
    with Client(server.path) as starter, Client(server.path) as reader:
        infer_id = start(Tenant(starter, user.token))
        Tenant(reader, user.token).ask(Command.LLM_INFER_POLL, infer_id, 1)
        starter.close()
        assert settled(lambda: len(server.node.files) == 2)
        reader.call("info")
        assert infer_id in service.book.live
    assert settled(lambda: infer_id not in service.book.live)


def test_b8_steps_without_end_delay_no_other(server: Server, client: Client, admin: Tenant) -> None:
    """A source into a sink, 2^32 - 1 steps: others are answered, and the steps end when the caller has gone."""
    for command, arguments in (
        (Command.CREATE_GRAPH, ()),
        (Command.ADD_CHANNEL, (0,)),
        (Command.ADD_OPERATOR, (2, 0xFFFF, 0, 1, 0)),
        (Command.ADD_OPERATOR, (3, 0, 0xFFFF, 2, 0)),
    ):
        assert admin.ask(command, *arguments).code is Code.OK
    mine, reply_to = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    frame = encode_request(Command.START_GRAPH, admin.token, 2**32 - 1)
    with Client(server.path) as endless:
        with reply_to:
            Request(Kind.FRAME, 0, frame, reply_to).send(endless._socket)
        waits = []
        for step in range(1, 51):
            begun = time.monotonic()
            client.call("step", step=step)
            waits.append(time.monotonic() - begun)
        assert sorted(waits)[-2] < 0.5, f"of 50 steps during the graph the slowest took {sorted(waits)[-3:]} s"
        mine.close()
        started = lambda: [e for e in server.node.system.audit.entries() if e["operation"] == "graph.start"]  # noqa: E731
        assert settled(lambda: bool(started()))
    (entry,) = started()
    assert (entry["asked"], entry["code"]) == (2**32 - 1, 0)
    assert 0 < entry["steps"] < 2**32 - 1


def test_b3_in_flight_inferences_are_listed_and_cancelled(admin: Tenant, server: Server) -> None:
    owner, other = admin.granted("alice", "submit", "stream"), admin.granted("bob", "submit", "stream")
    admin.granted("admin", "submit")
    package = admin.granted("admin", "submit")
    assert admin.ask(Command.LLM_LOAD, package.buffer(PACKAGE.read_bytes()), 0, STUB).code is Code.OK
    first, second = start(owner), start(owner)
    (row,) = [one for one in admin.call("inferences")["inferences"] if one["infer_id"] == first]
    assert (row["holder"], row["state"], row["class"], row["max_tokens"]) == ("alice", "queued", 0, 96)
    with pytest.raises(CallRefused, match=r"NotFound \(17\): no inference"):
        other.call("cancel", infer_id=first)
    assert owner.call("cancel", infer_id=first) == {"infer_id": first, "state": "cancelled"}
    assert admin.call("cancel", infer_id=second)["state"] == "cancelled"
    entries = server.node.system.audit.entries()[-2:]
    assert [(e["operation"], e["holder"], e["object"]) for e in entries] == [
        ("llm.cancel", "admin", f"infer:{second}"),
        ("llm.infer.cancel", "alice", f"infer:{second}"),
    ]


def test_b4_an_audit_that_takes_long_delays_no_other(
    admin: Tenant, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verification runs in parallel with the others; a second one waits for the first."""
    at_work, go_on = threading.Event(), threading.Event()
    real, running = service_calls.verify, []

    def slowly(*arguments: Any) -> Any:
        running.append(True)
        assert len(running) == 1
        at_work.set()
        assert go_on.wait(20)
        running.pop()
        return real(*arguments)

    monkeypatch.setattr(service_calls, "verify", slowly)
    told: list[dict[str, Any]] = []

    def ask() -> None:
        with Client(server.path) as auditor:
            told.append(Tenant(auditor, admin.token).call("audit"))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert at_work.wait(20)
    begun = time.monotonic()
    for step in range(1, 21):
        admin.client.call("step", step=step)
    assert time.monotonic() - begun < 5
    assert not told
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert [report["whole"] for report in told] == [True, True]


def test_b3_tokens_are_bounded_before_work(user: Tenant) -> None:
    begun = time.monotonic()
    assert user.call("text", tokens=[65] * 4096) == {"hex": "41" * 4096}
    for refused in ([65] * 4097, [65] * 20_000, list(range(4100))):
        with pytest.raises(CallRefused, match=r"^tokens: \[.* is too long$") as caught:
            user.call("text", tokens=refused)
        assert len(str(caught.value)) < 400
    with pytest.raises(CallRefused, match=r"a request of 3,000,0.. bytes, of this kind at most 65,536"):
        user.call("text", tokens=[65] * 1_000_000)
    assert time.monotonic() - begun < 3
