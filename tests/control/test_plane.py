"""Graph commands, rights, audit entries, and the calls of the LLM service (software.md 3)."""

from __future__ import annotations

import pytest

from sw.codes import Code, Refusal
from sw.control.frames import LAYOUTS, Command
from sw.control.graph_service import GRAPH_SERVER
from sw.control.llm_commands import InferRequest, InferState, PollAnswer, StatusAnswer
from sw.driver.errors import DriverError
from sw.kernel.admission import ServerParams
from sw.kernel.capability import Object, Rights
from sw.kernel.decision import NotRecorded
from sw.kernel.growth import Resource
from sw.kernel.operators import PASS, SINK, SOURCE
from sw.run import run
from sw.transport.base import TransportError
from tests.control.system import ALL, FAULTY, SLOW, System
from tests.control.test_frames import VECTORS
from tests.kernel.recorder import Entry

NONE = 0xFFFF
LLM = [command for command in Command if command >= Command.LLM_LOAD]
NEEDS = {
    Command.CREATE_GRAPH: (Object.GRAPH, Rights.ADMIN),
    Command.ADD_CHANNEL: (Object.GRAPH, Rights.ADMIN),
    Command.ADD_OPERATOR: (Object.GRAPH, Rights.ADMIN),
    Command.START_GRAPH: (Object.GRAPH, Rights.ADMIN),
    Command.ADD_TYPED_OPERATOR: (Object.GRAPH, Rights.ADMIN),
    Command.ENABLE_DETERMINISTIC: (Object.GRAPH, Rights.ADMIN),
    Command.LLM_LOAD: (Object.MODEL, Rights.ADMIN),
    Command.LLM_INFER_START: (Object.LLM, Rights.SUBMIT),
    Command.LLM_INFER_POLL: (Object.LLM, Rights.STREAM),
    Command.LLM_CANCEL: (Object.LLM, Rights.SUBMIT),
    Command.LLM_UNLOAD: (Object.MODEL, Rights.ADMIN),
    Command.LLM_BUDGET: (Object.LLM, Rights.ADMIN),
}


def blank(command: Command) -> list[int]:
    """Arguments of 0 in the shortest form."""
    form = LAYOUTS[command].requests[0]
    return list(form.unpack(bytes(form.size)))


# ---------------------------------------------------------------------- published vectors


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_fail_on_a_fresh_system(system: System, name: str) -> None:
    assert system.send(bytes.fromhex(VECTORS[name][0])).code is Code.AUTH_FAILED
    assert [entry.op for entry in system.audit.entries] == ["capability.check"]


def test_vectors_work_once_the_token_is_installed(system: System) -> None:
    system.capabilities.issue("vectors", Rights.ADMIN, ALL, token=int.from_bytes(b"!LRTC_SS", "little"))
    replies = [system.send(bytes.fromhex(frame)) for frame, _ in VECTORS.values()]
    assert [reply.code for reply in replies] == [Code.OK] * 4
    assert [reply.fields for reply in replies] == [(), (0,), (250_000,), (3,)]
    assert system.llm.calls == [("load", "vectors", 1, 25_000, 0)]


# ---------------------------------------------------------------------- rights


@pytest.mark.parametrize("command", list(NEEDS))
def test_exactly_one_right_on_one_object_is_enough(system: System, command: Command) -> None:
    for obj in Object:
        for right in Rights:
            token = system.capabilities.issue("someone", right, obj)
            code = system.code(command, *blank(command), token=token)
            assert (code is not Code.AUTH_FAILED) == ((obj, right) == NEEDS[command]), f"{right!r} on {obj!r}"
            assert code is not Code.UNSUPPORTED


