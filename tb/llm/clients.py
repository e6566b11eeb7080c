"""The clients of a run: they speak to the system in control frames, and in nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

from sw.codes import Code
from sw.control.frames import Command, Reply, decode_reply, encode_request
from sw.control.llm_commands import InferState
from sw.kernel.capability import Capability, Object, Rights
from sw.llm.system import System
from sw.replay.records import Checks
from tb.llm.workload import Prompt


@dataclass(slots=True)
class Client:
    """A prompt on its way.

    Attributes:
        number: its place in the workload.
        infer_id: what the service calls it.
        accepted_ns: when it was submitted.
        tokens, token_ns: what polls have given, and when.
        state, ended_ns: as the last poll reported.
    """

    number: int
    prompt: Prompt
    infer_id: int
    accepted_ns: int
    tokens: list[int] = field(default_factory=list)
    token_ns: list[int] = field(default_factory=list)
    state: InferState = InferState.QUEUED
    ended_ns: int = 0

    @property
    def ended(self) -> bool:
        """Whether it has ended and was read to its end."""
        return self.ended_ns > 0


class Desk:
    """Capabilities and frames of an administrator and of tenants.

    Attributes:
        replies: every reply frame, in order.
    """

    def __init__(self, system: System, admin_token: int, checks: Checks) -> None:
        """Speak for the administrator; tenants come by name."""
        self.replies: list[bytes] = []
        self._system = system
        self._checks = checks
        admin = system.capabilities.check(admin_token, Object.LLM, Rights.ADMIN, system.clock.now())
        self._admin = admin
        self._tokens: dict[str, int] = {}
        self._caps: dict[str, Capability] = {}
        self._issue(admin.holder, Rights.ADMIN | Rights.SUBMIT)

    def _issue(self, name: str, rights: Rights) -> None:
        system, objects = self._system, Object.LLM | Object.MODEL
        token = system.capabilities.issue(name, rights, objects, by=self._admin)
        self._tokens[name] = token
        self._caps[name] = system.capabilities.check(token, Object.LLM, Rights.SUBMIT, system.clock.now())

    async def ask(self, who: str, command: Command, *arguments: int, expected: Code = Code.OK) -> Reply:
        """One frame there and one back.

        Raises whatever `checks` raises when its status is another than expected.
        """
        answer = await self._system.plane.handle(encode_request(command, self._tokens[who], *arguments))
        self.replies.append(answer)
        reply = decode_reply(answer)
        self._checks.compare(f"status of {command.name}", expected.label, reply.code.label)
        return reply

    async def load(self, package: bytes, wcet_cycles: int) -> int:
        """Load a model as the administrator; its id."""
        name = self._admin.holder
        handle = self._system.buffers.make(self._caps[name], package)
        reply = await self.ask(name, Command.LLM_LOAD, handle, wcet_cycles, 0)
        self._system.buffers.release(self._caps[name], handle)
        return reply.fields[0]

    async def unload(self, model_id: int) -> None:
        """Unload a model as the administrator."""
        await self.ask(self._admin.holder, Command.LLM_UNLOAD, model_id)

    async def status(self) -> tuple[int, ...]:
        """The fields of LLM_STATUS."""
        return (await self.ask(self._admin.holder, Command.LLM_STATUS)).fields

    async def submit(self, number: int, prompt: Prompt, expected: Code = Code.OK) -> Client:
        """Submit a prompt as its tenant; one that is refused, as expected, has infer_id 0."""
        if prompt.tenant not in self._tokens:
            self._issue(prompt.tenant, Rights.SUBMIT | Rights.STREAM)
        cap, sampling = self._caps[prompt.tenant], prompt.sampling
        accepted = self._system.clock.now()
        handle = self._system.buffers.make(cap, prompt.text)
        reply = await self.ask(
            prompt.tenant, Command.LLM_INFER_START, handle, prompt.max_tokens, prompt.cls, prompt.deadline_ns, 0,
            sampling.seed, sampling.temperature, sampling.top_k, sampling.top_p, expected=expected,
        )  # fmt: skip
        self._system.buffers.release(cap, handle)
        return Client(number, prompt, reply.fields[0] if reply.fields else 0, accepted)

    async def cancel(self, client: Client) -> None:
        """Cancel as its tenant."""
        reply = await self.ask(client.prompt.tenant, Command.LLM_CANCEL, client.infer_id)
        client.state = InferState(reply.fields[0])

    async def poll(self, client: Client) -> None:
        """Take what there is; nothing is lost, repeated or out of order."""
        while not client.ended:
            reply = await self.ask(client.prompt.tenant, Command.LLM_INFER_POLL, client.infer_id, 12)
            _, state, _, count, first, *tokens = reply.fields
            self._checks.compare("index of the first token polled", len(client.tokens), first)
            now = self._system.clock.now()
            client.tokens += tokens
            client.token_ns += [now] * len(tokens)
            client.state = InferState(state)
            if count < 12:
                if client.state >= InferState.DONE:
                    client.ended_ns = now
                return
