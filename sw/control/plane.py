"""The control plane: checks a request in the contract's order, has it done, replies (software.md 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from sw.codes import Code, Refusal
from sw.control import llm_frames
from sw.control.frames import LAYOUTS, POLL_TOKENS, TOKEN_BYTES, Command, encode_reply
from sw.control.graph_service import GraphService
from sw.control.llm_commands import InferState, LlmCommands
from sw.control.stream import Fault, Request, StreamParser, parse
from sw.kernel.capability import ANY_OBJECT, ANY_RIGHT, Capabilities, Capability, Object, Rights
from sw.kernel.decision import AuditSink, bounded, decided
from sw.kernel.failures import Failures
from sw.slices import Between, uninterrupted


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a command needs, and what the audit log calls it."""

    op: str
    objects: Object
    rights: Rights


_GRAPH = (Object.GRAPH, Rights.ADMIN)
_RULES: dict[Command, _Rule] = {
    Command.CREATE_GRAPH: _Rule("graph.create", *_GRAPH),
    Command.ADD_CHANNEL: _Rule("graph.add_channel", *_GRAPH),
    Command.ADD_OPERATOR: _Rule("graph.add_operator", *_GRAPH),
    Command.START_GRAPH: _Rule("graph.start", *_GRAPH),
    Command.ADD_TYPED_OPERATOR: _Rule("graph.add_operator", *_GRAPH),
    Command.ENABLE_DETERMINISTIC: _Rule("graph.deterministic", *_GRAPH),
    Command.LLM_LOAD: _Rule("llm.load", Object.MODEL, Rights.ADMIN),
    Command.LLM_INFER_START: _Rule("llm.infer_start", Object.LLM, Rights.SUBMIT),
    Command.LLM_INFER_POLL: _Rule("llm.infer_poll", Object.LLM, Rights.STREAM),
    Command.LLM_CANCEL: _Rule("llm.cancel", Object.LLM, Rights.SUBMIT),
    Command.LLM_UNLOAD: _Rule("llm.unload", Object.MODEL, Rights.ADMIN),
    Command.LLM_BUDGET: _Rule("llm.budget", Object.LLM, Rights.ADMIN),
    Command.LLM_STATUS: _Rule("llm.status", ANY_OBJECT, ANY_RIGHT),
}
_LLM = range(Command.LLM_LOAD, Command.LLM_STATUS + 1)


