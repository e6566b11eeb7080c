"""B6: nothing that one tenant does reaches another's work: what an inference gives is what it gives alone."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.codes import Code
from sw.control.frames import Command
from sw.control.llm_commands import InferState
from sw.kernel.ring import SLOTS
from sw.llm.config import ClassBudget, Limits
from sw.run import run
from tests.llm.flawed import make_flawed
from tests.llm.stack import CLASSES, MS, Stack, Tenant, make_stack, package, reference

PROMPTS = (
    b"a", b"one two three four five six", b"one two three four five seven", b"x" * 50,
    b"!start", b"!model0", b"!model3", b"!defect0", b"!defect2", b"!close",
)  # fmt: skip
TOKENS = (1, 6, 20)
LIMITS = Limits(window_ns=MS, tokens_per_window=1 << 30, requests_per_window=1 << 30)
Outcome = tuple[InferState, Code, tuple[int, ...]]


def outcome(stack: Stack, tenant: Tenant, infer_id: int) -> Outcome:
    """State, reason code and tokens of an inference that runs, or has run, to its end."""
    state, tokens = tenant.read(infer_id)
    ends = stack.decisions("llm.infer.end") + stack.decisions("llm.infer.cancel")
    return state, Code(next(e["code"] for e in ends if e["object"] == f"infer:{infer_id}")), tuple(tokens)


@cache
def alone(prompt: bytes, max_tokens: int) -> Outcome:
    """What an inference gives in a system of its own."""
    with TemporaryDirectory() as folder:
        stack = make_stack(Path(folder), limits=LIMITS)
        make_flawed(stack)
        tenant = stack.tenant("alone")
        return outcome(stack, tenant, tenant.started(prompt, max_tokens))


def check_graphs(stack: Stack) -> None:
    """Every graph that waits for an inference is clean."""
    for model in stack.service._models:
        assert all(graph.clean for graph in model.free), "a graph that is handed out next is not clean"


def test_the_flaws_are_flaws() -> None:
    """The expectations of the property test are what their names say."""
    assert alone(b"!start", 6) == (InferState.FAILED, Code.DEVICE_FAULT, ())
    assert alone(b"!model0", 6) == (InferState.FAILED, Code.MODEL_UNSUPPORTED, ())
    assert alone(b"!defect2", 6)[:2] == (InferState.FAILED, Code.DEVICE_FAULT)
    assert len(alone(b"!defect2", 6)[2]) == 2
    assert alone(b"!close", 6)[:2] == (InferState.FAILED, Code.DEVICE_FAULT)
    assert len(alone(b"!close", 6)[2]) == 6
    assert alone(b"a", 6)[:2] == (InferState.DONE, Code.OK)


def test_b6_cancel_before_the_first_chunk(tmp_path: Path) -> None:
    """More cancelled queued inferences than a channel has slots, in one graph; then another tenant's work."""
    stack = make_stack(tmp_path, limits=Limits(in_flight=1, requests_per_window=1000))
    loud, quiet = stack.tenant("loud"), stack.tenant("quiet")
    for _ in range(SLOTS + 2):
        infer_id = loud.started(b"never computed", 4)
        assert loud.cancel(infer_id).fields == (InferState.CANCELLED,)
        check_graphs(stack)
    infer_id = quiet.started(b"one two", 20)
    assert quiet.read(infer_id) == (InferState.DONE, reference(stack, b"one two", 20))


@pytest.mark.parametrize("chunks", [0, 1, 2, 5])
@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("how", ["cancel", "reset", "budget"])
def test_b6_ends_in_every_state(how: str, reads: bool, chunks: int, tmp_path: Path) -> None:
    """However far an inference has come when it ends, and whether its output was read: its graph is clean."""
    stack = make_stack(tmp_path, limits=Limits(in_flight=1))
    loud, quiet = stack.tenant("loud"), stack.tenant("quiet")
    infer_id = loud.started(b"y" * 20, 30)
    for _ in range(chunks):
        assert run(stack.system.run_one())
    if reads:
        loud.poll(infer_id, 2)
    if how == "reset":
        run(stack.system.reset_device())
    if how == "budget":
        assert stack.admin.ask(Command.LLM_BUDGET, 0, 0, 0, MS, 20 * MS, 1).code is Code.OK
        assert run(stack.system.run_one())
    loud.cancel(infer_id)
    check_graphs(stack)
    second = quiet.started(b"one two", 6, cls=1)
    assert outcome(stack, quiet, second) == alone(b"one two", 6)