def test_status_needs_any_living_capability(system: System) -> None:
    for obj in Object:
        for right in Rights:
            assert system.code(Command.LLM_STATUS, token=system.capabilities.issue("x", right, obj)) is Code.OK
    late = system.capabilities.issue("x", Rights.ADMIN, ALL, expires_ns=1000)
    run(system.clock.wait_until(999))
    assert system.code(Command.LLM_STATUS, token=late) is Code.OK
    run(system.clock.wait_until(1000))
    assert system.code(Command.LLM_STATUS, token=late) is Code.AUTH_FAILED
    system.capabilities.revoke(system.user)
    assert system.code(Command.LLM_STATUS, token=system.user) is Code.AUTH_FAILED


# ---------------------------------------------------------------------- graph


@pytest.mark.parametrize("command", list(Command)[1:6])
def test_without_a_graph(system: System, command: Command) -> None:
    """NoGraph comes before the arguments are looked at."""
    assert system.code(command, *blank(command)) is Code.NO_GRAPH
    assert system.audit.last.code == Code.NO_GRAPH


def test_a_graph_by_frames(system: System) -> None:
    assert system.ask(Command.CREATE_GRAPH, flags=1).fields == ()
    assert system.ask(Command.ADD_CHANNEL, 0).fields == (0,)
    assert system.ask(Command.ADD_CHANNEL, 64).fields == (1,)
    assert system.code(Command.ADD_OPERATOR, SOURCE, NONE, 0, 9, 0) is Code.OK
    assert system.code(Command.ADD_OPERATOR, PASS, 0, 1, 5, 1) is Code.OK
    assert system.code(Command.ADD_TYPED_OPERATOR, SINK, 1, NONE, 1, 2, 0, 0) is Code.OK
    assert system.ask(Command.START_GRAPH, 100).fields == (100,)
    assert system.graph.graph is not None
    assert [end.depth for end in system.graph.graph.stats()] == [64, 18]
    assert [info.stage for info in system.graph.graph.operators()] == [1, 0, 2]


def test_refusals_of_the_graph_have_their_code_and_entry(system: System) -> None:
    system.build((SINK, 0, NONE, 0, 0), channels=2)

    def refused(command: Command, *arguments: int) -> Code:
        before = len(system.audit.entries)
        code = system.code(command, *arguments)
        assert system.audit.entries[before].op == "capability.check"
        assert len(system.audit.entries) == before + 2, "one entry for the check, one for the decision"
        entry = system.audit.last
        assert (entry.holder, entry.cap_id, entry.obj, entry.code) == ("root", 1, "graph", code)
        return code

    assert refused(Command.CREATE_GRAPH) is Code.EXISTS
    assert refused(Command.ADD_CHANNEL, 32) is Code.BAD_ARGUMENT
    assert refused(Command.ADD_OPERATOR, 99, NONE, NONE, 0, 0) is Code.NOT_FOUND
    assert refused(Command.ADD_OPERATOR, PASS, 7, NONE, 0, 0) is Code.NOT_FOUND
    assert refused(Command.ADD_OPERATOR, SINK, 1, NONE, 0, 0) is Code.EXISTS
    assert refused(Command.ADD_TYPED_OPERATOR, PASS, 1, 1, 0, 0, 0, 0) is Code.BAD_ARGUMENT
    assert refused(Command.ADD_TYPED_OPERATOR, SOURCE, NONE, 0, 0, 0, 0, 1001) is Code.OK
    assert refused(Command.ADD_TYPED_OPERATOR, PASS, 1, 0, 0, 0, 1001, 1002) is Code.EXISTS
    for _ in range(14):
        assert refused(Command.ADD_CHANNEL, 0) is Code.OK
    assert refused(Command.ADD_CHANNEL, 0) is Code.NO_ROOM