Wait = Callable[[int], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How requests that can take long are served.

    Attributes:
        wait: awaited when a poll finds an inference alive and without tokens, with its number; True when it is
            worth another look. None: such a poll is answered at once.
        between: awaited between frames, and between slices of one that takes long; False ends the work with what
            is done.
    """

    wait: Wait | None = None
    between: Between = uninterrupted


AT_ONCE = Patience()
"""Polls are answered at once; nothing is interrupted."""


class Now(Protocol):
    """The part of a clock that the control plane needs."""

    def now(self) -> int:
        """Absolute device time in ns."""


class ControlPlane:
    """Frames to graph and LLM service.

    A refusal of the audit log itself (`NotRecorded`) is not answered: it reaches the caller, who must
    stop, because what is not recorded must not happen. Anything else that goes wrong in a request fails
    that request alone.

    Attributes:
        replies: how many replies had which code.
        dropped: bytes of all streams that belonged to no frame.
    """

    def __init__(
        self,
        graph: GraphService,
        llm: LlmCommands | None,
        capabilities: Capabilities,
        clock: Now,
        audit: AuditSink,
        failures: Failures | None = None,
    ) -> None:
        """Answer frames; without an LLM service 0x10 to 0x16 are Unsupported.

        `failures` bounds the audit entries of what is refused before any service was asked.
        """
        self._failures = failures or Failures()
        self.replies: Counter[Code] = Counter()
        self.dropped = 0
        self._graph = graph
        self._llm = llm
        self._capabilities = capabilities
        self._clock = clock
        self._audit = audit

    async def handle(self, frame: bytes) -> bytes:
        """Answer one frame that came as a whole (a datagram, a script's).

        Bytes that do not fill the frame, or go on behind it, are BadFrame.
        """
        reply, _ = await self._answer(parse(frame), AT_ONCE)
        return reply

    def open_stream(self) -> ControlStream:
        """A stream of a new client."""
        return ControlStream(self)

    async def serve(self, stream: ControlStream, data: bytes, patience: Patience) -> bytes:
        """Answer what the bytes complete in a stream, and what was not whole in time by now."""
        before, now = stream.dropped, self._clock.now()
        items = stream.parser.feed(data, now)
        self.dropped += stream.dropped - before
        replies: list[bytes] = []
        for item in items:
            if replies and not await patience.between():
                break
            reply, refused = await self._answer(item, patience)
            stream.tell(refused)
            replies.append(reply)
        stream.parser.postpone(self._clock.now() - now)
        return b"".join(replies)

    async def _answer(self, item: Request | Fault, patience: Patience) -> tuple[bytes, Refusal | None]:
        fields, refused = b"", None
        try:
            fields = await self._do(item, patience)
        except Refusal as refusal:
            refused = refusal
        code = refused.code if refused else Code.OK
        self.replies[code] += 1
        return encode_reply(item.command, item.flags, code, fields), refused

    async def _do(self, item: Request | Fault, patience: Patience) -> bytes:
        if isinstance(item, Fault):
            raise self._refuse(None, "frame", "frame", Refusal(item.code))
        number, payload = item.command, item.payload
        layout = LAYOUTS.get(number)
        if len(payload) not in (layout.sizes if layout else (TOKEN_BYTES,)):
            refusal = Refusal(Code.BAD_FRAME, f"{len(payload)} bytes of payload")
            raise self._refuse(None, "frame", f"command:{number:#04x}", refusal, bytes=len(payload))
        token = int.from_bytes(payload[:TOKEN_BYTES], "little")
        if layout is None:
            cap = self._capabilities.check(token, ANY_OBJECT, ANY_RIGHT, self._clock.now())
            raise self._refuse(cap, "frame", f"command:{number:#04x}", Refusal(Code.UNSUPPORTED))
        command = Command(number)
        rule = _RULES[command]
        cap = self._capabilities.check(token, rule.objects, rule.rights, self._clock.now())
        arguments = layout.arguments(payload)
        obj = "llm" if command in _LLM else "graph"
        with bounded(rule.op, lambda refusal: self._refuse(cap, rule.op, obj, refusal)):
            if command in _LLM:
                return await self._llm_command(cap, command, arguments, patience.wait)
            with decided(self._audit, cap, rule.op, obj) as counts:
                return await self._graph_command(command, arguments, counts, patience.between)

    async def _graph_command(
        self, command: Command, arguments: tuple[int, ...], counts: dict[str, int], between: Between
    ) -> bytes:
        reply = LAYOUTS[command].reply
        match command:
            case Command.CREATE_GRAPH:
                self._graph.create()
                return b""
            case Command.ADD_CHANNEL:
                counts["channel"] = self._graph.need().add_channel(*arguments)
                return reply.pack(counts["channel"])
            case Command.ADD_OPERATOR | Command.ADD_TYPED_OPERATOR:
                counts["operator"] = arguments[0]
                self._graph.need().add_operator(*arguments)
                return b""
            case Command.START_GRAPH:
                counts["asked"] = arguments[0]
                counts["steps"] = await self._graph.start(arguments[0], between)
                return reply.pack(counts["steps"])
            case Command.ENABLE_DETERMINISTIC:
                counts |= dict(zip(("wcet_ns", "period_ns", "deadline_ns"), arguments, strict=True))
                counts["used_ppm"] = self._graph.enable_deterministic(*arguments)
                return reply.pack(counts["used_ppm"])
            case _:
                raise ValueError(f"{command.name} is no command of the graph")

    async def _llm_command(
        self, cap: Capability, command: Command, arguments: tuple[int, ...], wait: Wait | None
    ) -> bytes:
        op = _RULES[command].op
        if self._llm is None:
            raise self._refuse(cap, op, "llm", Refusal(Code.UNSUPPORTED, "there is no LLM service"))
        try:
            llm_frames.check_reserved(command, arguments)
        except Refusal as refusal:
            raise self._refuse(cap, op, "llm", refusal) from None
        if command is Command.LLM_INFER_POLL:
            return await self._poll(self._llm, cap, arguments, wait)
        return await llm_frames.call(self._llm, cap, command, arguments)

    @staticmethod
    async def _poll(llm: LlmCommands, cap: Capability, arguments: tuple[int, ...], wait: Wait | None) -> bytes:
        """LLM_INFER_POLL, again when it found nothing yet and whoever serves the stream has waited for more."""
        infer_id, max_items = arguments
        most = min(max_items, POLL_TOKENS)
        answer = await llm.poll(cap, infer_id, most)
        if wait and most and not answer.tokens and answer.state < InferState.DONE and await wait(infer_id):
            answer = await llm.poll(cap, infer_id, most)
        return llm_frames.poll_fields(answer)

    def _refuse(self, cap: Capability | None, op: str, obj: str, refusal: Refusal, **counts: int) -> Refusal:
        """Record a refusal of the control plane's own and give it back to be raised."""
        if cap:
            self._audit.record(holder=cap.holder, cap_id=cap.id, op=op, obj=obj, code=refusal.code, **counts)
        elif (more := self._failures.entry()) is not None:
            self._audit.record(holder="", cap_id=None, op=op, obj=obj, code=refusal.code, **counts, **more)
        return refusal


class ControlStream:
    """One client's stream of bytes. Made by `ControlPlane.open_stream`.

    Attributes:
        parser: cuts it into frames.
        refused: the last refusal, with its reason, which a reply has no room for; None after a command that was done.
        failures: replies with AuthFailed so far.
    """

    def __init__(self, plane: ControlPlane) -> None:
        self.parser = StreamParser()
        self.refused: Refusal | None = None
        self.failures = 0
        self._plane = plane

    @property
    def dropped(self) -> int:
        """Bytes that belonged to no frame."""
        return self.parser.dropped

    @property
    def deadline_ns(self) -> int | None:
        """Time at which `expire` has something to answer; None when no frame is under way."""
        return self.parser.deadline_ns

    async def feed(self, data: bytes, patience: Patience = AT_ONCE) -> bytes:
        """Take bytes as they come, each once; the replies they cause, in order, one behind the other.

        Args:
            data: the next bytes of the stream.
            patience: how requests that can take long are served.

        Raises:
            NotRecorded: a decision could not be recorded.
        """
        return await self._plane.serve(self, data, patience)

    async def expire(self) -> bytes:
        """The replies to what was not whole in time."""
        return await self._plane.serve(self, b"", AT_ONCE)

    def tell(self, refused: Refusal | None) -> None:
        """How the last frame ended."""
        self.refused = refused
        self.failures += refused is not None and refused.code is Code.AUTH_FAILED
