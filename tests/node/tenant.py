"""Tenants of a served device, for tests: frames and calls with one token, and whole inferences."""

from __future__ import annotations

from typing import Any

from sw.codes import Code
from sw.control.frames import Command, Reply, decode_reply, encode_request
from sw.control.llm_commands import InferState
from sw.node.client import Client

PROMPT = b"The KV cache of a long prompt is moved between memory tiers."
STUB = 1


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