def test_a_schema_mismatch_by_frames(system: System) -> None:
    system.build(channels=1)
    assert system.code(Command.ADD_TYPED_OPERATOR, SOURCE, NONE, 0, 0, 0, 0, 1001) is Code.OK
    assert system.code(Command.ADD_TYPED_OPERATOR, SINK, 0, NONE, 0, 0, 1002, 0) is Code.SCHEMA_MISMATCH
    assert system.code(Command.ADD_TYPED_OPERATOR, SINK, 0, NONE, 0, 0, 1001, 0) is Code.OK
    assert system.ask(Command.START_GRAPH, 9).fields == (9,)


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Refusal(Code.NO_ROOM), Code.NO_ROOM),
        (TransportError("the simulator is gone"), Code.DEVICE_FAULT),
        (DriverError("no answer"), Code.DEVICE_FAULT),
    ],
)
def test_what_an_operator_raises_is_the_reply(
    system: System, fault: Exception, code: Code, deterministic: bool
) -> None:
    system.fault = fault
    system.build((FAULTY, NONE, NONE, 0, 0))
    if deterministic:
        assert system.code(Command.ENABLE_DETERMINISTIC, 50_000, 200_000, 0) is Code.OK
    for _ in range(2):
        assert system.code(Command.START_GRAPH, 5) is code
        assert system.audit.last.op == "graph.start"
        assert system.audit.last.code == code


# ---------------------------------------------------------------------- deterministic mode


def test_admission_of_the_graph(system: System) -> None:
    system.build()
    assert system.ask(Command.ENABLE_DETERMINISTIC, 50_000, 200_000, 100_000).fields == (500_000,)
    assert system.audit.last.op == "graph.deterministic"
    assert system.audit.last.counts == {
        "wcet_ns": 50_000,
        "period_ns": 200_000,
        "deadline_ns": 100_000,
        "used_ppm": 500_000,
    }
    again = system.ask(Command.ENABLE_DETERMINISTIC, 50_000, 200_000, 0)
    assert again.fields == (250_000,), "the second request replaces the first share"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((0, 200_000, 200_000), Code.BAD_ARGUMENT),
        ((50_000, 0, 0), Code.BAD_ARGUMENT),
        ((50_000, 200_000, 200_001), Code.BAD_ARGUMENT),
        ((170_001, 200_000, 200_000), Code.ADMISSION_REFUSED),
        ((50_000, 200_000, 50_000), Code.ADMISSION_REFUSED),
    ],
)
def test_a_refused_graph_is_not_deterministic(system: System, arguments: tuple[int, ...], code: Code) -> None:
    system.build()
    assert system.code(Command.ENABLE_DETERMINISTIC, *arguments) is code
    assert not system.graph.deterministic
    assert not system.growth.frozen
    assert system.code(Command.ADD_CHANNEL, 0) is Code.OK
    assert system.executor.scheduler.used_ppm == 0


def test_a_refused_change_keeps_the_share(system: System) -> None:
    system.build()
    system.executor.scheduler.admit(0, ServerParams(20_000, 100_000))
    assert system.ask(Command.ENABLE_DETERMINISTIC, 10_000, 200_000, 0).fields == (250_000,)
    assert system.code(Command.ENABLE_DETERMINISTIC, 150_000, 200_000, 0) is Code.ADMISSION_REFUSED
    assert system.executor.scheduler.used_ppm == 250_000
    assert system.graph.deterministic


def test_the_graphs_step_blocks_others(system: System) -> None:
    """Its whole budget is one chunk at worst: 450,000 ppm of shares and 500,000 ppm of blocking are too much."""
    system.build()
    system.executor.scheduler.admit(0, ServerParams(20_000, 100_000))
    assert system.code(Command.ENABLE_DETERMINISTIC, 50_000, 200_000, 0) is Code.ADMISSION_REFUSED


def test_nothing_grows_in_deterministic_mode(system: System) -> None:
    system.build(channels=1)
    assert system.code(Command.ENABLE_DETERMINISTIC, 50_000, 200_000, 0) is Code.OK
    grown = dict(system.growth.grown)
    assert system.code(Command.ADD_CHANNEL, 0) is Code.NO_ROOM
    assert system.growth.refused == 1
    assert system.growth.grown == grown == dict.fromkeys(Resource, 0) | {Resource.RING: 1}