@pytest.mark.parametrize("prompt", [prompt for prompt in PROMPTS if prompt.startswith(b"!")])
def test_b6_failure_in_every_part(prompt: bytes, tmp_path: Path) -> None:
    stack = make_stack(tmp_path, limits=Limits(in_flight=1))
    make_flawed(stack)
    loud, quiet = stack.tenant("loud"), stack.tenant("quiet")
    assert outcome(stack, loud, loud.started(prompt, 6)) == alone(prompt, 6)
    check_graphs(stack)
    assert outcome(stack, quiet, quiet.started(b"one two", 6)) == alone(b"one two", 6)


def test_b6_another_prompt_that_cannot_be_announced(tmp_path: Path) -> None:
    """The last chunk of an inference announces the next one's prompt: its flaw is not the first one's."""
    stack = make_stack(tmp_path)
    make_flawed(stack)
    first, second = stack.tenant("a"), stack.tenant("b")
    good, bad = first.started(b"one two", 6, deadline_ns=MS), second.started(b"!model3", 6)
    assert outcome(stack, first, good) == alone(b"one two", 6)
    assert outcome(stack, second, bad) == alone(b"!model3", 6)


class Actions:
    """Random frames of three tenants; each inference must end as it does alone, or as its tenant has ended it."""

    def __init__(self, stack: Stack, draw: random.Random) -> None:
        self.stack = stack
        self.draw = draw
        self.tenants = [stack.tenant(name) for name in "abc"]
        self.open: dict[int, tuple[Tenant, bytes, int]] = {}
        self.cancelled: set[int] = set()
        self.interrupted: set[int] = set()

    def act(self) -> None:
        actions = (self.start, self.chunk, self.finish, self.cancel, self.reset, self.budget, self.reload)
        self.draw.choices(actions, (30, 60, 6, 12, 1, 2, 1))[0]()
        check_graphs(self.stack)

    def start(self) -> None:
        tenant, prompt, tokens = self.draw.choice(self.tenants), self.draw.choice(PROMPTS), self.draw.choice(TOKENS)
        reply = tenant.start(prompt, tokens, self.draw.choice((0, 0, 1, 2)))
        if reply.code is Code.OK:
            self.open[reply.fields[0]] = (tenant, prompt, tokens)
        else:
            assert reply.code in {Code.TOO_MANY_IN_FLIGHT, Code.QUEUE_FULL, Code.NO_ROOM}

    def chunk(self) -> None:
        run(self.stack.system.run_one())

    def finish(self) -> None:
        """Read an inference to its end and compare it."""
        if not self.open:
            return
        infer_id = self.draw.choice(sorted(self.open))
        tenant, prompt, max_tokens = self.open.pop(infer_id)
        state, code, tokens = outcome(self.stack, tenant, infer_id)
        expected = alone(prompt, max_tokens)
        ended = {InferState.CANCELLED: self.cancelled, InferState.FAILED: self.interrupted}
        if (state, code, tokens) != expected and infer_id in ended.get(state, ()):
            assert tokens == expected[2][: len(tokens)]
        else:
            assert (state, code, tokens) == expected, f"inference {infer_id} of {tenant.name}: {prompt!r}"

    def cancel(self) -> None:
        if self.open:
            infer_id = self.draw.choice(sorted(self.open))
            assert self.open[infer_id][0].cancel(infer_id).code is Code.OK
            self.cancelled.add(infer_id)

    def reset(self) -> None:
        self.interrupted |= {number for number, one in self.stack.service.book.live.items() if not one.queued}
        run(self.stack.system.reset_device())

    def budget(self) -> None:
        arguments = (self.draw.randrange(3), 0, 0, self.draw.choice((MS, 2 * MS)), 20 * MS, self.draw.choice((0, 7)))
        self.stack.admin.ask(Command.LLM_BUDGET, *arguments)

    def reload(self) -> None:
        if self.stack.admin.ask(Command.LLM_UNLOAD, 1).code is Code.OK:
            assert self.stack.admin.load(package()).code is Code.OK
            make_flawed(self.stack)


@settings(deadline=None, derandomize=True, max_examples=8)
@given(st.integers(0, 2**32))
def test_b6_every_inference_ends_as_it_does_alone(seed: int) -> None:
    with TemporaryDirectory() as folder:
        limits = Limits(in_flight=6, window_ns=MS, tokens_per_window=1 << 30, requests_per_window=1 << 30)
        classes: tuple[ClassBudget | None, ...] = (*CLASSES[:3], None)
        stack = make_stack(Path(folder), limits=limits, classes=classes)
        make_flawed(stack)
        actions = Actions(stack, random.Random(seed))
        for _ in range(150):
            actions.act()
        while actions.open:
            actions.finish()
        check_graphs(stack)
