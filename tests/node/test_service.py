"""Frames, shared buffers and service calls over the socket: default deny, progress by polls, and how the node ends."""

from __future__ import annotations

import errno
import json
import stat
import time
from pathlib import Path

import pytest

from sw.audit import AuditError, AuditUnavailable
from sw.codes import Code
from sw.control.frames import Command, decode_reply
from sw.driver import Driver
from sw.driver.registers import Event
from sw.llm.stub import summarize
from sw.metrics import schema
from sw.node import frames
from sw.node.client import CallRefused, Client, NodeError
from sw.node.dispatch import CALLS
from sw.node.home import Home, home_of
from sw.node.served import SLICE_NS, ServedTransport, Stopping
from sw.node.server import Server
from sw.regs import registers as regs
from sw.run import run
from sw.slices import uninterrupted
from sw.tools.control import read_token
from sw.transport.base import WaitIrq, Write
from sw.transport.model import ModelTransport
from sw.uapi.place import NAME
from sw.uapi.wire import Kind
from tests.node.serving import model_node, serving
from tests.node.tenant import PROMPT, Tenant, read, start

VECTORS = (
    "4300010008000000214c5254435f5353",
    "430004000c000000214c5254435f535364000000",
    "4300060020000000214c5254435f535350c3000000000000400d030000000000400d030000000000",
    "4300100018000000214c5254435f535301000000a86100000000000000000000",
)


# ---------------------------------------------------------------- frames


@pytest.mark.parametrize("vector", VECTORS)
def test_the_published_vectors_on_a_fresh_system(client: Client, vector: str) -> None:
    frame = bytes.fromhex(vector)
    reply = decode_reply(client.frames(frame))
    assert (reply.command, reply.code) == (frame[2], Code.AUTH_FAILED)


def test_frames_are_a_stream(client: Client) -> None:
    """Cut anywhere, several in one packet, and noise between."""
    frame = bytes.fromhex(VECTORS[1])
    assert client.frames(frame[:11]) == b""
    whole = client.frames(frame[11:])
    assert client.frames(frame + frame) == whole + whole
    noisy = client.frames(b"noise" + frame)
    assert noisy.endswith(whole)
    assert len(noisy) > len(whole)
    with Client(client.path) as other:
        assert client.frames(frame[:11]) == b""
        assert other.frames(frame) == whole, "each open file has a stream of its own"


def test_a_frame_cut_short_ends_with_device_time(client: Client) -> None:
    frame = bytes.fromhex(VECTORS[1])
    assert client.frames(frame[:11]) == b""
    client.call("run", cycles=30_000_000)
    assert client.frames(b"")[:9] == bytes.fromhex("430084000200000001"), "BadFrame after 100 ms of the device"


def test_a_poll_runs_the_service(user: Tenant) -> None:
    tokens = read(user, start(user))
    assert bytes(tokens) == summarize(PROMPT)
    assert bytes.fromhex(user.call("text", tokens=tokens)["hex"]) == summarize(PROMPT)


def test_tokens_that_wait_are_not_lost(user: Tenant) -> None:
    """Polling one inference lets a more urgent one run first; what that one has waits for its own reader."""
    patient = start(user)
    long = b" ".join(PROMPT[cut:] for cut in range(0, 24, 4))
    urgent = start(user, long, deadline_ns=1)  # more than its channel holds, so that it does not end meanwhile
    expected = [summarize(PROMPT), summarize(long)[:96]]
    assert len(expected[1]) == 96
    assert [bytes(read(user, one)) for one in (patient, urgent)] == expected


def test_an_abandoned_poll_runs_nothing(user: Tenant, server: Server) -> None:
    async def unwanted() -> bool:
        return False

    infer_id = start(user)
    system = server.node.system
    now = system.clock.now()
    assert not run(frames.progress(system, infer_id, unwanted))
    assert system.clock.now() == now
    assert run(frames.progress(system, infer_id, uninterrupted))
    assert system.clock.now() > now


def test_time_passes_only_for_who_may_poll(user: Tenant, client: Client) -> None:
    infer_id = start(user)
    now = client.call("info")["now_ns"]
    stranger = Tenant(client, 12345)
    assert stranger.ask(Command.LLM_INFER_POLL, infer_id, 12).code is Code.AUTH_FAILED
    assert client.call("info")["now_ns"] - now < 10_000


def test_another_holder_sees_nothing(user: Tenant, admin: Tenant) -> None:
    infer_id = start(user)
    mallory = admin.granted("mallory", "submit", "stream")
    assert mallory.ask(Command.LLM_INFER_POLL, infer_id, 12).code is Code.NOT_FOUND
    assert mallory.ask(Command.LLM_CANCEL, infer_id).code is Code.NOT_FOUND
    handle = user.buffer(b"secret")
    assert mallory.ask(Command.LLM_INFER_START, handle, 4, 0, 0).code is Code.NOT_FOUND
    assert mallory.client.buffer(mallory.token, release=handle)[0] is Code.NOT_FOUND