def test_deterministic_steps_are_charged_to_the_graphs_server(system: System) -> None:
    system.build((SLOW, NONE, NONE, 0, 0))
    assert system.ask(Command.START_GRAPH, 3).fields == (3,)
    assert system.clock.now() == 30_000
    system.code(Command.ENABLE_DETERMINISTIC, 20_000, 100_000, 0)
    begin = system.clock.now()
    assert system.ask(Command.START_GRAPH, 6).fields == (6,)
    assert system.clock.now() - begin == 2 * 100_000 + 20_000, "two steps in each period of 100 us"
    stats = system.executor.scheduler.stats(GRAPH_SERVER)
    assert stats.misses == 1  # the deadline was the end of the first period
    assert system.ask(Command.START_GRAPH, 0).fields == (0,)
    run(system.clock.wait_until(1_000_000))
    assert system.ask(Command.START_GRAPH, 2).fields == (2,)
    assert system.executor.scheduler.stats(GRAPH_SERVER).misses == 1


def test_deterministic_steps_end_when_nothing_is_runnable(system: System) -> None:
    system.build((SOURCE, NONE, 0, 0, 0), channels=1)
    system.code(Command.ENABLE_DETERMINISTIC, 20_000, 100_000, 0)
    assert system.ask(Command.START_GRAPH, 100).fields == (64,)
    assert not run(system.executor.run_one()), "the job stays behind"


class Lost(Exception):
    pass


def test_a_job_of_others_that_fails_leaves_no_job_of_the_graph_behind(system: System) -> None:
    async def fails() -> bool:
        raise Lost

    system.build((SLOW, NONE, NONE, 0, 0))
    system.code(Command.ENABLE_DETERMINISTIC, 20_000, 100_000, 0)
    system.executor.scheduler.admit(0, ServerParams(1_000, 50_000))
    system.executor.add(0, 1, system.clock.now() + 50_000, fails)
    assert system.code(Command.START_GRAPH, 3) is Code.DEVICE_FAULT
    run(system.clock.wait_until(1_000_000))
    assert not run(system.executor.run_one()), "the graph's job stays behind"


# ---------------------------------------------------------------------- LLM service


@pytest.mark.parametrize("command", LLM)
def test_without_a_service(command: Command) -> None:
    system = System(llm=False)
    token = system.capabilities.issue("x", Rights.ADMIN | Rights.SUBMIT | Rights.STREAM, ALL)
    assert system.code(command, *blank(command), token=1) is Code.AUTH_FAILED
    assert system.code(command, *blank(command), token=token) is Code.UNSUPPORTED
    assert system.audit.last == Entry("x", 3, f"llm.{command.name[4:].lower()}", "llm", Code.UNSUPPORTED)


def test_calls_and_answers(system: System) -> None:
    ask, user = system.ask, system.user
    assert ask(Command.LLM_LOAD, 1, 25_000, 2).fields == (3,)
    assert ask(Command.LLM_INFER_START, 5, 16, 1, 10**9, token=user).fields == (7,)
    assert ask(Command.LLM_INFER_START, 5, 16, 1, 10**9, 3, 1 << 63, 700, 40, 900, token=user).fields == (7,)
    assert ask(Command.LLM_INFER_POLL, 7, 3, token=user).fields == (7, 1, 0, 3, 40, 1, 2, 0xFFFFFFFF)
    assert ask(Command.LLM_CANCEL, 7, token=user).fields == (4,)
    assert ask(Command.LLM_UNLOAD, 3).fields == ()
    assert ask(Command.LLM_BUDGET, 2, 0, 0, 20_000, 100_000, 64).fields == (250_000,)
    assert ask(Command.LLM_STATUS, token=user).fields == (1, 2, 3, 0, 450_000, 5, 6, 7)
    assert system.llm.calls == [
        ("load", "root", 1, 25_000, 2),
        ("infer_start", "alice", InferRequest(5, 16, 1, 10**9)),
        ("infer_start", "alice", InferRequest(5, 16, 1, 10**9, 3, 1 << 63, 700, 40, 900)),
        ("poll", "alice", 7, 3),
        ("cancel", "alice", 7),
        ("unload", "root", 3),
        ("budget", "root", 2, 20_000, 100_000, 64),
        ("status", "alice"),
    ]


