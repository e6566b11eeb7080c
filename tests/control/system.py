"""A control plane on counted time, with everything that it gives away in view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sw.codes import Code, Refusal
from sw.control.frames import Command, Reply, decode_reply, encode_request
from sw.control.graph_service import GraphService
from sw.control.llm_commands import InferRequest, InferState, LlmCommands, PollAnswer, StatusAnswer
from sw.control.plane import ControlPlane
from sw.kernel.capability import Capabilities, Capability, Object, Rights
from sw.kernel.clock import CountedClock
from sw.kernel.executor import Executor
from sw.kernel.graph import OperatorIo, OperatorKind
from sw.kernel.growth import Growth
from sw.kernel.operators import BUILT_IN
from sw.kernel.scheduler import Scheduler
from sw.run import run
from tests.kernel.recorder import Recorder

ALL = Object.GRAPH | Object.MODEL | Object.LLM
SLOW = 20
FAULTY = 21


class Slow:
    """A source without output whose every step takes 10 us."""

    pending = True

    def __init__(self, clock: CountedClock) -> None:
        self.clock = clock

    async def step(self, io: OperatorIo) -> None:
        await self.clock.spend(10_000)


class Faulty:
    """Raises what it was made with."""

    pending = True

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def step(self, io: OperatorIo) -> None:
        raise self.error


class FakeLlm:
    """Remembers its calls and answers as the test has set."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {
            "load": 3,
            "infer_start": 7,
            "poll": PollAnswer(7, InferState.RUNNING, 40, (1, 2, 0xFFFFFFFF)),
            "cancel": InferState.CANCELLED,
            "unload": None,
            "budget": 250_000,
            "status": StatusAnswer(1, 2, 3, 450_000, 5, 6, 7),
        }

    def _answer(self, name: str, cap: Capability, *arguments: Any) -> Any:
        self.calls.append((name, cap.holder, *arguments))
        answer = self.answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def load(self, cap: Capability, package_handle: int, wcet_cycles: int, flags: int) -> int:
        return self._answer("load", cap, package_handle, wcet_cycles, flags)

    async def infer_start(self, cap: Capability, request: InferRequest) -> int:
        return self._answer("infer_start", cap, request)

    async def poll(self, cap: Capability, infer_id: int, max_items: int) -> PollAnswer:
        return self._answer("poll", cap, infer_id, max_items)

    async def cancel(self, cap: Capability, infer_id: int) -> InferState:
        return self._answer("cancel", cap, infer_id)

    async def unload(self, cap: Capability, model_id: int) -> None:
        self._answer("unload", cap, model_id)

    async def budget(self, cap: Capability, cls: int, budget_ns: int, period_ns: int, tokens_per_period: int) -> int:
        return self._answer("budget", cap, cls, budget_ns, period_ns, tokens_per_period)

    async def status(self, cap: Capability) -> StatusAnswer:
        return self._answer("status", cap)


class System:
    """One administrator, one user who may submit and stream, and a plane."""

    def __init__(self, *, llm: bool = True) -> None:
        self.audit = Recorder()
        self.clock = CountedClock()
        self.growth = Growth()
        self.capabilities = Capabilities(self.audit)
        self.executor = Executor(Scheduler(), self.clock)
        self.fault: Exception = Refusal(Code.DEVICE_FAULT)
        kinds: Mapping[int, OperatorKind] = BUILT_IN | {
            SLOW: OperatorKind(lambda: Slow(self.clock)),
            FAULTY: OperatorKind(lambda: Faulty(self.fault)),
        }
        self.graph = GraphService(kinds, self.growth, self.executor)
        self.llm = FakeLlm()
        service: LlmCommands | None = self.llm if llm else None
        self.plane = ControlPlane(self.graph, service, self.capabilities, self.clock, self.audit)
        self.admin = self.capabilities.issue("root", Rights.ADMIN, ALL)
        self.user = self.capabilities.issue("alice", Rights.SUBMIT | Rights.STREAM, Object.LLM)
        self.audit.entries.clear()

    def send(self, frame: bytes) -> Reply:
        return decode_reply(run(self.plane.handle(frame)))

    def ask(self, command: int, *arguments: int, token: int | None = None, flags: int = 0) -> Reply:
        """A request of the administrator, or of the holder of `token`."""
        return self.send(encode_request(command, self.admin if token is None else token, *arguments, flags=flags))

    def code(self, command: int, *arguments: int, token: int | None = None) -> Code:
        return self.ask(command, *arguments, token=token).code

    def build(self, *operators: tuple[int, ...], channels: int = 0) -> None:
        """A graph with so many channels and these operators."""
        assert self.code(Command.CREATE_GRAPH) is Code.OK
        for _ in range(channels):
            assert self.code(Command.ADD_CHANNEL, 0) is Code.OK
        for operator in operators:
            assert self.code(Command.ADD_OPERATOR, *operator) is Code.OK


def split(replies: bytes) -> list[Reply]:
    """The replies of a stream."""
    found = []
    while replies:
        size = 8 + int.from_bytes(replies[4:8], "little")
        found.append(decode_reply(replies[:size]))
        replies = replies[size:]
    return found