# ---------------------------------------------------------------- buffers


def test_buffers(client: Client, user: Tenant, admin: Tenant) -> None:
    large = user.buffer(b"x" * 3_000_000)
    assert client.buffer(user.token, release=large) == (Code.OK, large)
    assert client.buffer(user.token, release=large) == (Code.NOT_FOUND, 0)
    assert client.buffer(user.token, b"") == (Code.BAD_ARGUMENT, 0)
    assert client.buffer(999, b"data") == (Code.AUTH_FAILED, 0)
    assert client.buffer(admin.token, b"data") == (Code.AUTH_FAILED, 0), "ADMIN does not imply SUBMIT"
    for size in range(8):
        assert client.exchange(Kind.BUFFER, 0, bytes(size)).value == errno.EINVAL


# ---------------------------------------------------------------- calls


SERVICE_CALLS = {
    "grant": {"holder": "eve", "rights": ["admin"], "objects": ["llm"]},
    "revoke": {"id": 1},
    "keys": {},
    "audit": {},
    "metrics": {},
    "inferences": {},
    "cancel": {"infer_id": 1},
    "text": {"tokens": [65]},
    "graph": {},
}


def test_which_calls_need_a_token() -> None:
    assert set(SERVICE_CALLS) == {name for name, call in CALLS.items() if "token" in call.schema["required"]}


@pytest.mark.parametrize("name", SERVICE_CALLS)
def test_default_deny(client: Client, name: str) -> None:
    for token in (0, 1, (1 << 64) - 1):
        with pytest.raises(CallRefused) as caught:
            client.call(name, token=token, **SERVICE_CALLS[name])
        assert caught.value.errno == errno.EACCES
        assert str(caught.value).startswith("AuthFailed (5): no capability for this; use the token of a living")
    with pytest.raises(CallRefused, match="'token' is a required property"):
        client.call(name, **SERVICE_CALLS[name])


def test_no_right_implies_another(admin: Tenant, user: Tenant) -> None:
    for name in ("grant", "revoke", "keys", "audit", "graph"):
        with pytest.raises(CallRefused, match=r"AuthFailed \(5\)"):
            user.call(name, **SERVICE_CALLS[name])
    with pytest.raises(CallRefused, match=r"AuthFailed \(5\)"):
        admin.call("text", tokens=[65])
    submit_only = admin.granted("bob", "submit")
    with pytest.raises(CallRefused, match=r"AuthFailed \(5\)"):
        submit_only.call("text", tokens=[65])
    schema.check(submit_only.call("metrics")["snapshot"])
    assert "llm_tokens_out" in submit_only.call("metrics", form="prometheus")["text"]


def test_b5_metrics_and_lists_show_a_holder_its_own(admin: Tenant, user: Tenant) -> None:
    alice, bob = admin.granted("alice", "submit", "stream"), admin.granted("bob", "submit", "stream")
    done = start(alice)
    read(alice, done)
    alive = start(bob)
    numbers = lambda tenant: {one["infer_id"] for one in tenant.call("metrics")["snapshot"]["inferences"]}  # noqa: E731
    assert (numbers(alice), numbers(bob), numbers(admin)) == ({done}, set(), {done})
    assert bob.call("metrics")["snapshot"]["llm_infer_us"] == []
    listed = lambda tenant: {one["infer_id"] for one in tenant.call("inferences")["inferences"]}  # noqa: E731
    assert (listed(alice), listed(bob), listed(admin)) == (set(), {alive}, {alive})


def test_a2_a_refused_frame_has_a_reason(user: Tenant) -> None:
    assert user.client.call("reason") == {"reason": ""}
    handle = user.buffer(PROMPT)
    assert user.ask(Command.LLM_INFER_START, handle, 300, 0, 0).code is Code.TOO_MANY_TOKENS
    want = "TooManyTokens (28): 300 tokens: at most 256; ask for fewer tokens (`--max-tokens`)"
    assert user.client.call("reason") == {"reason": want}
    assert user.ask(Command.LLM_STATUS).code is Code.OK
    assert user.client.call("reason") == {"reason": ""}


def test_an_administrator_of_one_object_stays_one(admin: Tenant) -> None:
    given = admin.call("grant", holder="ops", rights=["admin"], objects=["llm"])
    ops = Tenant(admin.client, given["token"])
    with pytest.raises(CallRefused, match=r"AuthFailed \(5\)"):
        ops.call("grant", holder="ops", rights=["submit"], objects=["model", "llm"])
    with pytest.raises(CallRefused, match=r"AuthFailed \(5\)"):
        ops.call("revoke", id=1)
    ops.call("grant", holder="ops", rights=["submit"], objects=["llm"])


def test_text_of_no_tokens_and_of_no_model(user: Tenant) -> None:
    assert user.call("text", tokens=[]) == {"hex": ""}
    with pytest.raises(CallRefused) as caught:
        user.call("text", tokens=[70_000])
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(CallRefused, match="NoModel"):
        user.call("text", tokens=[65], model=9)


