"""Every refusal of an inference: its code, one audit entry, one count, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sw.codes import Code
from sw.control.frames import Command, Reply
from sw.kernel.capability import Object, Rights
from sw.llm.config import Limits
from sw.llm.operator import arena_need
from sw.metrics import snapshots
from sw.run import run
from tests.llm.stack import CONTEXT, MS, Stack, Tenant, make_stack, package

OP = "llm.infer.start"
Submit = Callable[[Tenant], Reply]


def long_form(tenant: Tenant, **changes: int) -> Reply:
    fields = {
        "max_tokens": 4, "cls": 0, "deadline_ns": 0, "model_id": 0, "seed": 1, "temperature": 0, "top_k": 0, "top_p": 0,
    }  # fmt: skip
    return tenant.ask(Command.LLM_INFER_START, tenant.buffer(b"a prompt"), *(fields | changes).values())


def fill(stack: Stack, count: int, *, cls: int = 0, name: str = "other", max_tokens: int = 4) -> None:
    """Inferences of another tenant that wait."""
    other = stack.tenant(name)
    for _ in range(count):
        other.started(cls=cls, max_tokens=max_tokens)


def two_models(stack: Stack) -> None:
    assert stack.admin.load(package(2)).code is Code.OK


def before(count: int, max_tokens: int = 4) -> Callable[[Stack, Tenant], None]:
    def prepare(_: Stack, tenant: Tenant) -> None:
        for _ in range(count):
            tenant.started(max_tokens=max_tokens)

    return prepare


def nothing(_: Stack, __: Tenant) -> None:
    pass


CASES: dict[str, tuple[Code, dict[str, Any], Callable[[Stack, Tenant], None], Submit]] = {
    "class 4": (Code.BAD_ARGUMENT, {}, nothing, lambda t: t.start(cls=4)),
    "no token": (Code.BAD_ARGUMENT, {}, nothing, lambda t: t.start(max_tokens=0)),
    "top_p over 1": (Code.BAD_ARGUMENT, {}, nothing, lambda t: long_form(t, top_p=1001)),
    "class without a server": (Code.ADMISSION_REFUSED, {}, nothing, lambda t: t.start(cls=3)),
    "no such model": (Code.NO_MODEL, {}, nothing, lambda t: long_form(t, model_id=9)),
    "which model": (Code.NO_MODEL, {}, lambda s, _: two_models(s), lambda t: t.start()),
    "no such handle": (Code.NOT_FOUND, {}, nothing, lambda t: t.ask(Command.LLM_INFER_START, 999, 4, 0, 0)),
    "prompt": (Code.PROMPT_TOO_LONG, {"prompt_bytes": 16}, nothing, lambda t: t.start(b"x" * 17)),
    "tokens": (Code.TOO_MANY_TOKENS, {"max_tokens": 8}, nothing, lambda t: t.start(max_tokens=9)),
    "context": (Code.CONTEXT_EXCEEDED, {}, nothing, lambda t: t.start(b"x" * (CONTEXT - 8), max_tokens=8)),
    "rate": (Code.RATE_LIMITED, {"requests_per_window": 3}, before(3), lambda t: t.start()),
    "token quota": (Code.QUOTA_EXCEEDED, {"tokens_per_window": 100}, before(3, 30), lambda t: t.start(max_tokens=11)),
    "in flight": (Code.TOO_MANY_IN_FLIGHT, {"in_flight": 5}, lambda s, _: fill(s, 5), lambda t: t.start()),
    "in flight, one tenant": (Code.TOO_MANY_IN_FLIGHT, {"tenant_in_flight": 2}, before(2), lambda t: t.start()),
    "queue": (Code.QUEUE_FULL, {"queue_depth": 3}, lambda s, _: fill(s, 3, cls=1), lambda t: t.start(cls=1)),
    "blocks": (Code.NO_ROOM, {}, lambda s, _: fill(s, 8, max_tokens=100), lambda t: t.start(max_tokens=100)),
    "arena of the model": (
        Code.NO_ROOM,
        {"model_arena_bytes": 3 * arena_need(1024, 128)},
        lambda s, _: fill(s, 3),
        lambda t: t.start(),
    ),
    "arena of one inference": (Code.NO_ROOM, {}, nothing, lambda t: t.start(b"x" * 8, max_tokens=150)),
}


@pytest.mark.parametrize("name", CASES)
def test_refusal(name: str, tmp_path: Path) -> None:
    """A refused submission has its code, one audit entry, one count, and uses no infer_id."""
    code, limits, prepare, submit = CASES[name]
    slots = (16, 16, 32, 232) if name == "blocks" else (64, 64, 64, 1024)
    stack = make_stack(tmp_path, limits=Limits(**limits), slots=slots)
    tenant = stack.tenant("tenant")
    prepare(stack, tenant)
    accepted = stack.service.accepted
    decided = len(stack.decisions(OP))
    queued = stack.service.queued
    capacity = stack.service.gate.capacity.reserved
    assert submit(tenant).code is code
    entries = stack.decisions(OP)[decided:]
    assert [(e["code"], e["holder"]) for e in entries] == [(code, "tenant")]
    assert stack.service.refused[OP, code] == 1
    assert sum(stack.service.refused.values()) == 1
    snapshot = snapshots.snapshot(stack.system.metrics)
    assert snapshot["llm_rejects"] == 1
    assert (stack.service.accepted, stack.service.queued) == (accepted, queued)
    assert stack.service.gate.capacity.reserved == capacity
    status = stack.admin.ask(Command.LLM_STATUS)
    assert status.fields[5:7] == (accepted, 1)
    accepted_ids = [e["infer_id"] for e in stack.decisions(OP) if e["code"] == Code.OK]
    assert accepted_ids == list(range(1, accepted + 1))


def test_refusal_uses_no_infer_id(tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    tenant = stack.tenant("tenant")
    assert tenant.started() == 1
    assert tenant.start(cls=4).code is Code.BAD_ARGUMENT
    assert tenant.started() == 2


@pytest.mark.parametrize(
    ("command", "rights"),
    [
        (Command.LLM_LOAD, Rights.SUBMIT | Rights.STREAM),
        (Command.LLM_INFER_START, Rights.ADMIN | Rights.STREAM),
        (Command.LLM_INFER_POLL, Rights.ADMIN | Rights.SUBMIT),
        (Command.LLM_CANCEL, Rights.ADMIN | Rights.STREAM),
        (Command.LLM_UNLOAD, Rights.SUBMIT | Rights.STREAM),
        (Command.LLM_BUDGET, Rights.SUBMIT | Rights.STREAM),
    ],
)
def test_no_right_implies_another(command: Command, rights: Rights, tmp_path: Path) -> None:
    """Without its one right a command is refused by the capability check, and the service never sees it."""
    stack = make_stack(tmp_path)
    lacking = Tenant(stack, stack.system.capabilities.issue("t", rights, Object.LLM | Object.MODEL), "t")
    arguments = {
        Command.LLM_LOAD: (1, 0, 0),
        Command.LLM_INFER_START: (1, 4, 0, 0),
        Command.LLM_INFER_POLL: (1, 4),
        Command.LLM_CANCEL: (1,),
        Command.LLM_UNLOAD: (1,),
        Command.LLM_BUDGET: (0, 0, 0, MS, 10 * MS, 0),
    }[command]
    before_count = len(stack.system.audit.entries())
    assert lacking.ask(command, *arguments).code is Code.AUTH_FAILED
    entries = stack.system.audit.entries()[before_count:]
    assert [(e["operation"], e["code"]) for e in entries] == [("capability.check", Code.AUTH_FAILED)]
    assert not stack.service.refused


def test_rate_window_is_fixed(tmp_path: Path) -> None:
    """The window is [kP, (k+1)P) of absolute time, whenever a tenant began; another tenant has its own."""
    stack = make_stack(tmp_path, limits=Limits(requests_per_window=2, window_ns=50 * MS))
    tenant, other = stack.tenant("tenant"), stack.tenant("other")
    clock = stack.system.clock
    stack.wait(49 * MS)
    tenant.started()
    tenant.started()
    assert tenant.start().code is Code.RATE_LIMITED
    other.started()
    stack.wait(50 * MS - clock.now() % (50 * MS) - 4000)
    assert tenant.start().code is Code.RATE_LIMITED
    stack.wait(4000)
    assert tenant.start().code is Code.OK


def test_token_quota_is_charged_with_what_was_produced(tmp_path: Path) -> None:
    """max_tokens is reserved at the gate; what an inference did not produce comes back at its end."""
    stack = make_stack(tmp_path, limits=Limits(tokens_per_window=100, window_ns=10_000 * MS))
    tenant = stack.tenant("tenant")
    first = tenant.started(max_tokens=90)
    assert tenant.start(max_tokens=11).code is Code.QUOTA_EXCEEDED
    second = tenant.started(max_tokens=10)
    assert tenant.cancel(second).code is Code.OK
    produced = 0
    while not produced:
        assert run(stack.system.run_one())
        produced = tenant.poll(first).fields[3]
    assert tenant.cancel(first).code is Code.OK
    left = 100 - produced
    assert tenant.start(max_tokens=left + 1).code is Code.QUOTA_EXCEEDED
    assert tenant.start(max_tokens=left).code is Code.OK
