"""B9: the limits that ship agree with one another and with the model that ships: at each boundary, and past it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.device import DeviceModel
from sw.codes import Code
from sw.control.frames import Command
from sw.control.llm_commands import InferState
from sw.llm.config import CLASSES, Limits, LlmConfig
from sw.llm.loaded import BackendKind
from sw.llm.micro.plan import DevicePlan
from sw.llm.models import PACKAGE, PUBLIC_KEY
from sw.llm.operator import arena_need
from sw.llm.package import TrustedKey, TrustStore
from sw.llm.package.format import parse
from sw.llm.system import LlmSetup, SystemConfig, build_system
from sw.run import run
from sw.signing import PublicKey
from sw.transport.model import ModelTransport
from tests.llm.stack import SERVICE_KEY, Stack, Tenant, make_stack, package

LIMITS = Limits()
CONTEXT = parse(PACKAGE.read_bytes()).header.context
PLAN = DevicePlan((1024, 2048, 2048, 3072), 8192)


def shipped(folder: Path, kind: BackendKind = BackendKind.MICRO, wcet_cycles: int = 0) -> Stack:
    """Everything as it ships: limits, classes, model, its key."""
    trust = TrustStore(folder / "trust")
    trust.add(TrustedKey(PublicKey.load(PUBLIC_KEY), "vendor", None))
    setup = LlmSetup(plan=PLAN, trust=trust, config=LlmConfig())
    transport = ModelTransport(DeviceModel(entries=8192, lanes=4))
    stack = Stack(run(build_system(transport, SystemConfig(key=SERVICE_KEY, llm=setup))), transport.device)
    assert stack.admin.load(PACKAGE.read_bytes(), wcet_cycles, kind).code is Code.OK
    return stack


def served(tenant: Tenant, prompt: bytes, tokens: int) -> int:
    """Tokens of an inference that must end well."""
    state, got = tenant.read(tenant.started(prompt, tokens))
    assert state is InferState.DONE
    return len(got)


def test_b9_the_most_tokens_that_the_limits_allow(tmp_path: Path) -> None:
    tenant = shipped(tmp_path).tenant("a")
    assert served(tenant, b"The device ", LIMITS.max_tokens) == LIMITS.max_tokens
    assert tenant.start(b"The device ", LIMITS.max_tokens + 1).code is Code.TOO_MANY_TOKENS


@pytest.mark.parametrize("tokens", [1, LIMITS.max_tokens])
def test_b9_the_whole_context(tokens: int, tmp_path: Path) -> None:
    """The longest prompt that leaves room for so many tokens: a marker, its bytes, and they."""
    tenant = shipped(tmp_path).tenant("a")
    longest = b"The device moves blocks. " * CONTEXT
    assert served(tenant, longest[: CONTEXT - 1 - tokens], tokens) <= tokens
    assert tenant.start(longest[: CONTEXT - tokens], tokens).code is Code.CONTEXT_EXCEEDED


@pytest.mark.parametrize("kind", [BackendKind.MICRO, BackendKind.STUB])
def test_b9_no_request_within_the_limits_lacks_an_arena(kind: BackendKind, tmp_path: Path) -> None:
    """Every prompt length with as many tokens as may be asked for with it."""
    stack = shipped(tmp_path, kind)
    (model,) = stack.service._models
    context, marker = model.backend.info.context, kind is BackendKind.MICRO
    for length in range(1, LIMITS.prompt_bytes + 1):
        most = min(LIMITS.max_tokens, context - length - marker)
        if most > 0:
            model.check_room(length, most)
    assert arena_need(LIMITS.prompt_bytes, LIMITS.max_tokens) <= model.arena_bytes


def test_b9_the_longest_prompt(tmp_path: Path) -> None:
    tenant = shipped(tmp_path, BackendKind.STUB).tenant("a")
    assert served(tenant, b"ab " * (LIMITS.prompt_bytes // 3) + b"c", LIMITS.max_tokens) == LIMITS.max_tokens
    assert tenant.start(b"x" * (LIMITS.prompt_bytes + 1), 1).code is Code.PROMPT_TOO_LONG


def test_b9_queues_and_inferences_in_flight(tmp_path: Path) -> None:
    """A class's queue, then a tenant's share, then all: each full before the arenas or the device are."""
    stack = shipped(tmp_path)
    tenants = [stack.tenant(name) for name in "abc"]
    assert [tenants[0].start(b"x", 8).code for _ in range(LIMITS.queue_depth)] == [Code.OK] * LIMITS.queue_depth
    assert tenants[1].start(b"x", 8).code is Code.QUEUE_FULL
    assert tenants[0].start(b"x", 8, cls=1).code is Code.TOO_MANY_IN_FLIGHT
    left = LIMITS.in_flight - LIMITS.queue_depth
    assert [tenants[1].start(b"x", 8, cls=1 + n % 3).code for n in range(left)] == [Code.OK] * left
    assert tenants[2].start(b"x", 8, cls=3).code is Code.TOO_MANY_IN_FLIGHT


def test_b9_windows(tmp_path: Path) -> None:
    """Requests and tokens of a tenant in a window; both are free again in the next."""
    stack = shipped(tmp_path, BackendKind.STUB)
    stack.wait(LIMITS.window_ns - stack.system.clock.now() % LIMITS.window_ns)
    tenant = stack.tenant("a")

    def ended(tokens: int) -> Code:
        reply = tenant.start(b"x", tokens)
        if reply.code is Code.OK:
            tenant.cancel(reply.fields[0])
        return reply.code

    assert [ended(1) for _ in range(LIMITS.requests_per_window)] == [Code.OK] * LIMITS.requests_per_window
    assert ended(1) is Code.RATE_LIMITED
    other = stack.tenant("b")
    full, rest = divmod(LIMITS.tokens_per_window, LIMITS.max_tokens)
    assert rest == 0
    share = min(full, LIMITS.tenant_in_flight)
    codes = [other.start(b"x", LIMITS.max_tokens, cls=n % 4).code for n in range(share)]
    assert codes == [Code.OK] * full, "as many in flight as the quota has room for"
    assert other.start(b"x", 1).code in {Code.QUOTA_EXCEEDED, Code.TOO_MANY_IN_FLIGHT}
    stack.wait(LIMITS.window_ns)
    assert ended(1) is Code.OK


def test_b9_every_class_is_admitted_with_the_published_graph(tmp_path: Path) -> None:
    stack = shipped(tmp_path, wcet_cycles=25_000)  # both are vectors of the contract
    assert stack.admin.ask(Command.CREATE_GRAPH).code is Code.OK
    assert stack.admin.ask(Command.ENABLE_DETERMINISTIC, 50_000, 200_000, 200_000).code is Code.OK
    assert all(stack.tenant(f"t{cls}").start(b"x", 1, cls).code is Code.OK for cls in range(CLASSES))


@pytest.mark.parametrize(
    ("name", "header", "code"),
    [("context", "context", Code.MODEL_TOO_LARGE), ("model_arena_bytes", "arena_bytes", Code.MODEL_TOO_LARGE)],
)
def test_b9_limits_of_a_package(name: str, header: str, code: Code, tmp_path: Path) -> None:
    limit = getattr(LIMITS, name)
    stack = make_stack(tmp_path, load=False)
    at: dict[str, Any] = {header: limit}
    past: dict[str, Any] = {header: limit + 1}
    assert stack.admin.load(package(1, **past)).code is code
    assert stack.admin.load(package(1, **at)).code is Code.OK


def test_b9_models_at_once(tmp_path: Path) -> None:
    stack = make_stack(tmp_path, load=False)
    codes = [stack.admin.load(package(number)).code for number in range(1, LIMITS.models + 2)]
    assert codes == [Code.OK] * LIMITS.models + [Code.NO_ROOM]
