"""Frames, shared buffers and service calls over the socket: default deny, progress by polls, and how the node ends."""

from __future__ import annotations

import errno
import json
import socket
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sw.audit import AuditError, AuditUnavailable
from sw.codes import Code
from sw.control.frames import Command, Reply, decode_reply, encode_request
from sw.control.llm_commands import InferState
from sw.driver import Driver
from sw.driver.registers import Event
from sw.kernel.slices import uninterrupted
from sw.llm.models import PACKAGE
from sw.llm.stub import summarize
from sw.metrics import schema
from sw.node import frames, service_calls
from sw.node.client import CallRefused, Client, NodeError
from sw.node.dispatch import CALLS
from sw.node.home import Home, home_of
from sw.node.served import SLICE_NS, ServedTransport, Stopping
from sw.node.server import Server
from sw.regs import registers as regs
from sw.run import run
from sw.tools.control import read_token
from sw.transport.base import WaitIrq, Write
from sw.transport.model import ModelTransport
from sw.uapi.place import NAME
from sw.uapi.wire import MOST, Kind, Request
from tests.node.serving import model_node, serving, settled

PROMPT = b"The KV cache of a long prompt is moved between memory tiers."
STUB = 1
VECTORS = (
    "4300010008000000214c5254435f5353",
    "430004000c000000214c5254435f535364000000",
    "4300060020000000214c5254435f535350c3000000000000400d030000000000400d030000000000",
    "4300100018000000214c5254435f535301000000a86100000000000000000000",
)


class Tenant:
    """Frames and calls with one token."""

    def __init__(self, client: Client, token: int) -> None:
        self.client, self.token = client, token

    def ask(self, command: Command, *arguments: int) -> Reply:
        return decode_reply(self.client.frames(encode_request(command, self.token, *arguments)))

    def buffer(self, data: bytes) -> int:
        code, handle = self.client.buffer(self.token, data)
        assert code is Code.OK
        return handle

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        return self.client.call(name, token=self.token, **arguments)

    def granted(self, holder: str, *rights: str) -> Tenant:
        given = self.call("grant", holder=holder, rights=list(rights), objects=["model", "llm"])
        return Tenant(self.client, given["token"])


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


def start(tenant: Tenant, prompt: bytes = PROMPT, max_tokens: int = 96, deadline_ns: int = 0) -> int:
    handle = tenant.buffer(prompt)
    reply = tenant.ask(Command.LLM_INFER_START, handle, max_tokens, 0, deadline_ns)
    assert tenant.client.buffer(tenant.token, release=handle)[0] is Code.OK
    assert reply.code is Code.OK
    return reply.fields[0]


def read(tenant: Tenant, infer_id: int) -> list[int]:
    """All tokens of an inference that ends well; every poll comes back with something."""
    tokens: list[int] = []
    while True:
        reply = tenant.ask(Command.LLM_INFER_POLL, infer_id, 12)
        _, state, _, count, first, *new = reply.fields
        assert first == len(tokens)
        tokens += new
        if state == InferState.DONE and count < 12:
            return tokens
        assert count


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


def test_a_poll_that_nobody_waits_for_runs_nothing(user: Tenant, server: Server) -> None:
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


def test_b8_steps_without_end_hold_up_nobody(server: Server, client: Client, admin: Tenant) -> None:
    """A source into a sink, 2^32 - 1 steps: others are answered, and the steps end when nobody waits for them."""
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
        assert sorted(waits)[-2] < 0.5, f"of 50 steps beside the graph the slowest took {sorted(waits)[-3:]} s"
        mine.close()
        started = lambda: [e for e in server.node.system.audit.entries() if e["operation"] == "graph.start"]  # noqa: E731
        assert settled(lambda: bool(started()))
    (entry,) = started()
    assert (entry["asked"], entry["code"]) == (2**32 - 1, 0)
    assert 0 < entry["steps"] < 2**32 - 1


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


def test_a2_a_refused_frame_has_a_reason(user: Tenant) -> None:
    assert user.client.call("reason") == {"reason": ""}
    handle = user.buffer(PROMPT)
    assert user.ask(Command.LLM_INFER_START, handle, 300, 0, 0).code is Code.TOO_MANY_TOKENS
    want = "TooManyTokens (28): 300 tokens: at most 256; ask for fewer tokens (`--max-tokens`)"
    assert user.client.call("reason") == {"reason": want}
    assert user.ask(Command.LLM_STATUS).code is Code.OK
    assert user.client.call("reason") == {"reason": ""}


def test_b4_an_audit_that_takes_long_holds_up_nobody(
    admin: Tenant, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verification runs beside the others; a second one waits for the first."""
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


def test_an_administrator_of_one_object_stays_one(admin: Tenant) -> None:
    given = admin.call("grant", holder="ops", rights=["admin"], objects=["llm"])
    ops = Tenant(admin.client, given["token"])
    with pytest.raises(CallRefused, match=r"AuthFailed \(5\)"):
        ops.call("grant", holder="ops", rights=["submit"], objects=["model", "llm"])
    with pytest.raises(CallRefused, match=r"AuthFailed \(5\)"):
        ops.call("revoke", id=1)
    ops.call("grant", holder="ops", rights=["submit"], objects=["llm"])


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
    """An audit log that cannot be written ends the node; nobody gets an answer."""
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
    """The clock goes on by what was asked for, the device by a read; a wait's end is told on the same clock."""
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