def test_a_poll_asks_for_12_tokens_at_most(system: System) -> None:
    system.llm.answers["poll"] = PollAnswer(7, InferState.DONE, 0, tuple(range(12)))
    assert system.ask(Command.LLM_INFER_POLL, 7, 0xFFFF, token=system.user).fields[3] == 12
    assert system.llm.calls == [("poll", "alice", 7, 12)]
    system.llm.answers["poll"] = PollAnswer(7, InferState.DONE, 12, ())
    assert system.ask(Command.LLM_INFER_POLL, 7, 0, token=system.user).fields == (7, 3, 0, 0, 12)


def test_counts_saturate_in_the_status(system: System) -> None:
    system.llm.answers["status"] = StatusAnswer(70_000, 70_000, 70_000, 1, 1 << 32, 1 << 40, 3)
    fields = system.ask(Command.LLM_STATUS).fields
    assert fields == (0xFFFF, 0xFFFF, 0xFFFF, 0, 1, 0xFFFF_FFFF, 0xFFFF_FFFF, 3)


@pytest.mark.parametrize(("one", "two"), [(1, 0), (0, 1)])
def test_reserved_fields_are_0(system: System, one: int, two: int) -> None:
    assert system.code(Command.LLM_BUDGET, 2, one, two, 20_000, 100_000, 64) is Code.BAD_ARGUMENT
    assert system.llm.calls == []
    assert system.audit.last == Entry("root", 1, "llm.budget", "llm", Code.BAD_ARGUMENT)


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
def test_every_refusal_of_the_service_is_its_reply(system: System, code: Code) -> None:
    system.llm.answers = dict.fromkeys(system.llm.answers, Refusal(code))
    token = system.capabilities.issue("x", Rights.ADMIN | Rights.SUBMIT | Rights.STREAM, ALL)
    for command in LLM:
        before = len(system.audit.entries)
        assert system.code(command, *blank(command), token=token) is code
        assert [entry.op for entry in system.audit.entries[before:]] == ["capability.check"], (
            "the service writes the entry of its decision itself"
        )
    assert system.plane.replies == {code: len(LLM)}


@pytest.mark.parametrize("fault", [TransportError("gone"), DriverError("gone"), KeyError("a defect")])
def test_b2_what_is_no_refusal_fails_one_request(system: System, fault: Exception) -> None:
    """A lost device, and a defect of the service: DeviceFault, one entry, and the next request is served."""
    system.llm.answers["status"] = fault
    before = len(system.audit.entries)
    assert system.code(Command.LLM_STATUS) is Code.DEVICE_FAULT
    assert len(system.audit.entries) - before == 2, "the capability check and the failed request"
    assert system.audit.last == Entry("root", 1, "llm.status", "llm", Code.DEVICE_FAULT)


# ---------------------------------------------------------------------- audit


class DiskFull(NotRecorded):
    pass


def test_a_lost_audit_log_stops_the_plane(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be recorded does not happen, and is not reported as done."""

    def full(**fields: object) -> None:
        raise DiskFull

    monkeypatch.setattr(system.audit, "record", full)
    with pytest.raises(DiskFull):
        system.ask(Command.CREATE_GRAPH)
    assert system.graph.graph is None
    with pytest.raises(DiskFull):
        run(system.plane.handle(b"noise"))


def test_faults_of_frames_are_recorded_too(system: System) -> None:
    system.send(b"noise")
    assert system.audit.last == Entry("", None, "frame", "frame", Code.BAD_FRAME)
    system.send(bytes.fromhex("43000400" + "08000000") + bytes(8))
    assert system.audit.last == Entry("", None, "frame", "command:0x04", Code.BAD_FRAME, {"bytes": 8})