def test_a_damaged_trust_store(admin: Tenant, home: Home) -> None:
    (key,) = home.trust.trusted()
    (home.trust.path / f"{key.public.key_id.hex()}.json").write_text("{}")
    with pytest.raises(CallRefused, match="is not a trusted key"):
        admin.call("keys")


# ---------------------------------------------------------------- files, and the end


def test_files_are_their_owners_only(server: Server, home: Home, user: Tenant) -> None:
    files = [path for path in home.folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"admin.token", "service.key", "audit.jsonl"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    folders = [home.folder, *(path for path in home.folder.rglob("*") if path.is_dir())]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o700 for path in folders)
    server.stop()


def test_tokens_end_with_the_system_and_the_audit_log_goes_on(tmp_path: Path) -> None:
    tokens = []
    for serving_number in (1, 2):
        with serving(tmp_path / "node") as server, Client(server.path) as client:
            home = Home(home_of(server.path))
            tokens.append(read_token(home.admin_token))
            told = client.call("audit", token=tokens[-1], last=1000)
            assert told["whole"]
            made = [entry for entry in told["entries"] if entry["operation"] == "capability.issue"]
            assert len(made) == serving_number
            with pytest.raises(CallRefused, match=r"AuthFailed \(5\)"):
                client.call("keys", token=tokens[0] if serving_number == 2 else 5)
        assert not home.admin_token.exists()
        assert not home.user_token.exists()
    assert tokens[0] != tokens[1]


def test_no_secret_in_the_audit_log(user: Tenant, admin: Tenant, home: Home) -> None:
    infer_id = start(user, b"a very secret prompt")
    user.ask(Command.LLM_INFER_POLL, infer_id, 12)
    text = home.audit.read_text()
    assert "secret" not in text
    for token in (user.token, admin.token):
        assert all(form not in text for form in (str(token), f"{token:x}", f"{token:016x}"))
    operations = {json.loads(line)["operation"] for line in text.splitlines()}
    assert operations >= {"llm.load", "buffer.make", "llm.infer.start", "capability.check"}


def answered(client: Client) -> bool:
    """Whether a frame gets an answer; the node may end instead."""
    try:
        client.frames(bytes.fromhex(VECTORS[0]))
    except NodeError:
        return False
    return True


def test_what_is_not_recorded_does_not_happen(tmp_path: Path) -> None:
    """An audit log that cannot be written ends the node; no client gets an answer."""
    folder = tmp_path / "node"
    folder.mkdir(mode=0o700)
    node = model_node(folder / NAME)

    def unwritable(*_: object, **__: object) -> None:
        raise AuditUnavailable("disk full")

    object.__setattr__(node.system.audit, "record", unwritable)
    with pytest.raises(AuditError, match="disk full"), serving(folder, node) as server, Client(server.path) as client:
        assert not answered(client)


def test_a5_a_budget_that_returns_in_ages_is_not_waited_for(user: Tenant, admin: Tenant) -> None:
    """10 us of compute in 10 s: each token costs a period of the clock and no time of the device."""
    assert admin.ask(Command.LLM_BUDGET, 0, 0, 0, 10_000, 10**10, 0).code is Code.OK
    before = admin.client.call("info")["now_ns"]
    begun = time.monotonic()
    assert bytes(read(user, start(user))) == summarize(PROMPT)
    assert time.monotonic() - begun < 10
    assert admin.client.call("info")["now_ns"] - before > 10 * 10**10


def test_long_sleeps_are_cut_while_the_device_works(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = ModelTransport()
    stop = False
    transport = ServedTransport(inner, lambda: stop)
    monkeypatch.setattr(inner, "read", busy)
    run(transport.sleep(5 * SLICE_NS + 3))
    assert inner.now() >= 5 * SLICE_NS
    stop = True
    run(transport.sleep(SLICE_NS))
    with pytest.raises(Stopping):
        run(transport.sleep(SLICE_NS + 1))
    assert transport.has_window == inner.has_window


async def busy(_: int) -> int:
    """STATUS without IDLE."""
    return 0


def test_a5_a_device_at_rest_is_not_waited_for() -> None:
    """The clock goes on by what was asked for, the device by a read; a wait's end is reported on the same clock."""
    inner = ModelTransport()
    transport = ServedTransport(inner, lambda: False)
    run(Driver.probe(transport))
    before, device = transport.now(), inner.now()
    run(transport.sleep(10**12))
    assert transport.now() - before >= 10**12
    assert inner.now() - device < 1000
    run(transport.write(regs.IRQ_ENABLE.offset, int(Event.SCAN_DONE)))
    run(transport.write(regs.CTRL.offset, 1))
    begun = transport.now()
    _, ended = run(transport.batch([Write(regs.STEP_ADVANCE.offset, 5), WaitIrq(10**9)]))
    assert begun < ended <= transport.now()
